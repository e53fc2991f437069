"""What became of the cells of the two sweeps."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.results import Results
from analysis.statistics.effects import ends, largest_rise
from charrnn.runs.folder import RunFolder

WINDOWED = "windowed_"
"""What stands before the names of columns on the windowed reading of a cell's run."""


def summarise(results: Results, runs: Path) -> pd.DataFrame:
    """Every finished cell: how its curve ends, its last diagnostics, and its control.

    How a curve ends is what analysis.statistics.effects.ends returns. The diagnostics are the last
    row of the table of charrnn.callbacks.diagnostics, and ``largest_cell``, the largest |c| of all
    its rows; NaN for a run without. The control repeats the columns of
    analysis.statistics.effects.largest_rise for the same weights read by windowed sampling, where
    no state is older than k2 tokens; it is missing where the run does not record it.

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
