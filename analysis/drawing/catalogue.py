"""The table of figures: the panels, colours and axes of each. A new figure goes here."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from analysis.drawing import colours
from analysis.drawing.names import derive
from analysis.results import Results
from charrnn import plugins
from charrnn.data.corpora.for_figures import choose, stands_for
from charrnn.errors import CharRNNError

log = logging.getLogger(__name__)

AXES = {
    "train_sequences": ("Number of input train sequences", "log"),
    "undisturbed_seconds": ("Training time, undisturbed (s)", "linear"),
    "train_seconds": ("Training time, wall clock (s)", "linear"),
}
"""Label and scale of the x axis."""


@dataclass(frozen=True)
class Figure:
    """How a figure is drawn.

    Attributes:
        title: above the panels.
        panel: the column that has a panel for each of its values, see also names.DERIVED.
        colour: the column that has a colour for each of its values; lines of one colour differ in
            k1.
        hues: fixed colours of some values; the others take the remaining colours.
        style: the column that has dashes for each of its values; None: the colours have them.
        strokes: fixed dashes of some values, see colours.STROKES.
        markers: whether lines have markers, where many would hide each other.
        x: the column of the x axis, one of AXES.
        measure: what the y axis shows. `readings` is the perplexity of each run read in both ways,
            in the column `reading`; `gap` the reading gap of each run.
        log_y: whether the y axis is logarithmic; a gap is a logarithm already.
        limit: perplexity at the top of the y axis; what lies above is marked there.
        corpus: the paper's corpus, if the figure shows one only.
        paper: the columns whose values the paper's figure compares; empty for a figure of our own.
        note: a sentence at the end of the caption.
        baseline: value of the colours' column that the caption compares the others with.
        sweep: the experiment whose cells are drawn; empty if it has the figure's name.
    """

    title: str
    panel: str
    colour: str
    hues: Mapping[object, str] = field(default_factory=dict)
    style: str | None = None
    strokes: Mapping[object, tuple[float, ...]] = field(default_factory=dict)
    markers: bool = False
    x: str = "train_sequences"
    measure: Literal["perplexity", "readings", "gap"] = "perplexity"
    log_y: bool = False
    limit: float = 90
    corpus: str | None = None
    paper: tuple[str, ...] = ()
    note: str = ""
    baseline: object = None
    sweep: str = ""

    def select(self, results: Results, corpora: str | None = None) -> Results:
        """The results that the figure shows: those of ``corpora`` if given (see `choose`).

        A figure of one corpus shows the first that stands for it; without any, the first of all.
        Cells and curves have the columns of names.DERIVED too.
        """
        results = results.of(choose(corpora)) if corpora else results
        tables = results.cells, results.curves
        names = list(results.cells["corpus"].unique())
        if self.corpus is not None and names:
            name = next((name for name in names if stands_for(name) == self.corpus), names[0])
            cells, curves = (table[table["corpus"] == name] for table in tables)
            tables = cells.reset_index(drop=True), curves.reset_index(drop=True)
        return Results(*map(derive, tables))


FIGURES = {
    "fig7": Figure(
        "Comparing RNN architectures with scheme 1 (Figure 7)",
        panel="corpus",
        colour="architecture",
        paper=("corpus", "k1"),
    ),
    "fig8": Figure(
        "Comparing RNN architectures with scheme 2 (Figure 8)",
        panel="corpus",
        colour="architecture",
        paper=("corpus", "k1"),
    ),
    "fig9": Figure(
        "Comparing schemes (Figure 9)",
        panel="corpus",
        colour="scheme",
        hues=colours.SCHEMES,
        paper=("corpus", "k1"),
    ),
    "fig10": Figure(
        "Comparing datasets (Figure 10)",
        panel="scheme",
        colour="corpus",
        hues=colours.CORPORA,
        paper=("corpus", "k1"),
    ),
    "fig11": Figure(
        "Comparing k2 by training time (Figure 11)",
        panel="scheme",
        colour="k2",
        hues=colours.K2,
        x="undisturbed_seconds",
        limit=80,
        corpus="music",
        paper=("k2",),
    ),
    "bptt": Figure(
        "Schemes and truncated backpropagation through time (Section 2.1)",
        panel="corpus",
        colour="scheme",
        hues=colours.SCHEMES,
        note="Schemes 1 and 2 are evaluated windowed, the others progressively.",
        baseline="bptt",
    ),
    "k3": Figure(
        "Loss over the last k3 positions, scheme 1 (Section 5)",
        panel="corpus",
        colour="k3",
        baseline=100,
    ),
    "decay": Figure(
        "Loss that decays towards the start, scheme 1 (Section 5)",
        panel="corpus",
        colour="weighting",
        markers=True,
        baseline="uniform",
    ),
    "readings": Figure(
        "Each training read in both ways, by forget bias",
        panel="panel",
        colour="training",
        hues=colours.TRAININGS,
        style="reading",
        strokes={"windowed": (), "progressive": (4, 1.5)},
        markers=True,
        measure="readings",
        log_y=True,
        note="The paper shows four of the six combinations: scheme 1 is multi-loss training read"
        " windowed, scheme 2 single-loss read windowed, scheme 3 multi-loss read progressively and"
        " scheme 4 conditional multi-loss read progressively; all of them at forget bias 5.",
    ),
    "carry": Figure(
        "Forget bias, with the state reset and carried (Section 3.7)", "scheme", "forget_bias"
    ),
    "starts": Figure(
        "From which state training sequences start (arXiv 2507.02782)",
        panel="corpus",
        colour="start",
        measure="gap",
        markers=True,
    ),
    "suspects": Figure(
        "One switch at a time, with the state reset and carried (Section 3.7)",
        panel="scheme",
        colour="suspect",
        baseline="none",
    ),
    "cells": Figure(
        "Recurrent cells in each scheme (Section 2.2)",
        panel="scheme",
        colour="backbone",
        corpus="english",
        baseline="lstm",
    ),
}
"""Each figure by the name of the experiment that it shows: first the paper's, then further ones."""
OF_ANY_SWEEP = {
    "reading-gap": Figure(
        "How much worse a model predicts if it reads on",
        panel="corpus",
        colour="training",
        hues=colours.TRAININGS,
        style="forget_bias",
        strokes={5.0: (), 0.0: (4, 1.5)},
        markers=True,
        measure="gap",
        sweep="readings",
    ),
}
"""Figures that show any experiment's runs, by name."""

PLUGINS = "charrnn.figures"
"""Entry points in which a package declares figures of its own, each by its experiment's name."""
for _name in plugins.names(PLUGINS):
    try:
        FIGURES[_name] = plugins.load(PLUGINS, _name)
    except CharRNNError as error:  # one package of somebody's does not cost all other figures
        log.warning("figure %s: %s", _name, error)
