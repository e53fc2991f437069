"""The table of reference results: one row per evaluation of a cell, with where it comes from."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterable, Mapping
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.baselines import with_baselines
from analysis.far_past import with_far_past
from analysis.results import BASELINES, FAR_PAST, OF_MACHINE, ORIGIN, Results, read_results
from charrnn.errors import CharRNNError
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES
from charrnn.files import write_atomically
from charrnn.runs.files import Evaluation
from charrnn.runs.folder import RunFolder
from charrnn.runs.state import RESULTS
from charrnn.sweeps.grids import value_of

REFERENCE = Path(__file__).parent
TABLE = REFERENCE / "results.csv.xz"
EVALUATED = (
    *(field.name for field in fields(Evaluation) if field.name != "procedure"),
    *SAMPLING_PROCEDURES,
    *BASELINES,
    FAR_PAST,
)
"""The columns of numbers, see analysis.results.Results, analysis.baselines and .far_past."""
ROUNDED = ("train_seconds", "train_cpu_seconds", "train_loss", "standard_error")
"""Those of which six digits are kept, which make a third of the file. Perplexities are kept to the
bit."""


def reference_results(path: Path = TABLE) -> Mapping[tuple[str, str], Results]:
    """The reference results, by experiment and scale; none if the table does not exist.

    Args:
        path: the table.

    Raises:
        CharRNNError: if it cannot be read.
    """
    return _read(path, path.stat().st_mtime_ns) if path.exists() else {}


def gather(grids: Iterable[Path], far_past: bool = True) -> pd.DataFrame:
    """The finished cells of these grids, as rows of the table.

    Args:
        grids: the tables of sweeps' cells, see charrnn.sweeps.grids.
        far_past: whether to measure FAR_PAST; the column is empty otherwise.

    Returns:
        Columns: `experiment`, those of a cell, EVALUATED and ORIGIN.
    """
    tables = []
    for grid in grids:
        runs = grid.parent.parent
        results = with_baselines(read_results(grid), runs)
        results = with_far_past(results, runs) if far_past else results
        finished = results.cells[results.cells["state"].isin(RESULTS)]
        if len(finished):
            known = {run: _origin(RunFolder(runs / run)) for run in finished["run"]}
            origins = pd.DataFrame.from_dict(known, orient="index").rename_axis("run").reset_index()
            shared = [name for name in finished if name != "state"]
            rows = results.curves.merge(finished, on=shared).merge(origins, on="run")
            tables.append(rows.assign(experiment=grid.stem.rpartition("-")[0]))
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=["experiment"])
    own = [name for name in table if name not in ("experiment", *EVALUATED, *ORIGIN)]
    return table.reindex(columns=["experiment", *own, *EVALUATED, *ORIGIN])


def write_reference(table: pd.DataFrame, path: Path = TABLE) -> None:
    """Write the table, compressed, with six digits of ROUNDED. Equal tables give equal files."""
    rounded = {name: table[name].map(_six_digits) for name in ROUNDED if name in table}
    table = table.assign(**rounded)
    write_atomically(path, lzma.compress(table.to_csv(index=False).encode(), preset=9))


def _six_digits(number: float | str) -> str:
    """A number, or its text, as text; empty for one that is missing."""
    return "" if pd.isna(number) or number == "" else f"{float(number):.6g}"


@cache
def _read(path: Path, written: int) -> Mapping[tuple[str, str], Results]:
    del written  # only part of the key: a table that was written anew is read anew
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        groups = table.groupby(["experiment", "scale"], sort=False)
        return {(str(one), str(scale)): _results(rows) for (one, scale), rows in groups}
    except (ValueError, KeyError, EOFError, lzma.LZMAError) as error:
        raise CharRNNError(f"{path} is damaged ({error}): restore it with git.") from error


def _results(rows: pd.DataFrame) -> Results:
    """Cells and curves from rows of text. A column without a value is another experiment's."""
    known: dict[str, Any] = {}
    for name in rows.columns.drop("experiment"):
        text = rows[name]
        if name in EVALUATED:
            # By way of numpy, which reads every number back to the bit.
            known[name] = text.replace("", "nan").to_numpy(str).astype(float)
        elif name in ("settings", *ORIGIN):
            known[name] = text
        elif (text != "").any():
            values = {one: value_of(one) for one in text.unique()}
            known[name] = pd.Series(text.map(values), text.index, dtype=object)
    table = pd.DataFrame(known).infer_objects().reset_index(drop=True)
    for name in ("batches", "train_sequences", "epoch", "tokens_scored"):
        table[name] = table[name].astype(int)
    of_cell = [name for name in table if name not in EVALUATED]
    cells = table[of_cell].drop_duplicates(ignore_index=True)
    return Results(cells, table.drop(columns=["state", *ORIGIN]))


def _origin(run: RunFolder) -> dict[str, object]:
    known = json.loads((run.path / "provenance.json").read_text())
    packages, machine = known["packages"], known["machine"]
    return {
        "version": packages["charrnn"],
        "commit": known["git_commit"],
        "trained_on": known["started"][:10],
        "python": known["python"],
        "torch": packages["torch"],
        **{name: machine[name] or "none" for name in OF_MACHINE},
    }
