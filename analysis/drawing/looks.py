"""How the lines of a figure look: colours, dashes, markers, and the legend that names them."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from analysis.drawing.catalogue import Figure
from analysis.drawing.colours import MARKERS, STROKES, Look
from analysis.drawing.names import in_order, label
from analysis.statistics.ngrams import ORDER

BASELINE_LOOKS = {
    "unigram": Look("#404040", (1, 2), width=1.2),
    "ngram": Look("#404040", (6, 2, 1, 2), width=0.9),
}
"""How the perplexities that need no network are drawn."""
BASELINE_NAMES = {"unigram": "unigram model", "ngram": f"{ORDER}-gram model"}
Hues = Mapping[object, str]
"""By value of the colours' column its colour."""
Strokes = Mapping[object, tuple[float, ...]]
"""By value of the styles' column its dashes; empty if the colours have them."""
Looks = dict[tuple[object, ...], Look]
"""By value of the colours' column, and of the styles' if there is one, the look."""


def choose_strokes(table: pd.DataFrame, figure: Figure) -> Strokes:
    """The dashes of every value of the styles' column."""
    values = in_order(table, str(figure.style))
    values = sorted(values, key=[*figure.strokes, *values].index)
    left = [stroke for stroke in STROKES if stroke not in figure.strokes.values()]
    others = [value for value in values if value not in figure.strokes]
    own = {value: left[n % len(left)] for n, value in enumerate(others)}
    return {value: figure.strokes.get(value, own.get(value, ())) for value in values}


def choose_looks(hues: Hues, strokes: Strokes, figure: Figure) -> Looks:
    """The look of each colour with each dash; markers tell colours apart where there is grey."""
    looks: Looks = {}
    for n, (value, hue) in enumerate(hues.items()):
        marker = MARKERS[n % len(MARKERS)] if figure.markers else ""
        if strokes:
            looks |= {(value, style): Look(hue, dash, marker) for style, dash in strokes.items()}
        else:
            # Of lines that hide each other the lower ones are wider.
            width = max(0.8, 2.4 - 0.4 * n) if marker else 1.0
            looks[(value,)] = Look(hue, Look.of(hue).dashes, marker, width)
    return looks


def make_legend(hues: Hues, strokes: Strokes, looks: Looks, figure: Figure) -> dict[str, Look]:
    """The label of every colour, then of every dash."""
    legend: dict[str, Look] = {}
    for value, hue in hues.items():
        named = label(figure.colour, value)
        own = looks.get((value,)) or looks[(value, next(iter(strokes)))]
        legend[named] = Look(hue, () if strokes else own.dashes, own.marker, own.width)
    for value, dashes in strokes.items():
        legend[label(str(figure.style), value)] = Look("#000000", dashes)
    return legend
