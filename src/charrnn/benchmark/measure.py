"""Measuring in turn, in one process, so that a machine whose speed drifts slows all alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from charrnn.benchmark.case import Case

BASELINES = {"floor": "ratio_to_floor", "nn.LSTM": "ratio_to_nn_lstm", "ours": "ratio_to_ours"}
"""Implementations that the others of their loop are compared with, and the column of the ratio."""


@dataclass(frozen=True)
class Entry:
    """Something to measure.

    Attributes:
        run: does it once.
        per: batches or tokens that one `run` handles.
    """

    run: Callable[[], object]
    per: int = 1


@dataclass(frozen=True)
class Effort:
    """How long a group of entries is measured.

    Attributes:
        seconds: that the rounds take together, at least.
        rounds: in each of which every entry runs once, at least.
        limit: seconds after which no other round is begun, whatever is wanted.
    """

    seconds: float
    rounds: int
    limit: float = math.inf


def alternate(entries: dict[str, Entry], effort: Effort) -> pd.DataFrame:
    """Milliseconds a batch or token (rows: rounds, columns: entries), after one warm-up each."""
    for entry in entries.values():
        entry.run()
    times: list[dict[str, float]] = []
    started = time.perf_counter()
    elapsed = 0.0
    while elapsed < effort.limit and (len(times) < effort.rounds or elapsed < effort.seconds):
        forwards = len(times) % 2 == 0  # what runs before an entry may leave it a better cache
        row = {}
        for name in entries if forwards else reversed(entries):
            before = time.perf_counter()
            entries[name].run()
            row[name] = 1000 * (time.perf_counter() - before) / entries[name].per
        times.append(row)
        elapsed = time.perf_counter() - started
    return pd.DataFrame(times, columns=list(entries))


def summary(loop: str, case: Case, times: pd.DataFrame) -> pd.DataFrame:
    """The benchmark's rows for one loop: a row an implementation.

    A ratio is the median of the rounds' ratios; `_q1` and `_q3` are their quartiles.
    """
    rows: dict[str, object] = {
        "loop": loop,
        "implementation": times.columns,
        "case": case.name,
        "threads": torch.get_num_threads(),
        "unit": "batch" if loop.startswith("train") else "token",
        "ms_median": times.median().to_numpy(),
        "ms_min": times.min().to_numpy(),
        "ms_max": times.max().to_numpy(),
    }
    for baseline, column in BASELINES.items():
        known = baseline in times
        ratios = times.div(times[baseline], axis=0) if known else times * np.nan
        for suffix, share in (("", 0.5), ("_q1", 0.25), ("_q3", 0.75)):
            rows[column + suffix] = ratios.quantile(share).to_numpy()
    sizes = {
        "gamma": case.hidden_size,
        "r": case.num_layers,
        "k2": case.k2,
        "vocabulary": case.vocabulary,
    }
    return pd.DataFrame(rows | sizes | {"rounds": len(times)})
