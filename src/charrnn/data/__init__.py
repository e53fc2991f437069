"""Corpora: where their texts come from, and their tokens (Section 4.2)."""
