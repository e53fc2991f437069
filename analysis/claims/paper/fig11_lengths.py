"""Section 4.3 on the length k2 of training sequences (Figure 11)."""

from __future__ import annotations

import math

import pandas as pd

from analysis.claims.claim import claim
from analysis.claims.paper.fig9_schemes import LATE
from analysis.claims.rules import Finding, every, share
from analysis.curves import at, ends
from analysis.instability.definition import unstable
from analysis.statistics.intervals import Interval

SHORT = (20, 40)
"""The lengths at which the paper finds scheme 2 unstable."""
FEW = 0.1
"""Up to this share of unstable cells they are called stable: one spike among many is chance."""
NEAR_350 = Interval(math.log(350 / 2), math.log(350 * 2))
"""Final log perplexities within a factor of two of 350."""
SCHEME_2 = "stands_for == 'music' and scheme == 2"
SCHEME_4 = "stands_for == 'music' and scheme == 4"


@claim("scheme-2-short", "4.3, Figure 11b", {"fig11": SCHEME_2}, (2,), whole=True)
def short_sequences_are_unstable(curves: pd.DataFrame) -> Finding:
    """On Music scheme 2 is unstable with sequences of 20 and 40 tokens, and stable with more.

    The share of unstable cells with k2 = 20, with k2 = 40, and with all larger k2.
    """
    flags = unstable(curves)
    longer = flags[flags.index.get_level_values("k2") > max(SHORT)]
    each = {f"k2={k2}": share(at(flags, "k2", k2), Interval(low=0)) for k2 in SHORT}
    return every(each | {"longer": share(longer, Interval(high=FEW))})


@claim("scheme-4-k2", "4.3, Figure 11d", {"fig11": SCHEME_4}, (4,), whole=True, beyond=LATE)
def most_are_unstable(curves: pd.DataFrame) -> Finding:
    """On Music most configurations of scheme 4 are unstable, for every k2.

    The share of unstable cells.
    """
    return share(unstable(curves), Interval(low=0.5))


@claim("scheme-4-350", "4.3, Figure 11d", {"fig11": f"{SCHEME_4} and k2 == 20"}, (4,), whole=True)
def some_end_near_350(curves: pd.DataFrame) -> Finding:
    """With k2 = 20 some configurations of scheme 4 end at a perplexity near 350.

    The share of cells whose final perplexity is within a factor of two of 350.
    """
    return share(ends(curves).map(NEAR_350.__contains__), Interval(low=0), by="k1")
