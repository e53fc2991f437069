"""The caption below a figure: what it shows, and what it does not show."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from analysis.drawing.catalogue import Figure
from analysis.drawing.lines import Arranged, arrange, shown
from analysis.drawing.names import DERIVED, in_order
from analysis.drawing.paper import unlike_the_paper
from analysis.pace import PACE
from analysis.results import BASELINES, STATES, Results, name_cells
from analysis.statistics.effects import against
from analysis.statistics.ngrams import ORDER
from charrnn.data.corpora.for_figures import stands_for

SYMBOLS = {"num_layers": "r", "hidden_size": "gamma", "forget_bias": "the forget bias"}
"""Names of columns in a sentence."""
OTHERWISE_SAID = ("scale", "settings", "stands_for", "state", "scheme", "procedure", *DERIVED)
"""Columns that lines of one colour may differ in, and that other sentences speak of."""


def caption(results: Results, figure: Figure, right_axis: bool = True) -> str:
    """What the lines, bands, marks and axes mean, what of the paper's figure is absent, and why.

    Args:
        results: what the figure is drawn from, see Figure.select.
        figure: how it is drawn.
        right_axis: whether it has one; otherwise what that would say is told on hovering.
    """
    cells = results.cells.drop(columns=[*DERIVED], errors="ignore")
    arranged = arrange(results, figure)
    sentences = [
        _what_is_drawn(results),
        *_settings(cells),
        *_corpora(cells, figure),
        *_lines(arranged, figure),
        *_seeds(cells, figure),
        *_sources(cells),
        *_marks(arranged),
        *_axes(figure, right_axis),
        *_times(results, figure),
        *_baselines(results, arranged),
        *unlike_the_paper(results, figure),
        *_not_recorded(results, figure),
    ]
    for state, words in STATES.items():
        if (cells["state"] == state).any():
            sentences.append(f"{words}: {name_cells(cells, cells['state'] == state)}.")
    sentences.append(figure.note)
    if figure.baseline is not None:
        sentences.append(finding(results, figure.colour, figure.baseline))
    return " ".join(filter(None, sentences))


def finding(results: Results, column: str, baseline: object) -> str:
    """The final perplexities relative to those of one value, in words.

    Args:
        results: what the figure is drawn from.
        column: the column of the lines' colour.
        baseline: its value that the others are compared with, over cells that differ in it alone.
    """
    effects = against(results.ends(), column, baseline, "final")
    if not effects:
        return ""
    listed = ", ".join(f"{value} {found}" for value, found in effects.items())
    better = ", ".join(str(value) for value, found in effects.items() if found.highest < 1)
    worse = ", ".join(str(value) for value, found in effects.items() if found.lowest > 1)
    return (
        f"Final perplexity relative to {column}={baseline}, over cells that differ in it alone: "
        f"{listed}. Better in every pair: {better or 'none'};"
        f" worse in every pair: {worse or 'none'}."
    )


def _sources(cells: pd.DataFrame) -> Iterable[str]:
    if "source" in cells and set(cells["source"]) == {"own", "reference"}:
        yield "Faint lines: the reference results that come with the project."


def _what_is_drawn(results: Results) -> str:
    cells, curves = results.cells, results.curves
    trained = f", {curves['batches'].max():,} batches" if len(curves) else ""
    return (
        f"{results.num_runs} runs for {len(cells)} cells at scale={_values(cells, 'scale')}"
        f" (r={_values(cells, 'num_layers')}, gamma={_values(cells, 'hidden_size')}{trained})."
        f" Corpora: {_values(cells, 'corpus')}."
        f" k1={_values(cells, 'k1')}; k2={_values(cells, 'k2')}."
    )


def _settings(cells: pd.DataFrame) -> list[str]:
    settings = [value for value in cells.get("settings", pd.Series()).unique() if value]
    words = "; ".join(settings)
    return [f"Settings that differ from the experiment's: {words}."] if settings else []


def _corpora(cells: pd.DataFrame, figure: Figure) -> list[str]:
    """Which corpus stands for the paper's, in a figure of one corpus; panels say it otherwise."""
    if figure.corpus is None:
        return []
    return [
        f"{corpus} {'stands for' if stands_for(corpus) == figure.corpus else 'is shown, not'}"
        f" the paper's {figure.corpus.capitalize()}."
        for corpus in cells["corpus"].unique()
        if corpus != figure.corpus
    ]


