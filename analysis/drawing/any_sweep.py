"""The figure of a sweep that has none in the catalogue: panels and colours from what it varies."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from analysis.drawing import colours
from analysis.drawing.catalogue import Figure
from analysis.results import Results
from charrnn.sweeps.grids import value_of
from charrnn.sweeps.names import UNNAMED

COLUMNS = ("scheme", "k1", "k2", "num_layers", "hidden_size")
"""Columns that every sweep has, in the order in which colours take the first that varies."""
NOT_COMPARED = {
    *("corpus", "seed", "procedure", "stands_for", "scale", "num_batches", "run", "state"),
    *("settings", "source", *COLUMNS),
}
"""Other columns that are no comparison of the sweep's own."""
SETTING = re.compile(r"[+~]*([\w.@/]+)=(.*?)(?= [+~]*[\w.@/]+=|$)")
"""A field and its value in the column `settings`."""
UNSET = "default"
MOST_DASHES = len(colours.STROKES)


def with_settings(results: Results) -> Results:
    """The results, with a column for every field of `settings` that varies.

    A column is named by the last part of its field, `forget_bias`, if that is a name of its own.
    """
    if "settings" not in results.cells:
        return results
    given = {text: dict(_fields(text)) for text in results.cells["settings"].unique()}
    fields = dict.fromkeys(field for one in given.values() for field in one)
    varied = [field for field in fields if len({one.get(field) for one in given.values()}) > 1]
    varied = [field for field in varied if field != "num_batches"]
    columns = {field: _column(field, varied, results.cells) for field in varied}

    def split(table: pd.DataFrame) -> pd.DataFrame:
        of_rows = [given[text] for text in table["settings"]]
        own = {
            column: pd.Series([_value(one, field) for one in of_rows], table.index, dtype=object)
            for field, column in columns.items()
        }
        shared = [
            " ".join(f"{field}={value}" for field, value in one.items() if field not in columns)
            for one in of_rows
        ]
        return table.assign(settings=pd.Series(shared, table.index, dtype=object), **own)

    return Results(split(results.cells), split(results.curves))


def figure_of_sweep(name: str, results: Results) -> Figure:
    """How a sweep is drawn: a panel per corpus, colours for schemes or else what varies first.

    What varies next has dashes, if its values are few enough.

    Args:
        name: of the sweep.
        results: its results, see `with_settings`.
    """
    cells = results.cells
    own = [str(column) for column in cells if column not in NOT_COMPARED]
    varied = [column for column in (*COLUMNS, *own) if _count(cells[column]) > 1]
    if {"num_layers", "hidden_size"} <= {*varied}:
        varied = [column for column in varied if column != "hidden_size"]
        varied[varied.index("num_layers")] = "architecture"
    colour, *others = varied or ["scheme"]
    few = [name for name in others if name in cells and _count(cells[name]) <= MOST_DASHES]
    return Figure(
        title_of(name),
        panel="corpus",
        colour=colour,
        hues=colours.SCHEMES if colour == "scheme" else {},
        style=few[0] if few else None,
        log_y=True,
        limit=_limit(results.curves),
    )


def of_another_sweep(figure: Figure, sweep: str) -> Figure:
    """A figure of the catalogue that shows another sweep: it is not the paper's any more."""
    title = re.sub(r" \((Figure|Section) [^)]*\)$", "", figure.title)
    return replace(figure, title=f"{title}: {title_of(sweep)}", paper=(), note="")


def title_of(name: str) -> str:
    """The title of a sweep: its name, unless it has none."""
    return name if name == UNNAMED else f"sweep {name}"


def _fields(settings: str) -> Iterator[tuple[str, str]]:
    return ((match[1], match[2]) for match in SETTING.finditer(settings))


def _column(field: str, varied: list[str], cells: pd.DataFrame) -> str:
    last = field.rpartition(".")[2]
    alone = sum(other.rpartition(".")[2] == last for other in varied) == 1
    return last if alone and last not in cells else field


def _value(settings: dict[str, str], field: str) -> object:
    return value_of(settings[field]) if field in settings else UNSET


def _count(values: pd.Series) -> int:
    return len(set(values.astype(str)))


def _limit(curves: pd.DataFrame) -> float:
    """A perplexity above all curves' beginnings: about the number of unique tokens."""
    if curves.empty:
        return Figure.limit
    first = curves[curves["batches"] == curves["batches"].min()]["perplexity"].astype(float)
    highest = first[np.isfinite(first)].max()
    if not math.isfinite(highest):
        return Figure.limit
    digits = 10 ** (math.floor(math.log10(highest)) - 1)
    return float(math.ceil(1.05 * highest / digits) * digits)
