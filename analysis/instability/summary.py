"""A table of what became of each cell of the two sweeps."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.instability.definition import summarise_rise
from analysis.results import Results
from charrnn.runs.folder import RunFolder

WINDOWED = "windowed_"
"""Prefix of the columns about a run as read by windowed sampling."""


def summarise(results: Results, runs: Path) -> pd.DataFrame:
    """Summarise every cell that has a curve: its end, its rise, its diagnostics, its control.

    Args:
        results: results of a sweep.
        runs: folder of all runs.

    Returns:
        The cells' columns; ``final`` perplexity; the columns of `summarise_rise`; the same columns,
        with the prefix WINDOWED, for the same weights read by windowed sampling, where no state is
        older than k2 tokens (missing if the run does not record it); the last row of the table of
        charrnn.callbacks.diagnostics, and ``largest_cell``, the largest |c| in all its rows
        (missing for a run without diagnostics).
    """
    cells = results.ends()
    rows = []
    for _, cell in cells.iterrows():
        folder = RunFolder(runs / cell["run"])
        rise = summarise_rise(results.curve(cell))
        rows.append(rise | _control(folder) | _diagnosis(folder))
    return cells.join(pd.DataFrame(rows, index=cells.index))


def _control(folder: RunFolder) -> dict[str, float | bool]:
    table = folder.read_table()
    windowed = table[table["procedure"] == "windowed"]
    if windowed.empty:
        return {}
    return {WINDOWED + name: value for name, value in summarise_rise(windowed).items()}


def _diagnosis(folder: RunFolder) -> dict[str, float]:
    table = folder.read_diagnostics()
    if table is None:
        return {}
    last = {str(name): float(value) for name, value in table.iloc[-1].items()}
    return last | {"largest_cell": float(table["max_abs_cell"].max())}
