"""Take finished runs into the reference results: `python -m analysis.reference -h`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.reference.table import TABLE, gather, write_reference
from charrnn.cli import refusing


def main() -> None:
    """Replace the rows of the experiments and scales that are given, and keep all others."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.reference",
        description="Take the finished runs of these grids into the reference results, in place of"
        " the rows of the same experiment and scale.",
    )
    parser.add_argument(
        "grids", nargs="+", type=Path, help="such as multirun/grids/fig9-laptop.csv"
    )
    parser.add_argument(
        "--no-far-past",
        action="store_true",
        help="do not measure what the far past is good for, which takes up to half a minute a run",
    )
    arguments = parser.parse_args()
    with refusing():
        _take(arguments.grids, far_past=not arguments.no_far_past)


def _take(grids: Sequence[Path], far_past: bool) -> None:
    new = gather(grids, far_past)
    if TABLE.exists():
        old = pd.read_csv(TABLE, dtype=str, keep_default_na=False)
        replaced = pd.MultiIndex.from_frame(new[["experiment", "scale"]])
        kept = old[~pd.MultiIndex.from_frame(old[["experiment", "scale"]]).isin(replaced)]
        new = pd.concat([kept, new], ignore_index=True)
    write_reference(new)
    print(f"{TABLE}: {len(new)} rows, {TABLE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
