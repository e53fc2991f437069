"""Questions beside the paper: training and reading apart, and the forget bias (Section 3.7)."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from analysis.claims.claim import ALL, claim
from analysis.claims.conditions import Conditions
from analysis.claims.finding import Finding, every
from analysis.claims.rules import comparison
from analysis.curves import at, contrast, ends, gaps
from analysis.instability.definition import largest_rises

SECTION = "2.2, 4.3"
WHOLE = Conditions(corpora=("english", "finnish", "linux", "music"))
DENSELY = replace(WHOLE, dense=True)
AUTHORS_BIAS, NO_BIAS = 5.0, 0.0
"""The forget bias of the authors' code, and none."""
NAMES = {1: "multi-loss", 2: "single-loss", 4: "conditional"}
"""The training procedures, by the scheme whose runs have both readings."""


@claim("gap-by-bias", SECTION, {"readings": ALL}, (1, 3), WHOLE, ours=True)
def bias_opens_the_gap(curves: pd.DataFrame) -> Finding:
    """The forget bias of 5 opens the gap between the readings of multi-loss training.

    The size of log(progressive / windowed) at the end with forget bias 5 less that with bias 0, in
    scheme 1's runs, which are scheme 3's.
    """
    values = at(gaps(curves).abs(), "scheme", 1)
    return comparison(contrast(values, "forget_bias", AUTHORS_BIAS, NO_BIAS))


@claim("bias-costs", SECTION, {"readings": ALL}, (1, 2, 4), WHOLE, ours=True)
def bias_costs_perplexity(curves: pd.DataFrame) -> Finding:
    """Every training ends at a higher perplexity with a forget bias of 5 than with 0.

    How far the final perplexity with forget bias 5 is above that with bias 0, as the scheme reads.
    """
    values = contrast(ends(curves), "forget_bias", AUTHORS_BIAS, NO_BIAS)
    known = [scheme for scheme in NAMES if scheme in values.index.unique("scheme")]
    return every({NAMES[s]: comparison(at(values, "scheme", s)) for s in known})


@claim("carrying-closes", SECTION, {"readings": "forget_bias == 5.0"}, (3, 4), WHOLE, ours=True)
def carrying_closes_the_gap(curves: pd.DataFrame) -> Finding:
    """At forget bias 5, training that carries the state has the smaller gap between the readings.

    The size of log(progressive / windowed) at the end, whichever reading is better, of multi-loss
    training less that of conditional training.
    """
    return comparison(contrast(gaps(curves).abs(), "scheme", 1, 4))


@claim("rise-by-bias", SECTION, {"readings": "scheme == 4"}, (4,), DENSELY, ours=True)
def bias_makes_carrying_rise(curves: pd.DataFrame) -> Finding:
    """With a forget bias of 5 the perplexity of scheme 4 rises farther than with 0.

    The largest rise of perplexity above its lowest so far, with bias 5 less that with bias 0; one
    that only falls rises by nothing.
    """
    rises = largest_rises(curves).clip(lower=0)
    return comparison(contrast(rises, "forget_bias", AUTHORS_BIAS, NO_BIAS))
