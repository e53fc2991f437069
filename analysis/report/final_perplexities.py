"""Final and lowest perplexities of a figure's cells: what hovering tells, for everyone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from analysis.drawing.catalogue import Figure
from analysis.drawing.lines import architecture, in_order, label
from analysis.results import Results

TOLD = ["scheme", "k1", "k2", "seed", "run"]
"""Columns by which the cells of a panel and a colour are told apart."""


@dataclass(frozen=True)
class Final:
    """What a cell ended with.

    Attributes:
        panel: where it is drawn, in words.
        colour: as what it is drawn, in words.
        rest: the settings that set it apart from others of its panel and colour.
        final: its last perplexity; infinity if it diverged.
        lowest: the lowest one.
        run: name of the run that answers for it.
    """

    panel: str
    colour: str
    rest: str
    final: float
    lowest: float
    run: str


def finals(results: Results, figure: Figure) -> list[Final]:
    """A row for every cell that has a result, in the order of the panels and of the legend."""
    curves = results.curves.assign(
        architecture=architecture, perplexity=results.curves["perplexity"].fillna(math.inf)
    )
    rows = []
    for panel in in_order(curves, figure.panel):
        inside = curves[curves[figure.panel] == panel]
        for value in in_order(inside, figure.colour):
            lines = inside[inside[figure.colour] == value]
            for (scheme, k1, k2, seed, run), curve in lines.groupby(TOLD):
                values = curve.sort_values("batches")["perplexity"]
                others = {"corpus": curve["corpus"].iloc[0], "scheme": f"scheme {scheme}"}
                shown = figure.panel, figure.colour
                words = [word for name, word in others.items() if name not in shown]
                rest = ", ".join([*words, f"k1={k1}, k2={k2}, seed {seed}"])
                named = plain(figure.panel, panel), plain(figure.colour, value), rest
                rows.append(Final(*named, float(values.iloc[-1]), float(values.min()), str(run)))
    return rows


def best(rows: Iterable[Final]) -> str:
    """The lowest final perplexity of every panel, in words; empty if there is none."""
    lowest: dict[str, Final] = {}
    for row in rows:
        if row.final < lowest.get(row.panel, row).final or row.panel not in lowest:
            lowest[row.panel] = row
    found = (f"{row.panel}: {row.final:.2f} ({row.colour})" for row in lowest.values())
    return "; ".join(found)


def plain(column: str, value: object) -> str:
    """What a value is called, without the marks of mathematics."""
    text = label(column, value)
    return text.replace("$r$", "r").replace(r"$\gamma$", "\N{GREEK SMALL LETTER GAMMA}")
