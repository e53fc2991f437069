"""Numbers measured on a cell's curve, and comparisons of cells.

All of them are logarithms of perplexities, whose means and differences are ratios.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.typing import SeriesGroupBy

from analysis.results import CELL, FAR_PAST
from charrnn.data.corpora.for_figures import STANDS_FOR
from charrnn.data.corpora.labels import name_in
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES

KEY = ["sweep", *CELL]
"""Columns that tell cells apart; `sweep` is the experiment that asked for them."""
VARIED = ("forget_bias",)
"""Columns that tell cells apart where an experiment has them."""
LAST = 0.9
"""A result at the end is the mean over the evaluations after this share of the training."""
CEILING = 1000.0
"""Higher perplexities, infinite ones too, count as this: far above any vocabulary here."""

Curve = pd.DataFrame
"""The evaluations of one cell in their order; columns of charrnn.runs.files.Evaluation."""
Cells = pd.Series
"""A number per cell, or per pair of cells, indexed by those columns of KEY that it has."""


def of_cells(
    curves: pd.DataFrame, measure: Callable[[Curve], float], apart: Sequence[str] = ()
) -> Cells:
    """Measure each cell's curve.

    Args:
        curves: of all cells.
        measure: a number for a curve.
        apart: further columns that tell cells apart, where there are such.
    """
    key = [*KEY, *(name for name in (*VARIED, *apart) if name in curves)]
    values = {cell: measure(curve) for cell, curve in curves.groupby(key, sort=False)}
    index = pd.MultiIndex.from_arrays([*zip(*values, strict=True)] or [()] * len(key), names=key)
    return pd.Series(list(values.values()), index, dtype=float)


def log_perplexity(curve: Curve, reading: str = "perplexity") -> pd.Series:
    """Logarithms of the perplexities, capped at CEILING.

    Args:
        curve: of a cell.
        reading: `windowed` or `progressive`; `perplexity` is the one of the cell's scheme.
    """
    capped = curve[reading].fillna(math.inf).astype(float).clip(upper=CEILING)
    return pd.Series(np.log(capped.to_numpy()), capped.index)


def ends(curves: pd.DataFrame) -> Cells:
    """Log perplexity of each cell at the end of training: the mean over its last tenth.

    Between log-spaced evaluations that is the last one alone; a dense schedule has several.
    """
    return of_cells(curves, lambda curve: log_perplexity(at_the_end(curve)).mean())


def at_the_end(curve: Curve) -> Curve:
    """The evaluations in the last tenth of the training."""
    return curve[curve["batches"] > LAST * curve["batches"].max()]


def gaps(curves: pd.DataFrame) -> Cells:
    """The reading gap of each cell at the end: log(progressive / windowed) of the same weights.

    NaN for a cell that lacks one of the readings.
    """

    def measure(curve: Curve) -> float:
        last = at_the_end(curve)
        if last[list(SAMPLING_PROCEDURES)].isna().all().any():
            return math.nan
        windowed, progressive = (log_perplexity(last, name) for name in SAMPLING_PROCEDURES)
        return float((progressive - windowed).mean())

    return of_cells(curves, measure)


def gains_from_far_past(curves: pd.DataFrame) -> Cells:
    """What the far past is good for at the end of each cell's run, see analysis.far_past."""
    if FAR_PAST not in curves:
        return of_cells(curves, lambda _: math.nan)
    return of_cells(curves, lambda curve: float(curve[FAR_PAST].iloc[-1]))


def delays(curves: pd.DataFrame, one: object, other: object) -> Cells:
    """How much longer one scheme takes to the same perplexity than another: log ratio of batches.

    The perplexity is the higher of the two at the end, which both reach, so the ratio depends
    little on how long they are trained. NaN if one of them reaches it nowhere.

    Args:
        curves: of both schemes.
        one: the scheme in the numerator.
        other: the one in the denominator.
    """
    worst = ends(curves)
    worst = worst[worst.index.get_level_values("scheme").isin([one, other])]
    names = [str(name) for name in worst.index.names if name != "scheme"]
    level = worst.groupby(level=names).max()

    def until(curve: Curve) -> float:
        place = tuple(curve[name].iloc[0] for name in names)
        return log_batches_until(curve, float(level[place]))

    chosen = curves[curves["scheme"].isin([one, other])]
    return contrast(of_cells(chosen, until), "scheme", one, other)


def log_batches_until(curve: Curve, level: float) -> float:
    """Logarithm of the batches after which log perplexity first reaches a level; NaN if never.

    Interpolated linearly between evaluations, over the logarithm of batches.

    Args:
        curve: of a cell.
        level: log perplexity.
    """
    heights, batches = log_perplexity(curve).to_numpy(), curve["batches"].map(math.log).to_numpy()
    reached = np.flatnonzero(heights <= level)
    if not len(reached):
        return math.nan
    n = reached[0]
    if n == 0:
        return float(batches[0])
    share = (heights[n - 1] - level) / (heights[n - 1] - heights[n])
    return float(batches[n - 1] + share * (batches[n] - batches[n - 1]))


def roughness(curves: pd.DataFrame, first: float = 0) -> Cells:
    """How much log perplexity rises per evaluation on average, counting falls as nothing.

    Args:
        curves: all evaluated at the same batches.
        first: number of batches from which rises count.
    """

    def measure(curve: Curve) -> float:
        heights = log_perplexity(curve[curve["batches"] >= first])
        return float(heights.diff().clip(lower=0).mean())

    return of_cells(curves, measure)


def lines(curves: pd.DataFrame, first: float = 0, last: float = math.inf) -> Cells:
    """Mean height of each cell's line in the paper's figures, from ``first`` to ``last`` batches.

    The mean log perplexity over evaluations, which are spaced logarithmically.
    """
    return of_cells(
        curves, lambda curve: log_perplexity(curve[curve["batches"].between(first, last)]).mean()
    )


def overfitting(curves: pd.DataFrame) -> Cells:
    """Log ratio of each cell's final perplexity to its lowest, both means over equally many rows.

    The lowest of many single evaluations would be lower by their noise alone.
    """

    def lowest(curve: Curve) -> float:
        rows = len(at_the_end(curve))
        return float(log_perplexity(curve).rolling(rows).mean().min())

    return ends(curves) - of_cells(curves, lowest)


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


def shared(values: Cells, column: str) -> Cells:
    """The values of those cells that exist with every value of ``column``."""
    counts = _alike(values, column).transform("count")
    return values[counts == len(values.index.unique(column))]


def by_paper_corpus(values: Cells) -> Cells:
    """The values under the names of the paper's corpora, with one corpus for each.

    Of several substitutes the first in the catalogue is taken; the authors' own corpora come before
    all substitutes. Corpora that stand for none of the paper's are left out.
    """
    order, chosen = [*STANDS_FOR], dict[str, str]()
    known = [corpus for corpus in values.index.unique("corpus") if name_in(corpus) in order]
    for corpus in sorted(known, key=lambda corpus: order.index(name_in(corpus))):
        chosen.setdefault(STANDS_FOR[name_in(corpus)], corpus)
    kept = values[values.index.get_level_values("corpus").isin(chosen.values())]
    originals = {corpus: original for original, corpus in chosen.items()}
    return kept.rename(index=originals, level="corpus")


def _alike(values: Cells, *columns: str) -> SeriesGroupBy[float, Any]:
    alike = [name for name in values.index.names if name not in columns]
    return values.groupby(level=alike, sort=False)
