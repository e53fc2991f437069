"""The figures' colours, and the dashes of lines in them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from charrnn.data.corpora.for_figures import STANDS_FOR

BLUE, GREEN, RED, YELLOW, MAGENTA = "#1f66c1", "#2a9d3a", "#d62728", "#c08400", "#c22fb4"
"""The paper's five."""
CYAN, BROWN, GREY, OLIVE, BLACK = "#17a2b8", "#8c564b", "#7f7f7f", "#8a8f00", "#000000"
"""Five more, for what the paper does not show."""
HUES = (BLUE, GREEN, RED, YELLOW, MAGENTA, CYAN, BROWN, GREY, OLIVE, BLACK)
"""All of them, in the order in which they are given out; each has a contrast of 3:1 on white."""
STROKES = ((), (5, 2), (1.5, 1.5), (6, 1.5, 1.5, 1.5), (10, 3))
MARKERS = ("o", "s", "^", "D", "v")
"""Names of Matplotlib's markers, for lines whose dashes say something else."""
DASHES = dict(zip(HUES, itertools.cycle(STROKES)))
"""Dashes and gaps of the lines in each colour, in line widths; empty for a solid line."""

SCHEMES: dict[object, str] = {1: BLUE, 2: GREEN, 3: RED, 4: YELLOW, "bptt": MAGENTA}
SCHEMES |= {"keras_stateful": CYAN, "word_language_model": BROWN, "awd_lstm": GREY}
PAPER_CORPORA = {"english": BLUE, "finnish": GREEN, "linux": RED, "music": YELLOW}
CORPORA: dict[object, str] = {corpus: PAPER_CORPORA[place] for corpus, place in STANDS_FOR.items()}
K2: dict[object, str] = {20: BLUE, 40: GREEN, 60: RED, 80: YELLOW, 100: MAGENTA}
TRAININGS: dict[object, str] = {
    "multi-loss": BLUE,
    "single-loss": GREEN,
    "conditional multi-loss": YELLOW,
    "truncated-bptt": MAGENTA,
    "keras-stateful": CYAN,
    "word-language-model": BROWN,
    "awd-lstm": GREY,
}
IMPLEMENTATIONS = {"ours": BLUE, "nn.LSTM": YELLOW, "floor": BLACK}


@dataclass(frozen=True)
class Look:
    """How a line is drawn.

    Attributes:
        colour: in hexadecimal digits.
        dashes: dashes and gaps in line widths; empty for a solid line.
        marker: one of MARKERS, on some of the line's points; empty for none.
        width: of the line, in points.
    """

    colour: str
    dashes: tuple[float, ...] = ()
    marker: str = ""
    width: float = 1

    @classmethod
    def of(cls, colour: str) -> Look:
        """A line in a colour, with the colour's own dashes."""
        return cls(colour, DASHES[colour])


def choose_colours(values: Iterable[object], hues: Mapping[object, str]) -> dict[object, str]:
    """A colour for every value, different ones as long as HUES suffice.

    Args:
        values: in order; those without a colour in ``hues`` take the remaining colours in turn.
        hues: colours of some values; if two values share one, the first gets it.
    """
    values, chosen = list(values), dict[object, str]()
    for value in values:
        if value in hues and hues[value] not in chosen.values():
            chosen[value] = hues[value]
    left = [hue for hue in HUES if hue not in chosen.values()] or list(HUES)
    others = [value for value in values if value not in chosen]
    chosen |= {value: left[n % len(left)] for n, value in enumerate(others)}
    return {value: chosen[value] for value in values}
