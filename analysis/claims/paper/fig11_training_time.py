"""Section 4.3 on training time (Figure 11, and the recommendations), by the pace of batches.

The pace of a configuration is measured apart from what else the machine did, see analysis.pace, so
that a busy hour decides nothing.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd

from analysis.claims.claim import ALL, claim
from analysis.claims.conditions import Conditions
from analysis.claims.finding import Finding, every
from analysis.claims.rules import ALIKE, comparison
from analysis.curves import KEY, Cells, Curve, contrast, log_perplexity, of_cells
from analysis.pace import log_paces, seconds_per_batch

WHOLE = Conditions()
ANY_LENGTH = replace(WHOLE, batches=0)
LENGTHS = Conditions(batches=0, k1=(), k2=(20, 40, 60, 80, 100), corpora=())


@claim("single-loss-time", "4.3, recommendations", {"fig9": "scheme in (1, 2)"}, (1, 2), WHOLE)
def scheme_2_does_not_catch_up(curves: pd.DataFrame) -> Finding:
    """Scheme 2's cheaper batches do not make up for slower learning: in equal time scheme 1 wins.

    How far scheme 2's perplexity is above scheme 1's when the first of the two has ended.
    """
    watched = curves.assign(seconds=curves["batches"] * seconds_per_batch(curves))
    watched["until"] = watched.groupby(KEY)["seconds"].transform("max")
    pairs = [name for name in KEY if name != "scheme"]
    watched["until"] = watched.groupby(pairs)["until"].transform("min")
    return comparison(contrast(of_cells(watched, _at_that_time), "scheme", 2, 1))


@claim("k2-time", "4.3, Figure 11", {"fig11": ALL}, (1, 2, 3, 4), LENGTHS)
def small_k2_is_faster(curves: pd.DataFrame) -> Finding:
    """The smaller k2, the sooner all batches are trained, in every scheme.

    How much more time a batch takes with each k2 than with the next smaller one.
    """
    paces = _over_k1(log_paces(curves))
    steps = {
        f"k2={longer} above {shorter}": comparison(
            contrast(paces, "k2", longer, shorter), by="scheme"
        )
        for shorter, longer in pairwise(sorted(paces.index.unique("k2")))
    }
    return every(steps)


@claim("same-cost", "4.3, Table 4", {"fig9": "scheme in (1, 4)"}, (1, 3, 4), ANY_LENGTH)
def schemes_cost_the_same(curves: pd.DataFrame) -> Finding:
    """Schemes 1, 3 and 4 take the same time for a batch, and k1 does not change it: within a tenth.

    How much more time scheme 4 takes than scheme 1, and any k1 than the smallest.
    """
    paces = log_paces(curves)
    found = {"scheme 4 beside 1": comparison(contrast(paces, "scheme", 4, 1), ALIKE)}
    first, *others = sorted(paces.index.unique("k1"))
    for k1 in others:
        values = contrast(paces, "k1", k1, first)
        found[f"k1={k1} beside {first}"] = comparison(values, ALIKE, by="scheme")
    return every(found)


@claim("no-learned-start", "3.7", {"fig9": "scheme in (1, 4)"}, (4,), ANY_LENGTH)
def no_learned_start_is_faster(curves: pd.DataFrame) -> Finding:
    """Scheme 4, which learns no initial state, trains a batch slightly faster than scheme 1.

    How much more time a batch of scheme 1 takes.
    """
    return comparison(contrast(log_paces(curves), "scheme", 1, 4))


def _at_that_time(curve: Curve) -> float:
    """Log perplexity after `until` seconds, interpolated over log time between evaluations."""
    until, seconds = (np.log(curve[name].to_numpy(float)) for name in ("until", "seconds"))
    if not math.isfinite(until[0]):
        return math.nan
    return float(np.interp(until[0], seconds, log_perplexity(curve)))


def _over_k1(values: Cells) -> Cells:
    return values.groupby(level=[name for name in values.index.names if name != "k1"]).mean()
