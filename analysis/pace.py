"""The pace of training, in seconds per batch, apart from what else the machine did meanwhile."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from analysis.curves import Cells, Curve, of_cells

COST = ["scheme", "num_layers", "hidden_size", "k2"]
"""Columns that the cost of a batch depends on; schemes 1 and 3 are the same runs."""


def seconds_per_batch(curves: pd.DataFrame) -> pd.Series[float]:
    """The pace of each row's configuration: the lowest among the cells that cost the same.

    Args:
        curves: see analysis.results.Results.

    Returns:
        Seconds, aligned with the rows.
    """
    paces = log_paces(curves).map(math.exp).groupby(level=COST).min()
    return pd.Series(paces.reindex(pd.MultiIndex.from_frame(curves[COST])).array, curves.index)


def log_paces(curves: pd.DataFrame) -> Cells:
    """Logarithm of each cell's seconds per batch."""
    return of_cells(curves, log_pace)


def log_pace(curve: Curve) -> float:
    """Logarithm of a cell's seconds per batch: the median over the intervals between evaluations.

    An interval counts with its processor time or its wall clock, whichever is less: with one thread
    that is processor time, which other processes hardly change; with several threads, or a GPU, it
    is the wall clock. Results of versions before 0.2 have the wall clock alone.
    """
    batches = np.diff(curve["batches"], prepend=0)
    known = [name for name in ("train_seconds", "train_cpu_seconds") if name in curve]
    clocks = [np.diff(curve[name], prepend=0) / batches for name in known]
    return math.log(np.nanmedian(np.fmin.reduce(clocks)))
