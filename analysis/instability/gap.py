"""The reading gap: how much worse the same weights predict if they read on."""

from __future__ import annotations

import math

import pandas as pd

from analysis.curves import CEILING, Curve
from analysis.instability.definition import SETTLED, in_the_end
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES, reading_gap


def gaps(curve: Curve) -> pd.Series[float]:
    """log(progressive / windowed) at each evaluation, a perplexity above CEILING counting as that.

    Below 0 the weights predict worse from a fresh state than from one that they have carried on.
    NaN where one of the two is not a number, or was not recorded.
    """
    windowed, progressive = (
        curve.get(reading, pd.Series(math.nan, curve.index)).astype(float).clip(upper=CEILING)
        for reading in SAMPLING_PROCEDURES
    )
    return pd.Series(map(reading_gap, windowed, progressive), curve.index, dtype=float)


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
        "gap": in_the_end(curve, known),
        "largest_gap": largest,
        "largest_gap_at": at,
        "highest_gap": float(settled.max()),
    }
