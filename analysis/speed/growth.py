"""How the cost of a training step grows. See `python -m analysis.speed.growth --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

mpl.use("agg")  # draws to files, with or without a screen

PANELS = {"k2": "k2", "gamma": "gamma", "r": "r", "vocabulary": "|V|"}
"""Columns that grow, a panel each, and how the paper writes them."""
PALETTE: dict[object, str] = {"ours": "tab:blue", "floor": "black", "nn.LSTM": "tab:orange"}


def draw(table: pd.DataFrame) -> Figure:
    """Seconds a batch over k2, gamma, r and |V|: a line an implementation.

    Args:
        table: rows of `python -m charrnn.benchmark --growth`, all departing from one base case in
            at most one size.
    """
    sns.set_theme(style="whitegrid", context="paper")
    base = {column: table[column].mode()[0] for column in PANELS}
    figure, axes = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
    for (column, label), ax in zip(PANELS.items(), axes.flat, strict=True):
        others = [other for other in PANELS if other != column]
        rows = table[(table[others] == pd.Series(base)[others]).all(axis=1)].sort_values(column)
        for name, line in rows.groupby("implementation"):
            ax.plot(line[column], line["ms_median"] / 1000, "o-", color=PALETTE[name], label=name)
        ax.set(xlabel=label, xticks=sorted(rows[column].unique()), ylabel="s per batch")
        ax.set_ylim(bottom=0)
    axes.flat[0].legend()
    figure.suptitle("How the cost of a training step grows (scheme 1)")
    fixed = ", ".join(f"{PANELS[column]}={value}" for column, value in base.items())
    first = table.iloc[0]
    figure.supxlabel(
        f"The rest as in {fixed}. Floor: the matrix products alone."
        f" Medians; {first['machine']}, threads={first['threads']}, torch {first['torch']}.",
        fontsize="x-small",
    )
    return figure


def main() -> None:
    """Draw the figure beside its table, and say where it is."""
    parser = argparse.ArgumentParser(description="Draw what charrnn.benchmark --growth measured.")
    table = Path("multirun/benchmark/growth.csv")
    parser.add_argument("--table", type=Path, default=table, help="what was measured")
    arguments = parser.parse_args()
    if not arguments.table.exists():
        sys.exit(f"error: {arguments.table} does not exist: make benchmark-growth measures it.")
    figure = draw(pd.read_csv(arguments.table))
    for suffix in (".png", ".svg"):
        path = arguments.table.with_suffix(suffix)
        figure.savefig(path, dpi=150)
        print(path)


if __name__ == "__main__":
    main()
