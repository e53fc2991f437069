"""What a figure shows, whichever library draws it: panels, lines and their looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.drawing.catalogue import Figure
from analysis.drawing.colours import Look, choose_colours
from analysis.drawing.looks import (
    BASELINE_LOOKS,
    BASELINE_NAMES,
    choose_looks,
    choose_strokes,
    make_legend,
)
from analysis.drawing.names import derive, in_order
from analysis.drawing.readings import by_reading, with_gaps
from analysis.pace import seconds_per_batch
from analysis.reference.table import EVALUATED
from analysis.results import BASELINES, Results

NOT_OF_A_LINE = {*EVALUATED, "seed", "num_batches", "run", "gap", "undisturbed_seconds"}
"""Columns of the curves that may differ along a line, or in the band around it."""
BEYOND = 100
"""Where infinity is drawn, in heights of the axis: it has no position, but lines lead to it."""


@dataclass(frozen=True)
class Arranged:
    """The lines of a figure, in the order in which they are shown.

    Attributes:
        panels: by value of the panels' column the rows of `over_seeds`, with `mean`, `lowest` and
            `highest` as they can be drawn, whether the mean is `above` the axis, and whether it is
            infinite, `diverged`; and with the `key` of its look.
        looks: by value of the colours' column, and of the styles' if there is one, the look.
        legend: by label the look.
        baselines: by value of the panels' column the columns `corpus`, `colour` and BASELINES:
            perplexities that need no network, a row per corpus.
        bottom, top: of the y axis.
    """

    panels: dict[object, pd.DataFrame]
    looks: dict[tuple[object, ...], Look]
    legend: dict[str, Look]
    baselines: dict[object, pd.DataFrame]
    bottom: float
    top: float


def arrange(results: Results, figure: Figure) -> Arranged:
    """The lines of each panel, how they look, and the axis that they need."""
    cells, curves = derive(results.cells), shown(results.curves, figure)
    lines = over_seeds(curves, figure.x, _value(figure))
    baselines = _baselines(curves, figure)
    bottom, top = _span(lines, baselines, figure)
    # What is above the axis is clipped by it, which keeps slopes true.
    lines = lines.assign(
        diverged=np.isinf(lines["mean"]),
        above=(lines["mean"] > top) & ~np.isinf(lines["mean"]),
        mean=lines["mean"].replace(np.inf, BEYOND * top),
        highest=lines["highest"].replace(np.inf, BEYOND * top),
        lowest=lines["lowest"].clip(upper=top),
    )
    styled = figure.style in curves
    lines["key"] = list(zip(*(lines[c] for c in _columns(figure, styled)), strict=True))
    hues = choose_colours(in_order(cells, figure.colour), figure.hues)
    strokes = (
        choose_strokes(curves if figure.style == "reading" else cells, figure) if styled else {}
    )
    looks = choose_looks(hues, strokes, figure)
    panels = in_order(cells, figure.panel)
    own = hues if figure.colour == "corpus" else {}
    grey = BASELINE_LOOKS["unigram"].colour
    baselines["colour"] = [own.get(corpus, grey) for corpus in baselines["corpus"]]
    return Arranged(
        panels={value: lines[lines[figure.panel] == value] for value in panels},
        looks=looks,
        legend=make_legend(hues, strokes, looks, figure)
        | {
            BASELINE_NAMES[name]: BASELINE_LOOKS[name]
            for name in BASELINES
            if baselines[name].notna().any()
        },
        baselines={value: baselines[baselines["panel_value"] == value] for value in panels},
        bottom=bottom,
        top=top,
    )


def shown(curves: pd.DataFrame, figure: Figure) -> pd.DataFrame:
    """The rows that a figure draws, with the column of its y axis and all that it is drawn by."""
    curves = derive(curves)
    if figure.x == "undisturbed_seconds":
        seconds = curves["batches"] * seconds_per_batch(curves)
        curves = curves.assign(undisturbed_seconds=seconds.astype(float))
    if figure.measure == "readings":
        return by_reading(curves)
    return with_gaps(curves) if figure.measure == "gap" else curves


def over_seeds(curves: pd.DataFrame, x: str, value: str = "perplexity") -> pd.DataFrame:
    """One row per batch count of each line: the cells that differ in their seed alone.

    A replicate may have been evaluated at moments of its own, such as the end of a shorter
    training. These are left out: the line would jump there to the mean of a few.

    Args:
        curves: see Results; a perplexity of NaN counts as infinite.
        x: column of the x axis.
        value: column of the y axis. Of perplexities the mean is geometric: their logarithms are
            what is averaged everywhere here.

    Returns:
        The columns of a cell, the number of its `line`, and over its seeds: ``x`` and `mean`,
        the means; `lowest` and `highest`; `num_seeds`; `runs`, their names.
    """
    cell = [column for column in curves if column not in NOT_OF_A_LINE]
    geometric = value == "perplexity"
    values = curves[value].astype(float).fillna(np.inf)
    known = curves.assign(
        value=np.log(values) if geometric else values,
        line=curves.groupby(cell, sort=False, dropna=False).ngroup(),
    )
    table = (
        known.groupby([*cell, "line", "batches"], sort=False, dropna=False)
        .agg(
            **{x: (x, "mean")},
            mean=("value", "mean"),
            lowest=("value", "min"),
            highest=("value", "max"),
            num_seeds=("seed", "nunique"),
            runs=("run", ", ".join),
        )
        .reset_index()
        .sort_values(["line", "batches"], ignore_index=True)
    )
    if geometric:
        table[["mean", "lowest", "highest"]] = np.exp(table[["mean", "lowest", "highest"]])
    last = known.groupby(["line", "seed"])["batches"].max().groupby("line").agg(np.array)
    reached = [sum(last[n] >= at) for n, at in zip(table["line"], table["batches"], strict=True)]
    return table[table["num_seeds"] == reached].reset_index(drop=True)


def _value(figure: Figure) -> str:
    return "gap" if figure.measure == "gap" else "perplexity"


def _columns(figure: Figure, styled: bool) -> list[str]:
    return [figure.colour, *([str(figure.style)] if styled else [])]


def _span(lines: pd.DataFrame, baselines: pd.DataFrame, figure: Figure) -> tuple[float, float]:
    """The bottom and the top of the y axis; of gaps, a little more than their finite values."""
    found = lines[["mean", "lowest", "highest"]].to_numpy(float).ravel()
    found = found[np.isfinite(found)]
    if figure.measure == "gap":
        found = np.append(found, [0, 0.05])
        margin = 0.05 * float(found.max() - found.min())
        return float(found.min()) - margin, float(found.max()) + margin
    if not figure.log_y:
        return 0.0, figure.limit
    found = np.append(found, baselines[[*BASELINES]].to_numpy(float).ravel())
    return float(np.nanmin(np.append(found, 0.5 * figure.limit))) / 1.15, figure.limit


def _baselines(curves: pd.DataFrame, figure: Figure) -> pd.DataFrame:
    """Per panel and corpus the geometric means of the BASELINES over the panel's runs."""
    columns = ["panel_value", "corpus", *BASELINES]
    if figure.measure == "gap" or not {*BASELINES} <= {*curves.columns} or curves.empty:
        return pd.DataFrame(columns=columns)
    logs = curves.assign(panel_value=curves[figure.panel])[columns].copy()
    logs[[*BASELINES]] = np.log(logs[[*BASELINES]].astype(float))
    means = logs.groupby(["panel_value", "corpus"], sort=False).mean().reset_index()
    means[[*BASELINES]] = np.exp(means[[*BASELINES]])
    return means
