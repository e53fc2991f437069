"""What a claim's test finds in the tables, and what follows from it.

The unit that may vary at random is the seed. With several of them a finding is their mean, with
Student's 95 % interval: three seeds are too few to resample, and the logarithms that are compared
lie about a mean. With one seed there is no interval; a finding counts then if all its parts agree.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from enum import StrEnum

import pandas as pd
from scipy import stats

from analysis.claims.units import Unit

CONFIDENCE = 0.95


class Outcome(StrEnum):
    """What the tables say of a claim."""

    BORNE_OUT = "borne out"
    CONTRADICTED = "contradicted"
    UNDECIDED = "cannot decide"


@dataclass(frozen=True)
class Interval:
    """An open interval; what a claim says of a number, or what is known of one."""

    low: float = -math.inf
    high: float = math.inf

    def __contains__(self, value: float) -> bool:
        return self.low < value < self.high

    def judge(self, known: Interval) -> Outcome:
        """Borne out if all of ``known`` lies in here, contradicted if none of it does."""
        if self.low < known.low and known.high < self.high:
            return Outcome.BORNE_OUT
        if known.high <= self.low or known.low >= self.high:
            return Outcome.CONTRADICTED
        return Outcome.UNDECIDED


class Finding(ABC):
    """A number with what surrounds it, and the claim's word on it.

    Attributes:
        nothing: what is said if the tables have nothing to compare.
    """

    nothing: str = "there are no two cells to compare"

    @property
    @abstractmethod
    def empty(self) -> bool:
        """Whether the tables have nothing to compare."""

    @abstractmethod
    def outcome(self) -> Outcome:
        """What follows if nothing is missing."""

    @abstractmethod
    def effect(self) -> str:
        """The effect size in words, with its interval where there is one."""

    @abstractmethod
    def parts(self) -> dict[str, str]:
        """The effect size of each part: a corpus, a scheme, an architecture."""

    def doubt(self) -> str:
        """What would settle an outcome that cannot be decided."""
        return "more seeds would narrow the interval"


@dataclass(frozen=True)
class Comparison(Finding):
    """Cells compared with others that differ in one thing.

    Attributes:
        values: a number a pair; the index has the columns of a cell that the pair has in common.
        claimed: where the claim says that their mean lies.
        unit: how a number is written.
        by: column of the index that tells the parts apart.
        shown: numbers that tell more than the parts, and are told in their place.
        shown_by: column of their index that tells them apart.
        nothing: see Finding.
    """

    values: pd.Series[float]
    claimed: Interval
    unit: Unit
    by: str = "corpus"
    shown: pd.Series[float] | None = None
    shown_by: str = "corpus"
    nothing: str = Finding.nothing

    @property
    def empty(self) -> bool:
        return self.values.empty

    @property
    def _by_part(self) -> pd.Series[float]:
        return self.values.groupby(level=self.by, sort=False).mean()

    @property
    def _seeds(self) -> pd.Series[float]:
        return self.values.groupby(level="seed").mean()

    def interval(self) -> Interval | None:
        """Student's interval for the mean over seeds; None with one seed."""
        seeds = self._seeds.to_numpy()
        if len(seeds) < 2:
            return None
        error = stats.sem(seeds)
        if not error:
            return Interval(seeds.mean(), seeds.mean())
        return Interval(*stats.t.interval(CONFIDENCE, len(seeds) - 1, seeds.mean(), error))

    def outcome(self) -> Outcome:
        known = self.interval()
        if known is None:
            agree = self._by_part.map(self.claimed.__contains__)
            if agree.all():
                return Outcome.BORNE_OUT
            return Outcome.UNDECIDED if agree.any() else Outcome.CONTRADICTED
        return self.claimed.judge(known)

    def doubt(self) -> str:
        if self.interval() is None:
            return "with one seed all parts would have to agree; several give an interval"
        return super().doubt()

    def effect(self) -> str:
        known, mean = self.interval(), self.unit(self._seeds.mean())
        if known is None:
            return f"{mean} (1 seed)"
        low, high = self.unit(known.low), self.unit(known.high)
        return f"{mean} (95 % interval {low} to {high}; {len(self._seeds)} seeds)"

    def parts(self) -> dict[str, str]:
        if self.shown is None:
            return _named(self.by, self._by_part.map(self.unit))
        means = self.shown.groupby(level=self.shown_by).mean()
        return _named(self.shown_by, means.map(self.unit))


@dataclass(frozen=True)
class Occurrence(Finding):
    """Something that some cells do, and that others do not.

    Attributes:
        there: whether each cell does it that the claim speaks of.
        elsewhere: the same of cells, or of a time, of which it is claimed that they do not.
        otherwise: how these are called.
        by: column of the index that tells the parts apart.
    """

    there: pd.Series[bool]
    elsewhere: pd.Series[bool] = field(default_factory=lambda: pd.Series(dtype=bool))
    otherwise: str = "elsewhere"
    by: str = "corpus"

    @property
    def empty(self) -> bool:
        return self.there.empty

    def outcome(self) -> Outcome:
        found = self.there.any() and not self.elsewhere.any()
        return Outcome.BORNE_OUT if found else Outcome.CONTRADICTED

    def effect(self) -> str:
        words = _count(self.there)
        if len(self.there.index.unique("seed")) > 1:
            test = stats.binomtest(int(self.there.sum()), len(self.there))
            share = test.proportion_ci(CONFIDENCE, method="wilson")
            words += f" (95 % interval {share.low:.0%} to {share.high:.0%})"
        return (
            words if self.elsewhere.empty else f"{words}; {self.otherwise} {_count(self.elsewhere)}"
        )

    def parts(self) -> dict[str, str]:
        groups = self.there.groupby(level=self.by, sort=False)
        return _named(self.by, pd.Series({part: _count(flags) for part, flags in groups}))


@dataclass(frozen=True)
class Measurement(Finding):
    """Repeated measurements of architectures, in the order of the table.

    Attributes:
        rows: columns `part`, `median`, and `lower` and `upper` quartile.
        claimed: where the claim says that each of them lies.
        unit: how a number is written.
    """

    rows: pd.DataFrame
    claimed: Interval
    unit: Unit

    @property
    def empty(self) -> bool:
        return self.rows.empty

    def outcome(self) -> Outcome:
        outcomes = {
            self.claimed.judge(Interval(row["lower"], row["upper"]))
            for row in self.rows.to_dict("records")
        }
        for outcome in (Outcome.CONTRADICTED, Outcome.UNDECIDED):
            if outcome in outcomes:
                return outcome
        return Outcome.BORNE_OUT

    def doubt(self) -> str:
        return "the quartiles reach beyond; measure again, on a machine that does nothing else"

    def effect(self) -> str:
        low, high = self.rows["median"].min(), self.rows["median"].max()
        if low == high:
            return self.unit(low)
        return f"{self.unit(low)} to {self.unit(high)}"

    def parts(self) -> dict[str, str]:
        return {
            row["part"]: f"{self.unit(row['median'])} (quartiles {self.unit(row['lower'])}"
            f" to {self.unit(row['upper'])})"
            for row in self.rows.to_dict("records")
        }


def _named(column: str, words: pd.Series[str]) -> dict[str, str]:
    """Words about values of a column, by what these are called: `scheme 1`, `k2=20`, `chorales`."""
    called = {"corpus": "", "scheme": "scheme "}.get(column, f"{column}=")
    return {f"{called}{value}": text for value, text in words.items()}


def _count(flags: pd.Series[bool]) -> str:
    return f"{int(flags.sum())} of {len(flags)} cells"
