"""What one change does, over pairs of cells that differ only in it, with replicates as units."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pandas as pd
from scipy import stats

from analysis.results import CELL
from analysis.statistics.counts import Pairs
from analysis.statistics.intervals import Interval, students_interval

ALIKE = (*CELL, "scale", "settings", "num_batches", "forget_bias", "suspect", "schedule", "times")
"""The two cells of a pair agree in those of these columns that there are, but for the change. More
evaluations see larger rises, so that the two are evaluated equally often."""


class Answer(StrEnum):
    """What an interval says about a change."""

    RAISED = "raised"
    LOWERED = "lowered"
    LITTLE = "little changed"
    OPEN = "open"
    FEW = "too few replicates"


@dataclass(frozen=True)
class Difference:
    """The mean difference of a measure within pairs.

    Attributes:
        mean: mean over replicates of each one's mean over its pairs.
        pairs: number of pairs.
        seeds: number of replicates.
        interval: Student's 95 % interval for the mean, over replicates; None for fewer than 3.
    """

    mean: float
    pairs: int
    seeds: int
    interval: Interval | None

    def answer(self, margin: float) -> Answer:
        """What the interval says: on one side of 0, within the margin around it, or neither.

        Args:
            margin: an interval that lies within this distance of 0 says that little changes.
        """
        known = self.interval
        if known is None:
            return Answer.FEW
        if known.low > 0 or known.high < 0:
            return Answer.RAISED if known.low > 0 else Answer.LOWERED
        return Answer.LITTLE if -margin < known.low and known.high < margin else Answer.OPEN


def pair(cells: pd.DataFrame, column: str, one: object, other: object) -> pd.DataFrame:
    """The pairs of cells of which one has ``one`` in a column, and the other has ``other``.

    A setting that does not change the run, such as one that only concerns another scheme, makes no
    pair: the two cells of a pair are different runs.

    Args:
        cells: see analysis.instability.summary.summarise.
        column: `forget_bias`, `scheme` or `suspect`.
        one: the value with the change.
        other: the value without.

    Returns:
        A row per pair: the columns that agree, and the others with `_one` and `_other` behind.
    """
    alike = [name for name in ALIKE if name in cells and name != column]
    both = cells[cells[column] == one].merge(
        cells[cells[column] == other], on=alike, suffixes=("_one", "_other")
    )
    return both[both["run_one"] != both["run_other"]]


def difference(pairs: pd.DataFrame, measure: str) -> Difference | None:
    """How much higher a measure is with the change; None if no pair has it.

    Args:
        pairs: see `pair`.
        measure: a column of numbers; pairs that lack one of the two are left out.
    """
    apart = (pairs[f"{measure}_one"] - pairs[f"{measure}_other"]).astype(float)
    known = apart[apart.notna()]
    if known.empty:
        return None
    of_seeds = known.groupby(pairs["seed"]).mean()
    interval = students_interval(of_seeds.to_numpy())
    return Difference(float(of_seeds.mean()), len(known), len(of_seeds), interval)


def mcnemar(pairs: pd.DataFrame, flag: str) -> tuple[Pairs, float]:
    """In how many pairs only one of the two cells has a property, and McNemar's exact test.

    Args:
        pairs: see `pair`.
        flag: a column of truth values.

    Returns:
        The count, the changed cells first, and the probability that so many pairs differ one way by
        chance, in either direction. It takes all pairs as independent; those of one replicate are
        not, so that it is too small rather than too large.
    """
    found = Pairs.of(pairs[f"{flag}_one"].astype(float), pairs[f"{flag}_other"].astype(float))
    apart = found.first + found.second
    p = float(stats.binomtest(found.first, apart, 0.5).pvalue) if apart else 1.0
    return found, p
