"""What makes carrying unstable, in words and as a figure: `python -m analysis.instability -h`."""

from __future__ import annotations

import argparse

import pandas as pd

from analysis.drawing.canvas import save
from analysis.drawing.figure import add_arguments
from analysis.instability.effects import effects
from analysis.instability.figure import draw
from analysis.instability.summary import BIASES, SWITCHES, tables
from analysis.instability.threshold import bases
from analysis.instability.verdict import verdict
from analysis.reference.source import read_sweep
from analysis.results import Results
from charrnn.cli import refusing
from charrnn.config import scale_for_this_machine
from charrnn.data.corpora.for_figures import choose
from charrnn.errors import CharRNNError
from charrnn.files import write_atomically
from charrnn.sweeps.grids import grid_path

EXPERIMENTS = (*BIASES, SWITCHES)


def main() -> None:
    """Print the verdict, write it and the tables behind it to files, and draw the figure."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.instability",
        description="The reading gap and the stability of training, from the finished runs of the"
        f" experiments {', '.join(EXPERIMENTS)}, as far as they were started.",
    )
    add_arguments(parser)
    parser.add_argument(
        "--threshold",
        nargs="?",
        const=BIASES[0],
        metavar="EXPERIMENT",
        help="only print the largest rise of schemes 1 and 2 in an experiment (default:"
        f" {BIASES[0]}), with what it rests on",
    )
    arguments = parser.parse_args()
    scale = scale_for_this_machine() if arguments.scale == "auto" else arguments.scale
    with refusing():
        if arguments.threshold:
            print_threshold(_read(arguments, arguments.threshold, scale))
        else:
            _judge(arguments, scale)


def _judge(arguments: argparse.Namespace, scale: str) -> None:
    sweeps = _read_all(arguments, scale)
    carry, suspects = tables(sweeps, arguments.runs)
    lines = verdict(carry, suspects)
    print("\n".join(lines))
    stem = (arguments.out or arguments.runs / "figures") / f"instability-{scale}"
    cells = pd.concat([carry, suspects], ignore_index=True)
    paths = save(draw(carry, suspects, lines[0], arguments.runs), stem, cells)
    text, compared = stem.with_suffix(".txt"), stem.with_name(f"{stem.name}-effects.csv")
    write_atomically(text, "\n".join(lines) + "\n")
    write_atomically(compared, effects(carry, suspects).to_csv(index=False, na_rep="nan"))
    print(*paths, text, compared, sep="\n")


def print_threshold(results: Results) -> None:
    """Print what thresholds rest on, one line for each schedule of evaluations."""
    known = list(map(str, bases(results.curves)))
    print(*(known or ["No cell of schemes 1 and 2 is finished."]), sep="\n")


def _read(arguments: argparse.Namespace, experiment: str, scale: str) -> Results:
    results = read_sweep(arguments.results, arguments.runs, experiment, scale)
    return results.of(choose(arguments.corpora)) if arguments.corpora else results


def _read_all(arguments: argparse.Namespace, scale: str) -> dict[str, Results]:
    """The experiments that have results; refuses if none has."""
    found: dict[str, Results] = {}
    missing: list[CharRNNError] = []
    for name in EXPERIMENTS:
        try:
            found[name] = _read(arguments, name, scale)
        except CharRNNError as error:
            if arguments.results != "reference" and grid_path(arguments.runs, name, scale).exists():
                raise  # it was started, and cannot be read
            missing.append(error)
    if not found:
        raise missing[0]
    return found


if __name__ == "__main__":
    main()
