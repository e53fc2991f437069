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
"""Columns that tell kinds of models apart if a sweep varies them; otherwise the training does."""
READERS = (
    "64 readers start all over the test split, from the initial state, and read it in a circle, up"
    " to 100 k2 tokens."
)
DASHES = ((), (4, 1.5), (1, 1), (6, 1, 1, 1))


def draw(results: Results) -> Canvas:
    """A column of panels for each corpus, a line for each kind of model."""
    table = derive(by_bin(results))
    corpora = in_order(table, "corpus")
    column = kinds(table)[0]
    colours = choose_colours(in_order(table, column), TRAININGS if column == "training" else {})
    biases = sorted(table["forget_bias"].unique(), reverse=True) if "forget_bias" in table else []
    legend: dict[str, Look] = {}
    with panels(len(ROWS), len(corpora)) as (canvas, grid):
        for place, corpus in enumerate(corpora):
            for axes, (measure, name) in zip(grid[:, place], ROWS.items(), strict=True):
                for words, look, line in _lines(table[table["corpus"] == corpus], column, measure):
                    own = Look(colours[look[0]], DASHES[biases.index(look[1]) if biases else 0])
                    legend[words] = own
                    draw_line(axes, line, own)
                axes.axvline(1, color="black", linewidth=0.7, zorder=1)
                axes.set(xscale="log", xlabel="Tokens read / k2", ylabel=name)
                if measure != "remembrance":
                    axes.set_yscale("log")
                    label_ticks(axes.yaxis)
            grid[0, place].set_title(label("corpus", corpus))
        add_words(canvas, TITLE, legend, _caption(table))
    return canvas


def kinds(table: pd.DataFrame) -> list[str]:
    """The columns that tell the kinds of models apart; the first has the colours."""
    varied = [name for name in VARIED if name in table]
    return [*(varied or ["training"]), *(["forget_bias"] if "forget_bias" in table else [])]


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


def draw_line(axes: Axes, runs: pd.DataFrame, look: Look) -> pd.Series:
    """The geometric mean over runs, which is returned, and a band from the lowest to the highest.

    Args:
        axes: to draw on.
        runs: a row per place on the x axis, which is the index, and a column per run.
        look: of the line.
    """
    at = runs.index.to_numpy()
    with np.errstate(divide="ignore"):
        mean = np.exp(np.log(runs).mean(axis=1))
    axes.plot(at, mean, **style(look))
    axes.fill_between(at, runs.min(axis=1), runs.max(axis=1), color=look.colour, alpha=0.15, lw=0)
    return mean


def conditions(table: pd.DataFrame) -> str:
    """The sentence on what was trained.

    Args:
        table: see by_bin.
    """
    first = table.iloc[0]
    seeds, k1 = table["seed"].nunique(), ", ".join(map(str, in_order(table, "k1")))
    batches = ", ".join(f"{n:,}" for n in sorted(table["num_batches"].unique()))
    return (
        f"{table['run'].nunique()} runs at scale={first['scale']} (r={first['num_layers']},"
        f" gamma={first['hidden_size']}, {batches} batches, k1={k1},"
        f" k2={', '.join(map(str, in_order(table, 'k2')))}, up to {seeds} seeds)."
    )


def _caption(table: pd.DataFrame) -> str:
    return (
        f"{conditions(table)} {READERS}"
        " To the left of the black line they have read less than a training sequence."
        " Effective remembrance: the total variation distance, from 0 to 1, between the prediction"
        " from the whole past and that from so many last tokens alone; it stays high in a model"
        " that does not let go of the distant past. Size of the memory: the mean of |c|, or of |h|"
        " in a cell without c. A line is a geometric mean over runs, and its band reaches from the"
        " lowest to the highest."
    )
