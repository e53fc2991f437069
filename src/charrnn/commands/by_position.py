"""`charrnn eval --by-position`: how a run predicts far beyond its training sequences."""

from __future__ import annotations

import argparse
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from rich.table import Table

from charrnn.commands.output import default_folder, figure_and_table, write_figure_and_table
from charrnn.console import print_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import Tensor

    from charrnn.commands.trained_run import TrainedRun

TIMES = 100
"""How many times k2 is read, unless told otherwise."""
PER_DECADE = 6
"""Bins of positions, of equal width on a logarithmic scale, between 10 and 100 tokens."""


def show(run: TrainedRun, tokens_N: Tensor, arguments: argparse.Namespace) -> None:
    """Measure, draw, write and print.

    Raises:
        BadInput: if a file cannot be written.
    """
    digest = str(run).rpartition("_")[2]
    own = default_folder(arguments.runs, "figures") / f"by-position-{digest}.png"
    paths = figure_and_table(arguments.out or own, "by-position")
    table = by_position(run, tokens_N, arguments.positions or TIMES * run.k2)
    write_figure_and_table(paths, draw(table, run), table)
    names = [name for name in table.columns if name not in ("first", "last")]
    shown = Table("tokens read", *names)
    for row in table.itertuples(index=False):
        values = [f"{value:.4g}" if value == value else "" for value in row[2:]]
        shown.add_row(f"{row.first:,} to {row.last:,}".replace(",", " "), *values)
    print_table(shown, fits=False)
    print(
        f"perplexity: of the next token, by readers that start at {_places(len(tokens_N))} of the "
        "text, from the initial state, and read it in a circle",
        f"k2: {run.k2} tokens are in a training sequence",
        "remembrance: total variation distance, from 0 to 1, between the prediction from the whole "
        "past and that from so many last tokens alone",
        *paths,
        sep="\n",
    )


def by_position(run: TrainedRun, tokens_N: Tensor, length: int) -> pd.DataFrame:
    """Measures against the number of tokens read, in bins of equal width on a logarithmic scale.

    Args:
        run: the trained run.
        tokens_N: the text (N,).
        length: how many tokens are read.

    Returns:
        Columns: first, last (tokens read, from 1), perplexity, remembrance (for a past of so many
        tokens as lie in the middle of the bin; NaN where the text is too short), and for each part
        of the state its mean and its largest absolute value.
    """
    from charrnn.evaluation.reading_on import effective_remembrance, read_on

    tokens_N = tokens_N.to(run.backbone.output.weight.device)
    found = read_on(run.backbone, tokens_N, length)
    edges = bins(length)
    middles = [round(float(np.sqrt(a * (b - 1)))) for a, b in pairwise(edges)]
    kept = [t for t in middles if t <= len(tokens_N) // 2]
    remembrance = effective_remembrance(run.backbone, tokens_N, kept).tolist()
    rows = []
    for n, (first, after) in enumerate(pairwise(edges)):
        here = slice(first - 1, after - 1)
        row = {
            "first": first,
            "last": after - 1,
            "perplexity": found.losses_T[here].mean().exp().item(),
            "remembrance": remembrance[n] if n < len(kept) else np.nan,
        }
        names = next(iter(run.backbone.recurrent_layers())).state_names
        for name, sizes_T, largest_T in zip(names, found.sizes_PT, found.largest_PT, strict=True):
            row[f"mean |{name}|"] = sizes_T[here].mean().item()
            row[f"largest |{name}|"] = largest_T[here].max().item()
        rows.append(row)
    return pd.DataFrame(rows)


def bins(length: int) -> list[int]:
    """The first position of each bin, and the one after the last.

    Examples:
        >>> bins(20)
        [1, 2, 3, 5, 7, 10, 14, 21]
    """
    decades = np.log10(length + 1)
    edges = np.logspace(0, decades, max(2, round(decades * PER_DECADE) + 1))
    return sorted({round(float(edge)) for edge in edges})


def draw(table: pd.DataFrame, run: TrainedRun) -> Figure:
    """Perplexity and remembrance above, the size of the state below, against tokens read."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 6.5), layout="constrained")
    above, below = figure.subplots(2, sharex=True)
    middles = np.sqrt(table["first"] * table["last"])
    above.plot(middles, table["perplexity"], color="#1f66c1", marker=".", label="perplexity")
    above.set(ylabel="Perplexity", yscale="log", xscale="log")
    right = above.twinx()
    right.plot(middles, table["remembrance"], color="#2a9d3a", ls="--", label="remembrance")
    right.set(ylabel="Effective remembrance", ylim=(0, None))
    for name in table.columns[4:]:
        below.plot(middles, table[name], marker=".", label=name)
    below.set(xlabel="Tokens read from the initial state", ylabel="Size", yscale="log")
    for axes in (above, below):
        axes.axvline(run.k2, color="grey", lw=1)
        axes.grid(alpha=0.3, which="both")
    figure.legend(loc="outside upper center", ncols=3, fontsize="small", frameon=False)
    figure.supxlabel(f"{run}\nGrey: k2 = {run.k2}, the length of its training sequences.", size=8)
    return figure


def _places(tokens: int) -> str:
    from charrnn.evaluation.reading_on import READERS

    return f"{min(READERS, tokens)} places"
