"""Section 4.3 on the four schemes (Figure 9)."""

from __future__ import annotations

import pandas as pd

from analysis.claims.claim import ALL, Claim
from analysis.claims.rules import ABOVE, CLOSE, Finding, comparison, every, larger_share
from analysis.curves import at, by_paper_corpus, contrast, ends, lines
from analysis.instability.definition import SETTLED, unstable
from analysis.statistics.intervals import Interval

EARLY = 101
"""The evaluation before the 200 batches after which the paper sees scheme 4 diverge."""
SLIGHTLY = Interval(0, CLOSE.high)
"""Worse, but close."""
LATE = 401
"""Runs that end here, two evaluations later, are too short to tell."""


def turns_unstable(curves: pd.DataFrame) -> Finding:
    """Scheme 4's cells that are unstable after 101 batches but not before, and scheme 3's."""
    turned = unstable(curves, first=EARLY + 1) * (1 - unstable(curves, last=EARLY))
    return larger_share(at(turned, "scheme", 4), at(turned, "scheme", 3), "of scheme 3")


def less_stable_on_music(curves: pd.DataFrame) -> Finding:
    """Scheme 4's unstable cells on Music, and on Finnish."""
    flags = by_paper_corpus(unstable(curves))
    known = flags if flags.any() else flags.iloc[:0]
    music, finnish = (at(known, "corpus", name) for name in ("music", "finnish"))
    without = "no cell is unstable, neither on Music nor on Finnish"
    return larger_share(music, finnish, "on Finnish", by="k1", without=without)


CLAIMS = (
    Claim(
        "scheme-1-best",
        "4.3, Figure 9",
        "Scheme 1 reaches a lower perplexity than the three other schemes.",
        {"fig9": ALL},
        (1,),
        "How far each other scheme's final perplexity is above scheme 1's, at the same k1.",
        lambda curves: every(
            {
                f"scheme {n}": comparison(contrast(ends(curves), "scheme", n, 1), ABOVE)
                for n in (2, 3, 4)
            }
        ),
        whole=True,
    ),
    Claim(
        "scheme-2-slower",
        "4.3, Figures 8 and 9",
        "Scheme 2 learns more slowly than scheme 1: after equally many training sequences its"
        " perplexity is higher.",
        {"fig9": "scheme in (1, 2)"},
        (2,),
        "How far scheme 2's line is above scheme 1's, once both know the tokens' frequencies.",
        lambda curves: comparison(
            contrast(lines(curves, first=SETTLED + 1), "scheme", 2, 1), ABOVE
        ),
    ),
    Claim(
        "scheme-3-close",
        "4.3, Figure 9",
        "Scheme 3 is close to scheme 1 but slightly worse, by less than a tenth.",
        {"fig9": "scheme in (1, 3)"},
        (3,),
        "How far scheme 3's final perplexity is above scheme 1's, which is that of the same run.",
        lambda curves: comparison(contrast(ends(curves), "scheme", 3, 1), SLIGHTLY),
        whole=True,
    ),
    Claim(
        "scheme-4-start",
        "4.3, Figure 9",
        "Scheme 4 starts with the performance of scheme 3, for every k1.",
        {"fig9": "scheme in (3, 4)"},
        (4,),
        "How far the lines of schemes 3 and 4 are apart up to 101 batches.",
        lambda curves: comparison(contrast(lines(curves, last=EARLY), "scheme", 4, 3).abs(), CLOSE),
    ),
    Claim(
        "scheme-4-unstable",
        "4.3, Figure 9; 6",
        "After about 200 batches some configurations of scheme 4 turn unstable, unlike scheme 3's.",
        {"fig9": "scheme in (3, 4)"},
        (4,),
        "How many cells of schemes 4 and 3 are unstable after 101 batches but not before.",
        turns_unstable,
        beyond=LATE,
    ),
    Claim(
        "scheme-4-music",
        "4.3, Figure 9",
        "Scheme 4 is less stable on Music than on Finnish.",
        {"fig9": "scheme == 4 and stands_for in ('music', 'finnish')"},
        (4,),
        "How many of scheme 4's cells are unstable on Music, and on Finnish.",
        less_stable_on_music,
        beyond=LATE,
    ),
)
