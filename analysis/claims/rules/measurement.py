"""Findings that rest on a clock: measurements of Table 4, and what follows from training time."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from analysis.claims.rules.finding import Finding, Interval, Outcome, weakest
from analysis.statistics.units import Unit, percent

EVEN = 1.2
"""Factor by which batches of like runs may differ in time; beyond, something else is measured."""


@dataclass(frozen=True)
class Measurement(Finding):
    """Repeated measurements of architectures, in the order of the table.

    Attributes:
        rows: columns `part`, `median`, and `lower` and `upper` quartile.
        claimed: where the claim says that each of them lies.
        unit: how a number is written.
        paper: the paper's number in words, which is told beside.
    """

    rows: pd.DataFrame
    claimed: Interval
    unit: Unit
    paper: str = ""

    @property
    def empty(self) -> bool:
        return self.rows.empty

    def outcome(self) -> Outcome:
        known = self.rows[["lower", "upper"]].itertuples(index=False)
        return weakest(self.claimed.judge(Interval(*quartiles)) for quartiles in known)

    def doubt(self) -> str:
        return "the quartiles reach beyond; measure again, on a machine that does nothing else"

    def effect(self) -> str:
        ends = self.rows["median"].min(), self.rows["median"].max()
        beside = f" (the paper: {self.paper})" if self.paper else ""
        return " to ".join(dict.fromkeys(map(self.unit, ends))) + beside

    def parts(self) -> dict[str, str]:
        return {
            row["part"]: f"{self.unit(row['median'])} (quartiles {self.unit(row['lower'])}"
            f" to {self.unit(row['upper'])})"
            for row in self.rows.to_dict("records")
        }


@dataclass(frozen=True)
class Timed(Finding):
    """What rests on the time that runs took to train: undecided if like runs took unlike times.

    Attributes:
        finding: what it is, if the clock is to be trusted.
        unevenness: the largest log ratio of the times that a batch took in runs of like cost.
    """

    finding: Finding
    unevenness: float

    @property
    def empty(self) -> bool:
        return self.finding.empty

    @property
    def uneven(self) -> bool:
        """Whether other work has been measured, too."""
        return self.unevenness > math.log(EVEN)

    def outcome(self) -> Outcome:
        return Outcome.UNDECIDED if self.uneven else self.finding.outcome()

    def doubt(self) -> str:
        if not self.uneven:
            return self.finding.doubt()
        return (
            f"the time of a batch differs by {percent(self.unevenness)} between runs that cost the"
            " same: train them on a machine that does nothing else"
        )

    def effect(self) -> str:
        return self.finding.effect()

    def parts(self) -> dict[str, str]:
        return self.finding.parts()
