"""One figure for a whole sweep: final perplexities relative to a baseline, over all its cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullLocator

from analysis.drawing.canvas import add_words, panels, ratio_ticks, style
from analysis.drawing.catalogue import Figure
from analysis.drawing.colours import SCHEMES, Look, choose_colours
from analysis.drawing.names import DERIVED, in_order, label
from analysis.results import BESIDE, STATES, Results, name_cells
from analysis.statistics.bootstrap import (
    bootstrap_interval,
    interquartile_mean,
    profile,
    resample,
)
from analysis.statistics.intervals import CONFIDENCE, ENOUGH

TITLE = "Final perplexity over all cells"
TAILS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)


def compared(results: Results, figure: Figure) -> tuple[str, object]:
    """The column whose values are compared, and the value that the others are divided by.

    Args:
        results: of the sweep, see Figure.select.
        figure: the sweep's own; its baseline, if it has one. Otherwise the first scheme, or where
            the sweep has but one scheme the first of the figure's colours.
    """
    if figure.baseline is not None:
        return figure.colour, figure.baseline
    column = "scheme" if len(results.cells["scheme"].unique()) > 1 else figure.colour
    return column, next(iter(in_order(results.cells, column)), None)


def ratios(results: Results, column: str, baseline: object) -> pd.DataFrame:
    """The final perplexity of each cell relative to that of the cell that differs in one column.

    Args:
        results: see Figure.select.
        column: see `compared`.
        baseline: see `compared`.

    Returns:
        The columns in which the two cells agree, ``column``, `ratio` (0 or infinite if one of them
        diverged; without pairs of which both did), and `stratum`: the number of the pairs that
        differ in their seed alone.
    """
    ends = results.ends()
    parts = {"architecture": ("num_layers", "hidden_size"), "training": ("scheme",)}
    apart = {*BESIDE, *DERIVED, *parts.get(column, ()), column, "final"}
    alike = [name for name in ends if name not in apart]
    base = ends.loc[ends[column] == baseline, [*alike, "final"]]
    both = ends[ends[column] != baseline].merge(base, on=alike, suffixes=("", "_baseline"))
    with np.errstate(invalid="ignore"):
        both["ratio"] = both["final"] / both["final_baseline"]
    strata = [name for name in alike if name != "seed"]
    both["stratum"] = both.groupby(strata, sort=False, dropna=False).ngroup()
    return both[[*alike, column, "ratio", "stratum"]].dropna(subset="ratio").reset_index(drop=True)


def draw(results: Results, figure: Figure) -> Canvas:
    """Interquartile means of the ratios, and the share of cells that are at most so much worse."""
    column, baseline = compared(results, figure)
    table = ratios(results, column, baseline)
    values = [value for value in in_order(results.cells, column) if value != baseline]
    hues = SCHEMES if column == "scheme" else figure.hues
    colours = choose_colours(in_order(results.cells, column), hues)
    with panels(1, 2) as (canvas, grid):
        means, profiles = grid[0]
        strata = {value: _strata(table[table[column] == value]) for value in values}
        for place, value in enumerate(values):
            if strata[value]:
                _draw_mean(means, strata[value], place, colours[value])
                _draw_profile(profiles, strata[value], table["ratio"], Look.of(colours[value]))
        names = [label(column, value) for value in values]
        means.set_yticks(range(len(values)), names, fontsize="small")
        means.set_ylim(len(values) - 0.5, -0.5)
        means.set_title("(a) Interquartile mean")
        profiles.set_title("(b) Performance profiles")
        profiles.set(ylim=(0, 1.02), ylabel="Share of pairs")
        relative = f"Final perplexity relative to {label(column, baseline)}"
        for axes in (means, profiles):
            axes.set(xscale="log", xlabel=relative)
            axes.axvline(1, color="black", linewidth=0.7, zorder=1)
            ticks = ratio_ticks(*axes.get_xlim())
            axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            axes.xaxis.set_minor_locator(NullLocator())
        legend = {label(column, value): colours[value] for value in values}
        add_words(canvas, TITLE, legend, _caption(results, table, column, baseline))
    return canvas


def _strata(pairs: pd.DataFrame) -> list[np.ndarray]:
    """The logarithms of the ratios, a stratum each."""
    with np.errstate(divide="ignore"):
        return [np.log(own.to_numpy(float)) for _, own in pairs.groupby("stratum")["ratio"]]


def _draw_mean(axes: Axes, strata: list[np.ndarray], place: int, colour: str) -> None:
    """A point per pair, above them a diamond for their mean, and its interval if it has one."""
    logs = np.concatenate(strata)
    finite = np.exp(logs[np.isfinite(logs)])
    below = [place + 0.18] * len(finite)  # the axis points down
    axes.plot(finite, below, "o", color=colour, alpha=0.4, markersize=4)
    if known := bootstrap_interval(strata):
        ends = np.exp([known.low, known.high])
        axes.plot(ends, [place, place], "|-", color=colour, linewidth=1.5, markersize=9)
    axes.plot(np.exp(interquartile_mean(logs)), place, "D", color=colour, markersize=5)


def _draw_profile(axes: Axes, strata: list[np.ndarray], ratios: pd.Series, look: Look) -> None:
    finite = ratios[np.isfinite(ratios) & (ratios > 0)]
    lowest, highest = min(finite.min(), 1) / 1.05, max(finite.max(), 1) * 1.05
    at = np.linspace(np.log(lowest), np.log(highest), 400)
    axes.plot(np.exp(at), profile(np.concatenate(strata), at), **style(look))
    drawn = resample(strata)
    if drawn is not None:
        low, high = np.quantile(profile(drawn, at), TAILS, axis=0)
        axes.fill_between(np.exp(at), low, high, color=look.colour, alpha=0.2, linewidth=0)


def _caption(results: Results, table: pd.DataFrame, column: str, baseline: object) -> str:
    cells = results.cells.drop(columns=[*DERIVED], errors="ignore")
    of_values = [own.groupby("stratum").size() for _, own in table.groupby(column, sort=False)]
    counts = pd.concat(of_values) if of_values else pd.Series(dtype=int)
    fewest, most = (int(counts.min()), int(counts.max())) if len(counts) else (0, 0)
    replicates, strata = _range([*counts]), _range([len(own) for own in of_values])
    sentences = [
        f"{results.num_runs} runs at scale={', '.join(map(str, cells['scale'].unique()))}."
        f" Corpora: {', '.join(map(str, in_order(cells, 'corpus')))}."
        f" k1={', '.join(map(str, in_order(cells, 'k1')))}.",
        "Each point of panel (a) is the final perplexity of a cell over that of the cell that"
        f" differs only in having {label(column, baseline)}.",
        "The diamond is exp of the interquartile mean of their logarithms: the mean of the middle"
        " half. Panel (b) shows the share of all pairs whose ratio is at most as large as x says;"
        " what lies to the left is better.",
        "Pairs that differ in their seed alone are one stratum: there are"
        f" {strata} of them per line, with {replicates} replicate{'s' * (most != 1)} each.",
    ]
    if fewest >= ENOUGH:
        sentences.append(
            "Bars and bands: 95 % intervals of a bootstrap that draws replicates anew within each"
            " stratum (Agarwal et al. 2021). They tell chance on these corpora and strides alone,"
            f" and with {fewest} replicates they are somewhat too narrow."
        )
    else:
        sentences.append(f"Intervals need at least {ENOUGH} replicates of every stratum.")
    diverged = int((~np.isfinite(table["ratio"]) | (table["ratio"] == 0)).sum())
    if diverged:
        sentences.append(f"In {diverged} pairs one of the two diverged: they have no point.")
    for state, words in STATES.items():
        if (cells["state"] == state).any():
            sentences.append(f"{words}: {name_cells(cells, cells['state'] == state)}.")
    return " ".join(sentences)


def _range(numbers: list[int]) -> str:
    """Such as `3`, or `3 to 5`."""
    ends = sorted({min(numbers), max(numbers)}) if numbers else [0]
    return " to ".join(map(str, ends))
