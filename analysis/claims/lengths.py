"""Section 4.3 on the length k2 of training sequences (Figure 11)."""

from __future__ import annotations

import math

import pandas as pd

from analysis.claims.finding import Comparison, Finding, Interval, Occurrence
from analysis.claims.measures import final, of_cells, pooled, smallest_step, unstable
from analysis.claims.units import percent
from analysis.claims.verdict import ALL, Claim

SHORT = 40
"""The longest of the sequences with which the paper finds scheme 2 unstable."""
HIGH = (350 / 2, 350 * 2)
"""Final perplexities near 350: within a factor of two."""


def small_k2_is_faster(curves: pd.DataFrame) -> Finding:
    """The smallest step of training time from one k2 to the next."""
    seconds = pooled(
        of_cells(curves, lambda curve: math.log(curve["train_seconds"].iloc[-1])), "k1"
    )
    steps = smallest_step(seconds, "k2")
    return Comparison(steps, Interval(low=0), percent, by="scheme")


def short_sequences_are_unstable(curves: pd.DataFrame) -> Finding:
    """Cells with k2 up to 40 that are unstable, and those with a larger one."""
    flags = unstable(curves)
    short = flags.index.get_level_values("k2") <= SHORT
    return Occurrence(flags[short], flags[~short], otherwise="with longer ones", by="k2")


def most_are_unstable(curves: pd.DataFrame) -> Finding:
    """The share of cells that are unstable."""
    flags = unstable(curves).astype(float)
    return Comparison(flags, Interval(low=0.5), lambda part: f"{part:.0%} of cells")


def ends_near_350(curves: pd.DataFrame) -> Finding:
    """Cells whose final perplexity is within a factor of two of 350."""
    low, high = map(math.log, HIGH)
    return Occurrence(of_cells(curves, final).between(low, high), by="k1")


CLAIMS = (
    Claim(
        "k2-time",
        "4.3, Figure 11",
        "The smaller k2, the sooner all batches are trained, in every scheme.",
        {"fig11": ALL},
        small_k2_is_faster,
        (1, 2, 3, 4),
    ),
    Claim(
        "scheme-2-short",
        "4.3, Figure 11b",
        "On Music scheme 2 is unstable with sequences of 20 and 40 tokens, and stable with longer"
        " ones.",
        {"fig11": "place == 'music' and scheme == 2"},
        short_sequences_are_unstable,
        (2,),
    ),
    Claim(
        "scheme-4-k2",
        "4.3, Figure 11d",
        "On Music most configurations of scheme 4 are unstable, whatever k2.",
        {"fig11": "place == 'music' and scheme == 4"},
        most_are_unstable,
        (4,),
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
