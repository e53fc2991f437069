"""The jobs of a sweep: which runs its cells need, how many at once, and how each ended."""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus

from charrnn.errors import CannotGoOn, CharRNNError
from charrnn.runs.identity import digest_in
from charrnn.runs.state import RESULTS, RunState, RunStatus
from charrnn.sweeps.cells import Cell

log = logging.getLogger(__name__)


def distinct(cells: Sequence[Cell]) -> dict[Path, Cell]:
    """The cell that every distinct run is trained for, by the run's folder.

    Cells may share a run and ask for different numbers of batches: the longest one counts, and of
    these the first.
    """
    chosen: dict[Path, Cell] = {}
    for cell in cells:
        if cell.folder is not None:
            other = chosen.setdefault(cell.folder.path, cell)
            if cell.cfg.num_batches > other.cfg.num_batches:
                chosen[cell.folder.path] = cell
    return chosen


def shorter_lengths(cells: Sequence[Cell]) -> dict[Path, list[int]]:
    """The other numbers of batches that cells read off each run, by the run's folder."""
    longest = distinct(cells)
    lengths: dict[Path, set[int]] = {path: set() for path in longest}
    for cell in cells:
        if cell.folder is not None:
            lengths[cell.folder.path].add(cell.cfg.num_batches)
    return {path: sorted(lengths[path] - {longest[path].cfg.num_batches}) for path in longest}


def to_train(cells: Sequence[Cell]) -> list[Cell]:
    """The cells whose distinct runs have to be trained; logs what is reused.

    A run that failed before is not tried again unless `retry_failed` says so: its cells get its
    error.
    """
    trained_for = distinct(cells)
    status = states(list(trained_for.values()))
    chosen = []
    for cell in cells:
        if cell.folder is None:
            continue
        path = cell.folder.path
        failed = status[path].state is RunState.FAILED and not cell.cfg.retry_failed
        if failed:
            cell.error = f"{status[path].error} (it failed before; retry_failed=true tries again)"
        if trained_for[path] is not cell:
            log.info("%s: same training as %s, trained once", cell, trained_for[path])
        elif status[path].state in RESULTS:
            log.info("%s: trained before, reused: %s", cell, path)
        elif not failed:
            chosen.append(cell)
    counts = len(cells), len(trained_for), len(chosen)
    log.info("%d cells, %d distinct runs, %d of them to train", *counts)
    return chosen


def in_turn(cells: Sequence[Cell], lengths: Mapping[Path, list[int]]) -> Iterator[list[str]]:
    """The overrides that train ``cells``, with the number of each job.

    Args:
        cells: the cells to train.
        lengths: see `shorter_lengths`.
    """
    for number, cell in enumerate(cells, start=1):
        assert cell.folder is not None
        also = ",".join(map(str, lengths.get(cell.folder.path, [])))
        place = [f"job.number={number}", f"job.of={len(cells)}", f"job.evaluate_also=[{also}]"]
        if cell.used_corpus is not None:  # quoted: 123e4567 is a number
            place.append(f"job.corpus='{cell.used_corpus.tokens.sha256}'")
        run = digest_in(cell.folder.path.name)
        yield [*cell.overrides, *place, f"job.run='{run}'"]


def side_by_side(
    cells: Sequence[Cell], lengths: Mapping[Path, list[int]], threads: int | None
) -> Iterator[list[str]]:
    """The same for jobs that run at the same time; each starts its log lines with its label.

    Args:
        cells: the cells to train.
        lengths: see `shorter_lengths`.
        threads: for a run that would otherwise take every core; None leaves it as it is.
    """
    for cell, job in zip(cells, in_turn(cells, lengths), strict=True):
        label = re.sub(r"[^\w=.,:/+ -]", "", cell.label)  # nothing that Hydra would parse
        share = [f"threads={threads}"] if threads is not None and cell.cfg.threads is None else []
        yield [*job, f"job.prefix='[{label}] '", *share]


def longest_first(cells: Sequence[Cell]) -> list[Cell]:
    """The cells by the cost of their runs, so that the last runs to end are short ones.

    The order only has to be about right: batches x steps x recurrent weights.
    """

    def cost(cell: Cell) -> int:
        cfg, backbone = cell.cfg, cell.cfg.backbone
        return cfg.num_batches * cfg.k2 * backbone.num_layers * backbone.hidden_size**2

    return sorted(cells, key=cost, reverse=True)


def record_errors(
    cells: Sequence[Cell], trained: Sequence[Cell], returns: Sequence[JobReturn]
) -> None:
    """Note in every cell whose run failed why it did.

    Args:
        cells: all cells of the sweep.
        trained: the cells whose jobs were launched.
        returns: how these jobs ended, in the same order; empty if the launcher gave up.
    """
    reasons: dict[Path, str | None] = {}
    outside = set()
    for cell, job in itertools.zip_longest(trained, returns):
        assert cell.folder is not None
        if job is not None and job.status is JobStatus.FAILED:
            reasons[cell.folder.path] = describe(job._return_value)
            if isinstance(job._return_value, CannotGoOn):
                outside.add(cell.folder.path)
        elif (status := _status(cell)).state is RunState.FAILED:
            reasons[cell.folder.path] = status.error
    for cell in cells:
        if cell.folder and cell.folder.path in reasons:
            cell.error = reasons[cell.folder.path]
            cell.cannot_go_on = cell.folder.path in outside


def give_up(cells: Sequence[Cell]) -> None:
    """Note in every cell with neither a result nor an error that it was not trained to its end."""
    for cell in left_over(cells):
        cell.error = f"not trained to its end ({_status(cell).state})"


def states(cells: Sequence[Cell]) -> dict[Path, RunStatus]:
    """How far the runs of ``cells`` are, by the run's folder."""
    return {cell.folder.path: _status(cell) for cell in cells if cell.folder}


def left_over(cells: Sequence[Cell]) -> list[Cell]:
    """The cells whose runs have neither a result nor an error."""
    return [
        cell
        for cell in cells
        if not cell.error and cell.folder and _status(cell).state not in RESULTS
    ]


def describe(error: object) -> str:
    """An error in one line."""
    return str(error) if isinstance(error, CharRNNError) else f"{type(error).__name__}: {error}"


def _status(cell: Cell) -> RunStatus:
    assert cell.folder is not None
    try:
        return cell.folder.status(cell.cfg.num_batches)
    except CharRNNError as error:  # damaged, or unreadable for now: the other runs go on
        return RunStatus(RunState.FAILED, error=str(error))
