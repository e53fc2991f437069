"""Corpora, vocabulary, the train/test split and the paper's batches (Section 4.1 and 4.2)."""
