"""How many cells something is true of, such as that they are unstable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from analysis.claims.rules.comparison import CONFIDENCE
from analysis.claims.rules.finding import Finding, Interval, Outcome, named
from analysis.statistics.units import share

SIGNIFICANT = 1 - CONFIDENCE
"""The probability below which chance is not taken for the explanation."""


@dataclass(frozen=True)
class Count:
    """How many of some cells something is true of."""

    true: int
    cells: int

    @classmethod
    def of(cls, flags: pd.Series) -> Count:
        """Of flags, as booleans or as ones and zeros; those that are not known do not count."""
        known = flags.dropna()
        return cls(int(known.sum()), len(known))

    @property
    def share(self) -> float:
        """NaN of no cells."""
        return self.true / self.cells if self.cells else np.nan

    def interval(self) -> Interval:
        """Clopper and Pearson's exact 95 % one for the share."""
        known = stats.binomtest(self.true, self.cells).proportion_ci(CONFIDENCE, "exact")
        return Interval(known.low, known.high)

    def __str__(self) -> str:
        return f"{self.true} of {self.cells}"


def chance(one: Count, other: Count) -> float:
    """How often chance alone sets two shares so far apart: Fisher's exact test, two-sided."""
    table = [[each.true, each.cells - each.true] for each in (one, other)]
    return float(stats.fisher_exact(np.array(table)).pvalue)


@dataclass(frozen=True)
class Share(Finding):
    """The share of cells in which something happens, whichever they are.

    It counts as it is: the grid has no cells but these. With several seeds all of them have to
    agree.

    Attributes:
        flags: 1 for a cell in which it does, else 0; the index has the columns of a cell.
        claimed: where the claim says that the share lies.
        by: column of the index that tells the parts apart.
        nothing: see Finding.
    """

    flags: pd.Series[float]
    claimed: Interval
    by: str = "corpus"
    nothing: str = Finding.nothing

    @property
    def empty(self) -> bool:
        return self.flags.empty

    def outcome(self) -> Outcome:
        agree = self.flags.groupby(level="seed").mean().map(self.claimed.__contains__)
        if agree.all():
            return Outcome.BORNE_OUT
        return Outcome.UNDECIDED if agree.any() else Outcome.CONTRADICTED

    def doubt(self) -> str:
        return "all seeds would have to agree"

    def effect(self) -> str:
        count = Count.of(self.flags)
        known = count.interval()
        return (
            f"{share(count.share)}, {count} cells"
            f" (95 % interval {share(known.low)} to {share(known.high)})"
        )

    def parts(self) -> dict[str, str]:
        counts = self.flags.groupby(level=self.by, sort=False).agg(lambda own: str(Count.of(own)))
        return named(self.by, counts)


@dataclass(frozen=True)
class LargerShare(Finding):
    """A share of cells beside that of others that differ from them in one thing.

    Borne out if it is larger, and by more than chance makes of so many cells.

    Attributes:
        flags, others: see Share; cells of which only one side is known do not count.
        beside: what the others are.
        by: column of the index that tells the parts apart.
        nothing: see Finding.
    """

    flags: pd.Series[float]
    others: pd.Series[float]
    beside: str
    by: str = "corpus"
    nothing: str = Finding.nothing

    @property
    def _pairs(self) -> pd.DataFrame:
        return pd.concat({"one": self.flags, "other": self.others}, axis=1).dropna()

    @property
    def _counts(self) -> tuple[Count, Count]:
        pairs = self._pairs
        return Count.of(pairs["one"]), Count.of(pairs["other"])

    @property
    def empty(self) -> bool:
        return self._pairs.empty

    def outcome(self) -> Outcome:
        one, other = self._counts
        if one.share <= other.share:
            return Outcome.CONTRADICTED
        return Outcome.BORNE_OUT if chance(one, other) < SIGNIFICANT else Outcome.UNDECIDED

    def doubt(self) -> str:
        return "so few cells could differ by chance: more seeds would tell"

    def effect(self) -> str:
        one, other = self._counts
        return f"{one} cells, {self.beside} {other} (by chance: p = {chance(one, other):.2g})"

    def parts(self) -> dict[str, str]:
        groups = self._pairs.groupby(level=self.by, sort=False)
        words = groups.apply(
            lambda own: f"{Count.of(own['one'])}, {self.beside} {Count.of(own['other'])}"
        )
        return named(self.by, words)
