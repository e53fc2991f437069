"""What "unstable" means: perplexity rises by more than a quarter above its lowest so far."""

from __future__ import annotations

import math

import pandas as pd

from analysis.curves import Cells, Curve, log_perplexity, of_cells

UNSTABLE = 1.25
"""A cell whose perplexity rises by more than this factor is unstable."""
SETTLED = 50
"""Rises in the first batches, up to this one, do not count."""
INSTABILITY = (
    f"A cell is unstable if, at an evaluation after more than {SETTLED} batches, its perplexity is"
    f" infinite, not a number, or more than {UNSTABLE} times the lowest of all earlier evaluations."
    " The first batches do not count, because every network is still learning the frequencies of"
    " the tokens. The curves of schemes 1 and 2 stay far below this factor, and slow overfitting"
    " rarely reaches it."
)


def rises(curve: Curve, first: float = SETTLED + 1, last: float = math.inf) -> pd.Series[float]:
    """Log ratio of each perplexity to the lowest before it; negative at a new lowest.

    Args:
        curve: evaluations of a cell.
        first: batches from which ratios are given; earlier perplexities can still be the lowest.
        last: batches up to which they are given.
    """
    heights = log_perplexity(curve)
    ratios = heights - heights.cummin().shift()
    return ratios[curve["batches"].between(first, last)].dropna()


def largest_rises(
    curves: pd.DataFrame, first: float = SETTLED + 1, last: float = math.inf
) -> Cells:
    """The measure of instability: the largest of each cell's `rises`; NaN if it is too short."""
    return of_cells(curves, lambda curve: rises(curve, first, last).max())


def unstable(curves: pd.DataFrame, first: float = SETTLED + 1, last: float = math.inf) -> Cells:
    """1 for each cell that is unstable between ``first`` and ``last`` batches, 0 for the others."""
    return largest_rises(curves, first, last).gt(math.log(UNSTABLE)).astype(float)


def summarise_rise(curve: Curve) -> dict[str, float | bool]:
    """How far a curve rises at most, and when.

    Returns:
        ``rise``, the largest ratio of a perplexity to the lowest before it (1 if the curve is too
        short); ``unstable``; ``rise_at``, the number of batches at that evaluation; and
        ``since_start``, an upper bound on how many batches before it the epoch started: NaN in
        the first epoch.
    """
    ratios = rises(curve)
    if ratios.empty:
        return {"rise": 1.0, "unstable": False, "rise_at": math.nan, "since_start": math.nan}
    row = curve[curve.index == ratios.idxmax()].iloc[0]
    before = curve.loc[curve["epoch"] < row["epoch"], "batches"].max()
    return {
        "rise": math.exp(ratios.max()),
        "unstable": bool(ratios.max() > math.log(UNSTABLE)),
        "rise_at": float(row["batches"]),
        "since_start": float(row["batches"] - before),
    }
