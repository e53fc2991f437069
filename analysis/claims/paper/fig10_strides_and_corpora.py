"""Section 4.3 on the stride k1 and on the corpora (Figure 10)."""

from __future__ import annotations

import pandas as pd

from analysis.claims.rules.comparison import Comparison
from analysis.claims.rules.finding import Every, Finding, Interval
from analysis.claims.verdict import ALL, Claim
from analysis.curves import (
    CLOSE,
    SETTLED,
    Cells,
    average,
    contrast,
    deviation,
    final,
    of_cells,
    of_places,
    pooled,
    shared,
    spread,
)
from analysis.statistics.units import percent

TEXTS = ("english", "finnish", "linux")
EXTREME_K1 = "k1 == k1.min() or k1 == k1.max()"


def spread_grows(curves: pd.DataFrame) -> Finding:
    """How much wider the lines of different k1 lie apart in each scheme than in the one before."""
    lines = of_cells(curves, average(first=SETTLED + 1))
    # A scheme that lacks a stride would lie closer together for that alone.
    spreads = spread(shared(lines, "scheme"), "k1")
    return Every(
        {
            f"scheme {scheme}": Comparison(
                contrast(spreads, "scheme", scheme, scheme - 1), Interval(low=0), percent
            )
            for scheme in (2, 3, 4)
        }
    )


def k1_matters_less(curves: pd.DataFrame) -> Finding:
    """The standard deviation of final perplexities over schemes above that over k1."""
    ends = shared(of_cells(curves, final), "scheme")
    schemes, strides = (
        pooled(deviation(ends, one), other) for one, other in (("scheme", "k1"), ("k1", "scheme"))
    )
    return Comparison((schemes - strides).dropna(), Interval(low=0), percent)


def small_k1_is_as_good(curves: pd.DataFrame) -> Finding:
    """Final perplexity with the smallest k1 above that with the largest."""
    ends, strides = of_cells(curves, final), curves["k1"]
    return Comparison(
        contrast(ends, "k1", strides.min(), strides.max()), Interval(high=CLOSE), percent
    )


def music_is_hardest(curves: pd.DataFrame) -> Finding:
    """Final perplexity on Music above that on each of the other three."""
    ends = of_places(of_cells(curves, final))
    margins: dict[str, Cells] = {text: contrast(ends, "corpus", "music", text) for text in TEXTS}
    return Every(
        {
            f"than {text.capitalize()}": Comparison(margin, Interval(low=0), percent, by="scheme")
            for text, margin in margins.items()
        }
    )


def texts_are_alike(curves: pd.DataFrame) -> Finding:
    """The range of final perplexities over English, Finnish and Linux."""
    ends = of_places(of_cells(curves, final))
    return Comparison(spread(ends, "corpus"), Interval(high=CLOSE), percent, by="scheme")


CLAIMS = (
    Claim(
        "k1-spread",
        "4.3, Figure 10",
        "The lines of different k1 lie closest in scheme 1, and ever wider apart in 2, 3 and 4.",
        {"fig9": ALL},
        spread_grows,
        (1, 2, 3, 4),
    ),
    Claim(
        "k1-or-scheme",
        "4.3, Figure 10",
        "k1 matters less than the scheme.",
        {"fig9": ALL},
        k1_matters_less,
        (1, 2, 3, 4),
        whole=True,
    ),
    Claim(
        "k1-small",
        "4.3, Figure 10",
        "A small k1, which uses less data, is as good as a large one: not worse by a tenth.",
        {"fig9": EXTREME_K1},
        small_k1_is_as_good,
        (1, 2, 3, 4),
        whole=True,
    ),
    Claim(
        "music-hardest",
        "4.3, Figure 10",
        "Music is harder to model than the three texts, whatever the scheme.",
        {"fig9": ALL},
        music_is_hardest,
        (1, 2, 3, 4),
        whole=True,
    ),
    Claim(
        "texts-alike",
        "4.3, Figure 10",
        "English, Finnish and Linux end at almost the same perplexity: within a tenth.",
        {"fig9": "place in ('english', 'finnish', 'linux')"},
        texts_are_alike,
        (1, 2, 3, 4),
        whole=True,
    ),
)
