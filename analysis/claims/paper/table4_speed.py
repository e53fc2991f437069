"""Section 4.3 on time (Table 4). What is compared was measured in turn, on one machine."""

from __future__ import annotations

import pandas as pd

from analysis.claims.claim import ALL, claim
from analysis.claims.rules import ABOVE, Finding, every, measurement
from analysis.statistics.intervals import Interval
from analysis.statistics.units import factor, share

TABLE = "4.3, Table 4"
SAVED = "saved in training by scheme 2"
SMALLEST, LARGEST = 0.25, 0.09
"""The share that the paper's smallest and largest architecture save."""
FASTER = (10, 20)
"""The factors by which the paper's progressive sampling is faster."""
SAME = 2
"""Within this factor a number counts as the paper's: machine, library and sizes differ."""


@claim("single-loss-cheaper", TABLE, {"table4": ALL}, (2,))
def single_loss_is_cheaper(table: pd.DataFrame) -> Finding:
    """A training batch of scheme 2 is cheaper than one of scheme 1, in every architecture.

    The share of a training batch's time that scheme 2 saves, for each architecture.
    """
    return measurement(_rows(table, SAVED), ABOVE, share)


@claim("saving-shrinks", TABLE, {"table4": ALL}, (2,), whole=True)
def saving_shrinks(table: pd.DataFrame) -> Finding:
    """Scheme 2 saves 25% in the smallest network and only 9% in the largest, within a factor of 2.

    What the smallest and the largest architecture save, and the difference.
    """
    rows = _rows(table, SAVED)
    smallest, largest = rows.iloc[:1], rows.iloc[1:].iloc[-1:]
    # Its quartiles: where those of the two are nearest, and where they are farthest apart.
    differences = [
        {
            "part": f"{one['part']} less {other['part']}",
            "median": one["median"] - other["median"],
            "lower": one["lower"] - other["upper"],
            "upper": one["upper"] - other["lower"],
        }
        for one in smallest.to_dict("records")
        for other in largest.to_dict("records")
    ]
    findings = {
        name: measurement(row, Interval(paper / SAME, SAME * paper), share, share(paper))
        for name, row, paper in (("smallest", smallest, SMALLEST), ("largest", largest, LARGEST))
    }
    difference = measurement(pd.DataFrame(differences), ABOVE, share)
    return every(findings | {"difference": difference})


@claim("progressive-faster", f"{TABLE}; 6", {"table4": ALL}, (3, 4), whole=True)
def progressive_is_faster(table: pd.DataFrame) -> Finding:
    """Progressive sampling is 10 to 20 times as fast as windowed, within a factor of two.

    The time per token of windowed sampling, relative to progressive sampling.
    """
    low, high = FASTER
    claimed, paper = Interval(low / SAME, SAME * high), f"{low} to {high} times"
    return measurement(_rows(table, "windowed / progressive"), claimed, factor, paper)


@claim("rolling-sampler", "3.6, Table 4", {"table4": ALL}, (1, 2), ours=True)
def progressive_is_faster_than_rolling(table: pd.DataFrame) -> Finding:
    """Progressive sampling is also at least 10 times as fast as rolling sampling.

    The time per token of rolling sampling, which draws from the same distributions as windowed
    sampling but advances all open windows together, relative to progressive sampling.
    """
    return measurement(_rows(table, "rolling / progressive"), Interval(low=FASTER[0]), factor)


def _rows(table: pd.DataFrame, what: str) -> pd.DataFrame:
    """The rows of one ratio, from the smallest architecture to the largest."""
    rows = table[table["what"] == what].sort_values(["num_layers", "hidden_size"])
    names = [
        f"r={layers}, \N{GREEK SMALL LETTER GAMMA}={size}"
        for layers, size in zip(rows["num_layers"], rows["hidden_size"], strict=True)
    ]
    return rows[["median", "lower", "upper"]].assign(part=names)
