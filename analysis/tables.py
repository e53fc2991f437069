"""Reading results: the grid of a sweep, and the tables of the runs that answer for its cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from charrnn.errors import CharRNNError
from charrnn.runs import RunFolder


@dataclass(frozen=True)
class Results:
    """What is known of a sweep.

    Attributes:
        cells: the sweep's cells, columns as charrnn.sweep.write_grid writes them, and `finished`.
        curves: one row an evaluation of a cell, with the cell's columns and those of
            charrnn.runs.Evaluation. Only finished runs are in it.
    """

    cells: pd.DataFrame
    curves: pd.DataFrame

    @property
    def num_runs(self) -> int:
        """Distinct finished runs behind the curves."""
        return int(self.cells.loc[self.cells["finished"], "run"].nunique())


def read_results(grid: Path) -> Results:
    """The results of the sweep whose cells are listed in ``grid``.

    Raises:
        CharRNNError: if there is no such list, or no run of it is finished.
    """
    if not grid.exists():
        raise CharRNNError(f"{grid} does not exist: train the sweep first.")
    cells = pd.read_csv(grid, dtype={"run": str, "corpus": str}, keep_default_na=False)
    folders = [RunFolder(grid.parent.parent / run) if run else None for run in cells["run"]]
    cells["finished"] = [folder is not None and folder.is_finished for folder in folders]
    curves = [
        _curve(cell, folder)
        for (_, cell), folder in zip(cells.iterrows(), folders, strict=True)
        if folder is not None and cell["finished"]
    ]
    if not curves:
        raise CharRNNError(f"no run of {grid} is finished: nothing to draw.")
    return Results(cells, pd.concat(curves, ignore_index=True))


def _curve(cell: pd.Series, folder: RunFolder) -> pd.DataFrame:
    """The evaluations of the cell's run by the cell's own sampling procedure."""
    table = folder.read_table()
    own = table[table["procedure"] == cell["procedure"]].drop(columns="procedure")
    return own.assign(**{str(column): value for column, value in cell.items()})
