"""Scores and MIDI files to note tokens, and back."""
