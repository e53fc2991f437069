"""Section 4.3 on the four schemes (Figure 9)."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from analysis.claims.claim import ALL, claim
from analysis.claims.conditions import Conditions
from analysis.claims.finding import Finding, any_of, every
from analysis.claims.rules import ALIKE, CLOSE, comparison
from analysis.curves import (
    at,
    by_paper_corpus,
    contrast,
    delays,
    ends,
    gains_from_far_past,
    gaps,
    lines,
    roughness,
    shared,
)
from analysis.instability.definition import SETTLED, UNSTABLE, largest_rises
from analysis.statistics.intervals import Interval
from analysis.statistics.units import factor_of, percent

FIGURE = "4.3, Figure 9"
EARLY = 101
"""The evaluation before the 200 batches after which the paper sees scheme 4 diverge."""
LATE = 801
"""Three log-spaced evaluations later; runs that end sooner are too short to tell."""
RISES = Interval(low=math.log(UNSTABLE))
"""Rises by which something is unstable."""
WHOLE = Conditions()
DIVERGES = replace(WHOLE, batches=LATE, dense=True)
ON_MUSIC = replace(DIVERGES, corpora=("finnish", "music"), own=True)
SCHEMES = (1, 2, 3, 4)


@claim("scheme-1-best", FIGURE, {"fig9": ALL}, (1,), WHOLE)
def scheme_1_is_best(curves: pd.DataFrame) -> Finding:
    """Scheme 1 reaches a lower perplexity than the three other schemes.

    How far each other scheme's final perplexity is above scheme 1's, at the same k1.
    """
    final = ends(curves)
    above = {n: contrast(final, "scheme", n, 1) for n in (2, 3, 4)}
    return every({f"scheme {n}": comparison(values) for n, values in above.items()})


@claim("scheme-2-slower", "4.3, Figures 8 and 9", {"fig9": "scheme in (1, 2)"}, (2,), WHOLE)
def scheme_2_is_slower(curves: pd.DataFrame) -> Finding:
    """Scheme 2 takes more training sequences than scheme 1 to reach the same perplexity.

    How many times as many batches: until the higher of the two final perplexities is reached.
    """
    return comparison(delays(curves, 2, 1), unit=factor_of)


@claim("scheme-2-smoother", "4.3, Figure 8", {"fig9": "scheme in (1, 2)"}, (2,), WHOLE)
def scheme_2_is_smoother(curves: pd.DataFrame) -> Finding:
    """The curves of scheme 2 are smoother than those of scheme 1.

    How much more scheme 1's perplexity rises on average between two evaluations.
    """
    rough = roughness(curves, first=SETTLED + 1)
    return comparison(contrast(rough, "scheme", 1, 2))


@claim("single-loss-far", "3.5, 6", {"readings": "forget_bias == 5.0"}, (2,), WHOLE)
def single_loss_reaches_far(curves: pd.DataFrame) -> Finding:
    """Single-loss training makes the network use more of the far past than multi-loss training.

    What the tokens before the last 20 of k2 are good for: how much the windowed perplexity rises
    when they are replaced by those of another place, after single-loss less multi-loss training.
    """
    return comparison(contrast(gains_from_far_past(curves), "scheme", 2, 1))


@claim("scheme-3-close", FIGURE, {"fig9": "scheme in (1, 3)"}, (3,), WHOLE)
def scheme_3_is_close(curves: pd.DataFrame) -> Finding:
    """Scheme 3 is close to scheme 1 but slightly worse, by less than a tenth.

    How far scheme 3's final perplexity is above scheme 1's, which is that of the same run.
    """
    return comparison(contrast(ends(curves), "scheme", 3, 1), Interval(0, CLOSE))


@claim("scheme-3-beyond-k2", "3.6, 4.3", {"fig9": "scheme == 3"}, (3,), WHOLE)
def scheme_3_loses_beyond_k2(curves: pd.DataFrame) -> Finding:
    """Scheme 3 loses by reading on: it has not learned to predict after more than k2 tokens.

    The reading gap at the end: the progressive perplexity above the windowed one, same weights.
    """
    return comparison(gaps(curves))


@claim("scheme-4-start", FIGURE, {"fig9": "scheme in (3, 4)"}, (4,), replace(WHOLE, batches=EARLY))
def scheme_4_starts_like_3(curves: pd.DataFrame) -> Finding:
    """Scheme 4 starts with the performance of scheme 3, within a tenth.

    How far the line of scheme 4 is above that of scheme 3 up to 101 batches.
    """
    return comparison(contrast(lines(curves, last=EARLY), "scheme", 4, 3), ALIKE)


@claim("scheme-4-repairs", FIGURE, {"fig9": "scheme in (3, 4)"}, (3, 4), WHOLE)
def scheme_4_repairs_3(curves: pd.DataFrame) -> Finding:
    """Carrying the state repairs scheme 3 for some k1: scheme 4 ends lower there.

    How far scheme 3's final perplexity is above scheme 4's, for each k1.
    """
    values = contrast(ends(curves), "scheme", 3, 4)
    strides = sorted(values.index.unique("k1"))
    return any_of({f"k1={k1}": comparison(at(values, "k1", k1)) for k1 in strides})


@claim("scheme-4-unstable", f"{FIGURE}; 6", {"fig9": "scheme in (3, 4)"}, (4,), DIVERGES)
def scheme_4_turns_unstable(curves: pd.DataFrame) -> Finding:
    """After about 200 batches scheme 4 turns unstable, more than scheme 3.

    How far scheme 4's perplexity rises above its lowest so far, after 101 batches, and how much
    farther than scheme 3's; one that only falls rises by nothing.
    """
    rises = largest_rises(curves, first=EARLY + 1).clip(lower=0)
    carried = rises[rises.index.get_level_values("scheme") == 4]
    return every(
        {
            "rise": comparison(carried, RISES, by="scheme"),
            "beside scheme 3": comparison(contrast(rises, "scheme", 4, 3)),
        }
    )


@claim("scheme-4-music", FIGURE, {"fig9": "scheme == 4"}, (4,), ON_MUSIC)
def scheme_4_is_less_stable_on_music(curves: pd.DataFrame) -> Finding:
    """Scheme 4 is less stable on Music than on Finnish.

    How much farther its perplexity rises above its lowest so far on Music, at the same k1; one that
    only falls rises by nothing.
    """
    known = by_paper_corpus(largest_rises(curves).clip(lower=0))
    return comparison(contrast(known, "corpus", "music", "finnish"), by="k1")


@claim("data-independent", "4.3, recommendations; 1", {"fig9": ALL}, SCHEMES, WHOLE)
def schemes_rank_alike(curves: pd.DataFrame) -> Finding:
    """The behaviour of the schemes is nearly independent of the data: within a tenth.

    How far a scheme's final perplexity, relative to scheme 1's, is on each corpus from its mean
    over the corpora.
    """
    final, found = ends(curves), {}
    for scheme in SCHEMES[1:]:
        values = shared(contrast(final, "scheme", scheme, 1), "corpus")
        corpora = values.index.unique("corpus")
        if len(corpora) < 2:  # one corpus alone is its own mean
            found[f"scheme {scheme}"] = Finding(doubt="it takes two corpora with the same cells")
            continue
        means = values.groupby(level=[n for n in values.index.names if n != "corpus"]).mean()
        for corpus in corpora:
            apart = (at(values, "corpus", corpus) - means).dropna()
            found[f"scheme {scheme}, {corpus}"] = comparison(apart, ALIKE, percent, by="k1")
    return every(found)
