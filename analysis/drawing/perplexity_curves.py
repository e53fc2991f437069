"""Perplexity curves as in Figures 7 to 11: panels, colours, axes, bands over seeds, caption."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from analysis.drawing.caption import caption, finding
from analysis.results import Results
from charrnn.data.catalogue import STANDS_FOR
from charrnn.runs.folder import Evaluation

BLUE, GREEN, RED, YELLOW, MAGENTA = "#1f66c1", "#2a9d3a", "#d62728", "#c08400", "#c22fb4"
HUES = (BLUE, GREEN, RED, YELLOW, MAGENTA, "#17a2b8", "#8c564b", "#7f7f7f", "#8a8f00", "#000000")
"""The paper's five colours, at least 3:1 on white, and five more for what it does not show."""
STROKES = ((), (5, 2), (1.5, 1.5), (6, 1.5, 1.5, 1.5), (10, 3))
DASHES = dict(zip(HUES, itertools.cycle(STROKES)))
"""Strokes and gaps of the lines of each colour, in widths of the line; none for a solid line."""
AXES = {
    "train_sequences": ("Number of input train sequences", "log"),
    "train_seconds": ("Training time (s)", "linear"),
}
"""Label and scale of the x axis."""
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
STYLE = {
    "axes.titlesize": "medium",
    "font.family": "DejaVu Sans",
}


@dataclass(frozen=True)
class Figure:
    """How a figure is drawn.

    Attributes:
        title: above the panels.
        panel: column of the panels.
        colour: column of the lines' colour; lines of one colour differ in k1.
        hues: the paper's colour of a value; others take those that are left.
        x: column of the x axis.
        limit: perplexity at the top of the y axis. What lies above, infinity included, is marked
            there.
        place: the paper's corpus, where the figure is of one alone.
        note: a sentence at the end of the caption.
        baseline: value of the colours' column that the caption compares the others with.
    """

    title: str
    panel: str
    colour: str
    hues: Mapping[object, str] = field(default_factory=dict)
    x: str = "train_sequences"
    limit: float = 90
    place: str | None = None
    note: str = ""
    baseline: object = None

    def words(self, results: Results) -> str:
        """The caption of the figure when it is drawn from ``results``."""
        sentences = [caption(results, self.limit, self.place), self.note]
        if self.baseline is not None:
            sentences.append(finding(results, self.colour, self.baseline))
        return " ".join(filter(None, sentences))


def draw(results: Results, figure: Figure) -> Canvas:
    """A panel for every value of the panels' column, a line for every cell, seeds as one."""
    cells = results.cells.assign(architecture=architecture)
    lines = over_seeds(results.curves, figure.x).assign(architecture=architecture)
    panels = in_order(cells, figure.panel)
    colours = choose_colours(in_order(cells, figure.colour), figure.hues)
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    with sns.axes_style("whitegrid", STYLE):
        # The panels fill the canvas; what stands around them is added to it by `save`.
        width, height = 4.2 * columns, 2.9 * rows
        canvas = Canvas(figsize=(width, height))
        canvas.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0.06, hspace=0.16)
        grid = canvas.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
        for axes in grid.flat[len(panels) :]:
            axes.remove()
        for n, (value, axes) in enumerate(zip(panels, grid.flat, strict=False)):
            _draw_panel(axes, lines[lines[figure.panel] == value], figure, colours)
            axes.set_title(f"({ascii_lowercase[n]}) {label(figure.panel, value)}")
            lowest = n + columns >= len(panels)  # of its column
            axes.set_xlabel(AXES[figure.x][0] if lowest else "")
            axes.tick_params(labelbottom=lowest)
            axes.set_ylabel("Perplexity" if n % columns == 0 else "")
        handles = [
            Line2D(
                [], [], color=colour, linestyle=_style(colour), label=label(figure.colour, value)
            )
            for value, colour in colours.items()
        ]
        canvas.suptitle(figure.title, y=1 + 0.7 / height, va="bottom")
        anchor = (0.5, 1 + 0.25 / height)
        canvas.legend(handles=handles, loc="lower center", bbox_to_anchor=anchor, ncols=5)
        lines_of_words = textwrap.fill(figure.words(results), 62 * columns)
        canvas.text(0, -0.6 / height, lines_of_words, va="top", fontsize="small")
    return canvas


