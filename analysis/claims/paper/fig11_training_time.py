"""Section 4.3 on training time (Figure 11, and the first recommendation), by the runs' own clocks.

A clock also measures what else the machine did meanwhile. So the time of a batch is the median over
the intervals between evaluations, the lowest of all runs that cost the same; where these differ by
much nothing is decided.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd

from analysis.claims.rules.comparison import Comparison
from analysis.claims.rules.finding import Every, Finding, Interval
from analysis.claims.rules.measurement import Timed
from analysis.claims.verdict import ALL, Claim
from analysis.curves import CELL, Cells, Curve, contrast, log_perplexity, of_cells, spread
from analysis.statistics.units import percent

COST = ["scheme", "num_layers", "hidden_size", "k2"]
"""What the time of a batch depends on; schemes 1 and 3 are the same runs."""


def small_k2_is_faster(curves: pd.DataFrame) -> Finding:
    """How much more time a batch takes with each k2 than with the next smaller one."""
    clocks = of_cells(curves, log_pace)
    paces = clocks.groupby(level=[*COST, "seed"]).min()
    steps = {
        f"k2={longer} above {shorter}": Comparison(
            contrast(paces, "k2", longer, shorter), Interval(low=0), percent, by="scheme"
        )
        for shorter, longer in pairwise(sorted(paces.index.unique("k2")))
    }
    return Timed(Every(steps), _unevenness(clocks))


def scheme_2_does_not_catch_up(curves: pd.DataFrame) -> Finding:
    """Scheme 2's perplexity above scheme 1's after the training time of the one that ends first."""
    clocks = of_cells(curves, log_pace)
    paces = clocks.groupby(level=COST).min()
    pace = paces.reindex(pd.MultiIndex.from_frame(curves[COST])).map(math.exp).to_numpy()
    timed = curves.assign(seconds=curves["batches"] * pace)
    timed["until"] = timed.groupby(CELL)["seconds"].transform("max")
    pairs = [name for name in CELL if name != "scheme"]
    timed["until"] = timed.groupby(pairs)["until"].transform("min")
    values = contrast(of_cells(timed, _at_the_end), "scheme", 2, 1)
    return Timed(Comparison(values, Interval(low=0), percent), _unevenness(clocks))


def log_pace(curve: Curve) -> float:
    """Logarithm of the seconds that a batch takes: the median over the intervals of evaluation."""
    seconds, batches = (np.diff(curve[n], prepend=0) for n in ("train_seconds", "batches"))
    return math.log(np.median(seconds / batches))


def _at_the_end(curve: Curve) -> float:
    """Log perplexity after `until` seconds, between evaluations on a line over log time."""
    until, seconds = (np.log(curve[name].to_numpy(float)) for name in ("until", "seconds"))
    return float(np.interp(until[0], seconds, log_perplexity(curve)))


def _unevenness(clocks: Cells) -> float:
    """The largest log ratio of times of a batch in runs that cost the same."""
    return float(spread(clocks, "corpus", "k1", "seed").max())


CLAIMS = (
    Claim(
        "single-loss-time",
        "4.3, recommendations",
        "The cheaper batches of scheme 2 do not make up for its slower learning: after as much"
        " training time its perplexity is higher than scheme 1's.",
        {"fig9": "scheme in (1, 2)"},
        scheme_2_does_not_catch_up,
        (1, 2),
    ),
    Claim(
        "k2-time",
        "4.3, Figure 11",
        "The smaller k2, the sooner all batches are trained, in every scheme.",
        {"fig11": ALL},
        small_k2_is_faster,
        (1, 2, 3, 4),
    ),
)
