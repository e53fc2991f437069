"""Section 4.3 on the four schemes (Figure 9)."""

from __future__ import annotations

import pandas as pd

from analysis.claims.rules.comparison import Comparison
from analysis.claims.rules.finding import Every, Finding, Interval
from analysis.claims.rules.share import LargerShare
from analysis.claims.verdict import ALL, Claim
from analysis.curves import (
    CLOSE,
    SETTLED,
    at,
    average,
    contrast,
    final,
    of_cells,
    of_places,
    unstable,
)
from analysis.statistics.units import percent

EARLY = 101
"""The evaluation before the 200 batches after which the paper sees scheme 4 diverge."""
LATE = 401
"""Runs that end here, two evaluations on, are too short to tell."""


def scheme_1_is_best(curves: pd.DataFrame) -> Finding:
    """Each other scheme's final perplexity above scheme 1's, at the same k1."""
    ends = of_cells(curves, final)
    return Every(
        {
            f"scheme {scheme}": Comparison(
                contrast(ends, "scheme", scheme, 1), Interval(low=0), percent
            )
            for scheme in (2, 3, 4)
        }
    )


def scheme_2_is_slower(curves: pd.DataFrame) -> Finding:
    """Scheme 2's line above scheme 1's, from where both have found the unigram distribution."""
    lines = of_cells(curves, average(first=SETTLED + 1))
    return Comparison(contrast(lines, "scheme", 2, 1), Interval(low=0), percent)


def scheme_3_is_close(curves: pd.DataFrame) -> Finding:
    """Scheme 3's final perplexity above scheme 1's, which is that of the same run."""
    ends = of_cells(curves, final)
    return Comparison(contrast(ends, "scheme", 3, 1), Interval(0, CLOSE), percent)


def scheme_4_starts_like_3(curves: pd.DataFrame) -> Finding:
    """How far the lines of schemes 3 and 4 lie apart up to 101 batches."""
    lines = of_cells(curves, average(last=EARLY))
    return Comparison(contrast(lines, "scheme", 4, 3).abs(), Interval(high=CLOSE), percent)


def scheme_4_turns_unstable(curves: pd.DataFrame) -> Finding:
    """How many cells are unstable after 101 batches and not before, and of scheme 3."""
    turned = unstable(curves, first=EARLY + 1) * (1 - unstable(curves, last=EARLY))
    return LargerShare(at(turned, "scheme", 4), at(turned, "scheme", 3), "of scheme 3")


def music_is_less_stable(curves: pd.DataFrame) -> Finding:
    """How many of scheme 4's cells are unstable on Music, and on Finnish."""
    flags = of_places(unstable(curves))
    nothing = "no cell is unstable, neither on Music nor on Finnish"
    known = flags if flags.any() else flags.iloc[:0]
    music, finnish = (at(known, "corpus", place) for place in ("music", "finnish"))
    return LargerShare(music, finnish, "on Finnish", by="k1", nothing=nothing)


CLAIMS = (
    Claim(
        "scheme-1-best",
        "4.3, Figure 9",
        "Scheme 1 reaches a lower perplexity than the three others.",
        {"fig9": ALL},
        scheme_1_is_best,
        (1,),
        whole=True,
    ),
    Claim(
        "scheme-2-slower",
        "4.3, Figures 8 and 9",
        "Scheme 2 learns more slowly than scheme 1: after as many train sequences its perplexity is"
        " higher.",
        {"fig9": "scheme in (1, 2)"},
        scheme_2_is_slower,
        (2,),
    ),
    Claim(
        "scheme-3-close",
        "4.3, Figure 9",
        "Scheme 3 is close to scheme 1, and slightly worse: by less than a tenth.",
        {"fig9": "scheme in (1, 3)"},
        scheme_3_is_close,
        (3,),
        whole=True,
    ),
    Claim(
        "scheme-4-start",
        "4.3, Figure 9",
        "Scheme 4 starts with the performance of scheme 3, whatever k1.",
        {"fig9": "scheme in (3, 4)"},
        scheme_4_starts_like_3,
        (4,),
    ),
    Claim(
        "scheme-4-unstable",
        "4.3, Figure 9; 6",
        "After about 200 batches some configurations of scheme 4 turn unstable, unlike scheme 3's.",
        {"fig9": "scheme in (3, 4)"},
        scheme_4_turns_unstable,
        (4,),
        beyond=LATE,
    ),
    Claim(
        "scheme-4-music",
        "4.3, Figure 9",
        "Scheme 4 is less stable on Music than on Finnish.",
        {"fig9": "scheme == 4 and place in ('music', 'finnish')"},
        music_is_less_stable,
        (4,),
        beyond=LATE,
    ),
)
