"""Section 4.3 on time (Table 4). What is compared has been measured in turn, on one machine."""

from __future__ import annotations

import pandas as pd

from analysis.claims.finding import Finding, Interval, Measurement
from analysis.claims.units import factor, share
from analysis.claims.verdict import ALL, Claim

SAVED = "saved in training by scheme 2"
FASTER = 10
"""The lower end of the paper's factor between the samplers."""


def single_loss_is_cheaper(table: pd.DataFrame) -> Finding:
    """The share of a training batch's time that scheme 2 saves, architecture by architecture."""
    return Measurement(_rows(table, SAVED), Interval(low=0), share)


def saving_shrinks(table: pd.DataFrame) -> Finding:
    """What the smallest architecture saves less what the largest does.

    The quartiles are those of the two at their nearest and farthest.
    """
    rows = _rows(table, SAVED)
    if len(rows) < 2:
        return Measurement(rows.iloc[:0], Interval(low=0), share)
    first, last = rows.iloc[0], rows.iloc[-1]
    difference = {
        "part": f"{first['part']} less {last['part']}",
        "median": first["median"] - last["median"],
        "lower": first["lower"] - last["upper"],
        "upper": first["upper"] - last["lower"],
    }
    return Measurement(pd.DataFrame([difference]), Interval(low=0), share)


def progressive_is_faster(table: pd.DataFrame) -> Finding:
    """Time of a token by windowed sampling, in times of one by progressive sampling."""
    return Measurement(_rows(table, "windowed / progressive"), Interval(low=FASTER), factor)


def rolling_leaves_it(table: pd.DataFrame) -> Finding:
    """The same with the rolling sampler, which draws from the distributions of windowed sampling.

    It has all open windows advance together instead of reading each anew.
    """
    return Measurement(_rows(table, "rolling / progressive"), Interval(low=FASTER), factor)


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
        " \N{GREEK SMALL LETTER GAMMA}, 9% with r = 2 and the larger.",
        {"table4": ALL},
        saving_shrinks,
        (2,),
    ),
    Claim(
        "progressive-faster",
        "4.3, Table 4; 6",
        "Progressive sampling is 10 to 20 times as fast as windowed sampling: at least 10 times.",
        {"table4": ALL},
        progressive_is_faster,
        (3, 4),
    ),
    Claim(
        "rolling-sampler",
        "3.6, Table 4",
        "That is windowed sampling's own price: against a rolling sampler, which draws the same, it"
        " is at least 10 times, too.",
        {"table4": ALL},
        rolling_leaves_it,
        (1, 2),
    ),
)
