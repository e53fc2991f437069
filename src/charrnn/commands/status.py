"""`charrnn status`: the state of every run below a folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from rich.table import Table

from charrnn.commands.output import add_runs_argument
from charrnn.console import print_table
from charrnn.errors import CharRNNError
from charrnn.sweeps.grids import read_grid
from charrnn.sweeps.status import print_status, state_in_words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = "The cells of every sweep, then the runs that belong to no sweep."
    add_runs_argument(parser)
    parser.set_defaults(command=status)


def status(arguments: argparse.Namespace) -> None:
    """Print the state of every cell of every grid, and of every other run.

    Raises:
        CharRNNError: if there is neither a grid nor a run.
    """
    runs: Path = arguments.runs
    grids = sorted((runs / "grids").glob("*.csv"))
    others = _runs_below(runs) - {run for grid in grids for run in read_grid(grid)["run"]}
    if not grids and not others:
        raise CharRNNError(f"{runs} has no runs: train one first, or name their folder by --runs.")
    if grids:
        print_status(runs)
    if others:
        table = Table("run", "state")
        for run in sorted(others):
            table.add_row(run, "".join(state_in_words(runs / run, _num_batches(runs / run))))
        print_table(table)


def _runs_below(runs: Path) -> set[str]:
    return {path.parent.name for path in runs.glob("*/config.yaml")}


def _num_batches(run: Path) -> str:
    """What the run's configuration says; read as text, since it may be half-written."""
    lines = (run / "config.yaml").read_text(errors="replace").splitlines()
    values = (line.partition(": ")[2] for line in lines if line.startswith("num_batches: "))
    return next(values, "?")
