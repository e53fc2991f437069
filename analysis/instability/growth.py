"""The figure's panels of what grows over training; a colour is a forget bias there."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from analysis.drawing.canvas import label_ticks
from analysis.drawing.colours import BLACK, BROWN, CYAN, GREY, OLIVE
from analysis.instability.effects import CARRIED, RESET
from analysis.instability.gap import gaps
from analysis.instability.panels import label_counts
from charrnn.runs.folder import RunFolder

COLOURS = (CYAN, OLIVE, GREY, BROWN, BLACK)
"""For forget biases from the smallest; none of them is the colour of a scheme."""
LINES = {CARRIED: "-", RESET: "--"}
"""How lines of the two schemes are drawn."""
QUARTILES = (0.25, 0.5, 0.75)
FEW_DECADES = 300
"""An axis that reaches over a smaller factor has other labels than the powers of 10."""
SHORT = {
    "gap": "log(progressive / windowed)",
    "mean_abs_cell": "mean |c|",
    "saturated_share": "share",
    "gradient_norm": "L2 norm",
}
"""Labels of the vertical axes, by column; see `diagnoses`."""
OF_CELL = ("scheme", "forget_bias", "run")
LINEAR = ("gap", "saturated_share")
"""What is drawn over a linear axis."""


def diagnoses(carry: pd.DataFrame, runs: Path) -> pd.DataFrame:
    """The diagnostics of all cells of schemes 3 and 4 that have some, in one table.

    Args:
        carry: see analysis.instability.summary.summarise.
        runs: folder of all runs.

    Returns:
        The columns of charrnn.callbacks.diagnostics; ``gap``, the reading gap at the same time; and
        ``scheme``, ``forget_bias`` and ``run``.
    """
    tables = []
    for _, cell in carry[carry["scheme"].isin(LINES)].iterrows() if len(carry) else ():
        folder = RunFolder(runs / cell["run"])
        known = folder.read_diagnostics()
        if known is not None:
            read = folder.read_table(int(cell["num_batches"]))
            both = read.pivot_table("perplexity", "batches", "procedure", dropna=False)
            own = known.merge(both.assign(gap=gaps(both))[["gap"]], on="batches")
            tables.append(own.assign(**{name: cell[name] for name in OF_CELL}))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def draw_growth(axes: Axes, table: pd.DataFrame, measure: str) -> None:
    """Medians over the cells of a forget bias and scheme, and bands from quartile to quartile.

    Where not all cells of a group were measured, nothing is drawn, so that a line has one n.

    Args:
        axes: the panel.
        table: see `diagnoses`.
        measure: one of its columns.
    """
    label_counts(axes)
    axes.set(ylabel=SHORT[measure])
    biases = sorted(set(table["forget_bias"]))
    for (bias, scheme), own in table.groupby(["forget_bias", "scheme"]):
        colour = COLOURS[biases.index(bias) % len(COLOURS)]
        cells = own["run"].nunique()
        values = own.groupby("train_sequences")[measure]
        low, median, high = (values.quantile(q)[values.count() == cells] for q in QUARTILES)
        label = f"bias {bias:g}, scheme {scheme} (n = {cells})"
        axes.plot(median.index, median, LINES[int(str(scheme))], color=colour, label=label)
        axes.fill_between(median.index, low, high, color=colour, alpha=0.2, linewidth=0)
    if measure not in LINEAR:
        axes.set(yscale="log")
        bottom, top = axes.get_ylim()
        if top < FEW_DECADES * bottom:
            label_ticks(axes.yaxis)
        else:
            axes.yaxis.set_major_formatter("{x:,g}")
