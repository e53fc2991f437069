"""Intervals, Student's among them, and what they decide."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import stats

CONFIDENCE = 0.95


class Outcome(StrEnum):
    """What the results say about a claim."""

    BORNE_OUT = "borne out"
    CONTRADICTED = "contradicted"
    UNDECIDED = "cannot decide"


@dataclass(frozen=True)
class Interval:
    """An open interval: what a claim says about a number, or what is known about one."""

    low: float = -math.inf
    high: float = math.inf

    def __contains__(self, value: float) -> bool:
        return self.low < value < self.high

    def judge(self, known: Interval) -> Outcome:
        """Borne out if all of ``known`` lies in this interval, contradicted if none of it does."""
        if self.low < known.low and known.high < self.high:
            return Outcome.BORNE_OUT
        if known.high <= self.low or known.low >= self.high:
            return Outcome.CONTRADICTED
        return Outcome.UNDECIDED

    def judge_values(self, values: Iterable[float]) -> Outcome:
        """Borne out if every value lies in this interval, contradicted if none does."""
        inside = [value in self for value in values]
        if all(inside):
            return Outcome.BORNE_OUT
        return Outcome.UNDECIDED if any(inside) else Outcome.CONTRADICTED


def weakest(outcomes: Iterable[Outcome]) -> Outcome:
    """The outcome of a claim that needs all of these to be borne out."""
    order = (Outcome.CONTRADICTED, Outcome.UNDECIDED, Outcome.BORNE_OUT)
    return min(outcomes, key=order.index)


def students_interval(seeds: np.ndarray) -> Interval | None:
    """Student's 95 % interval for a mean over seeds; None for fewer than two.

    Args:
        seeds: one number per seed.
    """
    if len(seeds) < 2:
        return None
    mean, error = float(seeds.mean()), stats.sem(seeds)
    if not error:
        return Interval(mean, mean)
    return Interval(*stats.t.interval(CONFIDENCE, len(seeds) - 1, mean, error))
