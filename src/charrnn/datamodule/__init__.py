"""The test split and the training batches (Sections 4.1 and 4.2, Eq. 8)."""
