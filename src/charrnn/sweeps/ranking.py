"""What a sweep has found: its final perplexities, best first, replicates together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from charrnn.errors import CharRNNError
from charrnn.runs.final import final_perplexities
from charrnn.sweeps.cells import Cell, labels_of

NAMES = {
    "corpus": "corpus",
    "scheme": "scheme",
    "k1": "k1",
    "k2": "k2",
    "num_layers": "r",
    "hidden_size": "gamma",
    "scale": "scale",
}
"""The columns that every cell has, and their headings; the seed tells replicates apart."""
TRAINED, REUSED, DIVERGED, FAILED = "trained now", "reused", "diverged", "failed"


@dataclass(frozen=True)
class Outcome:
    """What became of a cell.

    Attributes:
        cell: it.
        perplexity: its last one, as its scheme samples; infinite if it diverged, None without one.
        how: trained now, reused, diverged or failed.
        reason: the first line of why it failed.
    """

    cell: Cell
    perplexity: float | None
    how: str
    reason: str = ""


@dataclass(frozen=True)
class Row:
    """The cells of a sweep that differ in their seed alone.

    Attributes:
        values: of the columns that vary in the sweep, by heading.
        corpus: of the cells; perplexities of different corpora do not compare.
        num_batches: training batches of each.
        outcomes: of the cells, best first.
    """

    values: dict[str, str]
    corpus: str
    num_batches: int
    outcomes: tuple[Outcome, ...]

    @property
    def known(self) -> list[float]:
        """The perplexities that there are, lowest first."""
        return [one.perplexity for one in self.outcomes if one.perplexity is not None]

    @property
    def mean(self) -> float | None:
        """Their geometric mean, infinite if one of them is; None if there is none."""
        logs = [math.log(value) for value in self.known]
        return math.exp(math.fsum(logs) / len(logs)) if logs else None

    @property
    def place(self) -> int:
        """0 with a perplexity, 1 if a cell diverged, 2 if all failed: in this order they stand."""
        return 2 if self.mean is None else int(math.isinf(self.mean))

    @property
    def state(self) -> str:
        """Whether the cells were trained now, reused, diverged or failed, and why that."""
        counts = Counter(one.how for one in self.outcomes)
        several = len(self.outcomes) > 1
        words = ", ".join(f"{n} {how}" if several else how for how, n in counts.items())
        reason = next((one.reason for one in self.outcomes if one.reason), "")
        return f"{words}: {reason}" if reason else words


def rank(cells: Sequence[Cell], trained: Collection[Path]) -> list[Row]:
    """The rows of a sweep: those of a corpus together, best first; diverged, then failed ones last.

    Args:
        cells: all cells of the sweep, after training.
        trained: the folders of the runs that were trained now.
    """
    outcomes = [_outcome(cell, trained) for cell in cells]
    columns = _columns(cells)
    varied = {
        name: values
        for name, values in columns.items()
        if len(set(values)) > 1 or (name == "scheme" and _alike(columns))
    }
    groups: dict[frozenset[str], list[int]] = {}
    for n, cell in enumerate(cells):
        groups.setdefault(frozenset(_without_seed(cell)), []).append(n)
    corpora = list(dict.fromkeys(columns["corpus"]))
    rows = [
        Row(
            {name: values[first] for name, values in varied.items()},
            columns["corpus"][first],
            cells[first].cfg.num_batches,
            tuple(sorted((outcomes[n] for n in (first, *others)), key=_perplexity)),
        )
        for first, *others in groups.values()
    ]
    return sorted(rows, key=lambda row: (row.place, corpora.index(row.corpus), row.mean or 0))


def best_of_each(rows: Sequence[Row], most: int) -> list[Row]:
    """At most ``most`` rows: of each corpus as many of the first ones as of the others.

    Rows without a perplexity come after those with one, as far as there is room.
    """
    ranked = [row for row in rows if row.place == 0]
    corpora = {row.corpus for row in ranked}
    share = max(1, most // max(1, len(corpora)))
    shown = [row for _, of in groupby(ranked, lambda row: row.corpus) for row in [*of][:share]]
    room = max(0, most - len(shown))
    kept = {id(row) for row in (*shown[:most], *[row for row in rows if row.place][:room])}
    return [row for row in rows if id(row) in kept]


def _outcome(cell: Cell, trained: Collection[Path]) -> Outcome:
    reason, perplexity = cell.error, None
    if not reason and cell.folder:
        try:
            known = final_perplexities(cell.folder, cell.cfg.num_batches)
            perplexity = known.get(cell.procedure)
            if perplexity is None:
                reason = f"it has no {cell.procedure} perplexity at {cell.cfg.num_batches} batches"
        except CharRNNError as error:
            reason = str(error)
    if perplexity is None:
        return Outcome(cell, None, FAILED, ((reason or "").strip() or "unknown").splitlines()[0])
    if math.isinf(perplexity):
        return Outcome(cell, perplexity, DIVERGED)
    now = cell.folder is not None and cell.folder.path in trained
    return Outcome(cell, perplexity, TRAINED if now else REUSED)


def _perplexity(outcome: Outcome) -> tuple[bool, float]:
    return outcome.perplexity is None, outcome.perplexity or 0.0


def _without_seed(cell: Cell) -> Iterable[str]:
    return (word for word in cell.overrides if word.lstrip("+").partition("=")[0] != "seed")


def _columns(cells: Sequence[Cell]) -> dict[str, list[str]]:
    """The values of every column that cells may differ in, but for the seed and the batches."""
    described = [cell.describe() for cell in cells]
    columns = {head: [str(one[name]) for one in described] for name, head in NAMES.items()}
    columns["corpus"] = labels_of(cells)
    given = [_given(cell) for cell in cells]
    fields = list(dict.fromkeys(field for one in given for field in one))
    last = Counter(field.rpartition(".")[2] for field in fields)
    for field in fields:
        short = field.rpartition(".")[2]
        unique = last[short] == 1 and short not in {*columns, *NAMES, "seed"}
        columns[short if unique else field] = [
            one.get(field) or str(cell.in_column(field))
            for one, cell in zip(given, cells, strict=True)
        ]
    return columns


def _given(cell: Cell) -> dict[str, str]:
    """The values of the experiment's columns and of the settings, by their whole names."""
    own = {name: str(cell.in_column(name)) for name in cell.cfg.columns}
    given = {field: word.partition("=")[2] for field, word in cell.settings().items()}
    return {field: value for field, value in {**own, **given}.items() if field != "num_batches"}


def _alike(columns: dict[str, list[str]]) -> bool:
    """Whether no column varies: the table then names the scheme."""
    return all(len(set(values)) == 1 for values in columns.values())
