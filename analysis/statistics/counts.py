"""Counts of cells, such as unstable ones, and whether two shares of the same cells differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.statistics.intervals import CONFIDENCE, Chance, Interval


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


@dataclass(frozen=True)
class Pairs:
    """Pairs of cells, in each of which something is true of either, both or neither cell.

    Attributes:
        first: pairs in which it is true of the first cell alone.
        second: pairs in which it is true of the second cell alone.
        total: all pairs.
    """

    first: int
    second: int
    total: int

    @classmethod
    def of(cls, flags: pd.Series, others: pd.Series) -> Pairs:
        """Pair two series of ones and zeros by their indices; cells without a partner are out."""
        both = pd.concat({"one": flags, "other": others}, axis=1).dropna().astype(bool)
        only = (both["one"] & ~both["other"]), (both["other"] & ~both["one"])
        return cls(int(only[0].sum()), int(only[1].sum()), len(both))

    def chance(self) -> Chance:
        """McNemar's exact test of whether it is true of the first cells more often.

        Pairs that agree say nothing; if all of them do, nothing is known.
        """
        if not (apart := self.first + self.second):
            return Chance()
        more, less = (
            float(stats.binomtest(self.first, apart, alternative=side).pvalue)
            for side in ("greater", "less")
        )
        return Chance(more, less)

    def interval(self) -> Interval:
        """Agresti and Min's (2005) 95 % interval for the difference of the two shares."""
        first, second, total = self.first + 0.5, self.second + 0.5, self.total + 2
        difference = (first - second) / total
        error = math.sqrt(first + second - (first - second) ** 2 / total) / total
        half = float(stats.norm.ppf(0.5 + CONFIDENCE / 2)) * error
        return Interval(max(-1.0, difference - half), min(1.0, difference + half))
