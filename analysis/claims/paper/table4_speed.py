"""Section 4.3 on time (Table 4). What is compared was measured in turn, on one machine."""

from __future__ import annotations

import pandas as pd

from analysis.claims.claim import ALL, Claim
from analysis.claims.rules import ABOVE, Finding, every, measurement
from analysis.statistics.intervals import Interval
from analysis.statistics.units import factor, share

SAVED = "saved in training by scheme 2"
SMALLEST, LARGEST = 0.25, 0.09
"""The share that the paper's smallest and largest architecture save."""
FASTER = (10, 20)
"""The factors by which the paper's progressive sampling is faster."""
SAME = 2
"""Within this factor a number counts as the paper's: machine, library and sizes differ."""


def saving_shrinks(table: pd.DataFrame) -> Finding:
    """What the smallest and the largest architecture save, and the difference.

    The difference has for quartiles its values where the quartiles of the two are nearest and
    farthest apart.
    """
    rows = _rows(table, SAVED)
    smallest, largest = rows.iloc[:1], rows.iloc[1:].iloc[-1:]
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


def progressive_is_faster(table: pd.DataFrame) -> Finding:
    """The time per token of windowed sampling, relative to progressive sampling."""
    low, high = FASTER
    claimed, paper = Interval(low / SAME, SAME * high), f"{low} to {high} times"
    return measurement(_rows(table, "windowed / progressive"), claimed, factor, paper)


def _rows(table: pd.DataFrame, what: str) -> pd.DataFrame:
    """The rows of one ratio, from the smallest architecture to the largest."""
    rows = table[table["what"] == what].sort_values(["num_layers", "hidden_size"])
    names = [
        f"r={layers}, \N{GREEK SMALL LETTER GAMMA}={size}"
        for layers, size in zip(rows["num_layers"], rows["hidden_size"], strict=True)
    ]
    return rows[["median", "lower", "upper"]].assign(part=names)


CLAIMS = (
    Claim(
        "single-loss-cheaper",
        "4.3, Table 4",
        "A training batch of scheme 2 is cheaper than one of scheme 1, in every architecture.",
        {"table4": ALL},
        (2,),
        "The share of a training batch's time that scheme 2 saves, for each architecture.",
        lambda table: measurement(_rows(table, SAVED), ABOVE, share),
    ),
    Claim(
        "saving-shrinks",
        "4.3, Table 4",
        "The larger the network, the less scheme 2 saves: 25% with r = 1 and the smaller"
        " \N{GREEK SMALL LETTER GAMMA}, 9% with r = 2 and the larger; within a factor of two.",
        {"table4": ALL},
        (2,),
        "What the smallest and the largest architecture save, and the difference.",
        saving_shrinks,
        whole=True,
    ),
    Claim(
        "progressive-faster",
        "4.3, Table 4; 6",
        "Progressive sampling is 10 to 20 times as fast as windowed sampling, within a factor of"
        " two.",
        {"table4": ALL},
        (3, 4),
        "The time per token of windowed sampling, relative to progressive sampling.",
        progressive_is_faster,
        whole=True,
    ),
    Claim(
        "rolling-sampler",
        "3.6, Table 4",
        "Progressive sampling is also at least 10 times as fast as rolling sampling, which draws"
        " from the same distributions as windowed sampling at less cost.",
        {"table4": ALL},
        (1, 2),
        "The time per token of rolling sampling, which advances all open windows together instead"
        " of reading each again, relative to progressive sampling.",
        lambda table: measurement(
            _rows(table, "rolling / progressive"), Interval(low=FASTER[0]), factor
        ),
        ours=True,
    ),
)
