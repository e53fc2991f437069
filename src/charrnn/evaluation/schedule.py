"""When perplexity is measured."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from omegaconf import DictConfig

GOLDEN = (5**0.5 - 1) / 2
"""Its multiples, without their whole parts, fill the interval from 0 to 1 without a period."""
SPAN = 50
"""Batches between two dense evaluations, on average, early in training."""
SHARE = 0.05
"""The same later, as a share of the batches so far: lines over a logarithmic axis stay as dense."""


def log_spaced(num_batches: int) -> list[int]:
    """The batch counts of the authors' code: 1, 3, 6, 13, 26, 51, 101, 201, 401, ..., the last.

    Examples:
        >>> log_spaced(300)
        [1, 3, 6, 13, 26, 51, 101, 201, 300]
    """
    counts = [1, 3, 6, 13]
    while (following := 25 * 2 ** (len(counts) - 4) + 1) < num_batches:
        counts.append(following)
    return [count for count in counts if count < num_batches] + [num_batches]


def dense(num_batches: int) -> list[int]:
    """Those of `log_spaced`, and one more in every span of 50 batches, or of 5 % if that is more.

    Where it is in its span follows the multiples of the golden ratio, so that the counts keep no
    step with the epochs, whose ends the log-spaced ones can happen to be near. A longer training
    has the same counts, and further ones.

    Examples:
        >>> dense(300)
        [1, 3, 6, 13, 26, 30, 51, 61, 101, 142, 173, 201, 204, 285, 300]
    """
    counts, start = set(log_spaced(num_batches)), 0
    for number in itertools.count(1):
        span = max(SPAN, int(SHARE * start))
        count = start + int(span * (number * GOLDEN % 1))
        if count >= num_batches:
            return sorted(counts)
        counts.add(count)
        start += span
    raise AssertionError("unreachable")


SCHEDULES: dict[str, Callable[[int], list[int]]] = {"log": log_spaced, "dense": dense}
"""The schedules by the names that `evaluate_at` takes."""


def evaluation_counts(cfg: DictConfig) -> list[int]:
    """The batch counts at which the configuration's run is evaluated; the last one always is.

    Args:
        cfg: its `evaluate_at` names a schedule or lists the counts; a sweep adds the lengths of
            shorter cells that are read off the same run.
    """
    wanted = cfg.evaluate_at
    chosen = SCHEDULES[wanted](cfg.num_batches) if isinstance(wanted, str) else wanted
    return sorted({*chosen, *cfg.job.evaluate_also, cfg.num_batches})