def _lines(arranged: Arranged, figure: Figure) -> list[str]:
    """What tells lines apart that look the same in one panel."""
    differing: dict[str, None] = {}
    for lines in arranged.panels.values():
        for _, alike in lines.groupby("key", sort=False):
            for column in alike.columns[: list(alike.columns).index("line")]:
                if column not in OTHERWISE_SAID and len(alike[column].unique()) > 1:
                    differing[SYMBOLS.get(column, column)] = None
    if not differing:
        return []
    kind = "colour and dashes" if len(next(iter(arranged.looks))) > 1 else "colour"
    return [f"Lines of one {kind} differ in {' and '.join(differing)}."]


def _seeds(cells: pd.DataFrame, figure: Figure) -> list[str]:
    seeds = cells["seed"].nunique()
    if seeds == 1:
        return [f"There is one seed, {_values(cells, 'seed')}, so no band says what chance does."]
    mean = "mean" if figure.measure == "gap" else "geometric mean"
    return [
        f"A line is the {mean} over up to {seeds} seeds ({_values(cells, 'seed')}), and its band"
        " reaches from the lowest to the highest."
    ]


def _marks(arranged: Arranged) -> list[str]:
    lines = list(arranged.panels.values())
    above, diverged = (any(table[s].any() for table in lines) for s in ("above", "diverged"))
    return [
        *([f"A triangle at the top: a value above {arranged.top:g}."] if above else []),
        *(["A cross at the top: a run that diverged, to infinity or NaN."] if diverged else []),
    ]


def _axes(figure: Figure, right_axis: bool) -> list[str]:
    place = "The right axis" if right_axis else "Pointing at a line"
    right = (
        "The gap is the logarithm of the progressive over the windowed perplexity of the same"
        f" weights on the same tokens. {place} gives the ratio itself. At the black line a model"
        " that reads on predicts as well as one that starts afresh."
        if figure.measure == "gap"
        else f"{place} gives bits per token, log2 of the perplexity."
    )
    return [right]


def _times(results: Results, figure: Figure) -> list[str]:
    """What the time on the x axis is, if it is one."""
    if figure.x == "train_seconds":
        return [
            "Time is wall clock, of training alone, and depends on what else the machine did"
            " meanwhile."
        ]
    if figure.x != "undisturbed_seconds":
        return []
    time = "Time is the number of batches times the pace of their configuration"
    measured = "the median of rounds that alternate between the configurations"
    of_runs = (
        "the lowest median time per batch of its runs: what else the machine did meanwhile does"
        " not count"
    )
    paces = results.curves.get(PACE, pd.Series(float("nan"), results.curves.index))
    if paces.notna().all():
        return [f"{time}, {measured}."]
    return [f"{time}, {of_runs if paces.isna().all() else f'{measured} or, elsewhere, {of_runs}'}."]


def _baselines(results: Results, arranged: Arranged) -> list[str]:
    known = pd.concat(arranged.baselines.values()) if arranged.baselines else pd.DataFrame()
    if known.empty or known[[*BASELINES]].isna().all(axis=None):
        return []
    words = (
        "The thin level lines need no network: they are the perplexities, on the same test"
        " tokens, of a model that only knows how frequent each token is (unigram), and of an"
        f" interpolated Kneser-Ney {ORDER}-gram model."
    )
    missing = [c for c, of in known.groupby("corpus") if of[[*BASELINES]].isna().any(axis=None)]
    return [
        words,
        *([f"They are not known for {', '.join(map(str, missing))}."] if missing else []),
    ]


def _not_recorded(results: Results, figure: Figure) -> list[str]:
    """How many runs have no value of what the figure measures."""
    if figure.measure == "perplexity" or results.curves.empty:
        return []
    drawn = shown(results.curves, figure)["run"].nunique()
    lacking = results.curves["run"].nunique() - drawn
    return [f"Runs that did not record both readings, and are not drawn: {lacking}."] * (
        lacking > 0
    )


def _values(cells: pd.DataFrame, column: str) -> str:
    return ", ".join(map(str, in_order(cells, column)))
