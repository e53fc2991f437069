"""How the verdict writes places, numbers and counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from analysis.instability.effects import MEASURES
from analysis.instability.paired import Answer


def place_words(place: Mapping[str, Any] | pd.Series, k1: str, seeds: str) -> str:
    """Where something was measured: corpus, scale, sizes, k1 and replicates.

    Args:
        place: the columns of analysis.instability.effects.PLACE.
        k1: the values of k1, separated by commas.
        seeds: the seeds of the replicates.
    """
    # The number of batches is told anyway.
    told = [one for one in str(place.get("settings", "")).split() if "num_batches" not in one]
    beside = f", {' '.join(told)}" if told else ""
    replicates = "replicates" if "," in seeds else "replicate"
    return (
        f"{place['corpus']} ({place['scale']}: r {place['num_layers']}, gamma"
        f" {place['hidden_size']}, k2 {place['k2']}, {place['num_batches']} batches{beside}; k1"
        f" {k1}; {replicates} {seeds})"
    )


def effect(row: pd.Series) -> str:
    """A measure's difference: `reading gap +0.210 (+0.050 to +0.370: raised)`."""
    told = f"{MEASURES[row['measure']]} {row['mean']:+.3f}"
    if row["answer"] == Answer.FEW:
        return told
    return f"{told} ({row['low']:+.3f} to {row['high']:+.3f}: {row['answer']})"


def basis(row: pd.Series) -> str:
    """How many pairs an effect rests on, and whether they allow an interval."""
    told = f"{many(row['pairs'], 'pair')} of {many(row['replicates'], 'replicate')}"
    return f"{told}, too few for an interval" if row["answer"] == Answer.FEW else told


def many(number: int, noun: str) -> str:
    """A number of things: `1 pair`, `2 pairs`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def span(values: pd.Series) -> str:
    """Mean, range and number of values: `0.12 (0.05 to 0.30 in 6 cells)`."""
    known = values.dropna()
    if len(known) == 1:
        return f"{known.iloc[0]:.3f} (1 cell)"
    return f"{known.mean():.3f} ({known.min():.3f} to {known.max():.3f} in {len(known)} cells)"


def at(row: pd.Series, measure: str) -> str:
    """A measure and when it was reached: `0.30 at 251 batches`."""
    return f"{row[measure]:.3f} at {row[f'{measure}_at']:.0f} batches"


def counted(values: pd.Series) -> str:
    """How often each value occurs: `3 passing, 1 lasting`."""
    return ", ".join(f"{number} {value}" for value, number in values.value_counts().items())
