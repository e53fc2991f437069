"""Where results are read from: the user's own runs, the project's reference results, or both."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from analysis.reference.table import reference_results
from analysis.results import Results, read_results
from charrnn.errors import CharRNNError, require_choice
from charrnn.sweeps.grids import grid_path

SOURCES = ("own", "reference", "both")
"""What `RESULTS=` takes."""


def read_sweep(source: str, runs: Path, experiment: str, scale: str) -> Results:
    """The results of an experiment at a scale.

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
    grid, known = grid_path(str(runs), experiment, scale), {}
    if source != "reference" and (grid.exists() or source == "own"):
        known["own"] = read_results(grid)
    if source != "own" and (found := reference_results().get((experiment, scale))):
        known["reference"] = found
    if not known:
        raise CharRNNError(
            f"neither {runs} nor the reference results have {experiment} at scale={scale}."
            if source == "both"
            else f"the reference results have no {experiment} at scale={scale}."
        )
    if source != "both":
        return known[source]
    tables = [
        (one.cells.assign(source=name), one.curves.assign(source=name))
        for name, one in known.items()
    ]
    cells, curves = zip(*tables, strict=True)
    drawn = [table for table in curves if len(table)] or curves[:1]
    return Results(pd.concat(cells, ignore_index=True), pd.concat(drawn, ignore_index=True))


def has_sweep(source: str, runs: Path, experiment: str, scale: str) -> bool:
    """Whether `read_sweep` would find anything."""
    own = source != "reference" and grid_path(str(runs), experiment, scale).exists()
    return own or (source != "own" and (experiment, scale) in reference_results())
