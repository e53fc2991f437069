"""Aggregates over many strata with few replicates each, and their stratified bootstrap.

In the manner of Agarwal et al., *Deep reinforcement learning at the edge of the statistical
precipice*, NeurIPS 2021: an interquartile mean and performance profiles, with intervals from a
bootstrap that draws replicates anew within each stratum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analysis.statistics.intervals import CONFIDENCE, ENOUGH, Interval

RESAMPLES = 2000


def interquartile_mean(values: np.ndarray) -> np.ndarray:
    """Mean of the middle half of the values: of n, n // 4 are left out at each end.

    Args:
        values: (..., n); infinite ones count as long as they are left out.

    Returns:
        (...): the means.
    """
    cut = values.shape[-1] // 4
    middle = np.sort(values, axis=-1)[..., cut : values.shape[-1] - cut]
    return middle.mean(axis=-1)


def profile(values: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The performance profile: the share of values that are at most so large.

    Args:
        values: (..., n).
        at: thresholds (m,).

    Returns:
        (..., m).
    """
    return (values[..., None, :] <= at[:, None]).mean(axis=-1)


def resample(
    strata: Sequence[np.ndarray], resamples: int = RESAMPLES, seed: int = 0
) -> np.ndarray | None:
    """Draw replicates with replacement within each stratum.

    Args:
        strata: the replicates' values of each stratum.
        resamples: how often.
        seed: of the draws.

    Returns:
        All values of each resample, (resamples, n); None if a stratum has fewer than ENOUGH
        or there is no stratum.
    """
    if not strata or min(map(len, strata)) < ENOUGH:
        return None
    generator = np.random.default_rng(seed)
    drawn = [one[generator.integers(len(one), size=(resamples, len(one)))] for one in strata]
    return np.concatenate(drawn, axis=1)


def bootstrap_interval(
    strata: Sequence[np.ndarray],
    statistic: Callable[[np.ndarray], np.ndarray] = interquartile_mean,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | None:
    """The percentile interval of a statistic of all values, at CONFIDENCE.

    With few replicates such an interval is somewhat too narrow: a mean of three has 2/3 of the
    variance that it should have.

    Args:
        strata: see `resample`.
        statistic: from (..., n) to (...).
        resamples: how often to resample.
        seed: of the draws.
    """
    drawn = resample(strata, resamples, seed)
    if drawn is None:
        return None
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    low, high = np.quantile(statistic(drawn), tails)
    return Interval(float(low), float(high))
