"""The table of figures: the panels, colours and axes of each. A new figure goes here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.drawing import colours
from analysis.drawing.caption import caption, finding
from analysis.results import Results
from charrnn.data.corpora.for_figures import STANDS_FOR, choose

AXES = {
    "train_sequences": ("Number of input train sequences", "log"),
    "train_seconds": ("Training time (s)", "linear"),
}
"""Label and scale of the x axis."""


@dataclass(frozen=True)
class Figure:
    """How a figure is drawn.

    Attributes:
        title: above the panels.
        panel: the column that has a panel for each of its values.
        colour: the column that has a colour for each of its values; lines of one colour differ in
            k1.
        hues: fixed colours of some values; the others take the remaining colours.
        x: the column of the x axis, one of AXES.
        limit: perplexity at the top of the y axis. A cross there marks what lies above.
        corpus: the paper's corpus, if the figure shows one only.
        note: a sentence at the end of the caption.
        baseline: value of the colours' column that the caption compares the others with.
    """

    title: str
    panel: str
    colour: str
    hues: Mapping[object, str] = field(default_factory=dict)
    x: str = "train_sequences"
    limit: float = 90
    corpus: str | None = None
    note: str = ""
    baseline: object = None

    def select(self, results: Results, corpora: str | None = None) -> Results:
        """The results that the figure shows: those of ``corpora`` if given (see `choose`).

        A figure of one corpus shows the first that stands for it; without any, the first of all.
        """
        results = results.of(choose(corpora)) if corpora else results
        names = list(results.cells["corpus"].unique())
        if self.corpus is None or not names:
            return results
        name = next((name for name in names if STANDS_FOR.get(name) == self.corpus), names[0])
        tables = (table[table["corpus"] == name] for table in (results.cells, results.curves))
        return Results(*(table.reset_index(drop=True) for table in tables))

    def caption(self, results: Results) -> str:
        """The caption of the figure when it is drawn from ``results``."""
        sentences = [caption(results, self.limit, self.corpus), self.note]
        if self.baseline is not None:
            sentences.append(finding(results, self.colour, self.baseline))
        return " ".join(filter(None, sentences))


FIGURES = {
    "fig7": Figure(
        "Comparing RNN architectures with scheme 1 (Figure 7)", "corpus", "architecture"
    ),
    "fig8": Figure(
        "Comparing RNN architectures with scheme 2 (Figure 8)", "corpus", "architecture"
    ),
    "fig9": Figure("Comparing schemes (Figure 9)", "corpus", "scheme", colours.SCHEMES),
    "fig10": Figure("Comparing datasets (Figure 10)", "scheme", "corpus", colours.CORPORA),
    "fig11": Figure(
        "Comparing k2 by training time (Figure 11)",
        panel="scheme",
        colour="k2",
        hues=colours.K2,
        x="train_seconds",
        limit=80,
        corpus="music",
        note="Time is training alone, and depends on what else the machine did meanwhile.",
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
        "Loss over the last k3 positions, scheme 1 (Section 5)", "corpus", "k3", baseline=100
    ),
    "decay": Figure(
        "Loss that decays towards the start, scheme 1 (Section 5)",
        panel="corpus",
        colour="weighting",
        baseline="uniform",
    ),
    "carry": Figure(
        "Forget bias, with the state reset and carried (Section 3.7)", "scheme", "forget_bias"
    ),
    "suspects": Figure(
        "One switch at a time, with the state reset and carried (Section 3.7)",
        panel="scheme",
        colour="suspect",
        baseline="none",
    ),
}
"""Each figure by the name of the experiment that it shows: first the paper's, then further ones."""
