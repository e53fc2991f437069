"""What is measured of a cell's curve, and how cells are compared.

Instability, wherever a claim or the report speaks of it, is INSTABILITY and nothing else.

All comparisons are of logarithms of perplexities, so that a mean is that of ratios.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
from pandas.api.typing import SeriesGroupBy

from charrnn.data.catalogue import STANDS_FOR

CELL = ["sweep", "corpus", "scheme", "num_layers", "hidden_size", "k2", "k1", "seed"]
"""What tells cells apart; `sweep` is the experiment that asked for them."""
UNSTABLE = 1.25
"""Rise above the lowest perplexity before, from which a cell is called unstable."""
SETTLED = 50
"""Batches after which it may be."""
INSTABILITY = (
    f"A cell is unstable if, at an evaluation after more than {SETTLED} batches, its perplexity is"
    f" infinite, not a number, or more than {UNSTABLE} times the lowest of all evaluations before."
    " The first batches do not count: every network finds its way to the frequencies of the tokens"
    " there. The factor is far beyond what the lines of schemes 1 and 2 do by chance, and slow"
    " overfitting seldom gets there."
)
CEILING = 1000.0
"""What is above it counts as it, a diverged perplexity too: far above any vocabulary here."""
CLOSE = math.log(1.1)
"""Perplexities within a tenth are close: a unit at 10, on the figures' axis to 90."""

Curve = pd.DataFrame
"""The evaluations of one cell, the columns of charrnn.runs.folder.Evaluation, in their order."""
Cells = pd.Series
"""A number for each cell, or each pair, indexed by the columns CELL that it has."""


def of_cells(curves: pd.DataFrame, measure: Callable[[Curve], float]) -> Cells:
    """``measure`` of each cell's curve."""
    groups = curves.groupby(CELL, sort=False)
    values = {cell: measure(curve) for cell, curve in groups}
    index = pd.MultiIndex.from_tuples(values, names=CELL) if values else _NO_CELLS
    return pd.Series(list(values.values()), index, dtype=float)


def log_perplexity(curve: Curve) -> pd.Series:
    """Logarithm of the perplexities, capped at CEILING."""
    capped = curve["perplexity"].fillna(math.inf).astype(float).clip(upper=CEILING)
    return capped.map(math.log)


def final(curve: Curve) -> float:
    """Log perplexity at the end of training."""
    return float(log_perplexity(curve).iloc[-1])


def average(first: float = 0, last: float = math.inf) -> Callable[[Curve], float]:
    """Mean log perplexity over the evaluations from ``first`` to ``last`` batches.

    They are spaced logarithmically: the mean is the height of the line in the paper's figures.
    """
    return lambda curve: float(log_perplexity(_between(curve, first, last)).mean())


def rise(first: float = SETTLED + 1, last: float = math.inf) -> Callable[[Curve], float]:
    """Largest of `rises`, from ``first`` to ``last`` batches."""
    return lambda curve: float(rises(curve, first, last).max())


def rises(curve: Curve, first: float = SETTLED + 1, last: float = math.inf) -> pd.Series:
    """Log ratio of each perplexity to the lowest before, from ``first`` to ``last`` batches.

    Below zero where the curve falls all the way.
    """
    heights = log_perplexity(curve)
    ratios = (heights - heights.cummin().shift()).rename("rise")
    return ratios[curve["batches"].between(first, last)]


def overfitting(curve: Curve) -> float:
    """Log ratio of the final perplexity to the lowest."""
    heights = log_perplexity(curve)
    return float(heights.iloc[-1] - heights.min())


def unstable(curves: pd.DataFrame, first: float = SETTLED + 1, last: float = math.inf) -> Cells:
    """1 for cells that are unstable, as defined above, from ``first`` to ``last`` batches, else 0.

    A mean is the share of cells that are.
    """
    return of_cells(curves, rise(first, last)).gt(math.log(UNSTABLE)).astype(float)


def at(values: Cells, column: str, value: object) -> Cells:
    """The values of cells with ``value`` in ``column``, indexed by the other columns."""
    return values[values.index.get_level_values(column) == value].droplevel(column)


def contrast(values: Cells, column: str, one: object, other: object) -> Cells:
    """Values of cells with ``one`` in ``column`` less those of the same cells with ``other``.

    Empty if the two are the same.
    """
    if one == other:
        return at(values, column, one).iloc[:0]
    return (at(values, column, one) - at(values, column, other)).dropna()


def spread(values: Cells, *columns: str) -> Cells:
    """Range of the values over cells that are alike but for ``columns``."""
    groups = _alike(values, *columns)
    return (groups.max() - groups.min())[groups.count() > 1]


def deviation(values: Cells, *columns: str) -> Cells:
    """Standard deviation over cells that are alike but for ``columns``; does not grow with them."""
    return _alike(values, *columns).std().dropna()


def shared(values: Cells, column: str) -> Cells:
    """The values of cells that there are with every value in ``column``."""
    counts = _alike(values, column).transform("count")
    return values[counts == len(values.index.unique(column))]


def pooled(values: Cells, *columns: str) -> Cells:
    """Mean over ``columns``."""
    return _alike(values, *columns).mean()


def of_places(values: Cells) -> Cells:
    """The values under the names of the paper's corpora, one corpus each.

    Where several stand in a place it is the first of them in the catalogue, the authors' own before
    all others; corpora that stand in none are left out.
    """
    known, chosen = values.index.unique("corpus"), dict[str, str]()
    for corpus, place in STANDS_FOR.items():
        if corpus in known:
            chosen.setdefault(place, corpus)
    kept = values[values.index.get_level_values("corpus").isin(chosen.values())]
    return kept.rename(index=STANDS_FOR, level="corpus")


def _alike(values: Cells, *columns: str) -> SeriesGroupBy[float, Any]:
    alike = [name for name in values.index.names if name not in columns]
    return values.groupby(level=alike, sort=False)


def _between(curve: Curve, first: float, last: float) -> Curve:
    return curve[curve["batches"].between(first, last)]


_NO_CELLS = pd.MultiIndex.from_arrays([[] for _ in CELL], names=CELL)
