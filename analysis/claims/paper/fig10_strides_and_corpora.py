"""Section 4.3 on the stride k1 and on the corpora (Figure 10)."""

from __future__ import annotations

import pandas as pd

from analysis.claims.claim import ALL, claim
from analysis.claims.rules import ABOVE, CLOSE, Finding, comparison, every
from analysis.curves import (
    by_paper_corpus,
    contrast,
    deviation,
    ends,
    lines,
    pooled,
    shared,
    spread,
)
from analysis.instability.definition import SETTLED

FIGURE = "4.3, Figure 10"
SCHEMES = (1, 2, 3, 4)
EXTREME_K1 = "k1 == k1.min() or k1 == k1.max()"
TEXTS = ("english", "finnish", "linux")


@claim("k1-spread", FIGURE, {"fig9": ALL}, SCHEMES)
def spread_grows(curves: pd.DataFrame) -> Finding:
    """The lines of different k1 are closest in scheme 1, and ever farther apart in 2, 3 and 4.

    How much farther apart the lines of different k1 are in a scheme than in the one before.
    """
    # A scheme that lacks a stride would have a smaller range for that reason alone.
    spreads = spread(shared(lines(curves, first=SETTLED + 1), "scheme"), "k1")
    wider = {n: contrast(spreads, "scheme", n, n - 1) for n in SCHEMES[1:]}
    return every({f"scheme {n}": comparison(values, ABOVE) for n, values in wider.items()})


@claim("k1-or-scheme", FIGURE, {"fig9": ALL}, SCHEMES, whole=True)
def k1_matters_less(curves: pd.DataFrame) -> Finding:
    """k1 matters less than the scheme.

    How far the standard deviation of final perplexities over schemes is above that over k1.
    """
    known = shared(ends(curves), "scheme")
    schemes = pooled(deviation(known, "scheme"), "k1")
    strides = pooled(deviation(known, "k1"), "scheme")
    return comparison((schemes - strides).dropna(), ABOVE)


@claim("k1-small", FIGURE, {"fig9": EXTREME_K1}, SCHEMES, whole=True)
def small_k1_is_as_good(curves: pd.DataFrame) -> Finding:
    """A small k1, which uses less data, is as good as a large one: worse by less than a tenth.

    How far the final perplexity with the smallest k1 is above that with the largest.
    """
    smallest, largest = curves["k1"].min(), curves["k1"].max()
    return comparison(contrast(ends(curves), "k1", smallest, largest), CLOSE)


@claim("music-hardest", FIGURE, {"fig9": ALL}, SCHEMES, whole=True)
def music_is_hardest(curves: pd.DataFrame) -> Finding:
    """Music is harder to model than the three texts, in every scheme.

    How far the final perplexity on Music is above that on each of the three texts.
    """
    known = by_paper_corpus(ends(curves))
    above = {
        f"than {text.capitalize()}": contrast(known, "corpus", "music", text) for text in TEXTS
    }
    return every({name: comparison(own, ABOVE, by="scheme") for name, own in above.items()})


@claim("texts-alike", FIGURE, {"fig9": f"stands_for in {TEXTS}"}, SCHEMES, whole=True)
def texts_are_alike(curves: pd.DataFrame) -> Finding:
    """English, Finnish and Linux end at almost the same perplexity: within a tenth.

    The range of final perplexities over English, Finnish and Linux.
    """
    return comparison(spread(by_paper_corpus(ends(curves)), "corpus"), CLOSE, by="scheme")
