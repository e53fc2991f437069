"""`charrnn status`: the state of every run below a folder."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from rich.table import Table

from charrnn.commands.output import add_runs_argument
from charrnn.console import print_table
from charrnn.errors import CharRNNError
from charrnn.files import read_file
from charrnn.sweeps.grids import grids_below
from charrnn.sweeps.status import print_status, state_in_words


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.description = (
        "The cells of every sweep, then the runs that belong to no sweep; or, if --runs names one "
        "run's folder, those of that run."
    )
    add_runs_argument(parser)
    parser.set_defaults(command=status)


def status(arguments: argparse.Namespace) -> None:
    """Print the state of every cell of every grid, and of every other run; or of one run.

    Raises:
        CharRNNError: if there is neither a grid nor a run.
    """
    runs: Path = arguments.runs
    known = _runs_below(runs)
    if (runs / "config.yaml").exists():
        known, runs = {runs.resolve().name}, runs.resolve().parent
        grids = {grid: cells[cells["run"].isin(known)] for grid, cells in grids_below(runs).items()}
        grids = {grid: cells for grid, cells in grids.items() if len(cells)}
    else:
        grids = grids_below(runs)
    others = known - {run for cells in grids.values() for run in cells["run"]}
    if not grids and not others:
        raise CharRNNError(f"{runs} has no runs: train one first, or name their folder by --runs.")
    if grids:
        print_status(grids, runs)
    if others:
        table = Table("run", "state")
        for run in sorted(others):
            table.add_row(run, "".join(state_in_words(runs / run, _num_batches(runs / run))))
        print_table(table)


def _runs_below(runs: Path) -> set[str]:
    return {path.parent.name for path in runs.glob("*/config.yaml")}


def _num_batches(run: Path) -> str | None:
    """What the run's configuration says; None if that cannot be read."""
    try:
        config = read_file(run / "config.yaml").decode(errors="replace")
    except OSError:
        return None
    found = re.search(r"^num_batches: ([1-9][0-9]{0,18})$", config, re.MULTILINE)
    return found[1] if found else None
