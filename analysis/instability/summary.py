"""A table of what became of each cell of the sweeps."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.curves import Curve, at_the_end, log_perplexity
from analysis.instability.definition import as_read, rises, summarise_rise
from analysis.instability.gap import summarise_gap
from analysis.instability.kinds import Kind
from analysis.instability.readings import with_scheme_3
from analysis.instability.threshold import schedule, threshold_at
from analysis.results import Results
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES
from charrnn.runs.folder import RunFolder

BIASES = ("readings", "carry")
"""The experiments that compare forget biases."""
SWITCHES = "suspects"
"""The experiment that tries one switch at a time."""


def tables(sweeps: Mapping[str, Results], runs: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The cells that compare forget biases, and those that try switches; empty if none is known.

    Args:
        sweeps: results by experiment; those that say nothing about instability are left out.
        runs: folder of all runs.
    """
    known = [summarise(sweeps[name], runs) for name in BIASES if name in sweeps]
    biases = [table for table in known if len(table)]
    carry = pd.concat(biases, ignore_index=True) if biases else pd.DataFrame()
    if len(carry):
        # Two experiments can have a run in common, each with its own name for its settings.
        carry = carry.drop_duplicates(["run", "scheme", "num_batches"], ignore_index=True)
    return carry, summarise(sweeps[SWITCHES], runs) if SWITCHES in sweeps else pd.DataFrame()


def summarise(results: Results, runs: Path) -> pd.DataFrame:
    """Summarise every cell that has a curve: its end, its gap, its rise, its diagnostics.

    Args:
        results: results of a sweep; scheme 3 is added where scheme 1 is known.
        runs: folder of all runs, for their diagnostics.

    Returns:
        The cells' columns; ``final`` perplexity; ``end``, the mean log perplexity over the last
        tenth of training; the columns of `summarise_gap` and `summarise_rise`;
        ``windowed_rise`` and ``progressive_rise``, the largest rise by each reading of the same
        weights; ``threshold``, a logarithm; ``schedule`` of the evaluations and ``times``, their
        number; ``after_starts``, the share of those after the first epoch that are the first of
        theirs;
        ``fails_to_read_on``, whether the highest gap, or a rise of the progressive reading alone,
        exceeds the threshold; the last row of the table of charrnn.callbacks.diagnostics, and
        ``largest_cell``, the largest |c| in all its rows (missing without diagnostics).
    """
    results = with_scheme_3(results)
    cells = results.ends()

    @cache
    def threshold_of(counts: tuple[int, ...]) -> float:
        return threshold_at(results.curves, counts)

    rows = []
    for _, cell in cells.iterrows():
        curve = results.curve(cell)
        counts = tuple(int(batches) for batches in curve["batches"])
        looked = {"schedule": schedule(counts), "times": len(counts)}
        row = _summarise_cell(curve, threshold_of(counts))
        rows.append(row | looked | _diagnosis(RunFolder(runs / cell["run"])))
    return cells.join(pd.DataFrame(rows, index=cells.index))


def _summarise_cell(curve: Curve, above: float) -> dict[str, Any]:
    rise, gap = summarise_rise(curve, above=above), summarise_gap(curve)
    alone = rise["kind"] == Kind.READING_ON and rise["rise"] > above
    both = {f"{reading}_rise": _rise_as_read(curve, reading) for reading in SAMPLING_PROCEDURES}
    return {
        "end": float(log_perplexity(at_the_end(curve)).mean()),
        **gap,
        **rise,
        **both,
        "threshold": above,
        "after_starts": _after_starts(curve),
        "fails_to_read_on": alone or gap["highest_gap"] > above,
    }


def _rise_as_read(curve: Curve, reading: str) -> float:
    known = as_read(curve, reading)
    return float("nan") if known is None else float(rises(known).max())


def _after_starts(curve: Curve) -> float:
    """Of the evaluations after the first epoch, the share that are the first of their epoch."""
    settled = curve.loc[rises(curve).index]
    starts = curve["epoch"].diff()[settled.index][settled["epoch"] > 0] > 0
    return float(starts.mean())


def _diagnosis(folder: RunFolder) -> dict[str, float]:
    table = folder.read_diagnostics()
    if table is None:
        return {}
    last = {str(name): float(value) for name, value in table.iloc[-1].items()}
    del last["batches"], last["train_sequences"]
    return last | {"largest_cell": float(table["max_abs_cell"].max())}
