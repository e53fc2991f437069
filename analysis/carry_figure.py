"""The figure of the carried state: forget bias, the other suspects, growth over training."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from analysis.effects import against
from analysis.perplexity_curves import HUES, RED, YELLOW
from charrnn.runs import RunFolder

HUES_OF_SCHEMES = {3: RED, 4: YELLOW}
MEASURES = {
    "mean_abs_cell": "Mean |c|",
    "max_abs_cell": "Maximum |c|",
    "saturated_share": "Share of tanh(c) saturated",
    "gradient_norm": "Gradient norm",
}


def draw(carry: pd.DataFrame, suspects: pd.DataFrame, words: str, runs: Path) -> Canvas:
    """Final perplexity by bias; effects of the switches; what grows over training.

    Args:
        carry: see analysis.carry.summarise.
        suspects: the same.
        words: below the figure.
        runs: folder of all runs.
    """
    canvas = Canvas(figsize=(9, 9), layout="constrained")
    grid = canvas.subplots(3, 2)
    _draw_biases(grid[0, 0], carry)
    _draw_switches(grid[0, 1], suspects)
    diagnoses = _diagnoses(carry, runs)
    for letter, axes, (measure, title) in zip("cdef", grid.flat[2:], MEASURES.items(), strict=True):
        axes.set(title=f"({letter}) {title}", xlabel="Number of input train sequences")
        _draw_growth(axes, diagnoses, measure)
    if diagnoses:
        title = "forget bias, scheme 4 (scheme 3: dashed)"
        grid[1, 0].legend(title=title, fontsize="x-small", title_fontsize="x-small", ncols=4)
    canvas.text(0, -0.01, textwrap.fill(words, 120), va="top", fontsize="small")
    return canvas


def _draw_biases(axes: Axes, carry: pd.DataFrame) -> None:
    """A point a cell, a line through the geometric means; crosses at the top diverged."""
    axes.set(title="(a) Final perplexity, by forget bias", xlabel="Forget bias", yscale="log")
    for scheme, cells in carry.groupby("scheme") if len(carry) else ():
        colour = HUES_OF_SCHEMES[int(str(scheme))]
        finite = cells[np.isfinite(cells["final"])]
        axes.plot(
            finite["forget_bias"], finite["final"], "o", color=colour, alpha=0.5, markersize=4
        )
        mean = np.exp(np.log(cells["final"]).groupby(cells["forget_bias"]).mean())
        axes.plot(mean.index, mean.replace(np.inf, np.nan), color=colour, label=f"scheme {scheme}")
        top = axes.get_xaxis_transform()
        for bias in cells.loc[~np.isfinite(cells["final"]), "forget_bias"]:
            axes.plot(bias, 1, "x", color=colour, transform=top, clip_on=False)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    if len(carry):
        axes.legend(fontsize="x-small")


def _draw_switches(axes: Axes, suspects: pd.DataFrame) -> None:
    """Effects on either scheme, with ranges over pairs; crosses at the edges are without bound."""
    axes.set(title="(b) One switch at forget bias 5", xlabel="Final perplexity, times that without")
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_xscale("log")
    if not len(suspects):
        return
    of_scheme = {
        scheme: against(cells, "suspect", "none", "final")
        for scheme, cells in suspects.groupby("scheme")
    }
    names = [name for name in suspects["suspect"].unique() if name != "none"][::-1]
    edge = axes.get_yaxis_transform()
    for shift, (scheme, effects) in zip((-0.12, 0.12), of_scheme.items(), strict=False):
        colour = HUES_OF_SCHEMES[int(str(scheme))]
        for place, name in enumerate(names):
            found = effects.get(name)
            if found is None or found.is_none:
                continue
            height = place + shift
            if found.lowest > 0 and found.highest < np.inf:
                axes.plot([found.lowest, found.highest], [height, height], color=colour)
                axes.plot(found.ratio, height, "o", color=colour, markersize=4)
            else:
                side = 1 if found.highest == np.inf else 0
                axes.plot(side, height, "x", color=colour, transform=edge, clip_on=False)
    axes.set_yticks(range(len(names)), list(map(str, names)), fontsize="small")
    axes.set_ylim(-0.5, len(names) - 0.5 + (not names))


def _diagnoses(carry: pd.DataFrame, runs: Path) -> list[tuple[pd.Series, pd.DataFrame]]:
    """The cells that have diagnostics, each with its table."""
    tables = [
        (cell, RunFolder(runs / cell["run"]).read_diagnostics()) for _, cell in carry.iterrows()
    ]
    return [(cell, table) for cell, table in tables if table is not None]


def _draw_growth(axes: Axes, diagnoses: list[tuple[pd.Series, pd.DataFrame]], measure: str) -> None:
    biases = sorted({cell["forget_bias"] for cell, _ in diagnoses})
    colours = dict(zip(biases, HUES, strict=False))
    labelled = set()
    for cell, table in diagnoses:
        carried, bias = cell["scheme"] == 4, cell["forget_bias"]
        label = f"{bias:g}" if carried and bias not in labelled else None
        labelled |= {bias} if carried else set()
        axes.plot(
            table["train_sequences"],
            table[measure],
            color=colours[bias],
            linestyle="-" if carried else "--",
            linewidth=1 if carried else 0.6,
            label=label,
        )
    axes.set(xscale="log", yscale="linear" if measure == "saturated_share" else "log")
