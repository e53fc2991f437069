"""Figure 9: the four schemes on every corpus. See `python -m analysis.fig9 --help`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from analysis.perplexity_curves import draw, save
from analysis.tables import read_results
from charrnn.config import scale_for_this_machine
from charrnn.errors import CharRNNError
from charrnn.sweep import grid_path

PALETTE: dict[object, str] = {1: "tab:blue", 2: "tab:green", 3: "tab:red", 4: "gold"}


def main() -> None:
    """Draw the figure from what has been trained, and say where it is."""
    parser = argparse.ArgumentParser(description="Draw Figure 9 from the runs that are finished.")
    parser.add_argument("--scale", default="auto", help="auto, paper, laptop, quick or smoke")
    parser.add_argument("--runs", default="multirun", help="folder of all runs")
    parser.add_argument("--sweep", default="fig9", help="experiment whose cells are drawn")
    parser.add_argument("--out", type=Path, help="folder of the figure (default: RUNS/figures)")
    arguments = parser.parse_args()
    scale = scale_for_this_machine() if arguments.scale == "auto" else arguments.scale
    out = arguments.out or Path(arguments.runs) / "figures"
    try:
        results = read_results(grid_path(arguments.runs, arguments.sweep, scale))
    except CharRNNError as error:
        sys.exit(f"error: {error}")
    grid = draw(results, "corpus", "scheme", PALETTE, "Comparing schemes (Figure 9)")
    for path in save(grid, results, out / f"fig9-{scale}"):
        print(path)


if __name__ == "__main__":
    main()
