"""Section 4.3 on the length k2 of training sequences (Figure 11)."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd

from analysis.claims.claim import claim
from analysis.claims.conditions import Conditions
from analysis.claims.finding import Finding, every
from analysis.claims.paper.fig9_schemes import RISES
from analysis.claims.rules import CLOSE, alike, comparison, some
from analysis.curves import Cells, at, contrast, ends
from analysis.instability.definition import UNSTABLE, largest_rises
from analysis.statistics.intervals import Interval
from analysis.statistics.units import deviation
from analysis.statistics.variances import net_variances

SHORT = (20, 40)
"""The lengths at which the paper finds scheme 2 unstable."""
STEADY = Interval(high=math.log(UNSTABLE))
NEAR_350 = Interval(math.log(350 / 2), math.log(350 * 2))
"""Final log perplexities within a factor of two of 350."""
ON_MUSIC = "stands_for == 'music'"
SCHEMES_1_AND_3 = f"{ON_MUSIC} and scheme in (1, 3)"
SCHEME_2 = f"{ON_MUSIC} and scheme == 2"
SCHEME_4 = f"{ON_MUSIC} and scheme == 4"
WHOLE = Conditions(k1=(), k2=(20, 40, 60, 80, 100), corpora=("music",), own=True)
DENSELY = replace(WHOLE, dense=True)
AT_20 = replace(WHOLE, k2=(20,))


@claim("scheme-2-short", "4.3, Figure 11b", {"fig11": SCHEME_2}, (2,), DENSELY)
def short_sequences_are_unstable(curves: pd.DataFrame) -> Finding:
    """On Music scheme 2 is unstable with sequences of 20 and 40 tokens, and stable with more.

    The largest rise of perplexity above its lowest so far with k2 = 20, with 40, and with more.
    """
    rises = largest_rises(curves).clip(lower=0)
    longer = rises[rises.index.get_level_values("k2") > max(SHORT)]
    each = {f"k2={k2}": comparison(at(rises, "k2", k2), RISES) for k2 in SHORT}
    return every(each | {"longer": comparison(longer, STEADY)})


@claim("scheme-2-unconverged", "4.3, Figure 11b", {"fig11": ON_MUSIC}, (2,), WHOLE)
def scheme_2_has_not_converged(curves: pd.DataFrame) -> Finding:
    """On Music scheme 2 with sequences of 60 tokens or more ends unconverged.

    How far its final perplexity is above scheme 1's at the same k2, which should be a tenth.
    """
    long = curves[curves["k2"] >= 60]
    return comparison(contrast(ends(long), "scheme", 2, 1), Interval(low=CLOSE), by="k2")


@claim("same-optimum", "4.3, Figure 11a, c", {"fig11": SCHEMES_1_AND_3}, (1, 3), WHOLE)
def lengths_end_alike(curves: pd.DataFrame) -> Finding:
    """On Music schemes 1 and 3 reach the same perplexity with every k2, within a tenth.

    How far the final perplexities of each two k2 are apart, averaged over k1.
    """
    final = _over_k1(ends(curves))
    schemes = sorted(final.index.unique("scheme"))
    return every({f"scheme {s}": alike(at(final, "scheme", s), "k2") for s in schemes})


@claim("most-robust-to-k2", "4.3, Figure 11", {"fig11": ON_MUSIC}, (1, 2, 3, 4), WHOLE)
def scheme_1_is_most_robust(curves: pd.DataFrame) -> Finding:
    """On Music scheme 1 is the most robust against changes of k2.

    The variance of final perplexities over k2 in each other scheme less that in scheme 1.
    """
    spreads = net_variances(_over_k1(ends(curves)), "k2")
    more = {n: contrast(spreads, "scheme", n, 1) for n in (2, 3, 4)}
    return every({f"scheme {n}": comparison(own, unit=deviation) for n, own in more.items()})


@claim("scheme-3-short", "4.3, Figure 11c", {"fig11": f"{ON_MUSIC} and scheme == 3"}, (3,), WHOLE)
def k1_matters_most_at_short_lengths(curves: pd.DataFrame) -> Finding:
    """On Music scheme 3's lines of different k1 lie farthest apart with the smallest k2.

    The variance of final perplexities over k1 with the smallest k2 less that with the largest.
    """
    final = ends(curves).rename("end").reset_index()
    # k1 is a third, two thirds or all of k2: as a share it is the same setting at every k2.
    final["k1"] = (3 * final["k1"] / final["k2"]).round().astype(int)
    names = [name for name in final if name != "end"]
    spreads = net_variances(final.set_index(names)["end"], "k1")
    shortest, longest = curves["k2"].min(), curves["k2"].max()
    return comparison(contrast(spreads, "k2", shortest, longest), unit=deviation)


@claim("scheme-4-k2", "4.3, Figure 11d", {"fig11": SCHEME_4}, (4,), DENSELY)
def most_are_unstable(curves: pd.DataFrame) -> Finding:
    """On Music almost all configurations of scheme 4 are unstable, for every k2.

    The largest rise of perplexity above its lowest so far, in the median over k1: one that diverged
    would outweigh several stable ones in a mean.
    """
    return comparison(_over_k1(largest_rises(curves), "median"), RISES, by="k2")


@claim("scheme-4-small-k1", "4.3, Figure 11d", {"fig11": f"{SCHEME_4} and k2 == 20"}, (4,), AT_20)
def small_k1_helps(curves: pd.DataFrame) -> Finding:
    """On Music, with k2 = 20, a smaller k1 helps scheme 4.

    How far the final perplexity with the largest k1 is above that with the smallest.
    """
    return comparison(contrast(ends(curves), "k1", curves["k1"].max(), curves["k1"].min()))


@claim("scheme-4-350", "4.3, Figure 11d", {"fig11": f"{SCHEME_4} and k2 == 20"}, (4,), AT_20)
def some_end_near_350(curves: pd.DataFrame) -> Finding:
    """With k2 = 20 some configurations of scheme 4 end at a perplexity near 350.

    How many cells end within a factor of two of 350.
    """
    return some(ends(curves).map(NEAR_350.__contains__).astype(float), by="k1")


def _over_k1(values: Cells, how: str = "mean") -> Cells:
    return values.groupby(level=[name for name in values.index.names if name != "k1"]).agg(how)
