"""How recurrent cells read on, by the start of training sequences: a row per start."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from analysis.instability.definition import rises
from analysis.markdown import markdown_head, markdown_row
from analysis.reading_on.measure import by_bin
from analysis.reading_on.summary import AT_K2, factor, near_and_far
from analysis.results import Results
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES as BOTH

BASELINE = "none"
"""The start that the others are compared with."""


def costs_of_starts(results: Results) -> Iterator[str]:
    """The perplexity at k2 and from 10 k2 to 100 k2, and the second over the first."""

    def words(own: pd.DataFrame) -> str:
        near, far = (np.exp(own[end].mean()) for end in ("near", "far"))
        return f"{near:.2f} to {far:.2f}, {factor(own['far'] - own['near'], own['seed'])}"

    return _table(near_and_far(results), words)


def against_no_start(results: Results, end: str) -> Iterator[str]:
    """The perplexity over that of the scheme's own start, in the same cell and replicate.

    Args:
        results: of a sweep over cells and starts on one corpus.
        end: `near` or `far`, see near_and_far.
    """
    table = near_and_far(results)
    baseline = table[table["start"] == BASELINE].set_index(["backbone", "seed"])[end]
    table["over"] = (
        table[end]
        - baseline.reindex(pd.MultiIndex.from_frame(table[["backbone", "seed"]])).to_numpy()
    )
    others = table[table["start"] != BASELINE]
    return _table(others, lambda own: str(factor(own["over"], own["seed"])))


def growth(results: Results) -> Iterator[str]:
    """The size of the memory from 10 k2 to 100 k2 over that at k2."""
    table = near_and_far(results, "cell")
    return _table(table, lambda own: str(factor(own["far"] - own["near"], own["seed"])))


def remembrance(results: Results) -> Iterator[str]:
    """The effective remembrance of a past of about k2 tokens: the mean over replicates."""
    table = by_bin(results)
    return _table(table[table["bin"] == AT_K2], lambda own: f"{own['remembrance'].mean():.2f}")


def readings_of_starts(results: Results) -> Iterator[str]:
    """The progressive perplexity over the windowed one of the same test tokens, at the end."""
    curves = results.curves
    last = curves[curves["batches"] == curves["num_batches"]].drop_duplicates("run")

    def words(own: pd.DataFrame) -> str:
        ratio = own["progressive"] / own["windowed"]
        return str(factor(ratio.map(np.log), own["seed"]))

    return _table(last, words)


def rises_of_starts(results: Results) -> Iterator[str]:
    """How far the perplexity rises in training, lowest to highest: windowed / progressive."""

    def words(own: pd.DataFrame) -> str:
        return " / ".join(_range([_rise(run, by) for _, run in own.groupby("run")]) for by in BOTH)

    return _table(results.curves, words)


def _rise(curve: pd.DataFrame, reading: str) -> float:
    """The largest rise as a ratio, at least 1, see analysis.instability.definition."""
    read = curve.sort_values("batches").assign(perplexity=curve[reading])
    return float(np.exp(max(rises(read).max(), 0)))


def _range(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f}"


def _table(runs: pd.DataFrame, words: Callable[[pd.DataFrame], str]) -> Iterator[str]:
    """A row per start and a column per cell, of what `words` says of the replicates there."""
    cells = list(runs["backbone"].unique())
    yield from markdown_head("`start=`", *cells)
    for start, of_start in runs.groupby("start", sort=False):
        own = (of_start[of_start["backbone"] == cell] for cell in cells)
        yield markdown_row(f"`{start}`", *(words(one) if len(one) else "" for one in own))
