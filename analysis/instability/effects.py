"""All comparisons of the two sweeps as one table: forget biases, carrying, and switches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from analysis.instability.paired import difference, mcnemar, pair

AUTHORS_BIAS = 5.0
"""The forget bias of the authors' code, at which the switches are tried."""
BASELINE = "none"
"""The cells without a switch."""
CARRIED, RESET = 4, 3
"""The scheme that carries the state, and the one that trains alike but resets it."""
MEASURES = {"gap": "reading gap", "rise": "largest rise", "end": "log perplexity at the end"}
"""What is compared, all of it logarithms; see analysis.instability.summary.summarise."""
PLACE = ("corpus", "scale", "num_layers", "hidden_size", "k2", "num_batches", "settings")
"""What all cells of a comparison have in common; k1 and the seed differ from pair to pair."""


def effects(carry: pd.DataFrame, suspects: pd.DataFrame) -> pd.DataFrame:
    """Every comparison that has a pair of cells, all its pairs counted, in each place.

    No cell is chosen for being unstable: an extreme cell is less extreme under any other setting,
    by chance alone.

    Args:
        carry: cells that compare forget biases, see analysis.instability.summary.tables.
        suspects: cells that try switches.

    Returns:
        A row per comparison and measure: the columns of PLACE; ``change`` (`bias`, `carrying` or
        `switch`), ``one``, ``other`` and ``within`` (the scheme, or the forget bias); ``measure``;
        ``mean``, ``low``, ``high``, ``pairs``, ``replicates``, ``seeds``, ``k1``, ``answer``, see
        analysis.instability.paired; the interval is NaN with too few replicates. ``only_one``,
        ``only_other`` and ``chance`` count the unstable cells.
    """
    rows = []
    for told, pairs in _comparisons(carry, suspects):
        margin = max(pairs["threshold_one"].max(), pairs["threshold_other"].max())
        shares, p = mcnemar(pairs, "unstable")
        told |= {"only_one": shares.first, "only_other": shares.second, "chance": p}
        for measure in MEASURES:
            if measure == "gap" and told["change"] == "bias" and told["within"] == 1:
                continue  # scheme 3 has the same weights
            if (found := difference(pairs, measure)) is not None:
                known = found.interval
                interval = {"low": known and known.low, "high": known and known.high}
                told |= {"measure": measure, "mean": found.mean, **interval}
                told |= {"pairs": found.pairs, "replicates": found.seeds}
                rows.append(told | {"answer": found.answer(margin).value, "margin": margin})
    return pd.DataFrame(rows, dtype=object)


def places(cells: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    """The cells by what they have in common, in their order."""
    if len(cells):
        names = [name for name in PLACE if name in cells]
        for values, group in cells.groupby(names, sort=False):
            yield dict(zip(names, values, strict=True)), group


def _comparisons(
    carry: pd.DataFrame, suspects: pd.DataFrame
) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    for place, cells in places(carry):
        biases = sorted(set(cells["forget_bias"]) - {AUTHORS_BIAS})
        for scheme, own in cells.groupby("scheme"):
            for bias in biases:
                told = {"change": "bias", "one": AUTHORS_BIAS, "other": bias, "within": scheme}
                yield from _paired(place | told, own, "forget_bias")
        for bias, own in cells.groupby("forget_bias", sort=False):
            told = {"change": "carrying", "one": CARRIED, "other": RESET, "within": bias}
            yield from _paired(place | told, own, "scheme")
    for place, cells in places(suspects):
        for scheme, own in cells.groupby("scheme", sort=False):
            for name in own["suspect"].drop_duplicates():
                told = {"change": "switch", "one": name, "other": BASELINE, "within": scheme}
                if name != BASELINE:
                    yield from _paired(place | told, own, "suspect")


def _paired(
    told: dict[str, Any], cells: pd.DataFrame, column: str
) -> Iterator[tuple[dict[str, Any], pd.DataFrame]]:
    pairs = pair(cells, column, told["one"], told["other"])
    if len(pairs):
        yield told | {"seeds": _values(pairs, "seed"), "k1": _values(pairs, "k1")}, pairs


def _values(table: pd.DataFrame, column: str) -> str:
    return ", ".join(map(str, sorted(table[column].unique())))
