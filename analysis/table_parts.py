"""What the tables of analysis.numbers have in common."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import pandas as pd

from analysis.curves import Cells, at, ends, of_cells
from analysis.reference.table import reference_results
from analysis.statistics.intervals import students_interval
from analysis.statistics.units import Unit, percent
from charrnn.data.corpora.for_figures import STANDS_FOR
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES

TRAININGS = {1: "multi-loss", 2: "single-loss", 4: "conditional"}
"""The training procedures, by a scheme that has each."""
BIASES = (5.0, 0.0)
"""The forget bias of the authors' code, and none."""


def curves_of(sweep: str, scale: str = "laptop") -> pd.DataFrame:
    """The curves of a sweep of the reference results."""
    return reference_results()[sweep, scale].curves.assign(sweep=sweep)


def ends_by_reading(curves: pd.DataFrame) -> list[Cells]:
    """Log perplexities at the end of training, read windowed and read progressively."""
    return [ends(curves.assign(perplexity=curves[one])) for one in SAMPLING_PROCEDURES]


def corpora_of(known: Collection[object]) -> list[str]:
    """The known corpora in the order in which tables show them."""
    return [corpus for corpus in STANDS_FOR if corpus in known]


def extent(curves: pd.DataFrame) -> str:
    """How long the cells were trained, with which k1 and how many replicates."""
    batches = of_cells(curves, lambda curve: curve["batches"].max()).astype(int)
    strides = ", ".join(map(str, sorted(curves["k1"].unique())))
    alike = [name for name in batches.index.names if name != "seed"]
    seeds = batches.groupby(level=alike).size()
    return (
        f"{_range(batches)} batches, k1 = {strides},"
        f" {_range(seeds)} replicate{'s' * int(seeds.max() > 1)}"
    )


def _range(values: pd.Series) -> str:
    """From the lowest to the highest, or the one value."""
    return " to ".join(f"{one:,}" for one in dict.fromkeys((values.min(), values.max())))


def with_interval(replicates: pd.Series, unit: Unit) -> str:
    """The mean over replicates, and Student's 95 % interval if there are enough of them."""
    if replicates.empty:
        return "not trained"
    interval = students_interval(replicates.to_numpy())
    around = f" ({unit(interval.low)} to {unit(interval.high)})" if interval else ""
    return unit(replicates.mean()) + around


def by_corpus(differences: Cells, corpora: Iterable[str]) -> Iterator[str]:
    """Mean differences of logarithms, with intervals over replicates: by corpus, and over all.

    Args:
        differences: of cells, of which those of one corpus and replicate are averaged.
        corpora: the ones that have a column.
    """
    means = differences.groupby(["corpus", "seed"]).mean()
    for corpus in corpora:
        yield with_interval(at(means, "corpus", corpus), percent)
    yield with_interval(means.groupby("seed").mean(), percent)


def where(values: pd.Series, place: Iterable[tuple[str, object]]) -> pd.Series:
    """The values of cells in a place: columns, and a value in each."""
    for column, value in place:
        values = at(values, column, value)
    return values
