"""Section 4.3 on what is odd in Figure 7, and what was tried beside the figures."""

from __future__ import annotations

import math

import pandas as pd

from analysis.claims.rules.comparison import Comparison
from analysis.claims.rules.finding import Finding, Interval
from analysis.claims.verdict import ALL, Claim
from analysis.curves import (
    CLOSE,
    Cells,
    at,
    contrast,
    final,
    of_cells,
    overfitting,
    rise,
)
from analysis.statistics.units import percent

OVERFITS = math.log(1.05)
"""Rise of the final perplexity above the lowest, from which a cell is said to overfit."""
SEEN = math.log(1.02)
"""Rise of a perplexity from which it is seen as a bump: a unit at 50."""
START, BUMP = 7, 51
"""Batches between which a bump around 1,000 train sequences is seen: 448 and 3,264 of them."""
LARGE = "hidden_size == hidden_size.max()"
SMALL = "hidden_size == hidden_size.min()"


def overfits(curves: pd.DataFrame) -> Finding:
    """The final perplexity above the lowest of the same curve."""
    return Comparison(of_cells(curves, overfitting), Interval(low=OVERFITS), percent, by="k1")


def dropout_eases(curves: pd.DataFrame) -> Finding:
    """Overfitting without dropout above that with it, in cells that overfit without."""
    values = of_cells(curves, overfitting)
    overfitted = at(values, "sweep", "fig7") > OVERFITS
    eased = _of_those(overfitted, contrast(values, "sweep", "fig7", "dropout"))
    nothing = "no cell of Figure 7 overfits, so there is nothing to ease"
    return Comparison(eased, Interval(low=0), percent, by="k1", nothing=nothing)


def bump(curves: pd.DataFrame) -> Finding:
    """The largest rise around 1,000 train sequences."""
    return Comparison(of_cells(curves, rise(START, BUMP)), Interval(low=SEEN), percent, by="k1")


def bump_is_lowered(curves: pd.DataFrame) -> Finding:
    """The largest rise with Adam above that with the cure, which may come later, in such cells."""
    bumps = at(of_cells(curves, rise(START, BUMP)), "sweep", "fig7") > SEEN
    (cure,) = set(curves["sweep"]) - {"fig7"} or {""}
    lowered = _of_those(bumps, contrast(of_cells(curves, rise(START)), "sweep", "fig7", cure))
    nothing = "no cell of Figure 7 has the bump, so there is nothing to lower"
    return Comparison(lowered, Interval(low=0), percent, by="k1", nothing=nothing)


def shuffling_changes_nothing(curves: pd.DataFrame) -> Finding:
    """How far final perplexities with shuffled and with equidistant sequences lie apart."""
    ends = of_cells(curves, final)
    values = contrast(ends, "sweep", "shuffled", "fig9").abs()
    return Comparison(values, Interval(high=CLOSE), percent)


def _of_those(chosen: Cells, values: Cells) -> Cells:
    """The values of the cells that are chosen."""
    return values[chosen.reindex(values.index, fill_value=False).astype(bool)]


CLAIMS = (
    Claim(
        "gamma-overfits",
        "4.3, Figure 7d",
        "The larger \N{GREEK SMALL LETTER GAMMA} (512) overfits Music: perplexity ends a twentieth"
        " above its lowest.",
        {"fig7": f"place == 'music' and {LARGE}"},
        overfits,
        (1,),
        whole=True,
    ),
    Claim(
        "dropout-eases",
        "4.3",
        "25% of dropout before the dense layers eases that overfitting.",
        {"fig7": f"place == 'music' and {LARGE}", "dropout": ALL},
        dropout_eases,
        (1,),
        whole=True,
    ),
    Claim(
        "finnish-bump",
        "4.3, Figure 7b",
        "On Finnish, with the smaller \N{GREEK SMALL LETTER GAMMA} (128), perplexity rises for a"
        " while around 1,000 train sequences, for all k1.",
        {"fig7": f"place == 'finnish' and {SMALL}"},
        bump,
        (1,),
    ),
    Claim(
        "bump-learning-rate",
        "4.3",
        "A learning rate of 0.0001 lowers that bump.",
        {"fig7": f"place == 'finnish' and {SMALL}", "finnish_slow": ALL},
        bump_is_lowered,
        (1,),
    ),
    Claim(
        "bump-rmsprop",
        "4.3",
        "RMSProp, which has no momentum, lowers that bump.",
        {"fig7": f"place == 'finnish' and {SMALL}", "finnish_rmsprop": ALL},
        bump_is_lowered,
        (1,),
    ),
    Claim(
        "shuffling",
        "4.3",
        "Shuffling the training sequences changes nothing in schemes 1, 2 and 3: perplexities stay"
        " within a tenth.",
        {"fig9": "scheme in (1, 2, 3)", "shuffled": ALL},
        shuffling_changes_nothing,
        (1, 2, 3),
    ),
)
