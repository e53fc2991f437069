"""Section 4.3 on what is odd in Figure 7, and on the experiments beside the figures."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.claims.claim import ALL, claim
from analysis.claims.conditions import Conditions
from analysis.claims.finding import Finding, every
from analysis.claims.rules import ALIKE, comparison
from analysis.curves import Cells, at, contrast, ends, overfitting
from analysis.instability.definition import largest_rises
from analysis.statistics.intervals import Interval
from charrnn.data.corpora.for_figures import stands_for

OVERFITS = math.log(1.05)
"""A cell overfits if its final perplexity is farther above its lowest than this."""
VISIBLE = math.log(1.02)
"""A larger rise is visible as a bump: one unit at a perplexity of 50."""
START, BUMP = 7, 51
"""A bump near 1,000 train sequences is between these batches: 448 and 3,264 sequences."""
LATEST = 10 * BUMP
"""A bump with a tenth of the learning rate comes up to ten times later."""
LARGE_ON_MUSIC = "stands_for == 'music' and hidden_size == hidden_size.max()"
SMALL_ON_FINNISH = "stands_for == 'finnish' and hidden_size == hidden_size.min()"
BUT_SCHEME_4 = "scheme in (1, 2, 3)"
MUSIC = Conditions(corpora=("music",), own=True)
FINNISH = Conditions(batches=BUMP, hidden_size=(128,), corpora=("finnish",), own=True)


@claim("gamma-overfits", "4.3, Figure 7d", {"fig7": LARGE_ON_MUSIC}, (1,), MUSIC)
def large_gamma_overfits(curves: pd.DataFrame) -> Finding:
    """The larger gamma (512) overfits Music: perplexity ends a twentieth above its lowest.

    How far the final perplexity is above the lowest of the same curve.
    """
    return comparison(overfitting(curves), Interval(low=OVERFITS), by="k1")


@claim("dropout-eases", "4.3", {"fig7": LARGE_ON_MUSIC, "dropout": ALL}, (1,), MUSIC)
def dropout_eases(curves: pd.DataFrame) -> Finding:
    """25% dropout before the dense layers reduces that overfitting, by half at least.

    Overfitting without dropout less twice that with it, over all cells: choosing those that overfit
    would favour the cure.
    """
    values = overfitting(curves)
    eased = at(values, "sweep", "fig7") - 2 * at(values, "sweep", "dropout")
    return comparison(eased.dropna(), by="k1")


@claim("dropout-leaves-some", "4.3", {"dropout": ALL}, (1,), MUSIC)
def dropout_leaves_some(curves: pd.DataFrame) -> Finding:
    """With dropout some overfitting on Music is still observable.

    How far the final perplexity is above the lowest of the same curve, with dropout.
    """
    return comparison(overfitting(curves), Interval(low=VISIBLE), by="k1")


@claim("finnish-bump", "4.3, Figure 7b", {"fig7": SMALL_ON_FINNISH}, (1,), FINNISH)
def bump(curves: pd.DataFrame) -> Finding:
    """On Finnish, at the smaller gamma, perplexity rises near 1,000 train sequences, for all k1.

    The largest rise near 1,000 train sequences; a curve that only falls rises by nothing.
    """
    return comparison(bumps(curves), Interval(low=VISIBLE), by="k1")


@claim(
    "bump-only-there",
    "4.3, Figure 7",
    {"fig7": ALL},
    (1,),
    Conditions(batches=BUMP, hidden_size=(128, 512), own=True),
)
def bump_is_only_there(curves: pd.DataFrame) -> Finding:
    """That bump is an artefact of Finnish and of the smaller gamma: no other cell has it.

    The largest rise near 1,000 train sequences on other corpora, and with the larger gamma.
    """
    rises = bumps(curves)
    small, large = curves["hidden_size"].min(), curves["hidden_size"].max()
    places = [stands_for(corpus) for corpus in rises.index.get_level_values("corpus")]
    finnish = np.array(places) == "finnish"
    size = rises.index.get_level_values("hidden_size")
    none = Interval(high=VISIBLE)
    return every(
        {
            "elsewhere": comparison(rises[~finnish & (size == small)], none),
            "larger gamma": comparison(rises[size == large], none),
        }
    )


@claim("bump-learning-rate", "4.3", {"fig7": SMALL_ON_FINNISH, "finnish_slow": ALL}, (1,), FINNISH)
def bump_is_lowered(curves: pd.DataFrame) -> Finding:
    """A learning rate of 0.0001 lowers that bump.

    The largest rise as in Figure 7 less the largest with the remedy, where it may come up to ten
    times later; a curve that only falls rises by nothing.
    """
    (remedy,) = set(curves["sweep"]) - {"fig7"} or {""}
    values = at(bumps(curves), "sweep", "fig7") - at(bumps(curves, LATEST), "sweep", remedy)
    return comparison(values.dropna(), by="k1")


bump_is_lowered_by_rmsprop = replace(
    bump_is_lowered,
    id="bump-rmsprop",
    says="RMSProp, which has no momentum, lowers that bump.",
    needs={"fig7": SMALL_ON_FINNISH, "finnish_rmsprop": ALL},
)


@claim("shuffling", "4.3", {"fig9": BUT_SCHEME_4, "shuffled": ALL}, (1, 2, 3), Conditions())
def shuffling_changes_nothing(curves: pd.DataFrame) -> Finding:
    """Shuffling the training sequences changes perplexity in schemes 1 to 3 by less than a tenth.

    How far the final perplexity with shuffled sequences is above that with equidistant ones, in
    each scheme.
    """
    values = contrast(ends(curves), "sweep", "shuffled", "fig9")
    schemes = sorted(values.index.unique("scheme"))
    return every({f"scheme {s}": comparison(at(values, "scheme", s), ALIKE) for s in schemes})


def bumps(curves: pd.DataFrame, last: int = BUMP) -> Cells:
    """How far each cell's perplexity rises from ``START`` batches on; a fall is not less than 0."""
    return largest_rises(curves, START, last).clip(lower=0)
