"""Corpora: what one is, the paper's, their substitutes, and which of them a figure takes."""
