"""Effect sizes: what one change does to perplexity, over pairs of cells that differ in it alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.claims.rules.comparison import students_interval
from analysis.claims.rules.finding import Interval
from analysis.curves import UNSTABLE, rises
from analysis.results import Results
from charrnn.runs.folder import RESULTS

CELL = ("corpus", "scheme", "k1", "k2", "num_layers", "hidden_size", "seed", "scale", "settings")
"""Columns in which the two cells of a pair agree, but for the one that is looked at."""

ROUNDING = 1e-9
"""Logarithms that differ by less are the same."""


@dataclass(frozen=True)
class Effect:
    """What a change multiplies a positive measure by.

    Attributes:
        ratio: geometric mean over the pairs; infinite if most of the changed cells diverged.
        lowest, highest: of the pairs.
        size: mean of the logarithms over their standard deviation (Cohen's d of paired samples);
            NaN for fewer than 2 pairs, for pairs that all agree, or if one of them is not finite.
        pairs: how many there are.
        seeds: how many the pairs have.
        interval: Student's 95% one for the ratio, over the means of the seeds; None with one seed,
            or if a pair is not finite.
    """

    ratio: float
    lowest: float
    highest: float
    size: float
    pairs: int
    seeds: int = 1
    interval: Interval | None = None

    def __str__(self) -> str:
        if self.pairs == 1:
            return f"x {self.ratio:.2f} (1 pair)"
        d = f", d = {self.size:.1f}" if math.isfinite(self.size) else ""
        spread = f"{self.lowest:.2f} to {self.highest:.2f}"
        known = self.interval
        over = (
            f"; 95 % interval {known.low:.2f} to {known.high:.2f} over {self.seeds} seeds"
            if known
            else ""
        )
        return f"x {self.ratio:.2f} ({spread} over {self.pairs} pairs{d}{over})"


def effect(before: pd.DataFrame, after: pd.DataFrame, column: str, measure: str) -> Effect | None:
    """The effect of what tells ``after`` from ``before``; None without a pair.

    Args:
        before: cells, with the columns of CELL, `run` and ``measure``. Two cells of one run are no
            pair: what they differ in does not matter to them.
        after: the same.
        column: in which the two cells of a pair may differ.
        measure: a positive column; NaN counts as infinite. Where both are infinite there is no
            ratio, and no pair.
    """
    alike = [name for name in CELL if name != column]
    both = before.merge(after, on=alike, suffixes=("_before", "_after"))
    both = both[both["run_before"] != both["run_after"]]
    with np.errstate(invalid="ignore"):
        logs = np.log(both[f"{measure}_after"].fillna(np.inf)) - np.log(
            both[f"{measure}_before"].fillna(np.inf)
        )
    logs = logs.dropna()
    if not len(logs):
        return None
    of_seeds = logs.groupby(both["seed"]).mean()
    finite = bool(np.isfinite(logs).all())
    # With divergences on one side the median tells whether they are most.
    centre = logs.mean() if finite else logs.median()
    spread = logs.std() if finite and len(logs) > 1 else 0.0
    known = students_interval(of_seeds.to_numpy()) if finite else None
    return Effect(
        ratio=float(np.exp(centre)),
        lowest=float(np.exp(logs.min())),
        highest=float(np.exp(logs.max())),
        size=float(centre / spread) if spread > ROUNDING else math.nan,
        pairs=len(logs),
        seeds=len(of_seeds),
        interval=known and Interval(math.exp(known.low), math.exp(known.high)),
    )


def ends(results: Results) -> pd.DataFrame:
    """A row for every finished cell: its columns, and what became of it.

    Its ``final`` perplexity, infinite after divergence; and the columns of `largest_rise`.
    """
    rows = []
    for _, cell in results.cells[results.cells["state"].isin(RESULTS)].iterrows():
        curve = results.curves[_is_of(results.curves, cell)].sort_values("batches")
        final = curve["perplexity"].fillna(np.inf).iloc[-1]
        rows.append({**cell, "final": final, **largest_rise(curve)})
    return pd.DataFrame(rows)


def largest_rise(curve: pd.DataFrame) -> dict[str, float | bool]:
    """How far a curve rises at most, and when.

    Args:
        curve: evaluations of a cell or a run by one procedure, in their order.

    Returns:
        ``rise``, the largest ratio of a perplexity to the lowest before (1 where the run is too
        short to tell); whether the cell is ``unstable``, as analysis.curves has both;
        ``rise_at``, the batches by then, and ``since_start``, how many of these at most have come
        since an epoch started, as far as the evaluation before that tells: NaN in the first epoch.
    """
    ratios = rises(curve).dropna()
    if not len(ratios):
        return {"rise": 1.0, "unstable": False, "rise_at": math.nan, "since_start": math.nan}
    highest, row = math.exp(ratios.max()), curve[curve.index == ratios.idxmax()].iloc[0]
    before = curve.loc[curve["epoch"] < row["epoch"], "batches"].max()
    return {
        "rise": highest,
        "unstable": highest > UNSTABLE,
        "rise_at": float(row["batches"]),
        "since_start": float(row["batches"] - before),
    }


def _is_of(curves: pd.DataFrame, cell: pd.Series) -> pd.Series:
    """Which rows of the curves are the cell's."""
    columns = [name for name in cell.index if name in curves]
    return (curves[columns] == cell[columns]).all(axis=1)


def against(
    cells: pd.DataFrame, column: str, baseline: object, measure: str
) -> dict[object, Effect]:
    """What every other value of a column does to a measure, from what lowers it most on.

    Args:
        cells: see `effect`, with ``column``.
        column: in which the two cells of a pair differ.
        baseline: the value that the others are compared with.
        measure: see `effect`.
    """
    if not len(cells):
        return {}
    before = cells[cells[column] == baseline]
    effects: dict[object, Effect] = {}
    for value, after in cells.groupby(column, sort=False):
        if value != baseline and (found := effect(before, after, column, measure)) is not None:
            effects[value] = found
    return dict(sorted(effects.items(), key=lambda item: item[1].ratio))
