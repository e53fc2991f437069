"""The paths on the command line, and the files that `--out` names."""

from __future__ import annotations

import argparse
import io
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from charrnn.errors import BadInput, reason, require
from charrnn.files import write_output

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def path_of(text: str) -> Path:
    """A path as it is written on the command line; shells do not expand the ~ in --out=~/x."""
    return Path(os.path.expanduser(text))


def add_runs_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--runs`, the folder of all runs."""
    parser.add_argument(
        "--runs", type=path_of, default="multirun", help="folder of all runs (default: multirun)"
    )


def default_folder(runs: Path, name: str) -> Path:
    """A folder beside the runs for files that `--out` does not name; made if need be.

    Raises:
        BadInput: if it cannot be made.
    """
    folder = runs / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        wanted = f"a folder that can be written to ({reason(error)})"
        raise BadInput("--runs", runs, wanted) from error
    return folder


def require_writable(paths: Iterable[Path]) -> None:
    """Refuse, before there is work that would be lost, files that cannot be written.

    Raises:
        BadInput: naming ``--out``.
    """
    for path in paths:
        folder = path.parent
        require(path.name != "", "--out", path, "the name of a file")
        require(os.path.isdir(folder), "--out", path, f"in a folder, which {folder} is not")
        may_write = os.access(folder, os.W_OK | os.X_OK)
        require(may_write, "--out", path, f"in a folder that can be written to, not {folder}")
        # A device such as /dev/null would be replaced with a file.
        takes = os.path.isfile(path) or not os.path.exists(path)
        require(takes, "--out", path, "a file or a new name, not that of a folder or a device")


def write_out(path: Path, content: bytes | str) -> None:
    """Write a file, whole or not at all.

    Raises:
        BadInput: if it cannot be written.
    """
    write_output(path, content, "--out")


def figure_and_table(out: Path, example: str) -> tuple[Path, Path]:
    """The paths of a figure, which `--out` names, and of the table beside it.

    Args:
        out: of the figure.
        example: a name without suffix, for the refusal of a path that has no name.

    Raises:
        BadInput: if it is no .png, or one of the two cannot be written.
    """
    wanted = f"the name of a .png, such as {out.name or example}.png"
    require(out.suffix == ".png", "--out", out, wanted)
    paths = out, out.with_suffix(".csv")
    require_writable(paths)
    return paths


def write_figure_and_table(paths: tuple[Path, Path], figure: Figure, table: pd.DataFrame) -> None:
    """Write both, each whole or not at all.

    Raises:
        BadInput: if one cannot be written.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    write_out(paths[0], buffer.getvalue())
    write_out(paths[1], table.to_csv(index=False, na_rep="nan"))
