"""A sweep: which runs its cells need, how many at once, and what became of them."""

from __future__ import annotations

import itertools
import logging
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from omegaconf import DictConfig

from charrnn.config import has_gpu
from charrnn.errors import CharRNNError, require
from charrnn.runs.folder import RESULTS, RunState, RunStatus
from charrnn.sweeps.cells import Cell

log = logging.getLogger(__name__)


def distinct(cells: Sequence[Cell]) -> dict[Path, Cell]:
    """The first cell of every distinct run, by the run's folder."""
    first: dict[Path, Cell] = {}
    for cell in cells:
        if cell.folder is not None:
            first.setdefault(cell.folder.path, cell)
    return first


def to_train(cells: Sequence[Cell]) -> list[Cell]:
    """The first cell of every distinct run that has no result yet; says what is reused.

    A run that failed before is not tried again unless `retry_failed` says so: its cells get its
    error.
    """
    first = distinct(cells)
    status = states(list(first.values()))
    chosen = []
    for cell in cells:
        if cell.folder is None:
            continue
        path = cell.folder.path
        failed = status[path].state is RunState.FAILED and not cell.cfg.retry_failed
        if failed:
            cell.error = f"{status[path].error} (it failed before; retry_failed=true tries again)"
        if first[path] is not cell:
            log.info("%s: same training as %s, trained once", cell, first[path])
        elif status[path].state in RESULTS:
            log.info("%s: trained before, reused: %s", cell, path)
        elif not failed:
            chosen.append(cell)
    log.info("%d cells, %d distinct runs, %d of them to train", len(cells), len(first), len(chosen))
    return chosen


def workers(cfg: DictConfig) -> int:
    """How many runs this machine trains at once, as `jobs` says.

    `auto` is a run a core where a run takes one thread, and else 1: a run that has all cores, or
    the GPU, shares it with no other.

    Raises:
        BadInput: if `jobs` is neither `auto` nor a number.
    """
    if cfg.jobs == "auto":
        return cores() if cfg.threads == 1 and not has_gpu() else 1
    whole = isinstance(cfg.jobs, int) and not isinstance(cfg.jobs, bool) and cfg.jobs >= 1
    require(whole, "jobs", cfg.jobs, "auto, or a whole number, at least 1 run")
    return cfg.jobs


def cores() -> int:
    """The cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def in_turn(cells: Sequence[Cell]) -> Iterator[list[str]]:
    """The overrides that train ``cells``, each told its place among them."""
    for number, cell in enumerate(cells, start=1):
        yield [*cell.overrides, f"cell.number={number}", f"cell.of={len(cells)}"]


def side_by_side(cells: Sequence[Cell], threads: int | None) -> Iterator[list[str]]:
    """The same for runs at the same time, each with its label before its lines.

    Args:
        cells: of the runs.
        threads: of a run that would take every core; None leaves it.
    """
    for cell, job in zip(cells, in_turn(cells), strict=True):
        label = re.sub(r"[^\w=.,:/+ -]", "", cell.label)  # nothing that Hydra would read
        share = [f"threads={threads}"] if threads is not None and cell.cfg.threads is None else []
        yield [*job, f"cell.prefix='[{label}] '", *share]


def longest_first(cells: Sequence[Cell]) -> list[Cell]:
    """The cells by what their runs cost: the last ones to end are short then.

    The order only has to be about right: batches x steps x recurrent weights.
    """

    def cost(cell: Cell) -> int:
        cfg, backbone = cell.cfg, cell.cfg.backbone
        return cfg.num_batches * cfg.k2 * backbone.num_layers * backbone.hidden_size**2

    return sorted(cells, key=cost, reverse=True)


def record_errors(
    cells: Sequence[Cell], trained: Sequence[Cell], returns: Sequence[JobReturn]
) -> None:
    """Note in every one of ``cells`` if its run failed, and why.

    Args:
        cells: all cells of the sweep.
        trained: those whose jobs were launched.
        returns: what became of these jobs, in the same order; none if the launcher gave up.
    """
    reasons: dict[Path, str | None] = {}
    for cell, job in itertools.zip_longest(trained, returns):
        assert cell.folder is not None
        if job is not None and job.status is JobStatus.FAILED:
            reasons[cell.folder.path] = describe(job._return_value)
        elif (status := cell.folder.status()).state is RunState.FAILED:
            reasons[cell.folder.path] = status.error
    for cell in cells:
        if cell.folder and cell.folder.path in reasons:
            cell.error = reasons[cell.folder.path]


def give_up(cells: Sequence[Cell]) -> None:
    """Note in those of ``cells`` that have neither a result nor an error that this is so."""
    for cell in left_over(cells):
        assert cell.folder is not None
        cell.error = f"not trained to its end ({cell.folder.status().state})"


def states(cells: Sequence[Cell]) -> dict[Path, RunStatus]:
    """How far the runs of ``cells`` are."""
    return {cell.folder.path: cell.folder.status() for cell in cells if cell.folder}


def left_over(trained: Sequence[Cell]) -> list[Cell]:
    """Those of the launched cells whose runs have neither a result nor an error."""
    return [
        cell
        for cell in trained
        if not cell.error and cell.folder and cell.folder.status().state not in RESULTS
    ]


def describe(error: object) -> str:
    """An error in one line."""
    return str(error) if isinstance(error, CharRNNError) else f"{type(error).__name__}: {error}"
