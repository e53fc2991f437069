"""Times entries in turn in one process, so a machine whose speed drifts slows all of them alike."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch

from charrnn.benchmark.case import Case
from charrnn.training.timed_step import seconds
from charrnn.training.trainer import matmul_precision

BASELINES = {"floor": "ratio_to_floor", "nn.LSTM": "ratio_to_nn_lstm", "ours": "ratio_to_ours"}
"""Implementations that all others of a loop are compared with, and the columns of the ratios."""


@dataclass(frozen=True)
class Entry:
    """Something to time.

    Attributes:
        run: does it once.
        per: batches or tokens that one call of `run` handles.
    """

    run: Callable[[], object]
    per: int = 1


@dataclass(frozen=True)
class Effort:
    """How long a group of entries is measured.

    Attributes:
        seconds: least time that all rounds take together.
        rounds: least number of rounds; every entry runs once per round.
        limit: seconds after which no further round starts, whatever the others ask for.
        precision: how far the median ratio of any two entries may be off, as a share of it (half
            the width of its 95 % interval); more rounds are made until it is known so well.
        warm_ups: how often every entry runs before the first round.
    """

    seconds: float
    rounds: int
    limit: float = math.inf
    precision: float = math.inf
    warm_ups: int = 1


@contextmanager
def float32_products(precision: str) -> Iterator[None]:
    """On a GPU, multiply 32-bit numbers in full precision (`highest`) or as TF32 (`high`).

    This includes cuDNN's products, which by themselves are TF32 even where torch's are not.
    """
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = precision != "highest"
    try:
        with matmul_precision(precision):
            yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def alternate(entries: Mapping[Any, Entry], effort: Effort) -> pd.DataFrame:
    """Milliseconds per batch or token (rows: rounds, columns: entries), after the warm-ups."""
    for entry in entries.values():
        for _ in range(effort.warm_ups):
            entry.run()
    times: list[dict[Any, float]] = []
    started = time.perf_counter()
    elapsed = 0.0
    while elapsed < effort.limit and (
        len(times) < effort.rounds
        or elapsed < effort.seconds
        or imprecision(pd.DataFrame(times)) > effort.precision
    ):
        forwards = len(times) % 2 == 0  # the entry before may leave a warmer cache
        row = {}
        for name in entries if forwards else reversed(entries):
            row[name] = 1000 * seconds(entries[name].run) / entries[name].per
        times.append(row)
        elapsed = time.perf_counter() - started
    return pd.DataFrame(times, columns=list(entries))


def imprecision(times: pd.DataFrame) -> float:
    """The largest relative error of a median ratio to the first entry: half its 95 % interval.

    The standard error of a median is 1.253 standard deviations over the root of the number of
    rounds, if the rounds vary normally; the deviation is the interquartile range over 1.349.

    Args:
        times: see `alternate`.
    """
    ratios = times.div(times.iloc[:, 0], axis=0)
    lower, middle, upper = (ratios.quantile(share) for share in (0.25, 0.5, 0.75))
    errors = 1.96 * 1.253 * (upper - lower) / 1.349 / math.sqrt(len(times)) / middle
    return float(errors.max())


def summary(loop: str, case: Case, times: pd.DataFrame) -> pd.DataFrame:
    """The benchmark's rows for one loop, one per implementation.

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
