"""The values of the cells' columns: their order, and their names in a panel's title or a legend."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.pace import trainings
from charrnn.data.corpora.for_figures import STANDS_FOR, stands_for

VALUES = {
    "scheme": "scheme",
    "architecture": "",
    "training": "",
    "weighting": "",
    "suspect": "",
    "start": "",
    "backbone": "",
    "panel": "",
    "forget_bias": "forget bias",
}
"""What stands before a value of these columns above a panel or in a legend."""
DERIVED = ("architecture", "training", "panel")
"""Columns that `derive` adds."""


def derive(table: pd.DataFrame) -> pd.DataFrame:
    """Cells or curves with further columns that panels and colours can be chosen by.

    They are `architecture`, `training` (the training procedure), and `panel`: the corpus, and if
    the sweep varies it the forget bias.
    """
    panel = table["corpus"].map(lambda corpus: label("corpus", corpus)).astype(object)
    if "forget_bias" in table:
        biases = table["forget_bias"].map(lambda bias: label("forget_bias", bias)).astype(object)
        panel = panel + "; " + biases
    training = trainings(table["scheme"]).str.replace("conditional-", "conditional ")
    return table.assign(architecture=architecture, training=training, panel=panel)


def architecture(cells: pd.DataFrame) -> pd.Series:
    """The names of the cells' architectures, with mathematics between dollars."""
    layers, hidden = cells["num_layers"].astype(str), cells["hidden_size"].astype(str)
    return "$r$ = " + layers + r", $\gamma$ = " + hidden


def in_order(cells: pd.DataFrame, column: str) -> list[object]:
    """The values of a column in an order that does not depend on the sweeps'.

    Numbers and architectures by size, corpora as in the paper, other names as they come.
    """
    if column == "architecture":
        cells = cells.sort_values(["num_layers", "hidden_size"], kind="stable")
        return list(cells[column].unique())
    if column == "training":
        cells = cells.sort_values("scheme", kind="stable", key=lambda schemes: schemes.astype(str))
        return list(cells[column].unique())
    if column == "panel":
        inner = ["forget_bias"] if "forget_bias" in cells else []
        ranks = {value: n for n, value in enumerate(in_order(cells, "corpus"))}
        cells = cells.assign(rank=cells["corpus"].map(ranks)).sort_values(["rank", *inner])
        return list(cells[column].unique())
    places = list(dict.fromkeys(STANDS_FOR.values()))

    def rank(value: object) -> tuple[bool, float]:
        if isinstance(value, int | float | np.number):
            return False, float(value)
        place = stands_for(value)
        return True, places.index(place) if place else len(places)

    return sorted(cells[column].unique(), key=rank)


def label(column: str, value: object) -> str:
    """The name of a value above a panel or in a legend."""
    if column == "corpus":
        place = stands_for(value)
        return str(value) if place in (None, value) else f"{value}, for {str(place).capitalize()}"
    if column == "reading":
        return {"progressive": "read progressively"}.get(str(value), f"read {value}")
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f"{VALUES.get(column, f'{column} =')} {text}".lstrip()
