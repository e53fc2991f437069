"""Effect sizes: what one change does to perplexity, over pairs of cells that differ in it alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.claims.measures import UNSTABLE, rise
from analysis.tables import RESULTS, Results

PAIRED_BY = ("corpus", "k1", "k2", "num_layers", "hidden_size", "seed", "scale", "settings")
"""Columns in which the two cells of a pair agree."""

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
    """

    ratio: float
    lowest: float
    highest: float
    size: float
    pairs: int

    @property
    def is_none(self) -> bool:
        """Whether the change changes nothing, in no pair."""
        return self.lowest == self.highest == 1

    def __str__(self) -> str:
        d = f", d = {self.size:.1f}" if math.isfinite(self.size) else ""
        spread = f"{self.lowest:.2f} to {self.highest:.2f}"
        pairs = f"{self.pairs} pair{'s' * (self.pairs != 1)}"
        return f"x {self.ratio:.2f} ({spread} over {pairs}{d})"


def effect(before: pd.DataFrame, after: pd.DataFrame, measure: str) -> Effect | None:
    """The effect of what tells ``after`` from ``before``; None without a pair.

    Args:
        before: cells, with the columns of PAIRED_BY and ``measure``.
        after: the same.
        measure: a positive column; NaN counts as infinite. Where both are infinite there is no
            ratio, and no pair.
    """
    both = before.merge(after, on=list(PAIRED_BY), suffixes=("_before", "_after"))
    with np.errstate(invalid="ignore"):
        logs = np.log(both[f"{measure}_after"].fillna(np.inf)) - np.log(
            both[f"{measure}_before"].fillna(np.inf)
        )
    logs = logs.dropna()
    if not len(logs):
        return None
    finite = bool(np.isfinite(logs).all())
    # With divergences on one side the median tells whether they are most.
    centre = logs.mean() if finite else logs.median()
    spread = logs.std() if finite and len(logs) > 1 else 0.0
    return Effect(
        ratio=float(np.exp(centre)),
        lowest=float(np.exp(logs.min())),
        highest=float(np.exp(logs.max())),
        size=float(centre / spread) if spread > ROUNDING else math.nan,
        pairs=len(logs),
    )


def ends(results: Results) -> pd.DataFrame:
    """A row for every finished cell: its columns, and what became of it.

    ``final`` perplexity, infinite after divergence; ``rise``, the largest ratio of a perplexity to
    the lowest before, and whether the cell is ``unstable``, as analysis.claims.measures has both.
    """
    rows = []
    for _, cell in results.cells[results.cells["state"].isin(RESULTS)].iterrows():
        curve = results.curves[_is_of(results.curves, cell)].sort_values("batches")
        highest = math.exp(rise()(curve))
        ratio = 1.0 if math.isnan(highest) else highest  # too short a run to tell
        final = curve["perplexity"].fillna(np.inf).iloc[-1]
        rows.append({**cell, "final": final, "rise": ratio, "unstable": ratio > UNSTABLE})
    return pd.DataFrame(rows)


def _is_of(curves: pd.DataFrame, cell: pd.Series) -> pd.Series:
    """Which rows of the curves are the cell's."""
    columns = [name for name in cell.index if name in curves]
    return (curves[columns] == cell[columns]).all(axis=1)


def against(
    cells: pd.DataFrame, column: str, baseline: object, measure: str
) -> dict[object, Effect]:
    """What every other value of a column does to a measure, from what lowers it most on.

    Args:
        cells: with the columns of PAIRED_BY, ``column`` and ``measure``.
        column: in which the two cells of a pair differ.
        baseline: the value that the others are compared with.
        measure: see `effect`.
    """
    if not len(cells):
        return {}
    before = cells[cells[column] == baseline]
    effects: dict[object, Effect] = {}
    for value, after in cells.groupby(column, sort=False):
        if value != baseline and (found := effect(before, after, measure)) is not None:
            effects[value] = found
    return dict(sorted(effects.items(), key=lambda item: item[1].ratio))
