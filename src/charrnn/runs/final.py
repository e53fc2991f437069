"""Final perplexities of a run, read from its folder alone."""

from __future__ import annotations

import math

from charrnn.runs.folder import RunFolder


def final_perplexities(folder: RunFolder, num_batches: int) -> dict[str, float]:
    """The perplexities after ``num_batches`` batches by procedure; NaN counts as infinite.

    A run that was stopped early has those of its last batch.

    Raises:
        CharRNNError: if the run's table was changed since, or cannot be read.
    """
    mark = folder.mark()
    if mark is not None and folder.covers(num_batches) and mark["batches"] <= num_batches:
        found = mark["perplexity"]
    else:
        table = folder.read_table(num_batches)
        last = table[table["batches"] == num_batches]
        found = dict(zip(last["procedure"], last["perplexity"], strict=True))
    return {name: math.inf if math.isnan(value) else float(value) for name, value in found.items()}


def in_words(perplexity: float) -> str:
    """A perplexity with two decimals.

    Examples:
        >>> in_words(7.912), in_words(math.inf)
        ('7.91', 'infinite')
    """
    return f"{perplexity:.2f}" if math.isfinite(perplexity) else "infinite"


def in_bits(perplexity: float) -> str:
    """The same in bits per token, its logarithm to base 2; a dash if it is infinite.

    Examples:
        >>> in_bits(8.0), in_bits(math.inf)
        ('3.00', '-')
    """
    return f"{math.log2(perplexity):.2f}" if math.isfinite(perplexity) else "-"
