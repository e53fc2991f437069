"""Section 4.3 on the four schemes (Figure 9)."""

from __future__ import annotations

import pandas as pd

from analysis.claims.claim import ALL, claim
from analysis.claims.rules import ABOVE, CLOSE, Finding, comparison, every, larger_share
from analysis.curves import at, by_paper_corpus, contrast, ends, lines
from analysis.instability.definition import SETTLED, unstable
from analysis.statistics.intervals import Interval

FIGURE = "4.3, Figure 9"
MUSIC_AND_FINNISH = "scheme == 4 and stands_for in ('music', 'finnish')"
EARLY = 101
"""The evaluation before the 200 batches after which the paper sees scheme 4 diverge."""
LATE = 401
"""Runs that end here, two evaluations later, are too short to tell."""


@claim("scheme-1-best", FIGURE, {"fig9": ALL}, (1,), whole=True)
def scheme_1_is_best(curves: pd.DataFrame) -> Finding:
    """Scheme 1 reaches a lower perplexity than the three other schemes.

    How far each other scheme's final perplexity is above scheme 1's, at the same k1.
    """
    above = {n: contrast(ends(curves), "scheme", n, 1) for n in (2, 3, 4)}
    return every({f"scheme {n}": comparison(values, ABOVE) for n, values in above.items()})


@claim("scheme-2-slower", "4.3, Figures 8 and 9", {"fig9": "scheme in (1, 2)"}, (2,))
def scheme_2_is_slower(curves: pd.DataFrame) -> Finding:
    """After equally many training sequences scheme 2's perplexity is higher than scheme 1's.

    How far scheme 2's line is above scheme 1's, once both know the tokens' frequencies.
    """
    return comparison(contrast(lines(curves, first=SETTLED + 1), "scheme", 2, 1), ABOVE)


@claim("scheme-3-close", FIGURE, {"fig9": "scheme in (1, 3)"}, (3,), whole=True)
def scheme_3_is_close(curves: pd.DataFrame) -> Finding:
    """Scheme 3 is close to scheme 1 but slightly worse, by less than a tenth.

    How far scheme 3's final perplexity is above scheme 1's, which is that of the same run.
    """
    return comparison(contrast(ends(curves), "scheme", 3, 1), Interval(0, CLOSE.high))


@claim("scheme-4-start", FIGURE, {"fig9": "scheme in (3, 4)"}, (4,))
def scheme_4_starts_like_3(curves: pd.DataFrame) -> Finding:
    """Scheme 4 starts with the performance of scheme 3, for every k1.

    How far the lines of schemes 3 and 4 are apart up to 101 batches.
    """
    return comparison(contrast(lines(curves, last=EARLY), "scheme", 4, 3).abs(), CLOSE)


@claim("scheme-4-unstable", f"{FIGURE}; 6", {"fig9": "scheme in (3, 4)"}, (4,), beyond=LATE)
def scheme_4_turns_unstable(curves: pd.DataFrame) -> Finding:
    """After about 200 batches some configurations of scheme 4 turn unstable, unlike scheme 3's.

    How many cells of schemes 4 and 3 are unstable after 101 batches but not before.
    """
    turned = unstable(curves, first=EARLY + 1) * (1 - unstable(curves, last=EARLY))
    return larger_share(at(turned, "scheme", 4), at(turned, "scheme", 3), "of scheme 3")


@claim("scheme-4-music", FIGURE, {"fig9": MUSIC_AND_FINNISH}, (4,), beyond=LATE)
def scheme_4_is_less_stable_on_music(curves: pd.DataFrame) -> Finding:
    """Scheme 4 is less stable on Music than on Finnish.

    How many of scheme 4's cells are unstable on Music, and on Finnish.
    """
    flags = by_paper_corpus(unstable(curves))
    known = flags if flags.any() else flags.iloc[:0]
    music, finnish = (at(known, "corpus", name) for name in ("music", "finnish"))
    without = "no cell is unstable, neither on Music nor on Finnish"
    return larger_share(music, finnish, "on Finnish", by="k1", without=without)
