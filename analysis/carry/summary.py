"""What became of the cells of the two sweeps."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.effects import ends, largest_rise
from analysis.tables import Results
from charrnn.runs import RunFolder

WINDOWED = "windowed_"
"""What stands before the names of columns on the windowed reading of a cell's run."""


def summarise(results: Results, runs: Path) -> pd.DataFrame:
    """What analysis.effects.ends tells of every finished cell, its last diagnostics, its control.

    The diagnostics are the last row of charrnn.diagnostics' table, and ``largest_cell``, the
    largest |c| of all its rows; NaN for a run without. The control are the columns of
    analysis.effects.largest_rise once more, of the same run read by windowed sampling: weights as
    trained, and no state older than k2 tokens. They are missing where
    the run does not record it.

    Args:
        results: of a sweep.
        runs: folder of all runs.
    """
    cells = ends(results)
    if not len(cells):
        return cells
    folders = [RunFolder(runs / name) for name in cells["run"]]
    beside = pd.DataFrame(
        [{**_control(folder), **_diagnosis(folder)} for folder in folders], index=cells.index
    )
    return cells.join(beside)


def _control(folder: RunFolder) -> dict[str, float | bool]:
    table = folder.read_table()
    windowed = table[table["procedure"] == "windowed"]
    if windowed.empty:
        return {}
    return {WINDOWED + name: value for name, value in largest_rise(windowed).items()}


def _diagnosis(folder: RunFolder) -> dict[str, float]:
    table = folder.read_diagnostics()
    if table is None:
        return {}
    last = {str(name): float(value) for name, value in table.iloc[-1].items()}
    return last | {"largest_cell": float(table["max_abs_cell"].max())}
