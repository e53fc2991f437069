"""Perplexity against train sequences, as in Figures 7 to 10: panels, colours, axes, caption."""

from __future__ import annotations

import textwrap
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns

from analysis.tables import Results

mpl.use("agg")  # draws to files, with or without a screen

PERPLEXITY_LIMIT = 90.0
"""Top of the y axis. What lies above, infinity included, is marked there."""


def draw(
    results: Results, panel: str, colour: str, palette: dict[object, str], title: str
) -> sns.FacetGrid:
    """A panel for every value of column ``panel``, a line for every cell.

    Args:
        results: what to draw.
        panel: column of the panels.
        colour: column of the lines' colour; lines of one colour differ in k1 or seed.
        palette: the colour of each value.
        title: above the panels.
    """
    sns.set_theme(style="whitegrid", context="paper")
    curves = results.curves.assign(line=_line(results.curves))
    finite = np.isfinite(curves["perplexity"])
    above = ~(curves["perplexity"] <= PERPLEXITY_LIMIT)  # NaN is above, too
    # What is above the axis is clipped by it, so that slopes are true; infinity has no place to be.
    curves["shown"] = curves["perplexity"].where(finite, PERPLEXITY_LIMIT)
    panels = curves[panel].unique()
    grid = sns.relplot(
        curves,
        kind="line",
        x="train_sequences",
        y="shown",
        hue=colour,
        palette=palette,
        col=panel,
        col_order=panels,
        col_wrap=min(2, len(panels)),
        units="line",
        estimator=None,
        height=3,
        aspect=1.3,
        linewidth=1.2,
    )
    for value, axes in zip(panels, grid.axes.flat, strict=True):
        off_scale = curves[above & (curves[panel] == value)]
        colours = [palette[c] for c in off_scale[colour]]
        axes.scatter(
            off_scale["train_sequences"],
            np.full(len(off_scale), PERPLEXITY_LIMIT),
            marker="x",
            c=colours,
            clip_on=False,
        )
    grid.set(xscale="log", ylim=(0, PERPLEXITY_LIMIT), yticks=range(0, 91, 10))
    grid.set_axis_labels("Number of input train sequences", "Perplexity")
    grid.set_titles("{col_name}")
    grid.figure.suptitle(title, y=1.02)
    grid.figure.text(0, -0.01, caption(results), va="top", fontsize="small", wrap=False)
    return grid


def caption(results: Results, width: int = 110) -> str:
    """What the figure shows: scale, corpora, seeds, k1, number of runs, and what is missing."""
    cells = results.cells
    missing = cells[~cells["finished"]]

    def values(column: str) -> str:
        return ", ".join(str(value) for value in cells[column].unique())

    sentences = [
        f"scale={values('scale')} (r={values('num_layers')}, gamma={values('hidden_size')},"
        f" {results.curves['batches'].max()} batches); corpora: {values('corpus')};"
        f" k1={values('k1')}; k2={values('k2')}; seed={values('seed')};"
        f" {results.num_runs} runs for {len(cells)} cells."
    ]
    if (~(results.curves["perplexity"] <= PERPLEXITY_LIMIT)).any():
        sentences.append("Crosses at the top: above the axis, or diverged.")
    if len(missing):
        names = [
            f"{row.corpus} scheme {row.scheme} k1={row.k1} seed={row.seed}"
            for row in missing.itertuples()
        ]
        sentences.append(f"Missing: {'; '.join(names)}.")
    return "\n".join(textwrap.wrap(" ".join(sentences), width))


def save(grid: sns.FacetGrid, results: Results, stem: Path) -> list[Path]:
    """Write the figure to ``stem``.png and ``stem``.svg, and the data behind it to ``stem``.csv."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_name(f"{stem.name}.{suffix}") for suffix in ("png", "svg")]
    for path in paths:
        grid.figure.savefig(path, dpi=150, bbox_inches="tight")
    table = stem.with_name(f"{stem.name}.csv")
    results.curves.to_csv(table, index=False, na_rep="nan")
    return [*paths, table]


def _line(curves: pd.DataFrame) -> pd.Series:
    """A name for the line that each row belongs to."""
    return curves["run"].astype(str) + curves["procedure"].astype(str)
