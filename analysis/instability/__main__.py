"""What makes carrying unstable, in words and as a figure: `python -m analysis.instability -h`."""

from __future__ import annotations

import argparse

import pandas as pd

from analysis.drawing.canvas import save
from analysis.drawing.figure import add_arguments
from analysis.instability.figure import draw
from analysis.instability.summary import summarise
from analysis.instability.verdict import verdict
from analysis.results import read_results
from charrnn.config import scale_for_this_machine
from charrnn.console import refuse
from charrnn.data.corpora.for_figures import choose
from charrnn.errors import CharRNNError
from charrnn.files import write_atomically
from charrnn.sweeps.grids import grid_path


def main() -> None:
    """Print the verdict, write it and the table behind it to files, and draw the figure."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.instability",
        description="What makes carrying the state unstable, from the finished runs of the"
        " experiments carry and suspects.",
    )
    add_arguments(parser)
    arguments = parser.parse_args()
    scale = scale_for_this_machine() if arguments.scale == "auto" else arguments.scale
    out = arguments.out or arguments.runs / "figures"
    tables = {}
    try:
        for name in ("carry", "suspects"):
            results = read_results(grid_path(arguments.runs, name, scale))
            if arguments.corpora:
                results = results.of(choose(arguments.corpora))
            tables[name] = summarise(results, arguments.runs)
    except CharRNNError as error:
        refuse(error)
    lines = verdict(**tables)
    print("\n".join(lines))
    stem = out / f"instability-{scale}"
    table = pd.concat(tables.values(), ignore_index=True)
    paths = save(draw(**tables, words=lines[0], runs=arguments.runs), stem, table)
    text = stem.with_suffix(".txt")
    write_atomically(text, "\n".join(lines) + "\n")
    print(*paths, text, sep="\n")


if __name__ == "__main__":
    main()
