"""Cells that were not listed, but are known: scheme 3 is scheme 1's run, read progressively."""

from __future__ import annotations

import math

import pandas as pd

from analysis.instability.definition import as_read
from analysis.results import Results


def with_scheme_3(results: Results) -> Results:
    """The results with a cell of scheme 3 beside each of scheme 1 that recorded both readings.

    Cells of scheme 3 that the sweep lists are kept, and get no second one.

    Args:
        results: results of a sweep.
    """
    cells, curves = results.cells, results.curves
    listed = set(cells.loc[cells["scheme"] == 3, "run"])
    curves_of_1 = curves[(curves["scheme"] == 1) & ~curves["run"].isin(listed)]
    known = [
        as_read(curve, "progressive")
        for _, curve in curves_of_1.groupby(["run", "num_batches"], sort=False)
    ]
    added = [curve for curve in known if curve is not None]
    if not added:
        return results
    new = pd.concat(added).assign(scheme=3, standard_error=math.nan)
    same = cells["run"].isin(new["run"]) & (cells["scheme"] == 1)
    own = cells[same].assign(scheme=3, procedure="progressive")
    return Results(
        pd.concat([cells, own], ignore_index=True), pd.concat([curves, new], ignore_index=True)
    )
