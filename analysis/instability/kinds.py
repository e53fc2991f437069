"""What a rise of perplexity is: overfitting, unstable weights, or a failure to read on."""

from __future__ import annotations

import math
from enum import StrEnum

import pandas as pd

from analysis.curves import CEILING

ALONG = 0.5
"""Another measure rises along with the perplexity if it rises by at least this share of it."""
LOSS_BATCHES = 50
"""Batches that the training loss is a mean of, see charrnn.runs.files.Evaluation. Two training
losses that are fewer batches apart have batches in common, and say little about what fell."""


class Kind(StrEnum):
    """Why the perplexity is higher than at its lowest; see `kind`."""

    READING_ON = "failure to read on"
    WEIGHTS = "instability of the weights"
    OVERFITTING = "overfitting"
    UNCLEAR = "unclear"
    NONE = "none"


class Course(StrEnum):
    """What became of a rise; see `course`."""

    NONE = "none"
    PASSING = "passing"
    LASTING = "lasting"
    LATE = "too late to tell"


def kind(lowest: pd.Series, highest: pd.Series, rise: float) -> Kind:
    """Tell what a rise is, from two evaluations: the lowest before it, and the rise itself.

    A measure *rises along* if it rises by at least half as much as the logarithm of the perplexity.
    The measures are the logarithm of the perplexity by the other reading, and the training loss,
    which is the logarithm of a perplexity too.

    - A failure to read on: the progressive reading rises, and the windowed reading of the same
      weights does not rise along. The weights still predict well from a fresh state.
    - Instability of the weights: both readings rise, and the training loss rises along. A
      perplexity or a loss that is infinite or no number counts as a rise.
    - Overfitting: both readings rise, and the training loss does not rise along (as a rule it
      falls), over so many batches that the two training losses have no batch in common.
    - Unclear: every other rise, among it what was not recorded.
    - None: the perplexity is no higher than its lowest before.

    Only these two evaluations are judged: a smaller rise of another kind stays hidden behind the
    largest. A cell that reads in windows, and has no progressive reading, is judged by its training
    loss.

    Args:
        lowest: an evaluation, with the columns of analysis.results.Results.curves.
        highest: a later evaluation of the same cell.
        rise: by how much the logarithm of the cell's own perplexity is higher in it.
    """
    if rise <= 0:
        return Kind.NONE
    reads_on = lowest.get("procedure") == "progressive"
    other = _log_change(lowest, highest, "windowed" if reads_on else "progressive")
    if math.isnan(other):
        if reads_on:
            return Kind.UNCLEAR
    elif other < ALONG * rise:
        return Kind.READING_ON if reads_on else Kind.UNCLEAR
    before, after = (float(row.get("train_loss", math.nan)) for row in (lowest, highest))
    if math.isnan(before):
        return Kind.UNCLEAR
    if not math.isfinite(after) or after - before >= ALONG * rise:
        return Kind.WEIGHTS
    apart = highest["batches"] - lowest["batches"] >= LOSS_BATCHES
    return Kind.OVERFITTING if apart else Kind.UNCLEAR


def course(rise: float, left: float, late: bool, above: float) -> Course:
    """Tell whether a rise lasts.

    Args:
        rise: the rise, a logarithm.
        left: how far the mean log perplexity over the last tenth of training is above the lowest
            before the rise.
        late: whether the rise is in that last tenth, so that what followed was not seen.
        above: smaller rises are none, and what is left of a passing one is at most this.
    """
    if not rise > above:
        return Course.NONE
    if not left > above:
        return Course.PASSING
    return Course.LATE if late else Course.LASTING


def _log_change(lowest: pd.Series, highest: pd.Series, reading: str) -> float:
    """How far the log perplexity by a reading rises; NaN if the first one was not recorded."""
    before, after = (float(row.get(reading, math.nan)) for row in (lowest, highest))
    if math.isnan(before):
        return math.nan
    capped = [min(value, CEILING) for value in (before, CEILING if math.isnan(after) else after)]
    return math.log(capped[1] / capped[0])
