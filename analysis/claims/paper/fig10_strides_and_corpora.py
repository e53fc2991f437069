"""Section 4.3 on the stride k1 and on the corpora (Figure 10)."""

from __future__ import annotations

import pandas as pd

from analysis.claims.claim import ALL, Claim
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

SCHEMES = (1, 2, 3, 4)


def spread_grows(curves: pd.DataFrame) -> Finding:
    """How much farther apart the lines of all k1 are in each scheme than in the one before."""
    # A scheme that lacks a stride would have a smaller range for that reason alone.
    spreads = spread(shared(lines(curves, first=SETTLED + 1), "scheme"), "k1")
    steps = {n: contrast(spreads, "scheme", n, n - 1) for n in SCHEMES[1:]}
    return every({f"scheme {n}": comparison(wider, ABOVE) for n, wider in steps.items()})


def k1_matters_less(curves: pd.DataFrame) -> Finding:
    """The deviation of final perplexities over schemes, minus that over k1."""
    known = shared(ends(curves), "scheme")
    schemes = pooled(deviation(known, "scheme"), "k1")
    strides = pooled(deviation(known, "k1"), "scheme")
    return comparison((schemes - strides).dropna(), ABOVE)


def music_is_hardest(curves: pd.DataFrame) -> Finding:
    """Final perplexity on Music, compared with each text."""
    known = by_paper_corpus(ends(curves))
    return every(
        {
            f"than {text.capitalize()}": comparison(
                contrast(known, "corpus", "music", text), ABOVE, by="scheme"
            )
            for text in ("english", "finnish", "linux")
        }
    )


CLAIMS = (
    Claim(
        "k1-spread",
        "4.3, Figure 10",
        "The lines of different k1 are closest in scheme 1, and ever farther apart in 2, 3 and 4.",
        {"fig9": ALL},
        SCHEMES,
        "How much farther apart the lines of different k1 are in a scheme than in the one before.",
        spread_grows,
    ),
    Claim(
        "k1-or-scheme",
        "4.3, Figure 10",
        "k1 matters less than the scheme.",
        {"fig9": ALL},
        SCHEMES,
        "How far the standard deviation of final perplexities over schemes is above that over k1.",
        k1_matters_less,
        whole=True,
    ),
    Claim(
        "k1-small",
        "4.3, Figure 10",
        "A small k1, which uses less data, is as good as a large one: worse by less than a tenth.",
        {"fig9": "k1 == k1.min() or k1 == k1.max()"},
        SCHEMES,
        "How far the final perplexity with the smallest k1 is above that with the largest.",
        lambda curves: comparison(
            contrast(ends(curves), "k1", curves["k1"].min(), curves["k1"].max()), CLOSE
        ),
        whole=True,
    ),
    Claim(
        "music-hardest",
        "4.3, Figure 10",
        "Music is harder to model than the three texts, in every scheme.",
        {"fig9": ALL},
        SCHEMES,
        "How far the final perplexity on Music is above that on each of the three texts.",
        music_is_hardest,
        whole=True,
    ),
    Claim(
        "texts-alike",
        "4.3, Figure 10",
        "English, Finnish and Linux end at almost the same perplexity: within a tenth.",
        {"fig9": "stands_for in ('english', 'finnish', 'linux')"},
        SCHEMES,
        "The range of final perplexities over English, Finnish and Linux.",
        lambda curves: comparison(
            spread(by_paper_corpus(ends(curves)), "corpus"), CLOSE, by="scheme"
        ),
        whole=True,
    ),
)
