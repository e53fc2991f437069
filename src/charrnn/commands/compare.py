"""`charrnn compare`: where in the window two trained models differ."""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
from rich.table import Table

from charrnn.commands.output import (
    default_folder,
    figure_and_table,
    path_of,
    write_figure_and_table,
)
from charrnn.commands.which_run import Reference, add_run_arguments, find_runs
from charrnn.console import print_table
from charrnn.errors import CharRNNError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from charrnn.commands.trained_run import TrainedRun

DESCRIPTION = """\
The perplexity of two runs after 1, 2, ..., k2 tokens from the initial state, over all windows of k2
tokens in their test split: for example, what single-loss training gains at the end of a window and
loses at its start. If the runs have different k2, windows have the smaller one. Both runs are read
this way, whatever their scheme; their final perplexity by their own sampling procedure is shown
too. Writes a figure, and beside it a table of all positions."""
PROTOCOL = "both read as windows of {k2} tokens, each from the initial state"
ENDS = 5
"""Positions shown at either end of the window; between them every tenth."""
NAMES = ("first", "second")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = DESCRIPTION
    add_run_arguments(parser, "RUN RUN")
    parser.add_argument(
        "--out",
        type=path_of,
        help="a .png (default: figures/compare-HASH-HASH.png in the folder of all runs); the "
        "table goes beside it, as .csv",
    )
    parser.set_defaults(command=compare)


def compare(arguments: argparse.Namespace) -> None:
    """Draw, write and print the comparison.

    Raises:
        CharRNNError: if a run or a file cannot be used, or the two have different test splits.
    """
    if arguments.out is not None:
        figure_and_table(arguments.out, "compare")
    references = find_runs(arguments, number=2)
    first, second = (reference.run for reference in references)
    digests = [str(run).rpartition("_")[2] for run in (first, second)]
    out = arguments.out or default_folder(arguments.runs, "figures") / (
        f"compare-{'-'.join(digests)}.png"
    )
    paths = figure_and_table(out, "compare")
    table = by_position(first, second)
    write_figure_and_table(paths, draw(table, references), table)
    _print(table, references)  # after the files: a closed pipe ends it
    print(*paths, sep="\n")


def by_position(first: TrainedRun, second: TrainedRun) -> pd.DataFrame:
    """Columns: position (tokens read, from 1), first, second (perplexities).

    Raises:
        CharRNNError: if the runs have different test splits.
    """
    from charrnn.evaluation.by_position import perplexity_by_position

    splits = [run.datamodule().test_tokens for run in (first, second)]
    corpora = [run.identity["corpus"] for run in (first, second)]
    if corpora[0] != corpora[1] or not splits[0].equal(splits[1]):
        raise CharRNNError(
            f"{first} and {second} have different test splits and cannot be compared."
        )
    k2 = min(first.k2, second.k2)
    columns: dict[str, list[float]] = {"position": list(range(1, k2 + 1))}
    for name, run in zip(NAMES, (first, second), strict=True):
        tokens_N = splits[0].to(run.backbone.output.weight.device)
        columns[name] = perplexity_by_position(run.backbone, tokens_N, k2).tolist()
    return pd.DataFrame(columns)


def own_perplexity(reference: Reference) -> str:
    """The run's final perplexity by its own procedure, in words."""
    value = reference.run.perplexity.get(reference.procedure, math.nan)
    return f"final perplexity {value:.2f}, {reference.procedure}"


def caveats(references: Sequence[Reference]) -> list[str]:
    """For each run that is not used as windows are: a line that says so."""
    return [
        f"{name}: {kind}; windows are not how it is used."
        for name, reference in zip(NAMES, references, strict=True)
        if (kind := _otherwise(reference))
    ]


def _otherwise(reference: Reference) -> str | None:
    from charrnn.schemes.scheme_4 import ConditionalMultiLoss

    if issubclass(reference.run.scheme, ConditionalMultiLoss):
        return "trained and sampled with one state carried along"
    if reference.procedure != "windowed":
        return f"its own procedure is {reference.procedure}, one state carried along"
    return None


def _print(table: pd.DataFrame, references: Sequence[Reference]) -> None:
    for name, reference in zip(NAMES, references, strict=True):
        print(f"{name + ':':7} {reference.run} ({own_perplexity(reference)})")
    print(f"table:  {PROTOCOL.format(k2=len(table))}", *caveats(references), sep="\n")
    rows = Table("tokens read", "first", "second", "second / first")
    k2 = len(table)
    for position, one, two in table.itertuples(index=False):
        if position <= ENDS or position > k2 - ENDS or position % 10 == 0:
            rows.add_row(str(position), f"{one:.2f}", f"{two:.2f}", f"{two / one:.3f}")
    print_table(rows, fits=False)


def draw(table: pd.DataFrame, references: Sequence[Reference]) -> Figure:
    """The columns of `by_position` as curves, and under them how both runs are read."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.4), layout="constrained")
    axes = figure.subplots()
    for name, reference, colour in zip(NAMES, references, ("#1f66c1", "#2a9d3a"), strict=True):
        label = f"{name}: {reference.run}\n({own_perplexity(reference)})"
        axes.plot(table["position"], table[name], color=colour, label=label, linewidth=1)
    axes.set(xlabel="Tokens read from the initial state", ylabel="Perplexity", yscale="log")
    axes.legend(fontsize="x-small", frameon=False)
    axes.grid(alpha=0.3, which="both")
    lines = [PROTOCOL.format(k2=len(table)), *caveats(references)]
    figure.supxlabel("\n".join(lines), fontsize="x-small")
    return figure
