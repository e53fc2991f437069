"""Section 4.3 on the four schemes and the stride k1 (Figures 9 and 10)."""

from __future__ import annotations

import pandas as pd

from analysis.claims.finding import Comparison, Finding, Interval, Occurrence
from analysis.claims.measures import (
    CLOSE,
    SETTLED,
    at,
    average,
    contrast,
    final,
    lowest,
    of_cells,
    pooled,
    rise,
    smallest_step,
    spread,
    unstable,
)
from analysis.claims.units import percent
from analysis.claims.verdict import ALL, Claim

EARLY = 101
"""The evaluation before the 200 batches after which the paper sees scheme 4 diverge."""


def scheme_1_is_best(curves: pd.DataFrame) -> Finding:
    """The best other scheme's final perplexity above scheme 1's, at the same k1."""
    ends = of_cells(curves, final)
    others = ends[ends.index.get_level_values("scheme") != 1]
    margin = lowest(others, "scheme") - at(ends, "scheme", 1)
    return Comparison(margin.dropna(), Interval(low=0), percent)


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
    """Cells of scheme 4 that are unstable, none of them before 200 batches."""
    return Occurrence(
        unstable(curves), unstable(curves, last=EARLY), otherwise="before 200 batches"
    )


def music_is_less_stable(curves: pd.DataFrame) -> Finding:
    """The largest rise of scheme 4's lines on Music above that on Finnish."""
    rises = of_cells(_by_place(curves), rise())
    return Comparison(
        contrast(rises, "corpus", "music", "finnish"), Interval(low=0), percent, by="k1"
    )


def spread_grows(curves: pd.DataFrame) -> Finding:
    """The smallest step from one scheme to the next of the lines' spread over k1."""
    spreads = spread(of_cells(curves, average(first=SETTLED + 1)), "k1")
    steps = smallest_step(spreads, "scheme")
    return Comparison(steps, Interval(low=0), percent, shown=spreads, shown_by="scheme")


def k1_matters_less(curves: pd.DataFrame) -> Finding:
    """The range of final perplexities over schemes above their range over k1."""
    ends = of_cells(curves, final)
    schemes, strides = pooled(spread(ends, "scheme"), "k1"), pooled(spread(ends, "k1"), "scheme")
    return Comparison((schemes - strides).dropna(), Interval(low=0), percent)


def small_k1_is_as_good(curves: pd.DataFrame) -> Finding:
    """Final perplexity with the smallest k1 above that with the largest."""
    ends, strides = of_cells(curves, final), curves["k1"]
    return Comparison(
        contrast(ends, "k1", strides.min(), strides.max()), Interval(high=CLOSE), percent
    )


def music_is_hardest(curves: pd.DataFrame) -> Finding:
    """Final perplexity on Music above the highest of the other three."""
    ends = of_cells(_by_place(curves), final)
    others = ends.drop("music", level="corpus", errors="ignore")
    margin = at(ends, "corpus", "music") + lowest(-others, "corpus")
    return Comparison(margin.dropna(), Interval(low=0), percent, by="scheme")


def texts_are_alike(curves: pd.DataFrame) -> Finding:
    """The range of final perplexities over English, Finnish and Linux."""
    ends = of_cells(_by_place(curves), final)
    return Comparison(spread(ends, "corpus"), Interval(high=CLOSE), percent, by="scheme")


def _by_place(curves: pd.DataFrame) -> pd.DataFrame:
    """The curves under the names of the paper's corpora."""
    return curves.assign(corpus=curves["place"])


CLAIMS = (
    Claim(
        "scheme-1-best",
        "4.3, Figure 9",
        "Scheme 1 reaches a lower perplexity than the three others.",
        {"fig9": ALL},
        scheme_1_is_best,
        (1,),
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
        "After about 200 batches, and not before, some configurations of scheme 4 turn unstable.",
        {"fig9": "scheme == 4"},
        scheme_4_turns_unstable,
        (4,),
    ),
    Claim(
        "scheme-4-music",
        "4.3, Figure 9",
        "Scheme 4 is less stable on Music than on Finnish.",
        {"fig9": "scheme == 4 and place in ('music', 'finnish')"},
        music_is_less_stable,
        (4,),
    ),
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
    ),
    Claim(
        "k1-small",
        "4.3, Figure 10",
        "A small k1, which uses less data, is as good as a large one: not worse by a tenth.",
        {"fig9": ALL},
        small_k1_is_as_good,
        (1, 2, 3, 4),
    ),
    Claim(
        "music-hardest",
        "4.3, Figure 10",
        "Music is harder to model than the three texts, whatever the scheme.",
        {"fig9": ALL},
        music_is_hardest,
        (1, 2, 3, 4),
    ),
    Claim(
        "texts-alike",
        "4.3, Figure 10",
        "English, Finnish and Linux end at almost the same perplexity: within a tenth.",
        {"fig9": "place in ('english', 'finnish', 'linux')"},
        texts_are_alike,
        (1, 2, 3, 4),
    ),
)
