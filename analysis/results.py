"""Reading results: the grid of a sweep, and the tables of the runs that answer for its cells."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from charrnn.errors import CharRNNError, require
from charrnn.runs.folder import RESULTS, Evaluation, RunFolder
from charrnn.runs.sealed import DamagedRun
from charrnn.sweeps.grids import read_grid


@dataclass(frozen=True)
class Results:
    """What is known of a sweep.

    Attributes:
        cells: the sweep's cells, columns as charrnn.sweeps.grids.write_grid writes them, and
            `state`: that of the cell's run, `diverged` if its own perplexity ended infinite or
            NaN, `damaged` if its table was changed since, or `no corpus`.
        curves: one row an evaluation of a cell, with the cell's columns and those of
            charrnn.runs.folder.Evaluation. Only cells that are finished or diverged are in it.
    """

    cells: pd.DataFrame
    curves: pd.DataFrame

    @property
    def num_runs(self) -> int:
        """Distinct finished runs behind the curves."""
        return int(self.cells.loc[self.cells["state"].isin(RESULTS), "run"].nunique())

    def of(self, corpora: str) -> Results:
        """What is known of the cells of these corpora alone; names separated by commas.

        Raises:
            BadInput: if the sweep has none of them.
        """
        names, known = corpora.split(","), self.cells["corpus"].unique()
        require(bool(set(names) & set(known)), "corpora", corpora, f"some of {', '.join(known)}")
        cells, curves = (table[table["corpus"].isin(names)] for table in (self.cells, self.curves))
        return Results(cells.reset_index(drop=True), curves.reset_index(drop=True))


def read_results(grid: Path) -> Results:
    """The results of the sweep whose cells are listed in ``grid``, at whatever state it is.

    Raises:
        CharRNNError: if there is no such list.
    """
    if not grid.exists():
        raise CharRNNError(f"{grid} does not exist: train the sweep first.")
    cells = read_grid(grid)
    states, curves = [], [_no_curve(cells)]
    for _, cell in cells.iterrows():
        folder = RunFolder(grid.parent.parent / cell["run"]) if cell["run"] else None
        if folder is None:
            states.append("no corpus")
        else:
            try:
                state = folder.status(int(cell["num_batches"])).state
                if state not in RESULTS:
                    states.append(state.value)
                    continue
                curve = _curve(cell, folder)
            except DamagedRun:
                states.append("damaged")
                continue
            curves.append(curve)
            states.append("finished" if np.isfinite(curve["perplexity"].iloc[-1]) else "diverged")
    # The empty one names the columns; concatenated with others it would decide their types.
    return Results(cells.assign(state=states), pd.concat(curves[1:] or curves, ignore_index=True))


def _curve(cell: pd.Series, folder: RunFolder) -> pd.DataFrame:
    """The evaluations of the cell's run, by its sampling procedure, up to its number of batches."""
    table = folder.read_table(int(cell["num_batches"]))
    own = table[table["procedure"] == cell["procedure"]].drop(columns="procedure")
    return own.assign(**{str(column): value for column, value in cell.items()})


def _no_curve(cells: pd.DataFrame) -> pd.DataFrame:
    columns = [name for name in Evaluation.__annotations__ if name != "procedure"]
    return pd.DataFrame(columns=[*columns, *cells.columns])
