"""Runs read in both ways, whatever the schemes that asked for them, and the gap between the two."""

from __future__ import annotations

import pandas as pd

from charrnn.evaluation.procedures import SAMPLING_PROCEDURES, reading_gap

WINDOWED, PROGRESSIVE = SAMPLING_PROCEDURES


def by_reading(curves: pd.DataFrame) -> pd.DataFrame:
    """Each run twice: `reading` says in which way, and `perplexity` is the one read in this way.

    Args:
        curves: see analysis.results.Results. Of several cells of one run the first is taken. A run
            that did not record a reading does not have its rows.
    """
    runs = one_cell_a_run(curves)
    recorded = []
    for reading in SAMPLING_PROCEDURES:
        own = runs[runs[reading].notna().groupby(runs["run"]).transform("any")]
        recorded.append(own.assign(reading=reading, perplexity=own[reading]))
    return pd.concat(recorded, ignore_index=True)


def with_gaps(curves: pd.DataFrame) -> pd.DataFrame:
    """Each run once, with its reading `gap`; without the evaluations at which it is not known."""
    runs = one_cell_a_run(curves)
    both = zip(runs[WINDOWED].astype(float), runs[PROGRESSIVE].astype(float), strict=True)
    gaps = pd.Series([reading_gap(*pair) for pair in both], runs.index, dtype=float)
    return runs.assign(gap=gaps)[gaps.notna()]


def one_cell_a_run(curves: pd.DataFrame) -> pd.DataFrame:
    """The rows of each run's first cell, without the columns that tell a run's cells apart."""
    first = curves.drop_duplicates(["run", "batches"])
    return first.drop(columns=["scheme", "procedure"], errors="ignore")
