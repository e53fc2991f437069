"""Section 4.3 on what is odd in Figure 7, and on the experiments beside the figures."""

from __future__ import annotations

import math

import pandas as pd

from analysis.claims.claim import ALL, Claim
from analysis.claims.rules import CLOSE, Finding, comparison
from analysis.curves import Cells, at, contrast, ends, overfitting
from analysis.instability.definition import largest_rises
from analysis.statistics.intervals import Interval

OVERFITS = math.log(1.05)
"""A cell overfits if its final perplexity is farther above its lowest than this."""
VISIBLE = math.log(1.02)
"""A larger rise is visible as a bump: one unit at a perplexity of 50."""
START, BUMP = 7, 51
"""A bump around 1,000 train sequences is between these batches: 448 and 3,264 sequences."""
LARGE = "hidden_size == hidden_size.max()"
SMALL = "hidden_size == hidden_size.min()"


def dropout_eases(curves: pd.DataFrame) -> Finding:
    """Overfitting without dropout minus that with it, in cells that overfit without."""
    values = overfitting(curves)
    eased = contrast(values, "sweep", "fig7", "dropout")
    overfitted = _among(at(values, "sweep", "fig7") > OVERFITS, eased)
    without = "no cell of Figure 7 overfits, so there is nothing to ease"
    return comparison(overfitted, Interval(low=0), by="k1", without=without)


def bump_is_lowered(curves: pd.DataFrame) -> Finding:
    """The largest rise with Adam minus that with the remedy, in cells that have the bump."""
    bumps = at(largest_rises(curves, START, BUMP), "sweep", "fig7") > VISIBLE
    (remedy,) = set(curves["sweep"]) - {"fig7"} or {""}
    # With the remedy the bump may come later.
    lowered = contrast(largest_rises(curves, START), "sweep", "fig7", remedy)
    without = "no cell of Figure 7 has the bump, so there is nothing to lower"
    return comparison(_among(bumps, lowered), Interval(low=0), by="k1", without=without)


def _among(chosen: Cells, values: Cells) -> Cells:
    """The values of the chosen cells."""
    return values[chosen.reindex(values.index, fill_value=False).astype(bool)]


def _remedy(name: str, says: str, sweep: str) -> Claim:
    return Claim(
        name,
        "4.3",
        says,
        {"fig7": f"stands_for == 'finnish' and {SMALL}", sweep: ALL},
        (1,),
        "How far the largest rise with Adam is above that with the remedy, in cells with the bump.",
        bump_is_lowered,
    )


CLAIMS = (
    Claim(
        "gamma-overfits",
        "4.3, Figure 7d",
        "The larger \N{GREEK SMALL LETTER GAMMA} (512) overfits Music: perplexity ends a twentieth"
        " above its lowest.",
        {"fig7": f"stands_for == 'music' and {LARGE}"},
        (1,),
        "How far the final perplexity is above the lowest of the same curve.",
        lambda curves: comparison(overfitting(curves), Interval(low=OVERFITS), by="k1"),
        whole=True,
    ),
    Claim(
        "dropout-eases",
        "4.3",
        "25% dropout before the dense layers reduces that overfitting.",
        {"fig7": f"stands_for == 'music' and {LARGE}", "dropout": ALL},
        (1,),
        "How much more cells overfit without dropout than with it, if they overfit without.",
        dropout_eases,
        whole=True,
    ),
    Claim(
        "finnish-bump",
        "4.3, Figure 7b",
        "On Finnish, with the smaller \N{GREEK SMALL LETTER GAMMA} (128), perplexity rises for a"
        " while around 1,000 train sequences, for all k1.",
        {"fig7": f"stands_for == 'finnish' and {SMALL}"},
        (1,),
        "The largest rise around 1,000 train sequences.",
        lambda curves: comparison(
            largest_rises(curves, START, BUMP), Interval(low=VISIBLE), by="k1"
        ),
    ),
    _remedy("bump-learning-rate", "A learning rate of 0.0001 lowers that bump.", "finnish_slow"),
    _remedy("bump-rmsprop", "RMSProp, which has no momentum, lowers that bump.", "finnish_rmsprop"),
    Claim(
        "shuffling",
        "4.3",
        "Shuffling the training sequences changes nothing in schemes 1, 2 and 3: perplexities stay"
        " within a tenth.",
        {"fig9": "scheme in (1, 2, 3)", "shuffled": ALL},
        (1, 2, 3),
        "How far final perplexities with shuffled and with equidistant sequences are apart.",
        lambda curves: comparison(contrast(ends(curves), "sweep", "shuffled", "fig9").abs(), CLOSE),
    ),
)
