"""Tables of docs/explanation/results.md, from the reference results; see analysis.numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pandas as pd

from analysis.claims.paper.fig7_side_experiments import BUMP, LATEST, bumps
from analysis.curves import Cells, at, contrast, ends, gains_from_far_past, overfitting
from analysis.markdown import markdown_head, markdown_row
from analysis.statistics.bootstrap import bootstrap_interval, interquartile_mean
from analysis.statistics.units import percent
from analysis.table_parts import TRAININGS, by_corpus, corpora_of, curves_of, extent, where

Place = list[tuple[str, object]]
"""Columns of cells, and a value in each."""
SCHEMES: dict[str, Place] = {f"scheme {scheme}": [("scheme", scheme)] for scheme in (1, 2, 3, 4)}
ARCHITECTURES: dict[str, Place] = {
    f"r {layers}, gamma {size}": [("num_layers", layers), ("hidden_size", size)]
    for layers in (1, 2)
    for size in (128, 32)
}
CURES = {
    "bump": "Adam, learning rate 0.001",
    "bump-slow": "Adam, learning rate 0.0001",
    "bump-rmsprop": "RMSProp, learning rate 0.001",
}
"""The sweeps of the bump in Finnish, by their names."""


def final_perplexities(
    experiment: str, scale: str, rows: Mapping[str, Place] = SCHEMES, column: str = "corpus"
) -> Iterator[str]:
    """Final perplexity of each row's cells: geometric mean, and the range over cells.

    Args:
        experiment: its name.
        scale: its scale.
        rows: which cells each has.
        column: the one of cells whose values have a column each.
    """
    curves = curves_of(experiment, scale)
    values = ends(curves).map(np.exp)
    yield from _means(f"`scale={scale}`, {extent(curves)}", values, rows, column, decimals=1)


def far_past(experiment: str, scale: str) -> Iterator[str]:
    """By which factor the true far past lowers perplexity: geometric mean, and range over cells."""
    curves = curves_of(experiment, scale)
    gains = gains_from_far_past(curves).map(np.exp)
    rows: dict[str, Place] = {name: [("scheme", scheme)] for scheme, name in TRAININGS.items()}
    yield from _means(f"`scale={scale}`, {extent(curves)}", gains, rows, "corpus", decimals=2)


def early() -> Iterator[str]:
    """The larger gamma of the paper over the smaller one, early in training, by corpus."""
    curves = curves_of("early")
    ratios = contrast(ends(curves), "hidden_size", 512, 128)
    corpora = corpora_of(ratios.index.unique("corpus"))
    yield from markdown_head(f"scheme 1, {extent(curves)}", *corpora)
    columns = []
    for corpus in corpora:
        own = at(ratios, "corpus", corpus)
        columns.append(f"{percent(own.mean())} ({percent(own.min())} to {percent(own.max())})")
    yield markdown_row("gamma 512 over gamma 128, mean (least to most)", *columns)


def middle_half() -> Iterator[str]:
    """Interquartile means over all cells of Figure 9, with intervals of a stratified bootstrap."""
    values = ends(curves_of("fig9"))
    yield from markdown_head(
        "final perplexity over that of scheme 1", "pairs", "interquartile mean (95 % interval)"
    )
    for scheme in (2, 3, 4):
        apart = contrast(values, "scheme", scheme, 1)
        strata = [own.to_numpy() for _, own in apart.groupby(["corpus", "k1"])]
        mean, around = percent(float(interquartile_mean(apart.to_numpy()))), ""
        if interval := bootstrap_interval(strata):
            around = f" ({percent(interval.low)} to {percent(interval.high)})"
        yield markdown_row(f"scheme {scheme}", len(apart), mean + around)


def bump() -> Iterator[str]:
    """Rises of scheme 1 on kalevala with the paper's smaller gamma, and with each cure."""
    curves = {name: curves_of(name) for name in CURES}
    yield from markdown_head(
        f"kalevala, gamma 128, {extent(curves['bump'])}",
        f"largest rise until batch {BUMP}: mean (most)",
        f"until batch {curves['bump']['batches'].max()}",
        "final perplexity",
    )
    for name, optimizer in CURES.items():
        final = ends(curves[name]).map(np.exp)
        for layers in (1, 2):
            largest = (
                at(bumps(curves[name], last), "num_layers", layers) for last in (BUMP, LATEST)
            )
            yield markdown_row(
                f"{optimizer}, r {layers}",
                *(f"{percent(one.mean())} ({percent(one.max())})" for one in largest),
                _mean(at(final, "num_layers", layers), decimals=1),
            )


