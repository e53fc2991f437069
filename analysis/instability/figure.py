"""The figure of the carried state: forget bias, the other suspects, growth over training."""

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
from analysis.instability.verdict import BASELINE, count
from analysis.statistics.effects import against
from charrnn.runs.folder import RunFolder

HUES_OF_SCHEMES = {3: RED, 4: YELLOW}
MEASURES = {
    "mean_abs_cell": "Mean |c|",
    "max_abs_cell": "Maximum |c|",
    "saturated_share": "Share of tanh(c) saturated",
    "gradient_norm": "Gradient norm",
}


def draw(carry: pd.DataFrame, suspects: pd.DataFrame, words: str, runs: Path) -> Canvas:
    """Final perplexity and largest rise by bias and by switch; what grows over training.

    Args:
        carry: see analysis.instability.summary.summarise.
        suspects: the same.
        words: below the figure.
        runs: folder of all runs.
    """
    canvas = Canvas(figsize=(9, 12), layout="constrained")
    grid = canvas.subplots(4, 2)
    _draw_biases(grid[0, 0], carry, "final")
    grid[0, 0].set_title("(a) Final perplexity, by forget bias")
    _draw_biases(grid[0, 1], carry, "rise")
    grid[0, 1].set_title(f"(b) Largest rise; above {UNSTABLE:g}: unstable")
    grid[0, 1].axhline(UNSTABLE, color="grey", linewidth=0.8)
    _draw_effects(grid[1, 0], suspects)
    grid[1, 0].set_title("(c) One switch at forget bias 5: final perplexity")
    _draw_counts(grid[1, 1], suspects)
    grid[1, 1].set_title("(d) One switch at forget bias 5: unstable cells")
    diagnoses = _diagnoses(carry, runs)
    for letter, axes, (measure, title) in zip("efgh", grid.flat[4:], MEASURES.items(), strict=True):
        axes.set(title=f"({letter}) {title}", xlabel="Number of input train sequences")
        _draw_growth(axes, diagnoses, measure)
    if diagnoses:
        title = "(e) to (h): forget bias, scheme 4\n(scheme 3: dashed)"
        style = {"fontsize": "x-small", "title_fontsize": "x-small", "ncols": 4}
        grid[3, 1].legend(title=title, loc="upper left", **style)
    canvas.text(0, -0.01, textwrap.fill(words, 120), va="top", fontsize="small")
    return canvas


def _draw_biases(axes: Axes, carry: pd.DataFrame, measure: str) -> None:
    """A point a cell, a line through the geometric means; crosses at the top diverged."""
    axes.set(xlabel="Forget bias", yscale="log")
    for scheme, cells in carry.groupby("scheme") if len(carry) else ():
        number = int(str(scheme))
        _draw_readings(axes, cells, measure, HUES_OF_SCHEMES[number], f"scheme {number}")
    control = WINDOWED + measure
    if control in carry:
        _draw_readings(axes, carry.dropna(subset=control), control, BLUE, "scheme 3, read windowed")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("{x:g}")
    if len(carry):
        axes.legend(fontsize="x-small")


def _draw_readings(axes: Axes, cells: pd.DataFrame, measure: str, colour: str, label: str) -> None:
    biases, values = cells["forget_bias"], cells[measure].astype(float)
    finite = np.isfinite(values)
    axes.plot(biases[finite], values[finite], "o", color=colour, alpha=0.5, markersize=4)
    mean = values.map(np.log).groupby(biases).mean().map(np.exp)
    axes.plot(mean.index, mean.replace(np.inf, np.nan), color=colour, label=label)
    top = axes.get_xaxis_transform()
    for bias in biases[~finite]:
        axes.plot(bias, 1, "x", color=colour, transform=top, clip_on=False)


def _switches(suspects: pd.DataFrame) -> list[object]:
    """From bottom to top."""
    names = list(suspects["suspect"].unique()) if len(suspects) else []
    return [name for name in names if name != BASELINE][::-1]


def _name_switches(axes: Axes, names: list[object]) -> None:
    axes.set_yticks(range(len(names)), list(map(str, names)), fontsize="small")
    axes.set_ylim(-0.5, len(names) - 0.5 + (not names))


def _draw_effects(axes: Axes, suspects: pd.DataFrame) -> None:
    """Effects on either scheme, with ranges over pairs; crosses at the edges are without bound."""
    axes.set(xlabel="Times that without", xscale="log")
    axes.axvline(1, color="grey", linewidth=0.8)
    names, edge = _switches(suspects), axes.get_yaxis_transform()
    for shift, (scheme, cells) in zip((-0.12, 0.12), _by_scheme(suspects), strict=False):
        effects, colour = against(cells, "suspect", BASELINE, "final"), HUES_OF_SCHEMES[scheme]
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
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("{x:g}")
    axes.tick_params(axis="x", which="both", labelsize="x-small")


def _draw_counts(axes: Axes, suspects: pd.DataFrame) -> None:
    """The share of unstable cells of either scheme, and the same without a switch at the top."""
    axes.set(xlabel="Share of cells", xlim=(0, 1))
    names = [*_switches(suspects), *([BASELINE] if len(suspects) else [])]
    for shift, (scheme, cells) in zip((-0.18, 0.18), _by_scheme(suspects), strict=False):
        for place, name in enumerate(names):
            found = count(cells[cells["suspect"] == name])
            if found.cells:
                colour, height = HUES_OF_SCHEMES[scheme], place + shift
                axes.barh(height, found.share, 0.3, color=colour)
                axes.text(found.share, height, f" {found}", va="center", fontsize="x-small")
    _name_switches(axes, names)


def _by_scheme(cells: pd.DataFrame) -> list[tuple[int, pd.DataFrame]]:
    return [(int(str(s)), own) for s, own in cells.groupby("scheme")] if len(cells) else []


def _diagnoses(carry: pd.DataFrame, runs: Path) -> list[tuple[pd.Series, pd.DataFrame]]:
    """The cells that have diagnostics, each with its table."""
    tables = [
        (cell, RunFolder(runs / cell["run"]).read_diagnostics()) for _, cell in carry.iterrows()
    ]
    return [(cell, table) for cell, table in tables if table is not None]


def _draw_growth(axes: Axes, diagnoses: list[tuple[pd.Series, pd.DataFrame]], measure: str) -> None:
    biases = sorted({cell["forget_bias"] for cell, _ in diagnoses})
    diagnoses = sorted(diagnoses, key=lambda one: one[0]["forget_bias"])
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
    _name_ticks(axes.xaxis, "{x:,.0f}")
    if axes.get_yscale() == "log":
        _name_ticks(axes.yaxis, "{x:g}")


def _name_ticks(axis: Axis, words: str) -> None:
    """Ticks of a logarithmic axis that tell themselves apart over less than a decade, too."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
    axis.set_major_formatter(words)
    axis.set_minor_formatter(NullFormatter())
