"""Read results: the cells of a sweep's grid, the tables of their runs, and the cells' names."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from charrnn.data.corpora.labels import name_in
from charrnn.errors import CharRNNError, reason, require
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES
from charrnn.files import read_file
from charrnn.runs.files import EVALUATIONS, Evaluation
from charrnn.runs.folder import RunFolder
from charrnn.runs.sealed import DamagedRun
from charrnn.runs.state import RESULTS
from charrnn.seals import Damaged, unsealed_numbers
from charrnn.sweeps.grids import read_grid

log = logging.getLogger(__name__)

CELL = ("corpus", "scheme", "num_layers", "hidden_size", "k2", "k1", "seed")
"""Columns that tell the cells of a sweep apart; name_cells joins values of the last ones first."""
OF_MACHINE = ("processor", "cores", "gpu", "threads", "system")
ORIGIN = ("version", "commit", "trained_on", "python", "torch", *OF_MACHINE)
"""Columns that say where a reference result comes from: the project's version and commit, the date,
the versions of Python and torch, and the machine. Empty where it was not kept."""
BESIDE = ("procedure", "stands_for", "scale", "num_batches", "run", "state", *ORIGIN)
"""Columns that never tell cells apart; any other column is one that the sweep itself varies."""
BASELINES = ("unigram", "ngram")
"""Columns of the curves that analysis.baselines adds: perplexities that need no network."""
FAR_PAST = "far_past"
"""Column of the curves that analysis.far_past adds."""
SYMBOLS = {"scheme": "scheme ", "num_layers": "r=", "hidden_size": "gamma=", "corpus": ""}
PENDING = ("planned", "starting", "running")
"""States of a cell whose run has not finished yet."""
STATES = {
    "diverged": "Diverged",
    "failed": "Failed",
    "damaged": "Damaged, or changed by hand",
    "running": "Running",
    "starting": "About to run",
    "planned": "Not trained",
    "not evaluated": "Trained for longer, and not evaluated at this length",
    "no corpus": "Corpus not available",
}
"""How a caption names each state except `finished`."""


@dataclass(frozen=True)
class Results:
    """The results of a sweep.

    Attributes:
        cells: one row per cell, with the columns that charrnn.sweeps.grids.write_grid writes, and
            `state`: the state of the cell's run, `diverged` if the cell's perplexity ended infinite
            or NaN, `damaged` if the run's table was changed afterwards, or `no corpus`.
        curves: one row per evaluation of a cell, with the cell's columns and those of
            charrnn.runs.files.Evaluation, as the cell's scheme reads; beside them the perplexity by
            each reading, `windowed` and `progressive`. Only cells that are finished or diverged.
    """

    cells: pd.DataFrame
    curves: pd.DataFrame

    @property
    def num_runs(self) -> int:
        """The number of distinct finished runs behind the curves."""
        return int(self.cells.loc[self.cells["state"].isin(RESULTS), "run"].nunique())

    def of(self, corpora: str) -> Results:
        """The results of these corpora alone; names, or labels, separated by commas.

        Raises:
            BadInput: if the sweep has none of these corpora.
        """
        names, known = corpora.split(","), self.cells["corpus"].unique()
        found = any(_is_one_of(corpus, names) for corpus in known)
        require(found, "corpora", corpora, f"some of {', '.join(known)}")
        tables = self.cells, self.curves
        cells, curves = (table[[_is_one_of(c, names) for c in table["corpus"]]] for table in tables)
        return Results(cells.reset_index(drop=True), curves.reset_index(drop=True))

    def curve(self, cell: pd.Series) -> pd.DataFrame:
        """The evaluations of one row of ``cells``, in their order."""
        columns = [name for name in cell.index if name in self.curves]
        of_cell = (self.curves[columns] == cell[columns]).all(axis=1)
        return self.curves[of_cell].sort_values("batches")

    def ends(self) -> pd.DataFrame:
        """The cells that have a curve, with their ``final`` perplexity: infinite if diverged."""
        cells = self.cells[self.cells["state"].isin(RESULTS)]
        finals = [
            self.curve(cell)["perplexity"].fillna(np.inf).iloc[-1] for _, cell in cells.iterrows()
        ]
        return cells.assign(final=finals).reset_index(drop=True)


def _is_one_of(corpus: str, names: Sequence[str]) -> bool:
    return corpus in names or name_in(corpus) in names


def read_results(grid: Path) -> Results:
    """Read the results of a sweep, finished or not.

    Args:
        grid: the table of the sweep's cells, see charrnn.sweeps.grids.

    A run that is damaged, or cannot be read, is named in the log and has no curve.

    Raises:
        CharRNNError: if the table does not exist, or is damaged.
    """
    if not grid.exists():
        raise CharRNNError(f"{grid} does not exist: train the sweep first.")
    cells = read_grid(grid)
    states, curves, problems = [], [_no_curve(cells)], set[str]()
    for _, cell in cells.iterrows():
        folder = RunFolder(grid.parent.parent / cell["run"]) if cell["run"] else None
        if folder is None:
            states.append("no corpus")
        else:
            try:
                folder.prove()
                state = folder.status(int(cell["num_batches"])).state
                if state not in RESULTS:
                    states.append(state.value)
                    continue
                curve = _curve(cell, folder)
            except CharRNNError as error:
                problems.add(str(error))
                states.append("damaged")
                continue
            curves.append(curve)
            states.append("finished" if np.isfinite(curve["perplexity"].iloc[-1]) else "diverged")
    for problem in sorted(problems):
        log.warning("left out: %s", problem)
    # The empty table only names the columns; concatenated with others it would set their types.
    return Results(cells.assign(state=states), pd.concat(curves[1:] or curves, ignore_index=True))


def read_measured(path: Path, columns: Iterable[str] = ()) -> pd.DataFrame | None:
    """A table of measured times; None if there is none, or it is damaged: the log says so then.

    Args:
        path: of the table.
        columns: that it has to have.
    """
    try:
        table = unsealed_numbers(read_file(path)) if path.exists() else None
        if table is not None and not {*columns} <= {*table}:
            raise Damaged("not its columns")
        return table
    except (OSError, Damaged) as error:
        log.warning("left out: %s cannot be read (%s): measure it again.", path, reason(error))
        return None


def _curve(cell: pd.Series, folder: RunFolder) -> pd.DataFrame:
    """The evaluations of the cell's run as its scheme reads, up to its number of batches."""
    table = folder.read_table(int(cell["num_batches"]))
    both = table.pivot_table("perplexity", "batches", "procedure", dropna=False)
    own = table[table["procedure"] == cell["procedure"]].drop(columns="procedure")
    if own.empty:
        raise DamagedRun(folder.path / EVALUATIONS)
    own = own.join(both.reindex(columns=SAMPLING_PROCEDURES), on="batches")
    return own.assign(**{str(column): value for column, value in cell.items()})


def _no_curve(cells: pd.DataFrame) -> pd.DataFrame:
    columns = [name for name in Evaluation.__annotations__ if name != "procedure"]
    return pd.DataFrame(columns=[*columns, *SAMPLING_PROCEDURES, *cells.columns])


def name_cells(cells: pd.DataFrame, chosen: pd.Series) -> str:
    """Name the chosen cells in few words: `stdlib scheme 2 k1=20, 60; stdlib scheme 4 k1=100`.

    Args:
        cells: all cells of a sweep; settings that all of them share are left out.
        chosen: which of them to name.
    """
    own = [str(name) for name in cells if name not in (*CELL, *BESIDE)]
    order = [*CELL[:-2], *own, *CELL[-2:]]
    columns = [name for name in order if len(cells[name].unique()) > 1] or ["corpus"]
    names = cells.loc[chosen, columns].astype(str).drop_duplicates().assign(every=0)
    for column in reversed(columns):
        others = names.columns.difference([column], sort=False).to_list()
        names = names.groupby(others, sort=False)[column].agg(", ".join).reset_index()
    return "; ".join(
        " ".join(f"{SYMBOLS.get(column, f'{column}=')}{row[column]}" for column in columns)
        for row in names.to_dict("records")
    )
