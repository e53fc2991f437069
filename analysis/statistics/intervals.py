"""Intervals, and what replicates say about a mean by chance: Student's t, and Holm's correction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import stats

CONFIDENCE = 0.95
ALPHA = (1 - CONFIDENCE) / 2
"""One-sided tests at this level decide as two-sided intervals at CONFIDENCE do."""
ENOUGH = 3
"""Replicates without which there is no interval: Student's t of two reaches 12.7 deviations."""


ROUNDING = 1e-12
"""Smaller differences of logarithms are rounding errors, and none at all."""


@dataclass(frozen=True)
class Interval:
    """An open interval: what a claim says about a number, or what is known about one."""

    low: float = -math.inf
    high: float = math.inf

    def __contains__(self, value: float) -> bool:
        return self.low < value < self.high


class Chance(NamedTuple):
    """How probable results like these are by chance alone.

    Attributes:
        supports: the probability of results that support a claim this much if it just failed.
        opposes: the probability of results that oppose it this much if it just held.
    """

    supports: float = 1.0
    opposes: float = 1.0


def students_interval(seeds: np.ndarray) -> Interval | None:
    """Student's 95 % interval for a mean over replicates; None for fewer than three.

    Args:
        seeds: one number per replicate.
    """
    if len(seeds) < ENOUGH:
        return None
    mean, error = float(seeds.mean()), _standard_error(seeds)
    if not error:
        return Interval(mean, mean)
    return Interval(*stats.t.interval(CONFIDENCE, len(seeds) - 1, mean, error))


def chance_of_mean(seeds: np.ndarray, claimed: Interval) -> Chance:
    """Student's one-sided tests of whether a mean over replicates lies in an interval.

    An interval with two ends needs both tests (two one-sided tests, for equivalence), and either
    end can be missed (Bonferroni). With fewer than three replicates nothing is known.

    Args:
        seeds: one number per replicate.
        claimed: where the mean is said to lie.

    Examples:
        >>> import numpy as np
        >>> chance_of_mean(np.array([0.3, 0.4, 0.5]), Interval(low=0)).supports < 0.025
        True
    """
    if len(seeds) < ENOUGH:
        return Chance()
    ends = [(end, above) for end, above in ((claimed.low, True), (claimed.high, False))]
    finite = [(end, above) for end, above in ends if math.isfinite(end)]
    inside = [_one_sided(seeds, end, above) for end, above in finite]
    outside = [_one_sided(seeds, end, not above) for end, above in finite]
    return Chance(max(inside, default=0.0), min(1.0, len(outside) * min(outside, default=1.0)))


def _standard_error(seeds: np.ndarray) -> float:
    return float(seeds.std(ddof=1)) / math.sqrt(len(seeds))


def _one_sided(seeds: np.ndarray, bound: float, above: bool) -> float:
    """The p-value against the mean not being above (or below) the bound."""
    distance = float(seeds.mean() - bound) * (1 if above else -1)
    error = _standard_error(seeds)
    if error < ROUNDING:
        return 0.0 if distance > ROUNDING else 1.0
    return float(stats.t.sf(distance / error, len(seeds) - 1))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's (1979) adjusted p-values: below a level, any of them is false with that probability.

    Examples:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    order = np.argsort(p_values)
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted
