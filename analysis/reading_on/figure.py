"""Perplexity against the number of tokens read, and what the state and the memory do meanwhile."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from analysis.drawing.canvas import add_words, label_ticks, panels, style
from analysis.drawing.colours import TRAININGS, Look, choose_colours
from analysis.drawing.names import derive, in_order, label
from analysis.reading_on.measure import by_bin
from analysis.results import Results

TITLE = "How models predict if they read on"
ROWS = {
    "perplexity": "Perplexity",
    "remembrance": "Effective remembrance",
    "cell": "Size of the memory",
}
"""What is drawn below each other, and the labels of the axes."""
VARIED = ("start", "backbone")
"""Columns that lines are coloured by if a sweep varies them; otherwise it is the training."""
DASHES = ((), (4, 1.5), (1, 1), (6, 1, 1, 1))


def draw(results: Results) -> Canvas:
    """A column of panels for each corpus, a line for each kind of model."""
    table = derive(by_bin(results))
    corpora = in_order(table, "corpus")
    column = colour_column(table)
    colours = choose_colours(in_order(table, column), TRAININGS if column == "training" else {})
    biases = sorted(table["forget_bias"].unique(), reverse=True) if "forget_bias" in table else []
    legend: dict[str, Look] = {}
    with panels(len(ROWS), len(corpora)) as (canvas, grid):
        for place, corpus in enumerate(corpora):
            for axes, (measure, name) in zip(grid[:, place], ROWS.items(), strict=True):
                for words, look, line in _lines(table[table["corpus"] == corpus], column, measure):
                    own = Look(colours[look[0]], DASHES[biases.index(look[1]) if biases else 0])
                    legend[words] = own
                    _draw_line(axes, line, own)
                axes.axvline(1, color="black", linewidth=0.7, zorder=1)
                axes.set(xscale="log", xlabel="Tokens read / k2", ylabel=name)
                if measure != "remembrance":
                    axes.set_yscale("log")
                    label_ticks(axes.yaxis)
            grid[0, place].set_title(label("corpus", corpus))
        add_words(canvas, TITLE, legend, _caption(results, table))
    return canvas


def colour_column(table: pd.DataFrame) -> str:
    """The column that tells the kinds of models apart."""
    return next((name for name in VARIED if name in table), "training")


def _lines(
    table: pd.DataFrame, column: str, measure: str
) -> Iterator[tuple[str, tuple[object, object], pd.DataFrame]]:
    """The words for each line, its value and its bias, and for each bin the lines' logarithms."""
    by = [column, *(["forget_bias"] if "forget_bias" in table else [])]
    for key, own in table.groupby(by, sort=False):
        value, bias = (*key, None)[:2]
        words = [label(column, value)] + ([label("forget_bias", bias)] if len(by) > 1 else [])
        runs = own.pivot_table(index="read", columns="run", values=measure)
        yield ", ".join(words), (value, bias), runs


def _draw_line(axes: Axes, runs: pd.DataFrame, look: Look) -> None:
    """The geometric mean over runs, and a band from the lowest to the highest."""
    at = runs.index.to_numpy()
    with np.errstate(divide="ignore"):
        axes.plot(at, np.exp(np.log(runs).mean(axis=1)), **style(look))
    axes.fill_between(at, runs.min(axis=1), runs.max(axis=1), color=look.colour, alpha=0.15, lw=0)


def _caption(results: Results, table: pd.DataFrame) -> str:
    first = table.iloc[0]
    seeds, k1 = table["seed"].nunique(), ", ".join(map(str, in_order(table, "k1")))
    batches = ", ".join(f"{n:,}" for n in sorted(table["num_batches"].unique()))
    return (
        f"{table['run'].nunique()} runs at scale={first['scale']} (r={first['num_layers']},"
        f" gamma={first['hidden_size']}, {batches} batches, k1={k1},"
        f" k2={', '.join(map(str, in_order(table, 'k2')))}, up to {seeds} seeds). 64 readers start"
        " all over the test split, from the initial state, and read it in a circle, up to 100 k2"
        " tokens. To the left of the black line they have read less than a training sequence."
        " Effective remembrance: the total variation distance, from 0 to 1, between the prediction"
        " from the whole past and that from so many last tokens alone; it stays high in a model"
        " that does not let go of the distant past. Size of the memory: the mean of |c|, or of |h|"
        " in a cell without c. A line is a geometric mean over runs, and its band reaches from the"
        " lowest to the highest."
    )
