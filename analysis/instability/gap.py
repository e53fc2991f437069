"""The reading gap: how much worse the same weights predict if they read on."""

from __future__ import annotations

import math

import pandas as pd

from analysis.curves import Curve, at_the_end, log_perplexity
from analysis.instability.definition import SETTLED, as_read
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES


def gaps(curve: Curve) -> pd.Series[float]:
    """log(progressive / windowed) at each evaluation; see charrnn.evaluation.procedures.

    Below 0 the weights predict worse from a fresh state than from one that they have carried on.
    A perplexity that is infinite or not a number counts as analysis.curves.CEILING. All NaN if a
    reading was not recorded.
    """
    if any(as_read(curve, reading) is None for reading in SAMPLING_PROCEDURES):
        return pd.Series(math.nan, curve.index)
    windowed, progressive = (log_perplexity(curve, reading) for reading in SAMPLING_PROCEDURES)
    return progressive - windowed


def summarise_gap(curve: Curve) -> dict[str, float]:
    """The reading gap of a cell's weights.

    Returns:
        ``gap``, its mean over the last tenth of training; ``largest_gap``, the one farthest from 0
        after SETTLED batches, and ``largest_gap_at``, the batches at that evaluation;
        ``highest_gap``, the one farthest above 0. All NaN if the run did not record both readings.
    """
    known = gaps(curve)
    settled = known[curve["batches"] > SETTLED].dropna()
    largest, at = math.nan, math.nan
    if len(settled):
        place = int(settled.abs().argmax())
        largest = float(settled.iloc[place])
        at = float(curve["batches"][settled.index].iloc[place])
    return {
        "gap": float(known[at_the_end(curve).index].mean()),
        "largest_gap": largest,
        "largest_gap_at": at,
        "highest_gap": float(settled.max()),
    }
