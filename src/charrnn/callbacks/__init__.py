"""What happens beside training: evaluation, checkpoints, measurements, progress."""
