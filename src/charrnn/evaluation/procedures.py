"""The names of the procedures that perplexity is measured by; light to import."""

from __future__ import annotations

SAMPLING_PROCEDURES = ("windowed", "progressive")
"""How a model reads the tokens before each prediction: the k2 before it, or all, once."""
