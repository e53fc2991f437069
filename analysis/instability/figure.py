"""The figure of the carried state: forget bias, the other suspects, growth over training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from analysis.drawing.canvas import add_words, label_ticks, panels, stroke
from analysis.drawing.colours import BLUE, HUES, SCHEMES
from analysis.instability.definition import UNSTABLE
from analysis.instability.summary import WINDOWED
from analysis.instability.verdict import BASELINE, count
from analysis.statistics.effects import against
from charrnn.runs.folder import RunFolder

LEGEND = {
    "scheme 3": SCHEMES[3],
    "scheme 4": SCHEMES[4],
    "scheme 3, evaluated windowed": BLUE,
}
TITLES = (
    "(a) Final perplexity, by forget bias",
    f"(b) Largest rise; above {UNSTABLE:g}: unstable",
    "(c) One switch at forget bias 5: final perplexity",
    "(d) One switch at forget bias 5: unstable cells",
    "(e) Mean |c|",
    "(f) Maximum |c|",
    "(g) Share of tanh(c) saturated",
    "(h) Gradient norm",
)
MEASURES = ("mean_abs_cell", "max_abs_cell", "saturated_share", "gradient_norm")
"""The columns of the diagnostics in panels (e) to (h)."""


def draw(carry: pd.DataFrame, suspects: pd.DataFrame, words: str, runs: Path) -> Canvas:
    """Final perplexity and largest rise by bias and by switch; what grows over training.

    Args:
        carry: see analysis.instability.summary.summarise.
        suspects: the same.
        words: the caption.
        runs: folder of all runs.
    """
    with panels(4, 2) as (canvas, grid):
        for axes, title in zip(grid.flat, TITLES, strict=True):
            axes.set_title(title)
        _draw_biases(grid[0, 0], carry, "final")
        _draw_biases(grid[0, 1], carry, "rise")
        grid[0, 1].axhline(UNSTABLE, color="grey", linewidth=0.8)
        _draw_effects(grid[1, 0], suspects)
        _draw_counts(grid[1, 1], suspects)
        diagnoses = _diagnoses(carry, runs)
        for axes, measure in zip(grid.flat[4:], MEASURES, strict=True):
            _draw_growth(axes, diagnoses, measure)
        if diagnoses:
            title = "(e) to (h): forget bias, scheme 4\n(scheme 3: dashed)"
            style = {"fontsize": "x-small", "title_fontsize": "x-small", "ncols": 4}
            grid[3, 1].legend(title=title, loc="upper left", **style)
        add_words(canvas, "What makes carrying the state unstable", LEGEND, words)
    return canvas


def _draw_biases(axes: Axes, carry: pd.DataFrame, measure: str) -> None:
    """One point per cell, lines through geometric means, crosses at the top for divergence."""
    axes.set(xlabel="Forget bias", yscale="log")
    for scheme, cells in _by_scheme(carry):
        _draw_readings(axes, cells, measure, SCHEMES[scheme])
    control = WINDOWED + measure
    if control in carry:
        _draw_readings(axes, carry.dropna(subset=control), control, BLUE)
    label_ticks(axes.yaxis, short=True)


def _draw_readings(axes: Axes, cells: pd.DataFrame, measure: str, colour: str) -> None:
    biases, values = cells["forget_bias"], cells[measure].astype(float)
    finite = np.isfinite(values)
    axes.plot(biases[finite], values[finite], "o", color=colour, alpha=0.5, markersize=4)
    mean = values.map(np.log).groupby(biases).mean().map(np.exp)
    axes.plot(mean.index, mean.replace(np.inf, np.nan), **stroke(colour))
    top = axes.get_xaxis_transform()
    diverged = biases[~finite]
    axes.plot(diverged, [1] * len(diverged), "x", color=colour, transform=top, clip_on=False)


def _switches(suspects: pd.DataFrame) -> list[object]:
    """The switches from bottom to top."""
    names = list(suspects["suspect"].unique()) if len(suspects) else []
    return [name for name in names if name != BASELINE][::-1]


def _name_switches(axes: Axes, names: list[object]) -> None:
    axes.set_yticks(range(len(names)), list(map(str, names)), fontsize="small")
    axes.set_ylim(-0.5, len(names) - 0.5 + (not names))


def _draw_effects(axes: Axes, suspects: pd.DataFrame) -> None:
    """Effects in each scheme, with their range over pairs; crosses at the edges if unbounded."""
    axes.set(xlabel="Relative to no switch", xscale="log")
    axes.axvline(1, color="grey", linewidth=0.8)
    names, edge = _switches(suspects), axes.get_yaxis_transform()
    for shift, (scheme, cells) in zip((-0.12, 0.12), _by_scheme(suspects), strict=False):
        effects, colour = against(cells, "suspect", BASELINE, "final"), SCHEMES[scheme]
        for place, name in enumerate(names):
            found = effects.get(name)
            if found is None:
                continue
            height = place + shift
            if found.lowest > 0 and found.highest < np.inf:
                axes.plot([found.lowest, found.highest], [height, height], color=colour)
                axes.plot(found.ratio, height, "o", color=colour, markersize=4)
            else:
                side = 1 if found.highest == np.inf else 0
                axes.plot(side, height, "x", color=colour, transform=edge, clip_on=False)
    _name_switches(axes, names)
    label_ticks(axes.xaxis, short=True)
    axes.tick_params(axis="x", which="both", labelsize="x-small")


def _draw_counts(axes: Axes, suspects: pd.DataFrame) -> None:
    """The share of unstable cells in each scheme; at the top, without a switch."""
    axes.set(xlabel="Share of cells", xlim=(0, 1))
    names = [*_switches(suspects), *([BASELINE] if len(suspects) else [])]
    for shift, (scheme, cells) in zip((-0.18, 0.18), _by_scheme(suspects), strict=False):
        for place, name in enumerate(names):
            found = count(cells[cells["suspect"] == name])
            if found.cells:
                height = place + shift
                axes.barh(height, found.share, 0.3, color=SCHEMES[scheme])
                axes.text(found.share, height, f" {found}", va="center", fontsize="x-small")
    _name_switches(axes, names)


def _by_scheme(cells: pd.DataFrame) -> list[tuple[int, pd.DataFrame]]:
    return [(int(str(s)), own) for s, own in cells.groupby("scheme")] if len(cells) else []


def _diagnoses(carry: pd.DataFrame, runs: Path) -> list[tuple[pd.Series, pd.DataFrame]]:
    """The cells that have diagnostics, each with its table, by forget bias."""
    tables = [
        (cell, RunFolder(runs / cell["run"]).read_diagnostics()) for _, cell in carry.iterrows()
    ]
    known = [(cell, table) for cell, table in tables if table is not None]
    return sorted(known, key=lambda one: one[0]["forget_bias"])


def _draw_growth(axes: Axes, diagnoses: list[tuple[pd.Series, pd.DataFrame]], measure: str) -> None:
    biases = dict.fromkeys(cell["forget_bias"] for cell, _ in diagnoses)
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
    scale = "linear" if measure == "saturated_share" else "log"
    axes.set(xlabel="Number of input train sequences", xscale="log", yscale=scale)
    label_ticks(axes.xaxis, "{x:,.0f}")
    if scale == "log":
        label_ticks(axes.yaxis)
