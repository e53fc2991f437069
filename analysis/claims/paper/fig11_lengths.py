"""Section 4.3 on the length k2 of training sequences (Figure 11)."""

from __future__ import annotations

import math

import pandas as pd

from analysis.claims.paper.fig9_schemes import LATE
from analysis.claims.rules.finding import Every, Finding, Interval
from analysis.claims.rules.share import Share
from analysis.claims.verdict import Claim
from analysis.curves import at, final, of_cells, unstable

SHORT = (20, 40)
"""The sequences with which the paper finds scheme 2 unstable."""
FEW = 0.1
"""Share of cells up to which they are called stable: a single spike among many is chance."""
HIGH = Interval(math.log(350 / 2), math.log(350 * 2))
"""Final log perplexities near 350: within a factor of two."""


def short_sequences_are_unstable(curves: pd.DataFrame) -> Finding:
    """The share of cells that are unstable with k2 = 20 and with 40, and with all longer ones."""
    flags = unstable(curves)
    longer = flags[flags.index.get_level_values("k2") > max(SHORT)]
    each = {f"k2={k2}": Share(at(flags, "k2", k2), Interval(low=0)) for k2 in SHORT}
    return Every(each | {"longer": Share(longer, Interval(high=FEW))})


def most_are_unstable(curves: pd.DataFrame) -> Finding:
    """The share of cells that are unstable."""
    return Share(unstable(curves), Interval(low=0.5))


def ends_near_350(curves: pd.DataFrame) -> Finding:
    """The share of cells whose final perplexity is within a factor of two of 350."""
    near = of_cells(curves, lambda curve: float(final(curve) in HIGH))
    return Share(near, Interval(low=0), by="k1")


CLAIMS = (
    Claim(
        "scheme-2-short",
        "4.3, Figure 11b",
        "On Music scheme 2 is unstable with sequences of 20 and 40 tokens, and stable with longer"
        " ones.",
        {"fig11": "place == 'music' and scheme == 2"},
        short_sequences_are_unstable,
        (2,),
        whole=True,
    ),
    Claim(
        "scheme-4-k2",
        "4.3, Figure 11d",
        "On Music most configurations of scheme 4 are unstable, whatever k2.",
        {"fig11": "place == 'music' and scheme == 4"},
        most_are_unstable,
        (4,),
        whole=True,
        beyond=LATE,
    ),
    Claim(
        "scheme-4-350",
        "4.3, Figure 11d",
        "With k2 = 20 some configurations of scheme 4 end at a perplexity near 350.",
        {"fig11": "place == 'music' and scheme == 4 and k2 == 20"},
        ends_near_350,
        (4,),
        whole=True,
    ),
)
