"""Section 4.3 on what is odd in Figure 7, and on the experiments beside the figures."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from analysis.claims.claim import ALL, claim
from analysis.claims.rules import ABOVE, CLOSE, Finding, comparison
from analysis.curves import Cells, at, contrast, ends, overfitting
from analysis.instability.definition import largest_rises
from analysis.statistics.intervals import Interval

OVERFITS = math.log(1.05)
"""A cell overfits if its final perplexity is farther above its lowest than this."""
VISIBLE = math.log(1.02)
"""A larger rise is visible as a bump: one unit at a perplexity of 50."""
START, BUMP = 7, 51
"""A bump near 1,000 train sequences is between these batches: 448 and 3,264 sequences."""
LARGE_ON_MUSIC = "stands_for == 'music' and hidden_size == hidden_size.max()"
SMALL_ON_FINNISH = "stands_for == 'finnish' and hidden_size == hidden_size.min()"


@claim("gamma-overfits", "4.3, Figure 7d", {"fig7": LARGE_ON_MUSIC}, (1,), whole=True)
def large_gamma_overfits(curves: pd.DataFrame) -> Finding:
    """The larger gamma (512) overfits Music: perplexity ends a twentieth above its lowest.

    How far the final perplexity is above the lowest of the same curve.
    """
    return comparison(overfitting(curves), Interval(low=OVERFITS), by="k1")


@claim("dropout-eases", "4.3", {"fig7": LARGE_ON_MUSIC, "dropout": ALL}, (1,), whole=True)
def dropout_eases(curves: pd.DataFrame) -> Finding:
    """25% dropout before the dense layers reduces that overfitting.

    Overfitting without dropout minus overfitting with it, in cells that overfit without.
    """
    values = overfitting(curves)
    overfitted = at(values, "sweep", "fig7") > OVERFITS
    eased = _among(overfitted, contrast(values, "sweep", "fig7", "dropout"))
    without = "no cell of Figure 7 overfits, so there is nothing to ease"
    return comparison(eased, ABOVE, by="k1", without=without)


@claim("finnish-bump", "4.3, Figure 7b", {"fig7": SMALL_ON_FINNISH}, (1,))
def bump(curves: pd.DataFrame) -> Finding:
    """On Finnish, at the smaller gamma, perplexity rises near 1,000 train sequences, for all k1.

    The largest rise near 1,000 train sequences.
    """
    return comparison(largest_rises(curves, START, BUMP), Interval(low=VISIBLE), by="k1")


@claim("bump-learning-rate", "4.3", {"fig7": SMALL_ON_FINNISH, "finnish_slow": ALL}, (1,))
def bump_is_lowered(curves: pd.DataFrame) -> Finding:
    """A learning rate of 0.0001 lowers that bump.

    The largest rise as in Figure 7 minus the largest with the remedy, in cells with the bump.
    """
    bumps = at(largest_rises(curves, START, BUMP), "sweep", "fig7") > VISIBLE
    (remedy,) = set(curves["sweep"]) - {"fig7"} or {""}
    # With the remedy the bump may come later.
    lowered = contrast(largest_rises(curves, START), "sweep", "fig7", remedy)
    without = "no cell of Figure 7 has the bump, so there is nothing to lower"
    return comparison(_among(bumps, lowered), ABOVE, by="k1", without=without)


bump_is_lowered_by_rmsprop = replace(
    bump_is_lowered,
    id="bump-rmsprop",
    says="RMSProp, which has no momentum, lowers that bump.",
    needs={"fig7": SMALL_ON_FINNISH, "finnish_rmsprop": ALL},
)


@claim("shuffling", "4.3", {"fig9": "scheme in (1, 2, 3)", "shuffled": ALL}, (1, 2, 3))
def shuffling_changes_nothing(curves: pd.DataFrame) -> Finding:
    """Shuffling the training sequences changes perplexity in schemes 1 to 3 by less than a tenth.

    How far final perplexities with shuffled and with equidistant sequences are apart.
    """
    return comparison(contrast(ends(curves), "sweep", "shuffled", "fig9").abs(), CLOSE)


def _among(chosen: Cells, values: Cells) -> Cells:
    """The values of the chosen cells."""
    return values[chosen.reindex(values.index, fill_value=False).astype(bool)]
