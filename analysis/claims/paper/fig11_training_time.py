"""Section 4.3 on training time (Figure 11, and the first recommendation), by the runs' own clocks.

A clock also measures whatever else the machine did. The time per batch is therefore the median over
the intervals between evaluations, and the lowest among runs that cost the same; if these runs
differ by much, nothing is decided.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pandas as pd

from analysis.claims.claim import ALL, claim
from analysis.claims.rules import ABOVE, Finding, comparison, every, timed
from analysis.curves import KEY, Cells, Curve, contrast, log_perplexity, of_cells, spread

COST = ["scheme", "num_layers", "hidden_size", "k2"]
"""Columns that the time per batch depends on; schemes 1 and 3 are the same runs."""


@claim("single-loss-time", "4.3, recommendations", {"fig9": "scheme in (1, 2)"}, (1, 2))
def scheme_2_does_not_catch_up(curves: pd.DataFrame) -> Finding:
    """Scheme 2's cheaper batches do not make up for slower learning: in equal time scheme 1 wins.

    How far scheme 2's perplexity is above scheme 1's when the first of the two has ended.
    """
    clocks = of_cells(curves, log_seconds_per_batch)
    paces = clocks.groupby(level=COST).min()
    pace = paces.reindex(pd.MultiIndex.from_frame(curves[COST])).map(math.exp).to_numpy()
    watched = curves.assign(seconds=curves["batches"] * pace)
    watched["until"] = watched.groupby(KEY)["seconds"].transform("max")
    pairs = [name for name in KEY if name != "scheme"]
    watched["until"] = watched.groupby(pairs)["until"].transform("min")
    values = contrast(of_cells(watched, _at_the_end), "scheme", 2, 1)
    return timed(comparison(values, ABOVE), _unevenness(clocks))


@claim("k2-time", "4.3, Figure 11", {"fig11": ALL}, (1, 2, 3, 4))
def small_k2_is_faster(curves: pd.DataFrame) -> Finding:
    """The smaller k2, the sooner all batches are trained, in every scheme.

    How much more time a batch takes with each k2 than with the next smaller one.
    """
    clocks = of_cells(curves, log_seconds_per_batch)
    paces = clocks.groupby(level=[*COST, "seed"]).min()
    steps = {
        f"k2={longer} above {shorter}": comparison(
            contrast(paces, "k2", longer, shorter), ABOVE, by="scheme"
        )
        for shorter, longer in pairwise(sorted(paces.index.unique("k2")))
    }
    return timed(every(steps), _unevenness(clocks))


def log_seconds_per_batch(curve: Curve) -> float:
    """Logarithm of the seconds per batch: the median over the intervals between evaluations."""
    seconds, batches = (np.diff(curve[n], prepend=0) for n in ("train_seconds", "batches"))
    return math.log(np.median(seconds / batches))


def _at_the_end(curve: Curve) -> float:
    """Log perplexity after `until` seconds, interpolated over log time between evaluations."""
    until, seconds = (np.log(curve[name].to_numpy(float)) for name in ("until", "seconds"))
    return float(np.interp(until[0], seconds, log_perplexity(curve)))


def _unevenness(clocks: Cells) -> float:
    """The largest log ratio of the times per batch of runs that cost the same."""
    return float(spread(clocks, "corpus", "k1", "seed").max())
