"""The figure of the carried state: reading gap, rises, switches, and growth over training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D

from analysis.drawing.canvas import add_words, panels
from analysis.drawing.colours import BLACK, SCHEMES
from analysis.instability.effects import effects
from analysis.instability.growth import SHORT, diagnoses, draw_growth
from analysis.instability.panels import draw_biases, draw_switches, marks, perplexities

BIASES = ("Reading gap at the end", "Largest reading gap", "Largest rise", "Perplexity at the end")
SWITCHES = ("One switch: reading gap at the end", "One switch: largest rise")
GROWTH = ("Reading gap", "Mean |c|", "Share of tanh(c) saturated", "Gradient norm")


def draw(carry: pd.DataFrame, suspects: pd.DataFrame, words: str, runs: Path) -> Canvas:
    """Reading gap, largest rise and end by forget bias and by switch; what grows over training.

    Args:
        carry: see analysis.instability.summary.tables.
        suspects: the same.
        words: how the caption starts.
        runs: folder of all runs.
    """
    corpora, known = marks(carry, suspects), effects(carry, suspects)
    weights = carry[carry["scheme"] != 1] if len(carry) else carry
    grown = diagnoses(carry, runs)
    titles = (*BIASES, *(SWITCHES if len(suspects) else ()), *(GROWTH if len(grown) else ()))
    with panels(len(titles) // 2, 2) as (canvas, grid):
        for letter, axes, title in zip("abcdefghij", grid.flat, titles, strict=False):
            axes.set_title(f"({letter}) {title}")
        draw_biases(grid[0, 0], weights, "gap", corpora)
        draw_biases(grid[0, 1], weights, "largest_gap", corpora)
        draw_biases(grid[1, 0], carry, "rise", corpora)
        draw_biases(grid[1, 1], carry, "end", corpora)
        perplexities(grid[1, 1])
        for axes in grid[0]:
            axes.set(ylabel="log(progressive / windowed)")
        grid[1, 0].set(ylabel="log of the ratio to the lowest")
        grid[1, 1].set(ylabel="perplexity")
        for value in sorted(set(carry["threshold"])) if len(carry) else []:
            grid[1, 0].axhline(value, color="grey", linewidth=0.8)
        if len(suspects):
            draw_switches(grid[2, 0], known, "gap", corpora)
            draw_switches(grid[2, 1], known, "rise", corpora)
        if len(grown):
            for axes, measure in zip(grid.flat[-len(GROWTH) :], SHORT, strict=True):
                draw_growth(axes, grown, measure)
            grid[-1, 1].legend(fontsize="xx-small", loc="best", ncols=2)
        _legend_of_corpora(grid[0, 0], corpora)
        present = sorted({*_values(carry, "scheme"), *_values(suspects, "scheme")})
        legend = {f"scheme {scheme}": SCHEMES[scheme] for scheme in present}
        title = "Reading on, and the stability of training"
        add_words(canvas, title, legend, f"{words} {_caption(carry, suspects, len(grown) > 0)}")
    return canvas


def _caption(carry: pd.DataFrame, suspects: pd.DataFrame, with_growth: bool) -> str:
    told = []
    for name, table in (("Forget biases", carry), ("Switches", suspects)):
        if len(table):
            told.append(
                f"{name}: scale {_joined(table, 'scale')}; corpora {_joined(table, 'corpus')}; r"
                f" {_joined(table, 'num_layers')}; gamma {_joined(table, 'hidden_size')}; k2"
                f" {_joined(table, 'k2')}; k1 {_joined(table, 'k1')}; replicates"
                f" {_joined(table, 'seed')}; {_joined(table, 'num_batches')} batches; evaluate_at"
                f" {_joined(table, 'schedule')}."
            )
    told.append(
        "(a) to (d): a point is a cell, a bar the mean of a scheme; bars are joined where they are"
        " means of the same cells. (a), (b): schemes 1 and 3 have the same weights, and are drawn"
        " as scheme 3; below 0, the weights predict worse from a fresh state. (c): the grey line is"
        " the threshold of instability."
    )
    if len(suspects):
        told.append(
            "(e), (f): differences over pairs at forget bias 5, with Student's 95 % intervals over"
            " replicates; hollow: fewer than 3 replicates, no interval."
        )
    last = "(g) to (j)" if len(suspects) else "(e) to (h)"
    if with_growth:
        told.append(
            f"{last}: medians of cells, bands from quartile to quartile; solid for scheme 4, dashed"
            " for scheme 3; colours are forget biases there, see the legend in the last one."
        )
    return " ".join(told)


def _legend_of_corpora(axes: Axes, corpora: dict[str, str]) -> None:
    handles = [
        Line2D([], [], marker=mark, color=BLACK, linestyle="none", markersize=4, label=name)
        for name, mark in corpora.items()
    ]
    axes.legend(handles=handles, fontsize="x-small", loc="best")


def _values(table: pd.DataFrame, column: str) -> list[Any]:
    return list(table[column].drop_duplicates()) if len(table) else []


def _joined(table: pd.DataFrame, column: str) -> str:
    return ", ".join(map(str, _values(table, column)))
