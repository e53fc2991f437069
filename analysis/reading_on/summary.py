"""What reading on costs: the perplexity far beyond k2 over that at k2, of the same weights."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from analysis.drawing.names import derive, in_order
from analysis.markdown import markdown_head, markdown_row
from analysis.reading_on.figure import kinds
from analysis.reading_on.measure import MIDDLES, by_bin
from analysis.results import Results
from analysis.statistics.intervals import students_interval

AT_K2 = int(np.argmin(np.abs(np.log(MIDDLES) + np.log(10) / 12)))
"""The last bin up to k2."""
FAR = [n for n, at in enumerate(MIDDLES) if at > 10]
"""The bins from 10 k2 to 100 k2."""


class Factor(NamedTuple):
    """A ratio: its geometric mean over replicates, and its 95 % interval, NaN for fewer than three.

    Written as `x 1.10 (0.95 to 1.27)`.
    """

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        interval = f" ({self.low:.2f} to {self.high:.2f})" if self.low == self.low else ""
        return f"x {self.mean:.2f}{interval}"


def factor(logs: pd.Series, seeds: pd.Series) -> Factor:
    """The mean ratio over replicates.

    Args:
        logs: the logarithm of each run's ratio.
        seeds: the replicate of each run; the runs of one are averaged first.
    """
    replicates = logs.groupby(seeds).mean().to_numpy()
    known = students_interval(replicates)
    ends = (known.low, known.high) if known else (np.nan, np.nan)
    return Factor(*(float(np.exp(one)) for one in (replicates.mean(), *ends)))


def near_and_far(results: Results, measure: str = "perplexity") -> pd.DataFrame:
    """A row per run with the cell's columns, `near` and `far`.

    They are the logarithms of what was measured in the last bin up to k2, and from 10 k2 to 100 k2.
    """
    table = derive(by_bin(results))
    with np.errstate(divide="ignore"):
        logs = np.log(table.set_index(["run", "bin"])[measure].unstack())  # noqa: PD010
    ends = pd.DataFrame({"near": logs[AT_K2], "far": logs[FAR].mean(axis=1)})
    return table.drop_duplicates("run").join(ends, on="run").reset_index(drop=True)


def costs(results: Results) -> pd.DataFrame:
    """A row per corpus and kind of model.

    Columns: corpus, the kind's, `runs`, `perplexity` (in the last bin up to k2), `cost`: the
    perplexity of the last decade, 10 k2 to 100 k2, over that, a geometric mean over runs; `low`
    and `high`, its 95 % interval over replicates, NaN for fewer than three.
    """
    table = near_and_far(results)
    columns = kinds(table)
    rows = []
    for corpus in in_order(table, "corpus"):
        for key, own in table[table["corpus"] == corpus].groupby(columns, sort=False):
            cost = factor(own["far"] - own["near"], own["seed"])
            row = {"corpus": corpus, **dict(zip(columns, key, strict=True)), "runs": len(own)}
            row |= {"perplexity": np.exp(own["near"].mean()), "cost": cost.mean}
            rows.append(row | {"low": cost.low, "high": cost.high})
    return pd.DataFrame(rows)


def in_words(table: pd.DataFrame) -> Iterator[str]:
    """The rows of `costs`, as lines of a Markdown table."""
    columns = [
        str(name) for name in table if name not in ("runs", "perplexity", "cost", "low", "high")
    ]
    yield from markdown_head(
        *(name.replace("_", " ") for name in columns), "perplexity at k2", "far beyond it"
    )
    for row in table.to_dict("records"):
        values = [f"{row[name]:g}" if name == "forget_bias" else str(row[name]) for name in columns]
        cost = f"{Factor(row['cost'], row['low'], row['high'])}, {row['runs']} runs"
        yield markdown_row(*values, f"{row['perplexity']:.2f}", cost)
