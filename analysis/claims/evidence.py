"""What is known at one scale: the results of every experiment, and Table 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from analysis.results import Results, read_results
from charrnn.config import conf_folder
from charrnn.data.catalogue import STANDS_FOR
from charrnn.sweeps.grids import grid_path

SCALES = ("paper", "laptop", "quick", "smoke")
"""From the largest on."""
TABLE4 = "table4"
SAME_CELLS = {"fig9": "fig10", "fig10": "fig9"}
"""Experiments that stand for each other."""
CELL = ["run", "scheme"]
"""What tells the cells of a grid apart: a run, read by a scheme."""


@dataclass(frozen=True)
class Evidence:
    """What is known at a scale.

    Attributes:
        scale: its name.
        sweeps: results by experiment, of those that have been started.
        table4: the measurements of Table 4, columns as analysis.speed.table4 writes them; None if
            there are none.
    """

    scale: str
    sweeps: Mapping[str, Results] = field(default_factory=dict)
    table4: pd.DataFrame | None = None

    def select(self, needs: Mapping[str, str]) -> Results:
        """Cells and curves of the experiments in ``needs``, in the order that they are named.

        Args:
            needs: for each experiment a condition on its cells, as pandas.DataFrame.query takes it,
                or an empty one for all of them. Beside the columns of the grid there are `sweep`,
                the experiment, and `place`, the paper's corpus whose place the cell's one takes.
        """
        chosen = [
            _where(self.sweeps[name], name, condition)
            for name, condition in needs.items()
            if name in self.sweeps
        ]
        if not chosen:
            return Results(pd.DataFrame(), pd.DataFrame())
        cells, curves = ([getattr(one, part) for one in chosen] for part in ("cells", "curves"))
        # The empty ones name the columns; concatenated with others they would decide their types.
        drawn = [table for table in curves if len(table)] or curves[:1]
        return Results(pd.concat(cells, ignore_index=True), pd.concat(drawn, ignore_index=True))


def read_evidence(runs: Path, scale: str) -> Evidence:
    """What is known at ``scale``, in the folder of all runs.

    Raises:
        CharRNNError: if a table cannot be read.
    """
    names = sorted(path.stem for path in (conf_folder() / "experiment").glob("*.yaml"))
    grids = {name: grid_path(str(runs), name, scale) for name in names}
    sweeps = {name: read_results(grid) for name, grid in grids.items() if grid.exists()}
    for name, other in SAME_CELLS.items():
        if name not in sweeps and other in sweeps:
            sweeps[name] = sweeps[other]
    table4 = runs / "figures" / f"{TABLE4}-{scale}.csv"
    return Evidence(scale, sweeps, pd.read_csv(table4) if table4.exists() else None)


def scales_of(runs: Path) -> list[str]:
    """The scales at which sweeps have been started, the largest first."""
    started = {path.stem.rpartition("-")[2] for path in (runs / "grids").glob("*.csv")}
    return [scale for scale in SCALES if scale in started]


def _where(results: Results, sweep: str, condition: str) -> Results:
    """The cells that fulfil the condition on the whole grid, and the curves that these have."""
    places = results.cells["corpus"].map(lambda corpus: STANDS_FOR.get(corpus, corpus))
    cells = results.cells.assign(sweep=sweep, place=places.astype(str))
    if "settings" in cells:  # cells that depart from their experiment are no evidence for it
        cells = cells[cells["settings"] == ""]
    if condition and len(cells):
        cells = cells.query(condition)
    chosen, known = (pd.MultiIndex.from_frame(t[CELL]) for t in (cells, results.curves))
    return Results(cells, results.curves[known.isin(chosen)].assign(sweep=sweep))
