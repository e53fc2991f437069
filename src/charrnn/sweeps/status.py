"""How far the grids are, and what they have found: a line per cell, read from tables alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from rich.table import Table

from charrnn.console import print_table
from charrnn.errors import CharRNNError
from charrnn.runs.final import final_perplexities, in_words
from charrnn.runs.folder import RunFolder
from charrnn.runs.state import RESULTS, RunState
from charrnn.sweeps.grids import COLUMNS

STANDARD_COLUMNS = ("procedure", "scale", "settings", "num_batches", "run")
"""Columns of every grid that `print_status` does not show by themselves."""
WORDS = {
    RunState.PLANNED: "waiting",
    RunState.STARTING: "starting",
    RunState.RUNNING: "running",
    RunState.FINISHED: "finished",
    RunState.FAILED: "failed",
    RunState.DIVERGED: "diverged",
    RunState.NOT_EVALUATED: "not evaluated",
}
NO_CORPUS, DAMAGED = "no corpus", "damaged"
"""Further states of a cell: its corpus is not available, or a file of its run was changed."""


def print_status(grids: Mapping[Path, pd.DataFrame], runs: Path) -> None:
    """Print every cell of the grids, and how many are in which state.

    Args:
        grids: see charrnn.sweeps.grids.grids_below.
        runs: the folder of all runs.
    """
    table = Table("grid", "corpus", "scheme", "k1", "k2", "r", "gamma", "seed", "more")
    table.add_column("perplexity", justify="right")
    table.add_column("state")
    counts: Counter[str] = Counter()
    words: dict[tuple[str, str], tuple[str, str]] = {}
    finals: dict[tuple[str, str], dict[str, float]] = {}
    for grid, cells in grids.items():
        for _, cell in cells.iterrows():
            run, of = str(cell["run"]), str(cell["num_batches"])
            if (run, of) not in words:
                words[run, of] = state_in_words(runs / run, of) if run else (NO_CORPUS, "")
                finals[run, of] = _finals(runs / run, of, words[run, of][0])
            word, more = words[run, of]
            counts[word] += 1
            columns = (str(cell[name]) for name in COLUMNS)
            final = finals[run, of].get(str(cell["procedure"]))
            known = "" if final is None else in_words(final)
            table.add_row(grid.stem, *columns, _own(cell), known, f"{word}{more}")
    print_table(table)
    counted = ", ".join(f"{number} {word}" for word, number in counts.most_common())
    print(f"{counts.total()} cells of {len({run for run, _ in words if run})} runs: {counted}")


def _finals(path: Path, of: str, state: str) -> dict[str, float]:
    """The final perplexities of a run that has a result, by procedure."""
    if state not in (WORDS[one] for one in RESULTS):
        return {}
    try:
        return final_perplexities(RunFolder(path), int(of))
    except CharRNNError:
        return {}


def _own(cell: pd.Series) -> str:
    """The values of the columns that only the cell's grid has, and its settings."""
    standard = (*COLUMNS, *STANDARD_COLUMNS)
    own = [name for name in cell.index if name not in standard and cell[name] != ""]
    return " ".join([*(f"{name}={cell[name]}" for name in own), cell["settings"]]).strip()


def state_in_words(path: Path, of: str | None) -> tuple[str, str]:
    """A run's state in a word, and details.

    Args:
        path: the run's folder.
        of: batches that the cell asks for; None for those of the finished result.
    """
    try:
        folder = RunFolder(path)
        folder.prove()
        status = folder.status(int(of) if of else None)
    except CharRNNError as error:
        return DAMAGED, f": {error}"
    more = ""
    if status.state is RunState.FAILED:
        more = f": {status.error}"
    elif status.state not in RESULTS and status.batches:
        more = f", {status.batches} of {of or '?'} batches"
    if status.owner:
        more += f", by {status.owner}"
    return WORDS[status.state], more
