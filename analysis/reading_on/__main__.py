"""How the models of a sweep read on, drawn and in a table: `python -m analysis.reading_on -h`."""

from __future__ import annotations

import argparse

from analysis.drawing.canvas import save
from analysis.drawing.figure import add_arguments
from analysis.reading_on.cells import draw_cells
from analysis.reading_on.figure import VARIED, draw
from analysis.reading_on.measure import (
    by_bin,
    keep_as_reference,
    measured,
    of_one_length,
    of_reference,
)
from analysis.reading_on.post_training import against_control, with_before
from analysis.reading_on.summary import costs, in_words
from analysis.reference.source import read_sweep
from analysis.results import Results
from charrnn.config import scale_for_this_machine
from charrnn.console import refuse
from charrnn.errors import CharRNNError, require


def main() -> None:
    """Measure what is new, print what reading on costs, and draw the figure."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.reading_on",
        description="Perplexity, effective remembrance and the size of the state against the number"
        " of tokens read, up to 100 k2, of the finished runs of a sweep.",
    )
    parser.add_argument("sweep", help="an experiment, such as readings, or a sweep's name")
    add_arguments(parser)
    parser.add_argument(
        "--keep-as-reference",
        action="store_true",
        help="make what was measured part of the project's reference results, in place of what"
        " they have of this sweep's runs",
    )
    parser.add_argument(
        "--before",
        help="the sweep whose weights the runs began with, for a comparison with start=none and it",
    )
    arguments = parser.parse_args()
    scale = scale_for_this_machine() if arguments.scale == "auto" else arguments.scale
    try:
        require(arguments.results != "both", "--results", "both", "own or reference")
        results, other_lengths = of_one_length(_measured(arguments, arguments.sweep, scale))
        if arguments.before:
            before, shorter = of_one_length(_measured(arguments, arguments.before, scale))
            results, other_lengths = with_before(results, before), [*other_lengths, *shorter]
        table = by_bin(results)
        require(
            len(table) > 0,
            "sweep",
            arguments.sweep,
            "one with finished runs, on texts that are here",
        )
    except CharRNNError as error:
        refuse(error)
    if other_lengths:
        print(f"left out: runs of {', '.join(f'{n:,}' for n in other_lengths)} batches")
    if arguments.keep_as_reference:
        keep_as_reference(results)
    print("\n".join(against_control(results) if arguments.before else in_words(costs(results))))
    stem = (arguments.out or arguments.runs / "figures") / f"reading-on-{arguments.sweep}-{scale}"
    canvas = draw_cells(results) if {*VARIED} <= {*table} else draw(results)
    print(*save(canvas, stem, table), sep="\n")


def _measured(arguments: argparse.Namespace, sweep: str, scale: str) -> Results:
    results = read_sweep(arguments.results, arguments.runs, sweep, scale)
    if arguments.corpora:
        results = results.of(arguments.corpora)
    if arguments.results == "reference":
        return of_reference(results)
    return measured(results, arguments.runs)


if __name__ == "__main__":
    main()
