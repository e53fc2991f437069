"""Numbers measured on a cell's curve, and comparisons of cells.

All of them are logarithms of perplexities, whose means and differences are ratios.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd
from pandas.api.typing import SeriesGroupBy

from analysis.results import CELL
from charrnn.data.corpora.for_figures import STANDS_FOR

KEY = ["sweep", *CELL]
"""Columns that tell cells apart; `sweep` is the experiment that asked for them."""
CEILING = 1000.0
"""Higher perplexities, infinite ones too, count as this: far above any vocabulary here."""

Curve = pd.DataFrame
"""The evaluations of one cell in their order; columns of charrnn.runs.files.Evaluation."""
Cells = pd.Series
"""A number per cell, or per pair of cells, indexed by those columns of KEY that it has."""


def of_cells(curves: pd.DataFrame, measure: Callable[[Curve], float]) -> Cells:
    """Measure each cell's curve."""
    values = {cell: measure(curve) for cell, curve in curves.groupby(KEY, sort=False)}
    index = pd.MultiIndex.from_arrays([*zip(*values, strict=True)] or [()] * len(KEY), names=KEY)
    return pd.Series(list(values.values()), index, dtype=float)


def log_perplexity(curve: Curve) -> pd.Series:
    """Logarithms of the perplexities, capped at CEILING."""
    capped = curve["perplexity"].fillna(math.inf).astype(float).clip(upper=CEILING)
    return capped.map(math.log)


def ends(curves: pd.DataFrame) -> Cells:
    """Log perplexity of each cell at the end of training."""
    return of_cells(curves, lambda curve: log_perplexity(curve).iloc[-1])


def lines(curves: pd.DataFrame, first: float = 0, last: float = math.inf) -> Cells:
    """Mean height of each cell's line in the paper's figures, from ``first`` to ``last`` batches.

    The mean log perplexity over evaluations, which are spaced logarithmically.
    """
    return of_cells(
        curves, lambda curve: log_perplexity(curve[curve["batches"].between(first, last)]).mean()
    )


def overfitting(curves: pd.DataFrame) -> Cells:
    """Log ratio of each cell's final perplexity to its lowest."""
    return ends(curves) - of_cells(curves, lambda curve: log_perplexity(curve).min())


def at(values: Cells, column: str, value: object) -> Cells:
    """The values of cells with ``value`` in ``column``, indexed by the other columns."""
    return values[values.index.get_level_values(column) == value].droplevel(column)


def contrast(values: Cells, column: str, one: object, other: object) -> Cells:
    """Values with ``one`` in ``column`` minus those of cells that differ only in having ``other``.

    Empty if ``one`` and ``other`` are the same.
    """
    if one == other:
        return at(values, column, one).iloc[:0]
    return (at(values, column, one) - at(values, column, other)).dropna()


def spread(values: Cells, *columns: str) -> Cells:
    """Range of the values over cells that differ only in ``columns``."""
    groups = _alike(values, *columns)
    return (groups.max() - groups.min())[groups.count() > 1]


def deviation(values: Cells, *columns: str) -> Cells:
    """Standard deviation over cells that differ only in ``columns``; does not grow with them."""
    return _alike(values, *columns).std().dropna()


def shared(values: Cells, column: str) -> Cells:
    """The values of those cells that exist with every value of ``column``."""
    counts = _alike(values, column).transform("count")
    return values[counts == len(values.index.unique(column))]


def pooled(values: Cells, *columns: str) -> Cells:
    """Mean over ``columns``."""
    return _alike(values, *columns).mean()


def by_paper_corpus(values: Cells) -> Cells:
    """The values under the names of the paper's corpora, with one corpus for each.

    Of several substitutes the first in the catalogue is taken; the authors' own corpora come before
    all substitutes. Corpora that stand for none of the paper's are left out.
    """
    known, chosen = values.index.unique("corpus"), dict[str, str]()
    for corpus, stands_for in STANDS_FOR.items():
        if corpus in known:
            chosen.setdefault(stands_for, corpus)
    kept = values[values.index.get_level_values("corpus").isin(chosen.values())]
    return kept.rename(index=STANDS_FOR, level="corpus")


def _alike(values: Cells, *columns: str) -> SeriesGroupBy[float, Any]:
    alike = [name for name in values.index.names if name not in columns]
    return values.groupby(level=alike, sort=False)
