"""Perplexity against the number of tokens read, a panel per recurrent cell, a line per start."""

from __future__ import annotations

from string import ascii_lowercase

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from analysis.drawing.canvas import add_words, label_ticks, panels
from analysis.drawing.colours import DASHES, Look, choose_colours
from analysis.drawing.names import derive, in_order, label
from analysis.reading_on.figure import READERS, conditions, draw_line
from analysis.reading_on.measure import by_bin
from analysis.results import Results

TITLE = "How recurrent cells predict if they read on, by the start of training sequences"
COLUMNS = 3
"""Panels in a row."""
HEADROOM = 10
"""The top of the y axis, in times of the lowest perplexity; what lies above is marked there."""


def draw_cells(results: Results) -> Canvas:
    """A panel for each cell on each corpus, a line for each start."""
    table = derive(by_bin(results))
    table = table.assign(tokens=table["read"] * table["k2"].astype(float))
    places = table[["corpus", "backbone"]].drop_duplicates().to_records(index=False).tolist()
    colours = choose_colours(in_order(table, "start"), {})
    looks = {  # of lines that hide each other the lower ones are wider
        start: Look(colour, DASHES[colour], width=2.4 - 0.3 * min(n, 5))
        for n, (start, colour) in enumerate(colours.items())
    }
    bottom = float(table["perplexity"].min())
    columns = min(COLUMNS, len(places))
    with panels(-(-len(places) // columns), columns, share_axes=True) as (canvas, grid):
        for axes in grid.flat[len(places) :]:
            axes.remove()
        for n, ((corpus, cell), axes) in enumerate(zip(places, grid.flat, strict=False)):
            own = table[(table["corpus"] == corpus) & (table["backbone"] == cell)]
            axes.set(xscale="log", yscale="log", ylim=(bottom / 1.1, HEADROOM * bottom))
            _draw_panel(axes, own, looks)
            lowest = n + columns >= len(places)  # in its column
            axes.set_title(f"({ascii_lowercase[n]}) {label('backbone', cell)}, {corpus}")
            axes.set_xlabel("Tokens read" if lowest else "")
            axes.set_ylabel("Perplexity" if n % columns == 0 else "")
            axes.tick_params(labelbottom=lowest)
        label_ticks(grid.flat[0].yaxis)
        legend = {label("start", start): look for start, look in looks.items()}
        add_words(canvas, TITLE, legend, _caption(table))
    return canvas


def _draw_panel(axes: Axes, table: pd.DataFrame, looks: dict[object, Look]) -> None:
    top = axes.get_ylim()[1]
    for k2 in table["k2"].unique():
        axes.axvline(k2, color="black", linewidth=0.7, zorder=1)
    for start, own in table.groupby("start", sort=False):
        runs = own.pivot_table(index="tokens", columns="run", values="perplexity")
        mean = draw_line(axes, runs, looks[start])  # the axis clips it, which keeps slopes true
        diverged = np.isinf(mean)
        for mark, there in (("^", (mean > top) & ~diverged), ("x", diverged)):
            at = runs.index[there]
            colour = looks[start].colour
            axes.plot(at, [top] * len(at), mark, color=colour, markersize=5, clip_on=False)


def _caption(table: pd.DataFrame) -> str:
    return (
        f"{conditions(table)} Corpora: {', '.join(map(str, in_order(table, 'corpus')))}. A line is"
        " a start of the training sequences: none, the learned state; zero; Gaussian noise, with a"
        " fixed size or fitted to the states reached last; passed, the state that another sequence"
        f" reached; carried, scheme 4. {READERS} The black line is at k2 tokens, the length of a"
        " training sequence. A line is a geometric mean over replicates, and its band reaches from"
        " the lowest to the highest. The y axis ends at"
        f" {HEADROOM} times the lowest perplexity: triangles mark means above it, and crosses"
        " places where a perplexity is infinite. Small waves that all lines of a panel share come"
        " from the text: all models of a replicate read the same tokens."
    )
