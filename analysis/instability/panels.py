"""The figure's panels of cells and of effects; a colour is a scheme, a mark is a corpus."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from analysis.drawing.canvas import stroke
from analysis.drawing.colours import SCHEMES

MARKS = "os^Dv<>P*"
"""A mark for each corpus, in the order of the table."""
WIDTH = 0.5
"""Share of the space between two forget biases over which the schemes are spread."""


def marks(carry: pd.DataFrame, suspects: pd.DataFrame) -> dict[str, str]:
    """The mark of each corpus."""
    names = [name for table in (carry, suspects) if len(table) for name in table["corpus"]]
    return {name: MARKS[n % len(MARKS)] for n, name in enumerate(dict.fromkeys(names))}


def draw_biases(axes: Axes, cells: pd.DataFrame, measure: str, corpora: dict[str, str]) -> None:
    """A point per cell, and the mean of each scheme; means of the same cells are joined.

    Args:
        axes: the panel.
        cells: see analysis.instability.summary.summarise.
        measure: a column of logarithms.
        corpora: the mark of each corpus.
    """
    known = cells[cells[measure].notna()] if len(cells) else cells
    if known.empty:
        axes.text(0.5, 0.5, "not recorded", ha="center", transform=axes.transAxes)
        return
    biases, schemes = sorted(set(known["forget_bias"])), sorted(set(known["scheme"]))
    counts: dict[float, set[int]] = {bias: set() for bias in biases}
    for n, scheme in enumerate(schemes):
        own, colour = known[known["scheme"] == scheme], SCHEMES[scheme]
        shift = WIDTH * ((n + 0.5) / len(schemes) - 0.5)
        for corpus, points in own.groupby("corpus", sort=False):
            places = [biases.index(bias) + shift for bias in points["forget_bias"]]
            mark = corpora[str(corpus)]
            axes.plot(places, points[measure], mark, color=colour, alpha=0.4, markersize=4, mew=0)
        groups = [own[own["forget_bias"] == bias] for bias in biases]
        for place, group in enumerate(groups):
            if len(group):
                counts[biases[place]].add(len(group))
                mean, at = group[measure].mean(), place + shift
                axes.plot([at - 0.07, at + 0.07], [mean, mean], color=colour, linewidth=2.5)
        for place, (left, right) in enumerate(itertools.pairwise(groups)):
            if len(left) and _same_cells(left, right):
                heights = [left[measure].mean(), right[measure].mean()]
                axes.plot([place + shift, place + 1 + shift], heights, **stroke(colour))
    names = [f"{bias:g}\nn = {_numbers(counts[bias])}" for bias in biases]
    axes.set_xticks(range(len(biases)), names, fontsize="small")
    axes.set(xlabel="Forget bias (n: cells of each scheme)", xlim=(-0.5, len(biases) - 0.5))


def draw_switches(axes: Axes, effects: pd.DataFrame, measure: str, corpora: dict[str, str]) -> None:
    """Mean differences with their intervals, a row per switch; hollow if there is no interval.

    Args:
        axes: the panel.
        effects: see analysis.instability.effects.effects.
        measure: the measure whose differences are drawn.
        corpora: the mark of each corpus.
    """
    rows = effects.iloc[:0]
    if len(effects):
        rows = effects[(effects["change"] == "switch") & (effects["measure"] == measure)]
    if rows.empty:
        axes.text(0.5, 0.5, "not trained", ha="center", transform=axes.transAxes)
        axes.set_yticks([])
        return
    names = list(rows["one"].drop_duplicates())[::-1]
    groups = list(rows.groupby(["within", "corpus"], sort=True))
    axes.axvline(0, color="grey", linewidth=0.8)
    for n, ((scheme, corpus), own) in enumerate(groups):
        shift, colour = 0.5 * ((n + 0.5) / len(groups) - 0.5), SCHEMES[scheme]
        for _, row in own.iterrows():
            height, known = names.index(row["one"]) + shift, pd.notna(row["low"])
            if known:
                axes.plot([row["low"], row["high"]], [height, height], color=colour)
            fill = colour if known else "none"
            axes.plot(
                row["mean"],
                height,
                corpora[str(corpus)],
                color=colour,
                markersize=4,
                markerfacecolor=fill,
            )
    axes.set_yticks(range(len(names)), names, fontsize="small")
    axes.set(xlabel="Difference of logarithms: with the switch, less without")
    axes.set_ylim(-0.5, len(names) - 0.5)


def perplexities(axes: Axes) -> None:
    """Label an axis of logarithms with the perplexities that they are logarithms of."""
    low, high = axes.get_ylim()
    steps = [m * 10**e for e in range(4) for m in (1, 1.5, 2, 3, 4, 5, 6, 8)]
    shown = [step for step in steps if low <= math.log(step) <= high]
    axes.set_yticks(np.log(shown), [f"{step:g}" for step in shown])


def label_counts(axes: Axes) -> None:
    """Label a horizontal axis of train sequences, `1,000` rather than `10^3`."""
    axes.set(xlabel="Number of input train sequences", xscale="log")
    axes.xaxis.set_major_formatter("{x:,.0f}")


def _same_cells(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    key = ["corpus", "hidden_size", "num_batches", "k2", "k1", "seed"]
    sets = [set(table[key].itertuples(index=False, name=None)) for table in (one, other)]
    return sets[0] == sets[1]


def _numbers(counts: set[int]) -> str:
    return " or ".join(map(str, sorted(counts)))
