"""The two procedures that perplexity is measured by, and the gap between them; light to import."""

from __future__ import annotations

import math

SAMPLING_PROCEDURES = ("windowed", "progressive")
"""How a model reads the tokens before each prediction: the k2 before it, or all, once."""


def reading_gap(windowed: float, progressive: float) -> float:
    """log(progressive / windowed): how much worse a model predicts if it reads on.

    Both are perplexities of the same weights on the same tokens, so neither the split nor the stage
    of the training blurs the gap. 0: a model that reads more than the k2 tokens it was trained on
    predicts as well as one that starts afresh. Above 0 it fails to generalise to greater length.

    Args:
        windowed: perplexity by windowed sampling, above 0.
        progressive: perplexity by progressive sampling.

    Returns:
        The gap; infinite if one of them is, NaN if both are or one is NaN.

    Examples:
        >>> round(reading_gap(28.0, 63.4), 2)
        0.82
        >>> reading_gap(20.0, 20.0)
        0.0
    """
    return math.log(progressive) - math.log(windowed)
