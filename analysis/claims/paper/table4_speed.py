"""Section 4.3 on time (Table 4). What is compared was measured in turn, on one machine.

Which of two is faster can be judged on any machine. By how much cannot: the paper's numbers are a
K40c's, so they stand beside ours and decide nothing. Of the savings its text gives (25 % and 9 %)
and those that its table gives (23 % and 8 %) we quote the table's.
"""

from __future__ import annotations

import pandas as pd

from analysis.claims.claim import ALL, claim
from analysis.claims.conditions import Conditions
from analysis.claims.finding import Finding
from analysis.claims.rules import ABOVE, measurement
from analysis.statistics.intervals import Interval
from analysis.statistics.units import factor, share

TABLE = "4.3, Table 4"
SAVED = "saved in training by scheme 2"
FASTER = Interval(low=1)
SIZES = Conditions(batches=0, hidden_size=(128, 512), k1=(), k2=(), corpora=())


@claim("single-loss-cheaper", TABLE, {"table4": ALL}, (2,), SIZES)
def single_loss_is_cheaper(table: pd.DataFrame) -> Finding:
    """A training batch of scheme 2 is cheaper than one of scheme 1, in every architecture.

    The share of a training batch's time that scheme 2 saves, for each architecture.
    """
    return measurement(_rows(table, SAVED), ABOVE, share, "23 % to 8 %")


@claim("saving-shrinks", TABLE, {"table4": ALL}, (2,), SIZES)
def saving_shrinks(table: pd.DataFrame) -> Finding:
    """The share that scheme 2 saves is smaller in the largest network than in the smallest.

    What the smallest architecture saves less what the largest saves.
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
    return measurement(pd.DataFrame(differences), ABOVE, share, "23 % less 8 %")


@claim("progressive-faster", f"{TABLE}; 6", {"table4": ALL}, (3, 4), SIZES)
def progressive_is_faster(table: pd.DataFrame) -> Finding:
    """Progressive sampling is faster than windowed sampling, in every architecture.

    The time per token of windowed sampling, relative to progressive sampling.
    """
    paper = "10 to 20 times; elsewhere k2 = 100 times, and orders of magnitude"
    return measurement(_rows(table, "windowed / progressive"), FASTER, factor, paper)


@claim("rolling-sampler", "3.6, Table 4", {"table4": ALL}, (1, 2), SIZES, ours=True)
def progressive_is_faster_than_rolling(table: pd.DataFrame) -> Finding:
    """Progressive sampling is also faster than rolling sampling.

    The time per token of rolling sampling, which draws from the same distributions as windowed
    sampling but advances all open windows together, relative to progressive sampling.
    """
    return measurement(_rows(table, "rolling / progressive"), FASTER, factor)


def _rows(table: pd.DataFrame, what: str) -> pd.DataFrame:
    """The rows of one ratio, from the smallest architecture to the largest."""
    rows = table[table["what"] == what].sort_values(["num_layers", "hidden_size"])
    names = [
        f"r={layers}, \N{GREEK SMALL LETTER GAMMA}={size}"
        for layers, size in zip(rows["num_layers"], rows["hidden_size"], strict=True)
    ]
    return rows[["median", "lower", "upper"]].assign(part=names)
