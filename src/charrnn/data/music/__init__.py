"""Notes: read from scores and MIDI files, and written to MIDI files."""
