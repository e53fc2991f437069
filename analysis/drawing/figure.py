"""Draws Figures 7 to 11 and those beyond the paper: `python -m analysis.drawing.figure -h`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from analysis.baselines import with_baselines
from analysis.drawing.aggregate import compared, ratios
from analysis.drawing.aggregate import draw as draw_aggregate
from analysis.drawing.canvas import save
from analysis.drawing.catalogue import FIGURES, OF_ANY_SWEEP, Figure
from analysis.drawing.perplexity_curves import draw
from analysis.pace import seconds_per_batch
from analysis.reference.source import SOURCES, has_sweep, read_sweep
from charrnn.config import scale_for_this_machine
from charrnn.console import refuse
from charrnn.errors import CharRNNError

AGGREGATE, AGGREGATED = "aggregate", "fig9"
"""Name of the figure of analysis.drawing.aggregate, and the experiment that it shows by default."""
ALL = "all"
TIMES = {"undisturbed": "undisturbed_seconds", "wall": "train_seconds"}
"""What `--x` takes, and the column of the x axis that it means."""


def main() -> None:
    """Draw a figure from the runs that are finished, and print the files written."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.drawing.figure",
        description="Draw a figure from the finished runs; the caption names the missing ones.",
    )
    names = [*FIGURES, *OF_ANY_SWEEP, AGGREGATE]
    parser.add_argument(
        "figure", choices=[*names, ALL], help="all: every one that there are results of"
    )
    add_arguments(parser)
    parser.add_argument("--sweep", help="experiment whose cells are drawn (default: the figure's)")
    parser.add_argument(
        "--x", choices=TIMES, help="which time a figure over training time shows (undisturbed)"
    )
    arguments = parser.parse_args()
    if arguments.scale == "auto":
        arguments.scale = scale_for_this_machine()
    wanted = [arguments.figure]
    try:
        if arguments.figure == ALL:
            wanted = [name for name in names if _has_results(name, arguments)]
            if not wanted:
                raise CharRNNError(f"there are no results at scale={arguments.scale} to draw.")
        for name in wanted:
            print(*_draw(name, arguments), sep="\n")
    except CharRNNError as error:
        refuse(error)


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


def _draw(name: str, arguments: argparse.Namespace) -> Iterator[Path]:
    """Draw one figure; returns the files written."""
    figure, own = _figure(name, arguments)
    sweep = arguments.sweep or own
    results = read_sweep(arguments.results, arguments.runs, sweep, arguments.scale)
    results = with_baselines(figure.select(results, arguments.corpora), arguments.runs)
    stem = name if sweep == own else f"{name}-{sweep}"
    if name == AGGREGATE:
        canvas, table = draw_aggregate(results, figure), ratios(results, *compared(results, figure))
    else:
        pace = seconds_per_batch(results.curves)
        canvas, table = draw(results, figure), results.curves.assign(seconds_per_batch=pace)
    out = arguments.out or arguments.runs / "figures"
    yield from save(canvas, out / f"{stem}-{arguments.scale}", table)


def _figure(name: str, arguments: argparse.Namespace) -> tuple[Figure, str]:
    """How it is drawn, and the experiment that it shows by default."""
    if name == AGGREGATE:
        return FIGURES.get(arguments.sweep or AGGREGATED, FIGURES[AGGREGATED]), AGGREGATED
    figure = (FIGURES | OF_ANY_SWEEP)[name]
    if arguments.x and figure.x in TIMES.values():
        figure = replace(figure, x=TIMES[arguments.x])
    return figure, figure.sweep or name


def _has_results(name: str, arguments: argparse.Namespace) -> bool:
    experiment = _figure(name, arguments)[1]
    wanted = SOURCES[:2] if arguments.results == "both" else (arguments.results,)
    return any(has_sweep(one, arguments.runs, experiment, arguments.scale) for one in wanted)


if __name__ == "__main__":
    main()
