"""What reading on costs: the perplexity far beyond k2 over that at k2, of the same weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.drawing.names import derive, in_order
from analysis.markdown import markdown_row
from analysis.reading_on.figure import colour_column
from analysis.reading_on.measure import MIDDLES, by_bin
from analysis.results import Results
from analysis.statistics.intervals import students_interval

AT_K2 = int(np.argmin(np.abs(np.log(MIDDLES) + np.log(10) / 12)))
"""The last bin up to k2."""
FAR = [n for n, at in enumerate(MIDDLES) if at > 10]
"""The bins from 10 k2 to 100 k2."""


def costs(results: Results) -> pd.DataFrame:
    """A row per corpus and kind of model.

    Columns: corpus, the kind's, `runs`, `perplexity` (in the last bin up to k2), `cost`: the
    perplexity of the last decade, 10 k2 to 100 k2, over that, a geometric mean over runs; `low`
    and `high`, its 95 % interval over replicates, NaN for fewer than three.
    """
    table = derive(by_bin(results))
    kinds = [colour_column(table), *(["forget_bias"] if "forget_bias" in table else [])]
    rows = []
    for corpus in in_order(table, "corpus"):
        for key, own in table[table["corpus"] == corpus].groupby(kinds, sort=False):
            logs = np.log(own.set_index(["run", "bin"])["perplexity"].unstack())  # noqa: PD010
            near, far = logs[AT_K2], logs[FAR].mean(axis=1)
            seeds = own.drop_duplicates("run").set_index("run")["seed"]
            replicates = (far - near).groupby(seeds).mean().to_numpy()
            known = students_interval(replicates)
            ends = (known.low, known.high) if known else (np.nan, np.nan)
            row = {"corpus": corpus, **dict(zip(kinds, key, strict=True)), "runs": len(logs)}
            row |= {"perplexity": np.exp(near.mean()), "cost": np.exp(replicates.mean())}
            rows.append(row | {"low": np.exp(ends[0]), "high": np.exp(ends[1])})
    return pd.DataFrame(rows)


def in_words(table: pd.DataFrame) -> Iterator[str]:
    """The rows of `costs`, as lines of a Markdown table."""
    kinds = [
        str(name) for name in table if name not in ("runs", "perplexity", "cost", "low", "high")
    ]
    yield markdown_row(
        *(name.replace("_", " ") for name in kinds), "perplexity at k2", "far beyond it"
    )
    yield markdown_row(*["---"] * (len(kinds) + 2))
    for row in table.to_dict("records"):
        interval = f" ({row['low']:.2f} to {row['high']:.2f})" if row["low"] == row["low"] else ""
        values = [f"{row[kind]:g}" if kind == "forget_bias" else str(row[kind]) for kind in kinds]
        cost = f"x {row['cost']:.2f}{interval}, {row['runs']} runs"
        yield markdown_row(*values, f"{row['perplexity']:.2f}", cost)
