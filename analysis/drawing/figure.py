"""Draws Figures 7 to 11 and those beyond the paper: `python -m analysis.drawing.figure -h`."""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.drawing.canvas import save
from analysis.drawing.catalogue import FIGURES
from analysis.drawing.perplexity_curves import draw
from analysis.results import read_results
from charrnn.config import scale_for_this_machine
from charrnn.console import refuse
from charrnn.errors import CharRNNError
from charrnn.sweeps.grids import grid_path


def main() -> None:
    """Draw a figure from the runs that are finished, and print the files written."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.drawing.figure",
        description="Draw a figure from the finished runs; the caption names the missing ones.",
    )
    parser.add_argument("figure", choices=FIGURES)
    add_arguments(parser)
    parser.add_argument("--sweep", help="experiment whose cells are drawn (default: the figure's)")
    arguments = parser.parse_args()
    scale = scale_for_this_machine() if arguments.scale == "auto" else arguments.scale
    out = arguments.out or arguments.runs / "figures"
    figure, sweep = FIGURES[arguments.figure], arguments.sweep or arguments.figure
    try:
        results = read_results(grid_path(arguments.runs, sweep, scale))
        results = figure.select(results, arguments.corpora)
    except CharRNNError as error:
        refuse(error)
    stem = out / f"{arguments.figure}-{scale}"
    print(*save(draw(results, figure), stem, results.curves), sep="\n")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of all commands that draw a figure from a sweep's runs."""
    parser.add_argument("--scale", default="auto", help="auto, paper, long, laptop, quick or smoke")
    parser.add_argument("--runs", default="multirun", type=Path, help="folder of all runs")
    parser.add_argument("--corpora", help="corpora to draw, as in CORPORA= (default: all)")
    parser.add_argument("--out", type=Path, help="folder of the figure (default: RUNS/figures)")


if __name__ == "__main__":
    main()
