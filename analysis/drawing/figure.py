"""Figures 7 to 11 and those beyond the paper: `python -m analysis.drawing.figure -h`."""

from __future__ import annotations

import argparse
from pathlib import Path

from analysis.drawing.perplexity_curves import (
    BLUE,
    GREEN,
    HUES,
    MAGENTA,
    RED,
    YELLOW,
    Figure,
    draw,
    save,
)
from analysis.results import read_results
from charrnn.config import scale_for_this_machine
from charrnn.console import refuse
from charrnn.data.catalogue import STANDS_FOR, choose
from charrnn.errors import CharRNNError
from charrnn.sweeps.grids import grid_path

SCHEMES = {1: BLUE, 2: GREEN, 3: RED, 4: YELLOW, "bptt": MAGENTA}
PLACES = {"english": BLUE, "finnish": GREEN, "linux": RED, "music": YELLOW}
FIGURES = {
    "fig7": Figure(
        "Comparing RNN architectures with scheme 1 (Figure 7)", "corpus", "architecture"
    ),
    "fig8": Figure(
        "Comparing RNN architectures with scheme 2 (Figure 8)", "corpus", "architecture"
    ),
    "fig9": Figure(
        "Comparing schemes (Figure 9)",
        panel="corpus",
        colour="scheme",
        hues=SCHEMES,
    ),
    "fig10": Figure(
        "Comparing datasets (Figure 10)",
        panel="scheme",
        colour="corpus",
        hues={corpus: PLACES[place] for corpus, place in STANDS_FOR.items()},
    ),
    "fig11": Figure(
        "Comparing k2 by training time (Figure 11)",
        panel="scheme",
        colour="k2",
        hues=dict(zip((20, 40, 60, 80, 100), HUES, strict=False)),
        x="train_seconds",
        limit=80,
        place="music",
        note="Time is that of training alone, beside whatever else the machine of a run did.",
    ),
    "bptt": Figure(
        "Beside truncated backpropagation through time (Section 2.1)",
        panel="corpus",
        colour="scheme",
        hues=SCHEMES,
        note="Schemes 1 and 2 are evaluated windowed, the others progressively.",
        baseline="bptt",
    ),
    "k3": Figure(
        "Loss over the last k3 positions, scheme 1 (Section 5)",
        panel="corpus",
        colour="k3",
        baseline=100,
    ),
    "decay": Figure(
        "Loss that decays towards the start, scheme 1 (Section 5)",
        panel="corpus",
        colour="weighting",
        baseline="uniform",
    ),
    "carry": Figure(
        "Forget bias, with the state reset and carried (Section 3.7)",
        panel="scheme",
        colour="forget_bias",
    ),
    "suspects": Figure(
        "One switch at a time, with the state reset and carried (Section 3.7)",
        panel="scheme",
        colour="suspect",
        baseline="none",
    ),
}
"""What is drawn, by the experiment that has the cells: the paper's figures, and beyond them."""


def main() -> None:
    """Draw the figure at whatever state its sweep is, and say where it is."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.drawing.figure",
        description="Draw a figure from the runs that are finished; the others are named below it.",
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
        corpora = arguments.corpora or ",".join(results.cells["corpus"].unique())
        results = results.of(choose(f"{figure.place} of {corpora}" if figure.place else corpora))
    except CharRNNError as error:
        refuse(error)
    canvas = draw(results, figure)
    for path in save(canvas, results, out / f"{arguments.figure}-{scale}"):
        print(path)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What all commands that draw from a sweep's runs take."""
    parser.add_argument("--scale", default="auto", help="auto, paper, laptop, quick or smoke")
    parser.add_argument("--runs", default="multirun", type=Path, help="folder of all runs")
    parser.add_argument("--corpora", help="those to draw, as in CORPORA= (default: all)")
    parser.add_argument("--out", type=Path, help="folder of the figure (default: RUNS/figures)")


if __name__ == "__main__":
    main()
