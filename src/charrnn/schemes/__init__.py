"""The four schemes, truncated BPTT, and the loss over positions (Sections 2, 3 and 5)."""
