"""Curves over training as in Figures 7 to 11, drawn by Matplotlib."""

from __future__ import annotations

from string import ascii_lowercase

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullFormatter, NullLocator

from analysis.drawing.canvas import add_words, label_ticks, panels, ratio_ticks, style
from analysis.drawing.caption import caption
from analysis.drawing.catalogue import AXES, Figure
from analysis.drawing.colours import Look
from analysis.drawing.lines import Arranged, arrange
from analysis.drawing.looks import BASELINE_LOOKS
from analysis.drawing.names import label
from analysis.results import BASELINES, Results

FAINT = 0.4
"""How opaque the reference results are beside the user's own."""
MARKED = 4
"""Every so many points of a line have a marker."""


def draw(results: Results, figure: Figure) -> Canvas:
    """One panel per value of the panels' column, and one line per cell, all seeds together."""
    arranged = arrange(results, figure)
    count = len(arranged.panels)
    columns = min(2, count)
    rows = -(-count // columns)
    left = "Reading gap" if figure.measure == "gap" else "Perplexity"
    with panels(rows, columns, share_axes=True) as (canvas, grid):
        for axes in grid.flat[count:]:
            axes.remove()
        for n, (value, axes) in enumerate(zip(arranged.panels, grid.flat, strict=False)):
            _draw_panel(axes, value, figure, arranged)
            axes.set_title(f"({ascii_lowercase[n]}) {label(figure.panel, value)}")
            lowest = n + columns >= count  # in its column
            axes.set_xlabel(AXES[figure.x][0] if lowest else "")
            axes.tick_params(labelbottom=lowest)
            axes.set_ylabel(left if n % columns == 0 else "")
            if n % columns == columns - 1 or n == count - 1:
                _draw_right_axis(axes, figure)
        add_words(canvas, figure.title, arranged.legend, caption(results, figure))
    return canvas


def _draw_panel(axes: Axes, value: object, figure: Figure, arranged: Arranged) -> None:
    _draw_baselines(axes, arranged.baselines[value])
    if figure.measure == "gap":
        axes.axhline(0, color="black", linewidth=0.7, zorder=1)
    keys = list(arranged.looks)
    for _, line in arranged.panels[value].groupby("line", sort=False):
        key, x = line["key"].iloc[0], line[figure.x]
        look = arranged.looks[key]
        places = (keys.index(key) % MARKED, MARKED) if look.marker else None
        faint = FAINT if "source" in line and line["source"].iloc[0] == "reference" else 1
        axes.plot(x, line["mean"], markevery=places, alpha=faint, **style(look))
        if (line["num_seeds"] > 1).any():
            band = line["lowest"], line["highest"]
            axes.fill_between(x, *band, color=look.colour, alpha=0.2 * faint, linewidth=0)
        for state, mark in (("above", "^"), ("diverged", "x")):
            points = x[line[state]]
            tops = [arranged.top] * len(points)
            axes.plot(points, tops, mark, color=look.colour, markersize=5, clip_on=False)
    axes.set(xscale=AXES[figure.x][1], ylim=(arranged.bottom, arranged.top))
    if figure.log_y:
        axes.set_yscale("log")
        label_ticks(axes.yaxis)
    elif figure.measure != "gap":
        axes.set_yticks(np.arange(0, figure.limit + 1, 10))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw_baselines(axes: Axes, baselines: pd.DataFrame) -> None:
    for row in baselines.to_dict("records"):
        for name in BASELINES:
            look = BASELINE_LOOKS[name]
            if np.isfinite(row[name]):
                own = Look(row["colour"], look.dashes, width=look.width)
                axes.axhline(row[name], zorder=1, **style(own))


def _draw_right_axis(axes: Axes, figure: Figure) -> None:
    """The same heights in other words: bits per token of perplexities, ratios of gaps."""
    right = axes.secondary_yaxis("right")
    right.tick_params(labelsize="small")
    low, high = axes.get_ylim()
    if figure.measure == "gap":
        chosen = [
            (float(np.log(one)), f"{one:g}") for one in ratio_ticks(np.exp(low), np.exp(high))
        ]
        right.set_ylabel("Progressive / windowed")
    else:
        # On a linear axis 1 bit is next to 2.
        lowest = int(np.ceil(np.log2(low))) if figure.log_y else 2
        chosen = [(2.0**bits, str(bits)) for bits in range(lowest, int(np.log2(high)) + 1)]
        right.set_ylabel("Bits per token")
    right.yaxis.set_minor_locator(NullLocator())
    right.set_yticks([place for place, _ in chosen], [text for _, text in chosen])
