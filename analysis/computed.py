"""Numbers computed from finished runs afterwards, once, and kept in a table beside the runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from rich.progress import track

from analysis.results import Results
from charrnn.commands.trained_run import TrainedRun, open_run
from charrnn.console import console
from charrnn.errors import CharRNNError
from charrnn.files import read_file, write_atomically
from charrnn.runs.folder import RunFolder
from charrnn.seals import sealed_table, unsealed_table

log = logging.getLogger(__name__)

Key = tuple[str, ...]
"""Everything that the numbers depend on."""


@dataclass(frozen=True)
class Computed:
    """Columns of numbers that are computed from runs.

    Attributes:
        columns: their names.
        key: of what they depend on, the name and, for a run, the value of each.
        numbers: computes them for a run, without fetching anything.
        table: name of the file in the folder of all runs in which they are kept.
        absent: how the line in the log begins that says why there are none.
    """

    columns: tuple[str, ...]
    key: Callable[[TrainedRun], Mapping[str, object]]
    numbers: Callable[[TrainedRun], tuple[float, ...]]
    table: str
    absent: str

    def beside(self, results: Results, runs: Path) -> Results:
        """The results with these columns in their curves.

        NaN for a run whose folder is missing or damaged, or whose corpus is not on this machine or
        is another text here; a line in the log says so.

        Args:
            results: those that have the columns already, such as reference results, are returned as
                they are.
            runs: folder of all runs.
        """
        if set(self.columns) <= {*results.curves.columns}:
            return results
        known, found = self._read(runs / self.table), dict[str, tuple[float, ...]]()
        problems: dict[str, str] = {}
        cells = results.curves[["corpus", "run"]].drop_duplicates().to_numpy().tolist()
        hidden = not console.is_terminal
        for corpus, run in track(
            cells, "measuring", console=console, transient=True, disable=hidden
        ):
            before = len(known)
            try:
                found[run] = self._of(open_run(RunFolder(runs / run)), known)
            except CharRNNError as error:
                problems.setdefault(corpus, str(error))
            if len(known) > before:  # at once: whoever has enough loses nothing
                self._write(known, runs / self.table)
        for corpus, problem in problems.items():
            log.warning("%s for runs on %s: %s", self.absent, corpus, problem)
        unknown = (float("nan"),) * len(self.columns)
        values = [found.get(run, unknown) for run in results.curves["run"]]
        columns = pd.DataFrame(values, results.curves.index, columns=[*self.columns], dtype=float)
        return Results(results.cells, results.curves.join(columns))

    def _of(self, run: TrainedRun, known: dict[Key, dict[str, object]]) -> tuple[float, ...]:
        """The numbers for one run; new ones are added to ``known``."""
        names = {name: str(value) for name, value in self.key(run).items()}
        key = tuple(names.values())
        if key not in known:
            numbers = zip(self.columns, self.numbers(run), strict=True)
            known[key] = {**names, **dict(numbers)}
        return tuple(float(str(known[key][name])) for name in self.columns)

    def _read(self, path: Path) -> dict[Key, dict[str, object]]:
        """What was computed before; nothing if the table is missing or damaged."""
        try:
            table = unsealed_table(read_file(path))
            table[[*self.columns]].astype(float)
            names = [name for name in table if name not in self.columns]
            rows = table.to_dict("records")
            return {tuple(row[name] for name in names): row for row in rows}  # type: ignore[misc]
        except (OSError, ValueError, KeyError):
            return {}

    def _write(self, known: Mapping[Key, dict[str, object]], path: Path) -> None:
        """Keep what is known. Of two processes the later one wins; it is computed again."""
        try:
            table = pd.DataFrame(known.values()).astype(object)
            write_atomically(path, sealed_table(table.where(table.notna(), "nan")))
        except OSError as error:
            log.warning("%s cannot be written (%s)", path, error)


def at_the_end(results: Results, columns: Sequence[str], runs: Path) -> Results:
    """The results, with columns that say something of a run's end left to the cells that have it.

    The weights of a run that was trained for longer are not those of its shorter cells.

    Args:
        results: with these columns in their curves.
        columns: their names.
        runs: folder of all runs.
    """
    marks = {run: RunFolder(runs / run).mark() or {} for run in results.cells["run"]}
    last = {run: mark.get("batches") for run, mark in marks.items()}
    ends = results.curves["num_batches"] == results.curves["run"].map(last)
    values = results.curves[[*columns]].where(ends)
    return Results(results.cells, results.curves.assign(**{name: values[name] for name in columns}))
