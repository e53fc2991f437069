"""A sweep: which runs its cells need, and what became of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from charrnn.data.fetch import FetchError
from charrnn.errors import CharRNNError
from charrnn.experiment import build, check, scheme_class
from charrnn.files import write_atomically
from charrnn.runs import RunFolder
from charrnn.train import prepare

log = logging.getLogger(__name__)


@dataclass
class Cell:
    """One combination of a sweep's values.

    Attributes:
        overrides: the values, as on the command line.
        cfg: the configuration that they make.
        label: the values in which it differs from other cells.
        folder: of the cell's run, which it may share with other cells; None before `locate`, and
            if the corpus cannot be had.
        error: why the cell has no result, in one sentence.
    """

    overrides: list[str]
    cfg: DictConfig
    label: str
    folder: RunFolder | None = None
    error: str | None = None

    def __str__(self) -> str:
        return self.label


def check_all(cells: Sequence[Cell]) -> None:
    """Refuse the sweep if one of its cells cannot be run.

    Raises:
        BadInput: of the first such cell.
    """
    for cell in cells:
        check(cell.cfg)


def locate(cells: Sequence[Cell]) -> None:
    """Find every cell's run, reading its corpus. One that cannot be fetched costs its cells only.

    Raises:
        BadInput: if a file named by the user cannot be used: the sweep is refused, as in check_all.
    """
    for cell in cells:
        try:
            cell.folder = prepare(cell.cfg).folder
        except FetchError as error:
            cell.error = str(error)
            log.error("%s: %s", cell, error)


def to_train(cells: Sequence[Cell]) -> list[Cell]:
    """The first cell of every distinct run that is not finished yet; says what is reused."""
    first: dict[Path, Cell] = {}
    for cell in cells:
        if cell.folder is None:
            continue
        owner = first.setdefault(cell.folder.path, cell)
        if owner is not cell:
            log.info("%s: same training as %s, trained once", cell, owner)
        elif cell.folder.is_finished:
            log.info("%s: trained before, reused: %s", cell, cell.folder.path)
    chosen = [cell for cell in first.values() if cell.folder and not cell.folder.is_finished]
    counts = len(cells), len(first), len(chosen)
    log.info("%d cells, %d distinct runs, %d of them to train", *counts)
    return chosen


def jobs(cells: Sequence[Cell]) -> Iterator[list[str]]:
    """The overrides that train ``cells``, each told its place among them."""
    for number, cell in enumerate(cells, start=1):
        yield [*cell.overrides, f"cell.number={number}", f"cell.of={len(cells)}"]


def record_errors(
    cells: Sequence[Cell], trained: Sequence[Cell], returns: Sequence[JobReturn]
) -> None:
    """Note in every one of ``cells`` if its run failed, and why.

    Args:
        cells: all cells of the sweep.
        trained: those whose jobs were launched.
        returns: what became of these jobs, in the same order.
    """
    reasons = {
        str(cell.folder.path): describe(job._return_value)
        for cell, job in zip(trained, returns, strict=True)
        if cell.folder and job.status is not JobStatus.COMPLETED
    }
    for cell in cells:
        if cell.folder:
            cell.error = reasons.get(str(cell.folder.path))


def describe(error: object) -> str:
    """An error in one line."""
    return str(error) if isinstance(error, CharRNNError) else f"{type(error).__name__}: {error}"


def write_grid(cells: Sequence[Cell], path: Path) -> None:
    """Write which run answers for which cell; figures are drawn from this table.

    Columns: corpus, scheme, procedure (the sampling procedure whose perplexity is the scheme's),
    k1, k2, num_layers, hidden_size, seed, scale, run (folder beside `grids`; empty if the corpus
    could not be had).
    """
    table = pd.DataFrame([_row(cell) for cell in cells])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, table.to_csv(index=False))


def grid_path(output_dir: str, sweep: str, scale: str) -> Path:
    """Where the table of a sweep's cells lies.

    Args:
        output_dir: the folder of all runs.
        sweep: name of the experiment, or `sweep` without one.
        scale: name of the scale.
    """
    return Path(output_dir) / "grids" / f"{sweep}-{scale}.csv"


def _row(cell: Cell) -> dict[str, object]:
    cfg = cell.cfg
    return {
        "corpus": build(cfg.data).name,
        "scheme": cfg.scheme,
        "procedure": scheme_class(cfg).sampling_procedure,
        "k1": cfg.k1,
        "k2": cfg.k2,
        "num_layers": cfg.backbone.num_layers,
        "hidden_size": cfg.backbone.hidden_size,
        "seed": cfg.seed,
        "scale": cfg.scale.name,
        "run": cell.folder.path.name if cell.folder else "",
    }
