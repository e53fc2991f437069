"""Section 4.3 on the stride k1 and on the corpora (Figure 10)."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from analysis.claims.claim import ALL, claim
from analysis.claims.conditions import Conditions
from analysis.claims.finding import Finding, every
from analysis.claims.rules import ALIKE, alike, comparison
from analysis.curves import by_paper_corpus, contrast, delays, ends, lines, shared
from analysis.instability.definition import SETTLED
from analysis.statistics.intervals import Interval
from analysis.statistics.units import deviation, factor_of
from analysis.statistics.variances import net_variances

FIGURE = "4.3, Figure 10"
SCHEMES = (1, 2, 3, 4)
EXTREME_K1 = "k1 == k1.min() or k1 == k1.max()"
TEXTS = ("english", "finnish", "linux")
WHOLE = Conditions()
THESE = replace(WHOLE, own=True)


@claim("k1-spread", FIGURE, {"fig9": ALL}, SCHEMES, WHOLE)
def spread_grows(curves: pd.DataFrame) -> Finding:
    """The lines of different k1 are closest in scheme 1, and ever farther apart in 2, 3 and 4.

    The variance of the lines over k1, net of that over replicates, less that of the scheme before.
    """
    # A scheme that lacks a stride would have a smaller variance for that reason alone.
    spreads = net_variances(shared(lines(curves, first=SETTLED + 1), "scheme"), "k1")
    wider = {n: contrast(spreads, "scheme", n, n - 1) for n in SCHEMES[1:]}
    return every({f"scheme {n}": comparison(own, unit=deviation) for n, own in wider.items()})


@claim("k1-or-scheme", FIGURE, {"fig9": ALL}, SCHEMES, WHOLE)
def k1_matters_less(curves: pd.DataFrame) -> Finding:
    """k1 matters less than the scheme, also among the schemes that have converged (not scheme 2).

    The variance of final perplexities over schemes less that over k1, net of replicates' variance.
    """
    known = shared(ends(curves), "scheme")
    others = known[known.index.get_level_values("scheme") != 2]
    found = {}
    for name, values in (("all schemes", known), ("without scheme 2", others)):
        schemes, strides = (
            net_variances(values, column)
            .groupby(level=["sweep", "corpus", "num_layers", "hidden_size", "k2", "seed"])
            .mean()
            for column in ("scheme", "k1")
        )
        found[name] = comparison((schemes - strides).dropna(), unit=deviation)
    return every(found)


@claim("k1-small", FIGURE, {"fig9": EXTREME_K1}, SCHEMES, replace(WHOLE, k1=(20, 100)))
def small_k1_is_as_good(curves: pd.DataFrame) -> Finding:
    """A small k1, which uses less data, is as good as a large one: worse by less than a tenth.

    How far the final perplexity with the smallest k1 is above that with the largest.
    """
    smallest, largest = curves["k1"].min(), curves["k1"].max()
    values = contrast(ends(curves), "k1", smallest, largest)
    return comparison(values, Interval(high=ALIKE.high))


@claim("music-hardest", FIGURE, {"fig9": ALL}, SCHEMES, THESE)
def music_is_hardest(curves: pd.DataFrame) -> Finding:
    """Music is harder to model than the three texts, in every scheme.

    How far the final perplexity on Music is above that on each of the three texts.
    """
    known = by_paper_corpus(ends(curves))
    above = {
        f"than {text.capitalize()}": contrast(known, "corpus", "music", text) for text in TEXTS
    }
    return every({name: comparison(own, by="scheme") for name, own in above.items()})


@claim(
    "texts-alike",
    FIGURE,
    {"fig9": f"stands_for in {TEXTS}"},
    SCHEMES,
    replace(THESE, corpora=TEXTS),
)
def texts_are_alike(curves: pd.DataFrame) -> Finding:
    """English, Finnish and Linux end at almost the same perplexity: within a tenth.

    How far the final perplexities on each two of them are apart.
    """
    return alike(by_paper_corpus(ends(curves)), "corpus", by="scheme")


@claim("scheme-2-music", "4.3, Figures 7d and 8d", {"fig9": "scheme in (1, 2)"}, (2,), THESE)
def scheme_2_is_slowest_on_music(curves: pd.DataFrame) -> Finding:
    """Scheme 2's slowness is worst on Music.

    How many times longer scheme 2 takes to scheme 1's perplexity on Music than on each text.
    """
    late = by_paper_corpus(delays(curves, 2, 1))
    longer = {text.capitalize(): contrast(late, "corpus", "music", text) for text in TEXTS}
    return every(
        {
            f"than on {name}": comparison(own, unit=factor_of, by="k1")
            for name, own in longer.items()
        }
    )
