"""Perplexity curves as in Figures 7 to 11, drawn by Matplotlib."""

from __future__ import annotations

from collections.abc import Mapping
from string import ascii_lowercase

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullFormatter

from analysis.drawing.canvas import add_words, panels, stroke
from analysis.drawing.catalogue import AXES, Figure
from analysis.drawing.lines import arrange, label
from analysis.results import Results


def draw(results: Results, figure: Figure) -> Canvas:
    """One panel per value of the panels' column, and one line per cell, all seeds together."""
    lines, colours = arrange(results, figure)
    columns = min(2, len(lines))
    rows = -(-len(lines) // columns)
    with panels(rows, columns, share_axes=True) as (canvas, grid):
        for axes in grid.flat[len(lines) :]:
            axes.remove()
        for n, ((value, own), axes) in enumerate(zip(lines.items(), grid.flat, strict=False)):
            _draw_panel(axes, own, figure, colours)
            axes.set_title(f"({ascii_lowercase[n]}) {label(figure.panel, value)}")
            lowest = n + columns >= len(lines)  # in its column
            axes.set_xlabel(AXES[figure.x][0] if lowest else "")
            axes.tick_params(labelbottom=lowest)
            axes.set_ylabel("Perplexity" if n % columns == 0 else "")
        legend = {label(figure.colour, value): colour for value, colour in colours.items()}
        add_words(canvas, figure.title, legend, figure.caption(results))
    return canvas


def _draw_panel(
    axes: Axes, lines: pd.DataFrame, figure: Figure, colours: Mapping[object, str]
) -> None:
    for (value, *_), line in lines.groupby([figure.colour, "line"], sort=False):
        colour, x = colours[value], line[figure.x]
        axes.plot(x, line["mean"], linewidth=1, **stroke(colour))
        if (line["num_seeds"] > 1).any():
            band = line["lowest"], line["highest"]
            axes.fill_between(x, *band, color=colour, alpha=0.2, linewidth=0)
        above = x[line["above"]]
        axes.plot(above, [figure.limit] * len(above), "x", color=colour, ms=5, clip_on=False)
    axes.set(xscale=AXES[figure.x][1], ylim=(0, figure.limit))
    axes.set_yticks(np.arange(0, figure.limit + 1, 10))
    axes.xaxis.set_minor_formatter(NullFormatter())
