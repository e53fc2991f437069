"""Counts of cells, such as unstable ones, and whether two shares differ by more than chance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.statistics.intervals import CONFIDENCE, Interval

SIGNIFICANT = 1 - CONFIDENCE
"""Below this probability, chance is ruled out as the explanation."""


@dataclass(frozen=True)
class Count:
    """The number of cells for which something is true, out of all cells."""

    true: int
    cells: int

    @classmethod
    def of(cls, flags: pd.Series) -> Count:
        """Count booleans, or ones and zeros; missing values are left out."""
        known = flags.dropna()
        return cls(int(known.sum()), len(known))

    @property
    def share(self) -> float:
        """NaN without cells."""
        return self.true / self.cells if self.cells else np.nan

    def interval(self) -> Interval:
        """Clopper and Pearson's exact 95 % interval for the share."""
        known = stats.binomtest(self.true, self.cells).proportion_ci(CONFIDENCE, "exact")
        return Interval(known.low, known.high)

    def __str__(self) -> str:
        return f"{self.true} of {self.cells}"


def chance(one: Count, other: Count) -> float:
    """The probability that chance alone sets two shares this far apart: Fisher's exact test."""
    table = [[each.true, each.cells - each.true] for each in (one, other)]
    return float(stats.fisher_exact(np.array(table)).pvalue)


def exceeds(one: Count, other: Count) -> bool:
    """Whether the first share is larger, by more than chance explains."""
    return one.share > other.share and chance(one, other) < SIGNIFICANT
