"""When perplexity is measured."""

from __future__ import annotations


def log_spaced(num_batches: int) -> list[int]:
    """The batch counts of the authors' code: 1, 3, 6, 13, 26, 51, 101, 201, 401, ..., the last."""
    counts = [1, 3, 6, 13]
    while (following := 25 * 2 ** (len(counts) - 4) + 1) < num_batches:
        counts.append(following)
    return [count for count in counts if count < num_batches] + [num_batches]
