"""What the start of an epoch does to scheme 4, whose state is then zero again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.curves import Curve, log_perplexity
from analysis.markdown import markdown_head, markdown_row
from analysis.table_parts import with_interval

ARMS = {
    "none": "scheme 4",
    "no_restart": "the same, carried on into the next epoch",
    "bias_0": "the same with forget bias 0",
}
"""The cells that are compared, by their names in conf/suspect."""
MOMENTS = ("before", "after", "end", "then")
"""The first epoch's last evaluation, the second's first and last one, and the third's first."""


def around_restarts(curve: Curve, reading: str = "progressive") -> pd.Series[float]:
    """Log perplexity of a cell at MOMENTS.

    Args:
        curve: of a cell, with evaluations in three epochs.
        reading: `progressive` or `windowed`.
    """
    epochs = log_perplexity(curve, reading).groupby(curve["epoch"])
    first, last = epochs.first(), epochs.last()
    return pd.Series([last[0], first[1], last[1], first[2]], MOMENTS, dtype=float)


def restarts(curves: pd.DataFrame) -> Iterator[str]:
    """A table: perplexity of every replicate at MOMENTS, and the factors by which it changes.

    Read progressively; the last column is of the windowed reading, over all replicates. Below the
    cells of ARMS, the factors of the first ones over those of each other.

    Args:
        curves: of cells that differ in `suspect` and `seed`.
    """
    around = {arm: _by_replicate(own) for arm, own in curves.groupby("suspect")}
    scheme_4, *others = ARMS
    replicates = [f"replicate {seed}" for seed in around[scheme_4].index]
    changes = ("after / before", "end / before", "windowed: before; end")
    yield from markdown_head("before, after, end; then", *replicates, *changes)
    for arm, name in ARMS.items():
        rows = np.exp(around[arm].to_numpy())
        told = ("{:.1f}, {:.1f}, {:.1f}; {:.1f}".format(*values) for values in rows)
        windowed = np.exp(_by_replicate(curves[curves["suspect"] == arm], "windowed"))
        ranges = (
            f"{own.min():.1f} to {own.max():.1f}" for own in (windowed["before"], windowed["end"])
        )
        yield markdown_row(name, *told, *_factors(around[arm]), "; ".join(ranges))
    for other in others:
        name = f"{ARMS[scheme_4]}, over {ARMS[other]}"
        factors = _factors(around[scheme_4] - around[other])
        yield markdown_row(name, *[""] * len(replicates), *factors, "")


def _by_replicate(curves: pd.DataFrame, reading: str = "progressive") -> pd.DataFrame:
    cells = curves.groupby("seed")
    return pd.DataFrame({seed: around_restarts(curve, reading) for seed, curve in cells}).T


def _factors(own: pd.DataFrame) -> Iterator[str]:
    """Geometric means over replicates, with Student's 95 % interval if there are enough."""
    for moment in ("after", "end"):
        yield with_interval(own[moment] - own["before"], lambda change: f"{np.exp(change):.2f}")
