"""The figure on instability: forget bias, one switch at a time, growth over training."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import LogLocator, NullFormatter

from analysis.drawing.perplexity_curves import BLUE, HUES, RED, YELLOW
from analysis.instability.definition import UNSTABLE
from analysis.instability.summary import WINDOWED
from analysis.instability.verdict import AUTHORS_BIAS, BASELINE, CARRIED, RESET, count
from analysis.statistics.effects import against
from charrnn.runs.folder import RunFolder

HUES_OF_SCHEMES = {RESET: RED, CARRIED: YELLOW}
MEASURES = {
    "mean_abs_cell": "Mean |c|",
    "max_abs_cell": "Maximum |c|",
    "saturated_share": "Share of tanh(c) saturated",
    "gradient_norm": "Gradient norm",
}


def draw(carry: pd.DataFrame, suspects: pd.DataFrame, words: str, runs: Path) -> Canvas:
    """Draw final perplexity and largest rise by bias and by switch, and what grows in training.

    Args:
        carry: cells of the experiment of that name, see analysis.instability.summary.summarise.
        suspects: the same.
        words: text below the figure.
        runs: folder of all runs.
    """
    canvas = Canvas(figsize=(9, 12), layout="constrained")
    grid = canvas.subplots(4, 2)
    _draw_biases(grid[0, 0], carry, "final")
    grid[0, 0].set_title("(a) Final perplexity, by forget bias")
    _draw_biases(grid[0, 1], carry, "rise")
    grid[0, 1].set_title(f"(b) Largest rise; above {UNSTABLE:g}: unstable")
    grid[0, 1].axhline(UNSTABLE, color="grey", linewidth=0.8)
    _draw_switches(grid[1, 0], grid[1, 1], suspects)
    grid[1, 0].set_title(f"(c) One switch at forget bias {AUTHORS_BIAS:g}: final perplexity")
    grid[1, 1].set_title(f"(d) One switch at forget bias {AUTHORS_BIAS:g}: unstable cells")
    diagnoses = _diagnoses(carry, runs)
    for letter, axes, (measure, title) in zip("efgh", grid.flat[4:], MEASURES.items(), strict=True):
        axes.set(title=f"({letter}) {title}", xlabel="Number of input train sequences")
        _draw_growth(axes, diagnoses, measure)
    handles, labels = grid[3, 1].get_legend_handles_labels()
    if biases := dict(zip(labels, handles, strict=True)):
        title = "(e) to (h): forget bias, scheme 4\n(scheme 3: dashed)"
        style = {"fontsize": "x-small", "title_fontsize": "x-small", "ncols": 4}
        grid[3, 1].legend(biases.values(), biases, title=title, loc="upper left", **style)
    canvas.text(0, -0.01, textwrap.fill(words, 120), va="top", fontsize="small")
    return canvas


def _draw_biases(axes: Axes, carry: pd.DataFrame, measure: str) -> None:
    """A dot per cell and a line through the geometric means; crosses at the top diverged."""
    axes.set(xlabel="Forget bias", yscale="log")
    for scheme, cells in _by_scheme(carry):
        _draw_cells(axes, cells, measure, HUES_OF_SCHEMES[scheme], f"scheme {scheme}")
    if (control := WINDOWED + measure) in carry:
        _draw_cells(axes, carry.dropna(subset=control), control, BLUE, "scheme 3, read windowed")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    if len(carry):
        axes.legend(fontsize="x-small")


def _draw_cells(axes: Axes, cells: pd.DataFrame, measure: str, colour: str, label: str) -> None:
    biases, values = cells["forget_bias"], cells[measure].astype(float)
    finite = np.isfinite(values)
    axes.plot(biases[finite], values[finite], "o", color=colour, alpha=0.5, markersize=4)
    mean = values.map(np.log).groupby(biases).mean().map(np.exp)
    axes.plot(mean.index, mean.replace(np.inf, np.nan), color=colour, label=label)
    top = axes.get_xaxis_transform()
    for bias in biases[~finite]:
        axes.plot(bias, 1, "x", color=colour, transform=top, clip_on=False)


def _draw_switches(left: Axes, right: Axes, suspects: pd.DataFrame) -> None:
    """Effects on final perplexity, with ranges over pairs, and shares of unstable cells.

    The switches are in the order of the experiment, with none of them at the top. Effects that are
    not finite are crosses at the edges.
    """
    names = list(suspects["suspect"].unique())[::-1] if len(suspects) else []
    names.sort(key=BASELINE.__eq__)
    edge = left.get_yaxis_transform()
    for shift, (scheme, cells) in zip((-0.18, 0.18), _by_scheme(suspects), strict=False):
        effects, colour = against(cells, "suspect", BASELINE, "final"), HUES_OF_SCHEMES[scheme]
        for row, name in enumerate(names):
            height, found = row + shift, effects.get(name)
            if found and found.lowest > 0 and found.highest < np.inf:
                left.plot([found.lowest, found.highest], [height, height], color=colour)
                left.plot(found.ratio, height, "o", color=colour, markersize=4)
            elif found:
                side = float(found.highest == np.inf)
                left.plot(side, height, "x", color=colour, transform=edge, clip_on=False)
            if (shaky := count(cells[cells["suspect"] == name])).cells:
                right.barh(height, shaky.share, 0.3, color=colour)
                right.text(shaky.share, height, f" {shaky}", va="center", fontsize="x-small")
    for axes in (left, right):
        axes.set_yticks(range(len(names)), names, fontsize="small")
        axes.set_ylim(-0.5, max(len(names), 1) - 0.5)
    right.set(xlabel="Share of cells", xlim=(0, 1))
    left.set(xlabel="Relative to the same scheme without a switch", xscale="log")
    left.axvline(1, color="grey", linewidth=0.8)
    left.xaxis.set_major_formatter("{x:g}")
    left.xaxis.set_minor_formatter("{x:g}")
    left.tick_params(axis="x", which="both", labelsize="x-small")


def _by_scheme(cells: pd.DataFrame) -> list[tuple[int, pd.DataFrame]]:
    return [(int(str(s)), own) for s, own in cells.groupby("scheme")] if len(cells) else []


def _diagnoses(carry: pd.DataFrame, runs: Path) -> list[tuple[pd.Series, pd.DataFrame]]:
    """The cells that have diagnostics, each with its table, by rising forget bias."""
    tables = [
        (cell, RunFolder(runs / cell["run"]).read_diagnostics()) for _, cell in carry.iterrows()
    ]
    known = [(cell, table) for cell, table in tables if table is not None]
    return sorted(known, key=lambda one: one[0]["forget_bias"])


def _draw_growth(axes: Axes, diagnoses: list[tuple[pd.Series, pd.DataFrame]], measure: str) -> None:
    biases = dict.fromkeys(cell["forget_bias"] for cell, _ in diagnoses)
    colours = dict(zip(biases, HUES, strict=False))
    for cell, table in diagnoses:
        carried, bias = cell["scheme"] == CARRIED, cell["forget_bias"]
        label = f"{bias:g}" if carried else None
        line, width = ("-", 1) if carried else ("--", 0.6)
        x, y = table["train_sequences"], table[measure]
        axes.plot(x, y, color=colours[bias], linestyle=line, linewidth=width, label=label)
    axes.set(xscale="log", yscale="linear" if measure == "saturated_share" else "log")
    _name_ticks(axes.xaxis, "{x:,.0f}")
    if axes.get_yscale() == "log":
        _name_ticks(axes.yaxis, "{x:g}")


def _name_ticks(axis: Axis, words: str) -> None:
    """Label a logarithmic axis so that it can be read over less than a decade, too."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
    axis.set_major_formatter(words)
    axis.set_minor_formatter(NullFormatter())
