"""What all Matplotlib figures share: style, panels, title, legend, caption, and their files."""

from __future__ import annotations

import io
import math
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from analysis.drawing.colours import DASHES, Look
from charrnn.files import write_atomically

STYLE = {"axes.titlesize": "medium", "font.family": "DejaVu Sans"}
WIDTH, HEIGHT = 4.2, 2.9
"""Inches of canvas per panel, including the space between panels."""
CHARACTERS = 62
"""Characters of the caption per panel in a row."""
MAX_TICKS = 10
"""Labels along an axis of ratios."""
LEGEND_COLUMNS = 2.5
"""Entries of the legend per panel in a row."""


@contextmanager
def panels(rows: int, columns: int, share_axes: bool = False) -> Iterator[tuple[Canvas, Any]]:
    """A canvas and its panels (rows, columns), in the figures' style while they are drawn.

    The panels fill the canvas. What `add_words` places around them is included when it is saved.

    Args:
        rows: of panels.
        columns: of panels.
        share_axes: whether the panels have the same axes, labelled at the edges only.
    """
    between = {"wspace": 0.06, "hspace": 0.16} if share_axes else {"wspace": 0.36, "hspace": 0.44}
    with sns.axes_style("whitegrid", STYLE):
        canvas = Canvas(figsize=(WIDTH * columns, HEIGHT * rows))
        canvas.subplots_adjust(left=0, right=1, bottom=0, top=1, **between)
        shared: dict[str, Any] = {"sharex": share_axes, "sharey": share_axes}
        yield canvas, canvas.subplots(rows, columns, squeeze=False, **shared)


def add_words(canvas: Canvas, title: str, legend: Mapping[str, str | Look], caption: str) -> None:
    """Put the title and the legend above the panels, and the caption below them.

    Args:
        canvas: see `panels`.
        title: one line.
        legend: labels of the lines, and their colours or looks.
        caption: a paragraph.
    """
    width, height = canvas.get_size_inches()
    handles = [
        Line2D([], [], label=label, **(style(look) if isinstance(look, Look) else stroke(look)))
        for label, look in legend.items()
    ]
    columns = math.ceil(LEGEND_COLUMNS * width / WIDTH)
    rows = -(-len(handles) // columns)
    # Matplotlib fills column by column; the entries are meant to be read row by row.
    handles = [handle for n in range(columns) for handle in handles[n::columns]]
    canvas.suptitle(title, y=1 + (0.46 + 0.24 * rows) / height, va="bottom")
    above = (0.5, 1 + 0.25 / height)
    canvas.legend(handles=handles, loc="lower center", bbox_to_anchor=above, ncols=columns)
    lines = textwrap.fill(caption, CHARACTERS * round(width / WIDTH))
    canvas.text(0, -0.6 / height, lines, va="top", fontsize="small")


def stroke(colour: str) -> dict[str, Any]:
    """The arguments that draw a line in a colour, with the colour's dashes."""
    return {"color": colour, "linestyle": (0, DASHES[colour]) if DASHES[colour] else "-"}


def style(look: Look) -> dict[str, Any]:
    """The arguments that draw a line with a look."""
    dashes = (0, look.dashes) if look.dashes else "-"
    markers = {"marker": look.marker or "None", "markersize": 3.5, "markeredgewidth": 0}
    return {"color": look.colour, "linestyle": dashes, "linewidth": look.width, **markers}


def label_ticks(axis: Axis, words: str = "{x:g}", short: bool = False) -> None:
    """Label more of a logarithmic axis than the powers of 10: 1, 2 and 5 times these.

    Args:
        axis: a logarithmic axis.
        words: format of a number `x`.
        short: whether the axis has about a decade or less; every tick is labelled then.
    """
    if not short:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
    axis.set_major_formatter(words)
    axis.set_minor_formatter(words if short else NullFormatter())


def ratio_ticks(low: float, high: float) -> list[float]:
    """Ratios to label a logarithmic axis with: 1, and others at even steps, not too many.

    Args:
        low: the lowest ratio on the axis.
        high: the highest.
    """
    for step in (0.05, 0.1, 0.25, 0.5, 1):
        above = [1 + n * step for n in range(1, MAX_TICKS + 1)]
        below = [1 - n * step for n in range(1, round(1 / step))]
        ticks = sorted(tick for tick in (1.0, *above, *below) if low <= tick <= high)
        apart = min((later / one for one, later in pairwise(ticks)), default=math.inf)
        if above[-1] >= high and math.log(apart) * MAX_TICKS >= math.log(high / low):
            return ticks
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [digit * 10.0**n for n in decades for digit in (1, 2, 5)]
    return [tick for tick in ticks if low <= tick <= high]


def render(canvas: Canvas, suffix: str) -> bytes:
    """The figure as a `png` or `svg` file; equal figures give equal bytes."""
    file = io.BytesIO()
    metadata = {"Date": None} if suffix == "svg" else None
    with rc_context({"svg.hashsalt": "charrnn"}):
        canvas.savefig(file, format=suffix, dpi=150, bbox_inches="tight", metadata=metadata)
    return file.getvalue()


def save(canvas: Canvas, stem: Path, table: pd.DataFrame | None = None) -> list[Path]:
    """Write the figure to ``stem``.png and ``stem``.svg, and its data, if given, to ``stem``.csv.

    Returns:
        The files written.
    """
    files = {suffix: render(canvas, suffix) for suffix in ("png", "svg")}
    if table is not None:
        files["csv"] = table.to_csv(index=False, na_rep="nan").encode()
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in files]
    for path, content in zip(paths, files.values(), strict=True):
        write_atomically(path, content)
    return paths
