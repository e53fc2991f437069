"""Section 4.3 on time (Table 4). What is compared has been measured in turn, on one machine."""

from __future__ import annotations

import pandas as pd

from analysis.claims.rules.finding import Every, Finding, Interval
from analysis.claims.rules.measurement import Measurement
from analysis.claims.verdict import ALL, Claim
from analysis.statistics.units import factor, share

SAVED = "saved in training by scheme 2"
SMALLEST, LARGEST = 0.25, 0.09
"""What the paper's smallest and largest architecture save."""
FASTER = (10, 20)
"""The paper's factor between the samplers."""
SAME = 2
"""Factor within which a number counts as the paper's: machine, library and sizes are others."""


def single_loss_is_cheaper(table: pd.DataFrame) -> Finding:
    """The share of a training batch's time that scheme 2 saves, architecture by architecture."""
    return Measurement(_rows(table, SAVED), Interval(low=0), share)


def saving_shrinks(table: pd.DataFrame) -> Finding:
    """What the smallest and the largest architecture save, and the difference.

    Its quartiles are those of the two at their nearest and farthest.
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
    return Every(
        {
            "smallest": _like(smallest, SMALLEST),
            "largest": _like(largest, LARGEST),
            "difference": Measurement(pd.DataFrame(differences), Interval(low=0), share),
        }
    )


def progressive_is_faster(table: pd.DataFrame) -> Finding:
    """Time of a token by windowed sampling, in times of one by progressive sampling."""
    low, high = FASTER
    claimed, paper = Interval(low / SAME, SAME * high), f"{low} to {high} times"
    return Measurement(_rows(table, "windowed / progressive"), claimed, factor, paper)


def rolling_leaves_it(table: pd.DataFrame) -> Finding:
    """The same with the rolling sampler, which draws from the distributions of windowed sampling.

    It has all open windows advance together instead of reading each anew.
    """
    return Measurement(_rows(table, "rolling / progressive"), Interval(low=FASTER[0]), factor)


def _like(rows: pd.DataFrame, paper: float) -> Measurement:
    """Whether a share is the paper's."""
    return Measurement(rows, Interval(paper / SAME, SAME * paper), share, share(paper))


def _rows(table: pd.DataFrame, what: str) -> pd.DataFrame:
    """The rows of one ratio; the smallest architecture first, the largest last."""
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
        single_loss_is_cheaper,
        (2,),
    ),
    Claim(
        "saving-shrinks",
        "4.3, Table 4",
        "It saves the less the larger the network is: 25% with r = 1 and the smaller"
        " \N{GREEK SMALL LETTER GAMMA}, 9% with r = 2 and the larger; within a factor of two.",
        {"table4": ALL},
        saving_shrinks,
        (2,),
        whole=True,
    ),
    Claim(
        "progressive-faster",
        "4.3, Table 4; 6",
        "Progressive sampling is 10 to 20 times as fast as windowed sampling, within a factor of"
        " two.",
        {"table4": ALL},
        progressive_is_faster,
        (3, 4),
        whole=True,
    ),
    Claim(
        "rolling-sampler",
        "3.6, Table 4",
        "Progressive sampling is at least 10 times as fast as a rolling sampler, too, which draws"
        " the same as windowed sampling at less cost.",
        {"table4": ALL},
        rolling_leaves_it,
        (1, 2),
        ours=True,
    ),
)
