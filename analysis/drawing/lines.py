"""What a figure shows, whichever library draws it: panels, lines, colours and their names."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.drawing.catalogue import Figure
from analysis.drawing.colours import choose_colours
from analysis.results import Results
from charrnn.data.corpora.for_figures import STANDS_FOR
from charrnn.runs.files import Evaluation

VALUES = {
    "scheme": "scheme",
    "architecture": "",
    "weighting": "",
    "suspect": "",
    "forget_bias": "forget bias",
}
"""What stands before a value of these columns above a panel or in a legend."""
NOT_OF_A_LINE = {*Evaluation.__annotations__, "seed", "num_batches", "run"}
"""Columns of the curves that may differ along a line, or in the band around it."""


def arrange(
    results: Results, figure: Figure
) -> tuple[dict[object, pd.DataFrame], dict[object, str]]:
    """The lines of each panel, and the colours of the lines, in the order in which they are shown.

    Returns:
        By value of the panels' column the rows of `over_seeds`, with `mean`, `lowest` and `highest`
        as they can be drawn, and whether the mean is `above` the axis; by value of the colours'
        column its colour.
    """
    cells = results.cells.assign(architecture=architecture)
    lines = over_seeds(results.curves, figure.x).assign(architecture=architecture)
    limit = figure.limit
    # What is above the axis is clipped by it, which keeps slopes true; infinity has no position.
    lines = lines.assign(
        above=~(lines["perplexity"] <= limit),
        mean=lines["perplexity"].replace(np.inf, 100 * limit),
        highest=lines["highest"].replace(np.inf, 100 * limit),
        lowest=lines["lowest"].clip(upper=limit),
    )
    shown = in_order(cells, figure.panel)
    colours = choose_colours(in_order(cells, figure.colour), figure.hues)
    return {value: lines[lines[figure.panel] == value] for value in shown}, colours


def in_order(cells: pd.DataFrame, column: str) -> list[object]:
    """The values of a column in an order that does not depend on the sweeps'.

    Numbers and architectures by size, corpora as in the paper, other names as they come.
    """
    if column == "architecture":
        cells = cells.sort_values(["num_layers", "hidden_size"], kind="stable")
        return list(cells[column].unique())
    places = list(dict.fromkeys(STANDS_FOR.values()))

    def rank(value: object) -> tuple[bool, float]:
        if isinstance(value, int | float | np.number):
            return False, float(value)
        place = STANDS_FOR.get(str(value))
        return True, places.index(place) if place else len(places)

    return sorted(cells[column].unique(), key=rank)


def over_seeds(curves: pd.DataFrame, x: str) -> pd.DataFrame:
    """One row per batch count of each line: the cells that differ in their seed alone.

    Args:
        curves: see Results; NaN counts as infinite.
        x: column of the x axis.

    Returns:
        The columns of a cell, the number of its `line`, and over its seeds: ``x`` and `perplexity`,
        the means; `lowest` and `highest` perplexity; `num_seeds`; `runs`, their names.
    """
    cell = [column for column in curves if column not in NOT_OF_A_LINE]
    known = curves.assign(
        perplexity=curves["perplexity"].fillna(np.inf),
        line=curves.groupby(cell, sort=False).ngroup(),
    )
    return (
        known.groupby([*cell, "line", "batches"], sort=False)
        .agg(
            **{x: (x, "mean")},
            perplexity=("perplexity", "mean"),
            lowest=("perplexity", "min"),
            highest=("perplexity", "max"),
            num_seeds=("seed", "nunique"),
            runs=("run", ", ".join),
        )
        .reset_index()
        .sort_values(["line", "batches"], ignore_index=True)
    )


def architecture(cells: pd.DataFrame) -> pd.Series:
    """The names of the cells' architectures, with mathematics between dollars."""
    layers, hidden = cells["num_layers"].astype(str), cells["hidden_size"].astype(str)
    return "$r$ = " + layers + r", $\gamma$ = " + hidden


def label(column: str, value: object) -> str:
    """The name of a value above a panel or in a legend."""
    if column == "corpus":
        place = STANDS_FOR.get(str(value))
        return str(value) if place in (None, value) else f"{value}, for {str(place).capitalize()}"
    return f"{VALUES.get(column, f'{column} =')} {value}".lstrip()
