"""The tables of grids: which run belongs to which cell. Figures are drawn from them."""

from __future__ import annotations

import ast
import functools
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from filelock import FileLock

from charrnn.data.corpora.labels import Text, labels
from charrnn.errors import CannotRead, CannotWrite, CharRNNError
from charrnn.files import read_file, write_atomically
from charrnn.seals import Damaged, sealed_table, unsealed_table

if TYPE_CHECKING:
    from charrnn.sweeps.cells import Cell


log = logging.getLogger(__name__)

COLUMNS = ("corpus", "scheme", "k1", "k2", "num_layers", "hidden_size", "seed")
"""Columns that say what a cell is; a sweep may have more."""
LONGEST = 1_000
"""Characters of a value that is no text, at most."""


def grids_below(runs: Path) -> dict[Path, pd.DataFrame]:
    """The tables of all grids in a folder of runs; one that cannot be read is named in the log."""
    found = {}
    for path in sorted((runs / "grids").glob("*.csv")):
        try:
            found[path] = read_grid(path)
        except CharRNNError as error:
            log.warning("left out: %s", error)
    return found


def grid_path(output_dir: str, sweep: str, scale: str) -> Path:
    """Where the table of a sweep's cells lies.

    Args:
        output_dir: the folder of all runs.
        sweep: name of the experiment, or `sweep` without one.
        scale: name of the scale.
    """
    return Path(output_dir) / "grids" / f"{sweep}-{scale}.csv"


def read_grid(path: Path) -> pd.DataFrame:
    """The table of a grid's cells, with the columns of `write_grid` except `text`.

    Where texts in this grid, or in others beside it, have the same name, `corpus` tells them apart:
    `hamlet@3f0a1b`.

    Raises:
        CharRNNError: if it cannot be read, or is not complete.
    """
    table = _read(path)
    own = _texts(table)
    called = labels([*own, *_texts_beside(path)])
    return table.assign(corpus=[called[text] for text in own]).drop(columns="text")


def _texts(table: pd.DataFrame) -> list[Text]:
    """The name and the hash of the text of every cell."""
    return list(zip(table["corpus"], table["text"], strict=True))


def _texts_beside(path: Path) -> list[Text]:
    """Those of the other grids in the same folder that can be read."""
    found: list[Text] = []
    for other in sorted(path.parent.glob("*.csv")):
        if other != path:
            with suppress(CharRNNError, OSError):
                found += _texts_in(other, other.stat().st_mtime_ns)
    return found


@functools.lru_cache(maxsize=100)
def _texts_in(path: Path, written: int) -> tuple[Text, ...]:
    del written  # only part of the key: a table that was written again is read again
    return tuple(dict.fromkeys(_texts(_read(path))))


def _read(path: Path) -> pd.DataFrame:
    """A table as it is; `text` is empty in one that was written before there was this column.

    A column may hold numbers and names, such as schemes 1 and bptt: each value is what it was.

    Raises:
        CharRNNError: if it cannot be read, or is not what was written.
    """
    try:
        table = unsealed_table(read_file(path))
    except OSError as error:
        raise CannotRead(path, error) from error
    except Damaged as error:
        raise _damaged(path) from error
    if not {*COLUMNS, "procedure", "num_batches", "run"} <= {*table.columns}:
        raise _damaged(path)
    if not table["num_batches"].str.fullmatch("[1-9][0-9]{0,18}").all():
        raise _damaged(path)
    if "text" not in table:
        table["text"] = ""
    for column in table.columns.difference(["run", "corpus", "text", "settings"]):
        table[column] = pd.Series(map(value_of, table[column]), table.index, dtype=object)
    return table.infer_objects()


def _damaged(path: Path) -> CharRNNError:
    return CharRNNError(f"{path} is damaged: remove it, and give its sweeps' commands again.")


def value_of(text: str) -> object:
    """The number, truth value or None that ``text`` writes; any other text as it is."""
    try:
        return ast.literal_eval(text) if len(text) <= LONGEST else text
    except (ValueError, SyntaxError):
        return text


def write_grid(cells: Sequence[Cell], path: Path) -> None:
    """Add a sweep's cells to the table of its grid.

    Cells of earlier sweeps stay, with other corpora or seeds, say, or with the same corpus before
    its text was changed; the same cells asked for again are replaced, but not by ones whose corpus
    cannot be had now. Sweeps that start at the same time write one after another.

    Columns: those of charrnn.sweeps.cells.Cell.describe, num_batches, and run (the folder beside
    `grids`; empty if the corpus could not be had). A column that only some sweeps have is empty
    for others.

    Raises:
        CharRNNError: if the table is there, and damaged, or cannot be written.
    """
    table = pd.DataFrame([_row(cell) for cell in cells], dtype=object)
    try:
        _add(table, path)
    except OSError as error:
        raise CannotWrite(path, error) from error


def _add(table: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_name(f".{path.name}.lock")):
        if path.exists():
            table = pd.concat([_read(path).astype(object), table], ignore_index=True)
            table = table.astype(object).where(table.notna(), "")
            for column in ("run", "text"):
                known = (table[column] != "").groupby(_cells(table, "text")).transform("any")
                table = table[(table[column] != "") | ~known]
            table = table[~_cells(table).duplicated(keep="last")]
        write_atomically(path, sealed_table(table))


def _cells(table: pd.DataFrame, *without: str) -> pd.Series:
    """What every row is a cell of, as text: its columns but for those that a cell may change."""
    key = [column for column in table if column not in ("num_batches", "run", *without)]
    return table[key].astype(str).agg("\t".join, axis=1)


def _row(cell: Cell) -> dict[str, object]:
    run = cell.folder.path.name if cell.folder else ""
    return {**cell.describe(), "num_batches": cell.cfg.num_batches, "run": run}
