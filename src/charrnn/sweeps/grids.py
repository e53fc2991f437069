"""The tables of grids: which run belongs to which cell. Figures are drawn from them."""

from __future__ import annotations

import ast
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from filelock import FileLock

from charrnn.errors import CharRNNError
from charrnn.files import write_atomically

if TYPE_CHECKING:
    from charrnn.sweeps.cells import Cell


def grid_path(output_dir: str, sweep: str, scale: str) -> Path:
    """Where the table of a sweep's cells lies.

    Args:
        output_dir: the folder of all runs.
        sweep: name of the experiment, or `sweep` without one.
        scale: name of the scale.
    """
    return Path(output_dir) / "grids" / f"{sweep}-{scale}.csv"


def read_grid(path: Path) -> pd.DataFrame:
    """The table of a grid's cells, columns as `write_grid` has them.

    A column may hold numbers and names, such as schemes 1 and bptt: each value is what it was.

    Raises:
        CharRNNError: if it cannot be read, or is not complete.
    """
    text = path.read_text(errors="replace")
    try:
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except ValueError as error:
        raise _damaged(path) from error
    columns = {"corpus", "scheme", "run"} <= {*table.columns}
    if not columns or table.isna().any(axis=None) or not text.endswith("\n"):
        raise _damaged(path)
    for column in table.columns.difference(["run", "corpus", "settings"]):
        table[column] = pd.Series(map(value_of, table[column]), table.index, dtype=object)
    return table.infer_objects()


def _damaged(path: Path) -> CharRNNError:
    return CharRNNError(f"{path} is damaged: remove it, and give its sweeps' commands again.")


def value_of(text: str) -> object:
    """The number, truth value or None that ``text`` writes; any other text as it is."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def write_grid(cells: Sequence[Cell], path: Path) -> None:
    """Add a sweep's cells to the table of its grid.

    Cells of earlier sweeps stay, with other corpora or seeds, say; the same cells asked for again
    are replaced, but not by ones whose corpus cannot be had now. Sweeps that start at the same time
    write one after another.

    Columns: those of charrnn.sweeps.cells.Cell.describe, num_batches, and run (the folder beside
    `grids`; empty if the corpus could not be had). A column that only some sweeps have is empty
    for others.

    Raises:
        CharRNNError: if the table is there, and damaged.
    """
    table = pd.DataFrame([_row(cell) for cell in cells], dtype=object)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        if path.exists():
            table = pd.concat([read_grid(path).astype(object), table], ignore_index=True)
            table = table.astype(object).where(table.notna(), "")
            key = [column for column in table if column not in ("num_batches", "run")]
            cells_of_rows = table[key].astype(str).agg("\t".join, axis=1)
            known = (table["run"] != "").groupby(cells_of_rows).transform("any")
            table = table[(table["run"] != "") | ~known]
            table = table[~cells_of_rows[table.index].duplicated(keep="last")]
        write_atomically(path, table.to_csv(index=False))


def _row(cell: Cell) -> dict[str, object]:
    run = cell.folder.path.name if cell.folder else ""
    return {**cell.describe(), "num_batches": cell.cfg.num_batches, "run": run}
