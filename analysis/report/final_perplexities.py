"""Final and lowest perplexities of a figure's cells, as a table beside the plot."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from analysis.drawing.catalogue import Figure
from analysis.drawing.names import architecture, in_order, label
from analysis.results import Results

DISTINCT = ["scheme", "k1", "k2", "seed", "run"]
"""Columns that distinguish the cells of one panel and one colour."""


@dataclass(frozen=True)
class Final:
    """The results of a cell.

    Attributes:
        panel: label of its panel.
        colour: label of its colour.
        rest: the settings that distinguish it from other cells of its panel and colour.
        seed: of its replicate, which ``rest`` names too.
        final: its last perplexity; infinity if it diverged.
        lowest: its lowest perplexity.
        run: name of its run.
    """

    panel: str
    colour: str
    rest: str
    seed: str
    final: float
    lowest: float
    run: str


def finals(results: Results, figure: Figure) -> list[Final]:
    """One row per cell that has a result, in the order of the panels and of the legend."""
    curves = results.curves.assign(
        architecture=architecture, perplexity=results.curves["perplexity"].fillna(math.inf)
    )
    rows = []
    for panel in in_order(curves, figure.panel):
        inside = curves[curves[figure.panel] == panel]
        for value in in_order(inside, figure.colour):
            lines = inside[inside[figure.colour] == value]
            for (scheme, k1, k2, seed, run), curve in lines.groupby(DISTINCT):
                values = curve.sort_values("batches")["perplexity"]
                others = {"corpus": curve["corpus"].iloc[0], "scheme": f"scheme {scheme}"}
                shown = figure.panel, figure.colour
                words = [word for name, word in others.items() if name not in shown]
                words.append(f"k1={k1}, k2={k2}, seed {seed}")
                if figure.style in curve:
                    words.append(plain(str(figure.style), curve[figure.style].iloc[0]))
                settings = str(curve["settings"].iloc[0]) if "settings" in curve else ""
                rest = ", ".join(filter(None, [*words, settings]))
                named = plain(figure.panel, panel), plain(figure.colour, value), rest
                ends = float(values.iloc[-1]), float(values.min())
                rows.append(Final(*named, str(seed), *ends, str(run)))
    return rows


def best(rows: Iterable[Final]) -> str:
    """The lowest final perplexity of each panel, in words; empty without rows."""
    lowest: dict[str, Final] = {}
    for row in rows:
        if row.final < lowest.get(row.panel, row).final or row.panel not in lowest:
            lowest[row.panel] = row
    found = (f"{row.panel}: {row.final:.2f} ({row.colour})" for row in lowest.values())
    return "; ".join(found)


def lowest_mean(rows: Iterable[Final]) -> str:
    """The lowest geometric mean over replicates in each panel, in words; empty without rows."""
    lines: dict[tuple[str, str, str], list[float]] = {}
    for row in rows:
        place = row.panel, row.colour, row.rest.replace(f"seed {row.seed}", "")
        lines.setdefault(place, []).append(math.log(row.final))
    lowest: dict[str, tuple[float, str, int]] = {}
    for (panel, colour, _), logs in lines.items():
        mean = math.exp(math.fsum(logs) / len(logs))
        if panel not in lowest or mean < lowest[panel][0]:
            lowest[panel] = mean, colour, len(logs)
    return "; ".join(
        f"{panel}: {mean:.2f} ({colour}"
        + (f", the geometric mean over {number} replicates)" if number > 1 else ")")
        for panel, (mean, colour, number) in lowest.items()
        if math.isfinite(mean)
    )


def plain(column: str, value: object) -> str:
    """The label of a value, without mathematical markup."""
    text = label(column, value)
    return text.replace("$r$", "r").replace(r"$\gamma$", "\N{GREEK SMALL LETTER GAMMA}")
