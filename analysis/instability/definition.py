"""Instability: how far perplexity rises above its lowest so far, as a number and as a share."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd

from analysis.curves import Cells, Curve, at_the_end, log_perplexity, of_cells
from analysis.instability.kinds import Course, Kind, course, kind

UNSTABLE = 1.063
"""A cell whose perplexity rises by more than this factor is unstable, where a sweep has too few
cells of schemes 1 and 2 to say by how much a stable one rises (analysis.instability.threshold).

It is the largest rise of 50 cells of schemes 1 and 2, which nobody calls unstable, read windowed
and evaluated densely: four corpora, k1 = 20 and 100, three replicates, gamma = 128, 401 batches.
`python -m analysis.instability --threshold --results reference --scale laptop` prints it."""
SETTLED = 50
"""Rises in the first batches, up to this one, do not count."""
INSTABILITY = (
    "The largest rise of a cell is the logarithm of its perplexity over the lowest of all earlier"
    f" evaluations, at its largest after more than {SETTLED} batches; the first batches do not"
    " count, because every network is still learning the frequencies of the tokens. A perplexity"
    " that is infinite or not a number counts as 1,000. A rise is overfitting if both readings of"
    " the same weights rise while the training loss does not; it is a failure to read on if the"
    " windowed reading does not rise along. A cell is called unstable if its largest rise is no"
    f" overfitting, as far as was recorded, and exceeds a factor of {UNSTABLE}."
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


def unstable(
    curves: pd.DataFrame,
    first: float = SETTLED + 1,
    last: float = math.inf,
    above: float = math.log(UNSTABLE),
) -> Cells:
    """1 for each cell that is unstable between ``first`` and ``last`` batches, 0 for the others.

    Args:
        curves: see analysis.results.Results; with the column `sweep`.
        first: see `rises`.
        last: see `rises`.
        above: a logarithm: larger rises are unstable, unless they are overfitting.
    """

    def is_unstable(curve: Curve) -> float:
        return float(summarise_rise(curve, first, last, above)["unstable"])

    return of_cells(curves, is_unstable)


def as_read(curve: Curve, reading: str) -> Curve | None:
    """The same weights by another reading, as a curve; None if that was not recorded.

    Args:
        curve: evaluations of a cell, or of several.
        reading: `windowed` or `progressive`.
    """
    if reading not in curve or curve[reading].isna().all():
        return None
    return curve.assign(perplexity=curve[reading], procedure=reading)


def summarise_rise(
    curve: Curve,
    first: float = SETTLED + 1,
    last: float = math.inf,
    above: float = math.log(UNSTABLE),
) -> dict[str, Any]:
    """How far a curve rises at most, when, why, and what is left of it.

    Args:
        curve: evaluations of a cell, in their order.
        first: see `rises`.
        last: see `rises`.
        above: a logarithm: larger rises are unstable, unless they are overfitting.

    Returns:
        ``rise``, the largest of the curve's `rises`, a logarithm (NaN if it is too short);
        ``rise_at`` and ``lowest_at``, the numbers of batches at that evaluation and at the lowest
        before it; ``kind`` and ``course``, see analysis.instability.kinds; ``left``, how far the
        mean log perplexity over the last tenth of training is above that lowest; ``unstable``;
        and, if epochs are recorded, ``after_start``: whether it is the first evaluation of an
        epoch but the first one (NaN in the first).
    """
    ratios = rises(curve, first, last)
    if ratios.empty:
        numbers = dict.fromkeys(("rise", "rise_at", "lowest_at", "left", "after_start"), math.nan)
        return numbers | {"kind": Kind.NONE.value, "course": Course.NONE.value, "unstable": False}
    heights = log_perplexity(curve)
    highest = curve.index.tolist().index(ratios.idxmax())
    lowest = int(heights.iloc[:highest].argmin())
    high, low, rise = curve.iloc[highest], curve.iloc[lowest], float(ratios.max())
    end = at_the_end(curve)
    left = float(log_perplexity(end).mean() - heights.iloc[lowest])
    is_late = bool(high["batches"] >= end["batches"].min())
    what = kind(low, high, rise)
    return {
        "rise": rise,
        "rise_at": float(high["batches"]),
        "lowest_at": float(low["batches"]),
        "left": left,
        "after_start": _after_start(high, curve.iloc[highest - 1]),
        "kind": what.value,
        "course": course(rise, left, is_late, above).value,
        "unstable": rise > above and what is not Kind.OVERFITTING,
    }


def _after_start(row: pd.Series, before: pd.Series) -> float:
    """Whether an epoch started between two evaluations, 1 or 0; NaN in the first epoch."""
    if "epoch" not in row or not row["epoch"]:
        return math.nan
    return float(row["epoch"] > before["epoch"])
