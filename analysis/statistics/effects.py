"""Effect sizes: what one change does to perplexity, over pairs of cells that differ only in it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.results import CELL
from analysis.statistics.intervals import Interval, students_interval

PAIRED = (*CELL, "scale", "settings")
"""The two cells of a pair agree in all of these columns, except in the one that is compared."""


@dataclass(frozen=True)
class Effect:
    """The factor by which a change multiplies a positive measure.

    Attributes:
        ratio: geometric mean over the pairs; infinite if most of the changed cells diverged.
        lowest, highest: the smallest and the largest ratio of a pair.
        pairs: the number of pairs.
        seeds: the number of seeds among them.
        interval: Student's 95 % interval for the ratio, over the means of the seeds; None with
            fewer than three, or if a ratio is not finite.
    """

    ratio: float
    lowest: float
    highest: float
    pairs: int
    seeds: int = 1
    interval: Interval | None = None

    def __str__(self) -> str:
        """Such as `x 0.90 (0.80 to 1.01 over 6 pairs, 3 seeds; 95 % interval 0.86 to 0.95)`."""
        seeds = f"{self.seeds} seed{'s' * (self.seeds > 1)}"
        if self.pairs == 1:
            return f"x {self.ratio:.2f} (1 pair, {seeds})"
        spread = f"{self.lowest:.2f} to {self.highest:.2f}"
        known = self.interval
        chance = f"; 95 % interval {known.low:.2f} to {known.high:.2f}" if known else ""
        return f"x {self.ratio:.2f} ({spread} over {self.pairs} pairs, {seeds}{chance})"


def effect(before: pd.DataFrame, after: pd.DataFrame, column: str, measure: str) -> Effect | None:
    """The effect on ``measure`` of going from ``before`` to ``after``; None without a pair.

    Args:
        before: cells, with the columns of PAIRED, `run` and ``measure``. Two cells of the same run
            are not a pair: the setting in which they differ does not change the run.
        after: the same.
        column: the column in which the two cells of a pair may differ.
        measure: a positive column; NaN counts as infinite. Two infinite values have no ratio, and
            are not a pair.
    """
    alike = [name for name in PAIRED if name != column]
    both = before.merge(after, on=alike, suffixes=("_before", "_after"))
    both = both[both["run_before"] != both["run_after"]]
    with np.errstate(invalid="ignore"):
        one, other = (np.log(both[f"{measure}_{n}"].fillna(np.inf)) for n in ("before", "after"))
        logs = (other - one).dropna()
    if logs.empty:
        return None
    of_seeds = logs.groupby(both["seed"]).mean()
    finite = bool(np.isfinite(logs).all())
    # If some ratios are infinite, the median is infinite only if most of them are.
    centre = logs.mean() if finite else logs.median()
    known = students_interval(of_seeds.to_numpy()) if finite else None
    return Effect(
        ratio=float(np.exp(centre)),
        lowest=float(np.exp(logs.min())),
        highest=float(np.exp(logs.max())),
        pairs=len(logs),
        seeds=len(of_seeds),
        interval=known and Interval(math.exp(known.low), math.exp(known.high)),
    )


def against(
    cells: pd.DataFrame, column: str, baseline: object, measure: str
) -> dict[object, Effect]:
    """The effect of every other value of a column, the one that lowers the measure most first.

    Args:
        cells: see `effect`; with ``column``.
        column: the column in which the two cells of a pair differ.
        baseline: the value that the others are compared with.
        measure: see `effect`.
    """
    if cells.empty:
        return {}
    before = cells[cells[column] == baseline]
    effects: dict[object, Effect] = {}
    for value, after in cells.groupby(column, sort=False):
        if value != baseline and (found := effect(before, after, column, measure)) is not None:
            effects[value] = found
    return dict(sorted(effects.items(), key=lambda item: item[1].ratio))
