"""The caption below a figure: what it shows, and which cells it does not show."""

from __future__ import annotations

import pandas as pd

from analysis.results import STATES, Results, name_cells
from analysis.statistics.effects import against
from charrnn.data.corpora.for_figures import STANDS_FOR


def caption(results: Results, limit: float, place: str | None = None) -> str:
    """Scale, corpora, k1, k2, seeds and runs; the meaning of bands and crosses; what is missing.

    Args:
        results: what the figure is drawn from.
        limit: perplexity at the top of the axis.
        place: the paper's corpus, if the figure shows one only.
    """
    cells, curves = results.cells, results.curves
    trained = f"; {curves['batches'].max()} batches" if len(curves) else ""
    seeds = cells["seed"].nunique()
    sentences = [
        f"scale={_values(cells, 'scale')} (r={_values(cells, 'num_layers')},"
        f" gamma={_values(cells, 'hidden_size')}{trained}); corpora: {_values(cells, 'corpus')};"
        f" k1={_values(cells, 'k1')}; k2={_values(cells, 'k2')}; seed={_values(cells, 'seed')};"
        f" {results.num_runs} runs for {len(cells)} cells."
    ]
    if settings := [value for value in cells.get("settings", pd.Series()).unique() if value]:
        sentences.append(f"Settings that differ from the experiment's: {'; '.join(settings)}.")
    if place is not None:
        sentences += [
            f"{corpus} {'stands for' if STANDS_FOR.get(corpus) == place else 'is shown, not'}"
            f" the paper's {place.capitalize()}."
            for corpus in cells["corpus"].unique()
            if corpus != place
        ]
    if seeds > 1:
        sentences.append(f"Lines: mean of up to {seeds} seeds; bands: their range.")
    if (~(curves["perplexity"] <= limit)).any():
        sentences.append(f"Crosses at the top: above {limit:g}, or diverged.")
    for state, words in STATES.items():
        if (cells["state"] == state).any():
            sentences.append(f"{words}: {name_cells(cells, cells['state'] == state)}.")
    return " ".join(sentences)


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


def _values(cells: pd.DataFrame, column: str) -> str:
    return ", ".join(map(str, cells[column].unique()))