def dropout() -> Iterator[str]:
    """Overfitting of scheme 1 on the chorales at gamma 512, without and with dropout."""
    curves = curves_of("overfitting")
    rows = {
        f"dropout {share:g}, k1 = {stride}": curve
        for (share, stride), curve in curves.groupby(["dropout", "k1"])
    }
    yield from _overfitting(f"chorales, gamma 512, {extent(curves)}", rows)


def overfitting_paper() -> Iterator[str]:
    """Overfitting of all schemes on the chorales at the paper's size."""
    curves = curves_of("fig9", "paper").query("corpus == 'chorales'")
    rows = {
        f"scheme {scheme}, k1 = {stride}": curve
        for (scheme, stride), curve in curves.groupby(["scheme", "k1"])
    }
    yield from _overfitting(f"chorales, `scale=paper`, {extent(curves)}", rows)


def _overfitting(heading: str, rows: Mapping[str, pd.DataFrame]) -> Iterator[str]:
    """How far the curves of single cells end above their lowest perplexity."""
    yield from markdown_head(
        heading,
        "whole epochs",
        "lowest perplexity (at batch)",
        "final",
        "final over lowest",
        "perplexity of the last training batches",
    )
    for name, curve in rows.items():
        lowest = curve.sort_values("perplexity").iloc[0]
        yield markdown_row(
            name,
            curve["epoch"].max(),
            f"{lowest['perplexity']:.1f} ({lowest['batches']:,})",
            f"{np.exp(ends(curve).iloc[0]):.1f}",
            percent(overfitting(curve).iloc[0]),
            f"{np.exp(curve['train_loss'].iloc[-1]):.1f}",
        )


def shuffled() -> Iterator[str]:
    """How far shuffled training sequences end above equidistant ones, with intervals."""
    sweeps = pd.concat([curves_of(name) for name in ("shuffled", "fig9")])
    apart = contrast(ends(sweeps), "sweep", "shuffled", "fig9")
    corpora = corpora_of(apart.index.unique("corpus"))
    extents = extent(sweeps[sweeps["sweep"] == "shuffled"])
    yield from markdown_head(f"shuffled over equidistant, {extents}", *corpora, "all of them")
    for scheme in apart.index.unique("scheme"):
        yield markdown_row(f"scheme {scheme}", *by_corpus(at(apart, "scheme", scheme), corpora))


def _means(
    heading: str, values: Cells, rows: Mapping[str, Place], column: str, decimals: int
) -> Iterator[str]:
    """A table of means over cells: a row for each place that has cells."""
    known = values.index.unique(column)
    columns = corpora_of(known) if column == "corpus" else sorted(known)
    names = [name if column == "corpus" else f"{column} = {name}" for name in columns]
    yield from markdown_head(heading, *names)
    for name, place in rows.items():
        own = where(values, place)
        if len(own):
            cells = (_mean(at(own, column, one), decimals) for one in columns)
            yield markdown_row(name, *cells)


def _mean(values: Cells, decimals: int) -> str:
    """The geometric mean of cells, and their range."""
    if values.empty:
        return "not trained"
    numbers = np.exp(np.log(values).mean()), values.min(), values.max()
    return "{:.{d}f} ({:.{d}f} to {:.{d}f})".format(*numbers, d=decimals)


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "fig9-paper": lambda: final_perplexities("fig9", "paper"),
    "far-past-paper": lambda: far_past("fig9", "paper"),
    "overfitting-paper": overfitting_paper,
    "fig9-laptop": lambda: final_perplexities("fig9", "laptop"),
    "fig7-laptop": lambda: final_perplexities("fig7", "laptop", ARCHITECTURES),
    "fig8-laptop": lambda: final_perplexities("fig8", "laptop", ARCHITECTURES),
    "fig11-laptop": lambda: final_perplexities("fig11", "laptop", SCHEMES, "k2"),
    "middle-half": middle_half,
    "ends-long": lambda: final_perplexities("ends", "long"),
    "early-laptop": early,
    "bump": bump,
    "dropout": dropout,
    "shuffled": shuffled,
}
"""By the names that they have on pages."""
