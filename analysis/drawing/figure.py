"""Draws Figures 7 to 11 and those beyond the paper: `python -m analysis.drawing.figure -h`."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from analysis.baselines import with_baselines
from analysis.drawing.aggregate import compared, ratios
from analysis.drawing.aggregate import draw as draw_aggregate
from analysis.drawing.canvas import save
from analysis.drawing.catalogue import FIGURES, OF_ANY_SWEEP
from analysis.drawing.perplexity_curves import draw
from analysis.pace import seconds_per_batch
from analysis.results import read_results
from charrnn.config import scale_for_this_machine
from charrnn.console import refuse
from charrnn.errors import CharRNNError
from charrnn.sweeps.grids import grid_path

AGGREGATE, AGGREGATED = "aggregate", "fig9"
"""Name of the figure of analysis.drawing.aggregate, and the experiment that it shows by default."""
TIMES = {"undisturbed": "undisturbed_seconds", "wall": "train_seconds"}
"""What `--x` takes, and the column of the x axis that it means."""


def main() -> None:
    """Draw a figure from the runs that are finished, and print the files written."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.drawing.figure",
        description="Draw a figure from the finished runs; the caption names the missing ones.",
    )
    parser.add_argument("figure", choices=[*FIGURES, *OF_ANY_SWEEP, AGGREGATE])
    add_arguments(parser)
    parser.add_argument("--sweep", help="experiment whose cells are drawn (default: the figure's)")
    parser.add_argument(
        "--x", choices=TIMES, help="which time a figure over training time shows (undisturbed)"
    )
    arguments = parser.parse_args()
    scale = scale_for_this_machine() if arguments.scale == "auto" else arguments.scale
    out = arguments.out or arguments.runs / "figures"
    aggregate = arguments.figure == AGGREGATE
    if aggregate:
        figure = FIGURES.get(arguments.sweep or AGGREGATED, FIGURES[AGGREGATED])
    else:
        figure = (FIGURES | OF_ANY_SWEEP)[arguments.figure]
    if arguments.x and figure.x in TIMES.values():
        figure = replace(figure, x=TIMES[arguments.x])
    own = AGGREGATED if aggregate else figure.sweep or arguments.figure
    sweep = arguments.sweep or own
    try:
        results = read_results(grid_path(arguments.runs, sweep, scale))
        results = with_baselines(figure.select(results, arguments.corpora), arguments.runs)
    except CharRNNError as error:
        refuse(error)
    name = arguments.figure if sweep == own else f"{arguments.figure}-{sweep}"
    if aggregate:
        canvas, table = draw_aggregate(results, figure), ratios(results, *compared(results, figure))
    else:
        pace = seconds_per_batch(results.curves)
        canvas, table = draw(results, figure), results.curves.assign(seconds_per_batch=pace)
    print(*save(canvas, out / f"{name}-{scale}", table), sep="\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of all commands that draw a figure from a sweep's runs."""
    parser.add_argument("--scale", default="auto", help="auto, paper, long, laptop, quick or smoke")
    parser.add_argument("--runs", default="multirun", type=Path, help="folder of all runs")
    parser.add_argument("--corpora", help="corpora to draw, as in CORPORA= (default: all)")
    parser.add_argument("--out", type=Path, help="folder of the figure (default: RUNS/figures)")


if __name__ == "__main__":
    main()
