"""Perplexity of a test split (Eq. 9)."""