def in_order(cells: pd.DataFrame, column: str) -> list[object]:
    """The values of a column, whatever the order in which sweeps have asked for them.

    Numbers and architectures by size, corpora as the paper has them, other names as they come.
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
    """A row for every cell but for its seed, and batch count.

    Args:
        curves: see Results; NaN counts as infinite.
        x: column of the x axis.

    Returns:
        The columns of a cell, its number `line`, and over its seeds: ``x`` and `perplexity`, the
        means; `lowest` and `highest` perplexity; `num_seeds`; `runs`, their names.
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


def choose_colours(values: Iterable[object], hues: Mapping[object, str]) -> dict[object, str]:
    """A colour for every value, no two the same as long as there are enough.

    Args:
        values: in the order in which those without a colour of their own take what is left.
        hues: colours of some values; the first of two that share one has it.
    """
    values, chosen = list(values), dict[object, str]()
    for value in values:
        if value in hues and hues[value] not in chosen.values():
            chosen[value] = hues[value]
    left = [hue for hue in HUES if hue not in chosen.values()] or list(HUES)
    others = [value for value in values if value not in chosen]
    chosen |= {value: left[n % len(left)] for n, value in enumerate(others)}
    return {value: chosen[value] for value in values}


def save(canvas: Canvas, results: Results, stem: Path) -> list[Path]:
    """Write the figure to ``stem``.png and ``stem``.svg, and the data behind it to ``stem``.csv."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    png, svg, table = (stem.with_name(f"{stem.name}.{suffix}") for suffix in ("png", "svg", "csv"))
    with rc_context({"svg.hashsalt": "charrnn"}):  # the same data give the same file
        canvas.savefig(png, dpi=150, bbox_inches="tight")
        canvas.savefig(svg, bbox_inches="tight", metadata={"Date": None})
    results.curves.to_csv(table, index=False, na_rep="nan")
    return [png, svg, table]


def _draw_panel(
    axes: Axes, lines: pd.DataFrame, figure: Figure, colours: Mapping[object, str]
) -> None:
    for (value, *_), line in lines.groupby([figure.colour, "line"], sort=False):
        colour, limit = colours[value], figure.limit
        # What is above the axis is clipped by it, so that slopes are true; infinity has no place.
        mean, highest = (line[c].replace(np.inf, 100 * limit) for c in ("perplexity", "highest"))
        axes.plot(line[figure.x], mean, color=colour, linestyle=_style(colour), linewidth=1)
        if (line["num_seeds"] > 1).any():
            lowest = line["lowest"].clip(upper=limit)
            axes.fill_between(line[figure.x], lowest, highest, color=colour, alpha=0.2, linewidth=0)
        above = line.loc[~(line["perplexity"] <= limit), figure.x]
        axes.plot(above, [limit] * len(above), "x", color=colour, markersize=5, clip_on=False)
    axes.set(xscale=AXES[figure.x][1], ylim=(0, figure.limit))
    axes.set_yticks(np.arange(0, figure.limit + 1, 10))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _style(colour: str) -> Any:
    """The dashes of a colour as Matplotlib takes them."""
    return (0, DASHES[colour]) if DASHES[colour] else "-"


def architecture(cells: pd.DataFrame) -> pd.Series:
    """What the architectures of cells are called; what is between dollars is mathematics."""
    layers, hidden = cells["num_layers"].astype(str), cells["hidden_size"].astype(str)
    return "$r$ = " + layers + r", $\gamma$ = " + hidden


def label(column: str, value: object) -> str:
    """What a value is called above a panel or in a legend."""
    if column == "corpus":
        place = STANDS_FOR.get(str(value))
        return str(value) if place in (None, value) else f"{value}, for {str(place).capitalize()}"
    return f"{VALUES.get(column, f'{column} =')} {value}".lstrip()
