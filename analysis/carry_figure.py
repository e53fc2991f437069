"""The figure of the carried state: forget bias, growth over training, and the other suspects."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from analysis.effects import Effect
from analysis.perplexity_curves import HUES, RED, YELLOW
from analysis.tables import Results
from charrnn.runs import RunFolder

HUES_OF_SCHEMES = {3: RED, 4: YELLOW}
MEASURES = {
    "mean_abs_cell": "Mean |c|",
    "max_abs_cell": "Maximum |c|",
    "saturated_share": "Share of tanh(c) saturated",
    "gradient_norm": "Gradient norm",
}


def draw(
    carry: pd.DataFrame, suspicions: Mapping[object, Effect], results: Results, runs: Path
) -> Canvas:
    """Final perplexity by bias; effects of the switches; what grows over training in scheme 4.

    Args:
        carry: see analysis.carry.summarise.
        suspicions: see analysis.carry.suspicions.
        results: of the same sweep.
        runs: folder of all runs.
    """
    canvas = Canvas(figsize=(9, 8.5), layout="constrained")
    grid = canvas.subplots(3, 2)
    _draw_biases(grid[0, 0], carry)
    _draw_switches(grid[0, 1], suspicions)
    finished = results.cells[results.cells["run"].isin(carry["run"] if len(carry) else [])]
    for axes, (measure, label) in zip(grid.flat[2:], MEASURES.items(), strict=False):
        _draw_growth(axes, finished, measure, label, runs)
    grid[1, 0].legend(title="forget bias, scheme 4 (scheme 3: dashed)", fontsize="x-small", ncols=4)
    return canvas


def _draw_biases(axes: Axes, carry: pd.DataFrame) -> None:
    axes.set(title="(a) Final perplexity", xlabel="Forget bias", yscale="log")
    for scheme, cells in carry.groupby("scheme") if len(carry) else ():
        colour = HUES_OF_SCHEMES[int(str(scheme))]
        shown = cells.replace({"final": np.inf}, np.nan)
        axes.plot(shown["forget_bias"], shown["final"], "o", color=colour, alpha=0.4, markersize=4)
        mean = shown.groupby("forget_bias")["final"].agg(lambda x: np.exp(np.log(x).mean()))
        axes.plot(mean.index, mean, color=colour, label=f"scheme {scheme}")
    if len(carry):
        axes.legend(fontsize="x-small")


def _draw_switches(axes: Axes, suspicions: Mapping[object, Effect]) -> None:
    axes.set(title="(b) One switch at forget bias 5", xlabel="Final perplexity, times scheme 4's")
    axes.axvline(1, color="grey", linewidth=0.8)
    for place, found in enumerate(suspicions.values()):
        if np.isfinite(found.highest):
            axes.plot([found.lowest, found.highest], [place, place], color=YELLOW)
            axes.plot(found.ratio, place, "o", color=YELLOW)
    axes.set_yticks(range(len(suspicions)), list(map(str, suspicions)))
    axes.set(xscale="log")
    axes.margins(y=0.1)


def _draw_growth(axes: Axes, cells: pd.DataFrame, measure: str, label: str, runs: Path) -> None:
    axes.set(title=label, xlabel="Number of input train sequences", xscale="log", yscale="log")
    biases = sorted(cells["forget_bias"].unique()) if len(cells) else []
    colours = dict(zip(biases, HUES, strict=False))
    for cell in cells.to_dict("records"):
        diagnosis = RunFolder(runs / str(cell["run"])).read_diagnostics()
        if diagnosis is None:
            continue
        of_four = cell["scheme"] == 4
        bias = cell["forget_bias"]
        known = axes.get_legend_handles_labels()[1]
        axes.plot(
            diagnosis["train_sequences"],
            diagnosis[measure],
            color=colours[bias],
            linestyle="-" if of_four else "--",
            linewidth=1 if of_four else 0.6,
            label=f"{bias:g}" if of_four and f"{bias:g}" not in known else None,
        )
    if measure == "saturated_share":
        axes.set_yscale("linear")
