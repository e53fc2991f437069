"""Draws Figures 7 to 11, others, and any sweep's: `python -m analysis.drawing.figure -h`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from analysis.baselines import with_baselines
from analysis.drawing.aggregate import compared, ratios
from analysis.drawing.aggregate import draw as draw_aggregate
from analysis.drawing.any_sweep import figure_of_sweep, of_another_sweep, with_settings
from analysis.drawing.canvas import save
from analysis.drawing.catalogue import FIGURES, OF_ANY_SWEEP, Figure
from analysis.drawing.perplexity_curves import draw
from analysis.pace import seconds_per_batch, with_measured_paces
from analysis.reference.source import SOURCES, has_sweep, own_sweeps, read_sweep
from analysis.reference.table import REFERENCE
from charrnn.cli import INCOMPLETE, refusing
from charrnn.config import scale_for_this_machine
from charrnn.errors import CharRNNError, require_choice

log = logging.getLogger(__name__)

AGGREGATE, AGGREGATED = "aggregate", "fig9"
"""Name of the figure of analysis.drawing.aggregate, and the experiment that it shows by default."""
ALL = "all"
NAMES = (*FIGURES, *OF_ANY_SWEEP, AGGREGATE)
TABLE4 = "table4"
"""An experiment whose files in the folder of figures are a table's."""
TIMES = {"undisturbed": "undisturbed_seconds", "wall": "train_seconds"}
"""What `--x` takes, and the column of the x axis that it means."""


def main() -> None:
    """Draw a figure from the runs that are finished, and print the files written."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.drawing.figure",
        description="Draw a figure from the finished runs; the caption names the missing ones.",
    )
    parser.add_argument(
        "figure",
        help=f"{', '.join(NAMES)}; the name of any other sweep, such as sweep; or {ALL}: every one "
        "that there are results of",
    )
    add_arguments(parser)
    parser.add_argument("--sweep", help="experiment whose cells are drawn (default: the figure's)")
    parser.add_argument(
        "--x", choices=TIMES, help="which time a figure over training time shows (undisturbed)"
    )
    arguments = parser.parse_args()
    if arguments.scale == "auto":
        arguments.scale = scale_for_this_machine()
    with refusing():
        _draw_all(arguments)


def _draw_all(arguments: argparse.Namespace) -> None:
    """Draw one figure, or every one that there are results of: one that cannot be is left out."""
    own = [name for name in own_sweeps(arguments.runs, arguments.scale) if name not in FIGURES]
    if arguments.figure != ALL:
        if not has_sweep("reference", arguments.runs, arguments.figure, arguments.scale):
            require_choice("figure", arguments.figure, [*NAMES, *own, ALL])
        print(*_draw(arguments.figure, arguments), sep="\n")
        return
    wanted = [name for name in NAMES if _has_results(name, arguments)]
    wanted += own if arguments.results != "reference" else []
    if not wanted:
        raise CharRNNError(f"there are no results at scale={arguments.scale} to draw.")
    complete = True
    for name in wanted:
        try:
            print(*_draw(name, arguments), sep="\n")
        except CharRNNError as error:
            log.warning("left out: %s: %s", name, error)
            complete = False
    if not complete:
        sys.exit(INCOMPLETE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of all commands that draw a figure from a sweep's runs."""
    parser.add_argument("--scale", default="auto", help="auto, paper, long, laptop, quick or smoke")
    parser.add_argument("--runs", default="multirun", type=Path, help="folder of all runs")
    parser.add_argument(
        "--results",
        choices=SOURCES,
        default="own",
        help="own: the runs in that folder; reference: those that come with the project",
    )
    parser.add_argument("--corpora", help="corpora to draw, as in CORPORA= (default: all)")
    parser.add_argument("--out", type=Path, help="folder of the figure (default: RUNS/figures)")


def draw_sweep(name: str, scale: str, runs: Path) -> Path | None:
    """Draw the figure of a sweep that has just been trained, one of the user's own or not.

    Args:
        name: of the sweep.
        scale: its name.
        runs: folder of all runs.

    Returns:
        The PNG file; None if the sweep's name is that of a table.

    Raises:
        CharRNNError: if its results cannot be read.
    """
    if name == TABLE4:
        return None
    own = {"results": "own", "corpora": None, "sweep": None, "x": None, "out": None}
    png, *_ = _draw(name, argparse.Namespace(scale=scale, runs=runs, **own))
    return png


def _draw(name: str, arguments: argparse.Namespace) -> Iterator[Path]:
    """Draw one figure; returns the files written."""
    own = _experiment(name)
    sweep = arguments.sweep or own
    results = read_sweep(arguments.results, arguments.runs, sweep, arguments.scale)
    if name in NAMES:
        figure = _figure(name, arguments)
        figure = figure if sweep == own else of_another_sweep(figure, sweep)
    else:
        results = with_settings(results)
        figure = figure_of_sweep(sweep, results)
    results = with_baselines(figure.select(results, arguments.corpora), arguments.runs)
    if arguments.results != "both":  # the two were trained at different paces
        folder = REFERENCE if arguments.results == "reference" else arguments.runs / "figures"
        results = with_measured_paces(results, folder, arguments.scale)
    # No name has a plus sign: the file of another sweep is no other figure's.
    stem = name if sweep == own else f"{name}+{sweep}"
    if name == AGGREGATE:
        canvas, table = draw_aggregate(results, figure), ratios(results, *compared(results, figure))
    else:
        pace = seconds_per_batch(results.curves)
        canvas, table = draw(results, figure), results.curves.assign(seconds_per_batch=pace)
    out = arguments.out or arguments.runs / "figures"
    yield from save(canvas, out / f"{stem}-{arguments.scale}", table)


def _experiment(name: str) -> str:
    """The experiment, or the sweep, that a figure shows by default."""
    if name == AGGREGATE:
        return AGGREGATED
    return (FIGURES | OF_ANY_SWEEP)[name].sweep or name if name in NAMES else name


def _figure(name: str, arguments: argparse.Namespace) -> Figure:
    """How one of NAMES is drawn."""
    if name == AGGREGATE:
        return FIGURES.get(arguments.sweep or AGGREGATED, FIGURES[AGGREGATED])
    figure = (FIGURES | OF_ANY_SWEEP)[name]
    if arguments.x and figure.x in TIMES.values():
        figure = replace(figure, x=TIMES[arguments.x])
    return figure


def _has_results(name: str, arguments: argparse.Namespace) -> bool:
    wanted = SOURCES[:2] if arguments.results == "both" else (arguments.results,)
    experiment = _experiment(name)
    return any(has_sweep(one, arguments.runs, experiment, arguments.scale) for one in wanted)


if __name__ == "__main__":
    main()
