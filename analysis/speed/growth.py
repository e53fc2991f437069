"""Draws how a training step's time grows with its sizes: `python -m analysis.speed.growth -h`."""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure as Canvas

from analysis.drawing.canvas import add_words, panels, save, stroke
from analysis.drawing.colours import IMPLEMENTATIONS
from charrnn.cli import refusing
from charrnn.errors import CharRNNError

PANELS = {"k2": "k2", "gamma": "gamma", "r": "r", "vocabulary": "|V|"}
"""The columns that grow, with a panel each, and how the paper writes them."""


def draw(table: pd.DataFrame) -> Canvas:
    """Seconds per batch over k2, gamma, r and |V|, one line per implementation.

    Args:
        table: rows of `python -m charrnn.benchmark --growth`, each of which differs from one base
            case in at most one size.
    """
    base = {column: table[column].mode()[0] for column in PANELS}
    with panels(2, 2) as (canvas, grid):
        for (column, label), axes in zip(PANELS.items(), grid.flat, strict=True):
            others = [other for other in PANELS if other != column]
            rows = table[(table[others] == pd.Series(base)[others]).all(axis=1)].sort_values(column)
            for name, line in rows.groupby("implementation"):
                style = {"marker": "o", "label": name, **stroke(IMPLEMENTATIONS[str(name)])}
                axes.plot(line[column], line["ms_median"] / 1000, **style)
            axes.set(xlabel=label, xticks=sorted(rows[column].unique()), ylabel="s per batch")
            axes.set_ylim(bottom=0)
        fixed = ", ".join(f"{PANELS[column]}={value}" for column, value in base.items())
        first = table.iloc[0]
        add_words(
            canvas,
            "How the time of a training step grows (scheme 1)",
            IMPLEMENTATIONS,
            f"All other sizes as in {fixed}. Floor: the matrix products alone. Medians;"
            f" {first['machine']}, threads={first['threads']}, torch {first['torch']}.",
        )
    return canvas


def main() -> None:
    """Draw the figure beside its table, and print the files written."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.speed.growth",
        description="Draw what charrnn.benchmark --growth measured.",
    )
    table = Path("multirun/benchmark/growth.csv")
    parser.add_argument("--table", type=Path, default=table, help="the measured times")
    path = parser.parse_args().table
    with refusing():
        if not path.exists():
            raise CharRNNError(f"{path} does not exist: make benchmark-growth measures it.")
        print(*save(draw(pd.read_csv(path)), path.with_suffix("")), sep="\n")


if __name__ == "__main__":
    main()
