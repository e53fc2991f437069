"""Where results are read from: the user's own runs, the project's reference results, or both."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.baselines import with_baselines
from analysis.reference.table import reference_results
from analysis.results import Results, read_results
from charrnn.errors import CharRNNError, require_choice
from charrnn.sweeps.grids import grid_path

SOURCES = ("own", "reference", "both")
"""What `RESULTS=` takes."""
SAME_CELLS = {"fig9": "fig10", "fig10": "fig9"}
"""Experiments with the same cells: either one can be read in place of the other."""


def read_sweep(source: str, runs: Path, experiment: str, scale: str) -> Results:
    """The results of an experiment at a scale, or of one with the same cells.

    Args:
        source: one of SOURCES. With `both`, the column `source` says which of the two a cell is of.
        runs: folder of the user's own runs.
        experiment: name of the experiment.
        scale: name of the scale.

    Raises:
        BadInput: if there is no such source.
        CharRNNError: if it has no results of this experiment, or they cannot be read.
    """
    require_choice("RESULTS", source, SOURCES)
    wanted = SOURCES[:2] if source == "both" else (source,)
    known = {one: found for one in wanted if (found := _find(one, runs, experiment, scale))}
    if not known and source == "own":
        return read_results(grid_path(str(runs), experiment, scale))  # says what to do
    if not known:
        places = (
            f"{runs} and the reference results have"
            if source == "both"
            else ("the reference results have")
        )
        raise CharRNNError(f"{places} no {experiment} at scale={scale}.")
    if source != "both":
        return known[source]
    if "own" in known:  # the reference results have baselines: rows without any would be gaps
        known["own"] = with_baselines(known["own"], runs)
    tables = [
        (one.cells.assign(source=name), one.curves.assign(source=name))
        for name, one in known.items()
    ]
    cells, curves = zip(*tables, strict=True)
    # An empty table only names the columns; concatenated with others it would set their types.
    drawn = [table for table in curves if len(table)] or curves[:1]
    return Results(pd.concat(cells, ignore_index=True), pd.concat(drawn, ignore_index=True))


def has_sweep(source: str, runs: Path, experiment: str, scale: str) -> bool:
    """Whether `read_sweep` would find anything in one source, without reading runs."""
    names = [experiment, *([other] if (other := SAME_CELLS.get(experiment)) else [])]
    if source == "own":
        return any(grid_path(str(runs), name, scale).exists() for name in names)
    return any((name, scale) in reference_results() for name in names)


def own_sweeps(runs: Path, scale: str) -> list[str]:
    """The names of all sweeps of the user's own at a scale, experiments or not."""
    grids = sorted((runs / "grids").glob("*.csv"))
    parts = (grid.stem.rpartition("-") for grid in grids)
    return [name for name, _, of in parts if of == scale]


def _find(source: str, runs: Path, experiment: str, scale: str) -> Results | None:
    names = [experiment, *([other] if (other := SAME_CELLS.get(experiment)) else [])]
    if source == "reference":
        known = reference_results()
        return next((known[name, scale] for name in names if (name, scale) in known), None)
    grids = (grid_path(str(runs), name, scale) for name in names)
    return next((read_results(grid) for grid in grids if grid.exists()), None)
