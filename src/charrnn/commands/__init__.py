"""The commands that use trained runs: sample, eval, compare."""
