"""Cells compared with others that differ in one thing, and by what rule that decides.

The unit that may vary at random is the seed. With several of them a finding is their mean over the
cells that all of them have, with Student's 95 % interval: three seeds are too few to resample, and
the logarithms that are compared lie about a mean. All parts have to agree besides. With one seed
there is no interval, and that all parts agree is what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.claims.rules.finding import Finding, Interval, Outcome, named
from analysis.statistics.units import Unit

CONFIDENCE = 0.95


def students_interval(seeds: np.ndarray) -> Interval | None:
    """Student's 95 % interval for the mean of a number a seed; None with one seed."""
    if len(seeds) < 2:
        return None
    mean, error = float(seeds.mean()), stats.sem(seeds)
    if not error:
        return Interval(mean, mean)
    return Interval(*stats.t.interval(CONFIDENCE, len(seeds) - 1, mean, error))


@dataclass(frozen=True)
class Comparison(Finding):
    """Cells compared with others that differ in one thing.

    Attributes:
        values: a number a pair; the index has the columns of a cell that the pair has in common.
        claimed: where the claim says that their mean lies.
        unit: how a number is written.
        by: column of the index that tells the parts apart.
        nothing: see Finding.
    """

    values: pd.Series[float]
    claimed: Interval
    unit: Unit
    by: str = "corpus"
    nothing: str = Finding.nothing

    @property
    def empty(self) -> bool:
        return self._common.empty

    @property
    def _common(self) -> pd.Series[float]:
        """The values of cells that all seeds have."""
        names = self.values.index.names
        alike = self.values.groupby(level=[name for name in names if name != "seed"])
        seeds = len(self.values.index.unique("seed"))
        return self.values[alike.transform("count") == seeds]

    @property
    def _by_part(self) -> pd.Series[float]:
        return self._common.groupby(level=self.by, sort=False).mean()

    @property
    def _seeds(self) -> pd.Series[float]:
        return self._common.groupby(level="seed").mean()

    def interval(self) -> Interval | None:
        """Student's interval for the mean over seeds; None with one seed."""
        return students_interval(self._seeds.to_numpy())

    def _of_parts(self) -> Outcome:
        agree = self._by_part.map(self.claimed.__contains__)
        if agree.all():
            return Outcome.BORNE_OUT
        return Outcome.UNDECIDED if agree.any() else Outcome.CONTRADICTED

    def outcome(self) -> Outcome:
        parts, known = self._of_parts(), self.interval()
        return parts if known is None or self.claimed.judge(known) is parts else Outcome.UNDECIDED

    def doubt(self) -> str:
        if self.interval() is None:
            return "with one seed all parts would have to agree; several give an interval"
        if self._of_parts() is Outcome.UNDECIDED:
            return "all parts would have to agree"
        return "more seeds would narrow the interval"

    def effect(self) -> str:
        known, mean = self.interval(), self.unit(self._seeds.mean())
        if known is None:
            return f"{mean} (1 seed)"
        low, high = self.unit(known.low), self.unit(known.high)
        return f"{mean} (95 % interval {low} to {high}; {len(self._seeds)} seeds)"

    def parts(self) -> dict[str, str]:
        return named(self.by, self._by_part.map(self.unit))
