"""The cost of a sweep: its cells, the distinct runs, and the time they take on this machine.

Planning trains nothing, fetches nothing and writes nothing.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from omegaconf import DictConfig
from rich.progress import track
from rich.table import Table

from charrnn.config import build
from charrnn.console import console, duration, print_table
from charrnn.data.corpora.base import Corpus, load_once
from charrnn.data.corpora.tokens import Source, Tokens
from charrnn.data.fetching.packages import FetchError, no_fetching
from charrnn.data.vocabulary import Vocabulary
from charrnn.devices import CPU, GPU, Place, gpu_name, has_gpu, require_here
from charrnn.evaluation.schedule import evaluation_counts
from charrnn.runs.folder import locate_run
from charrnn.runs.sealed import DamagedRun
from charrnn.runs.state import RESULTS, RunState, RunStatus
from charrnn.schema.check import is_local
from charrnn.sweeps.cells import Cell, labels_of
from charrnn.sweeps.jobs import distinct, states
from charrnn.sweeps.resources import cores, device_of, workers
from charrnn.sweeps.seconds_per_batch import Step, measure, seconds_of_runs, step_of
from charrnn.training.build import check_initial_weights

TYPICAL_VOCABULARY = 90
"""Unique tokens assumed for a corpus that has not been fetched."""


def print_plan(experiments: Mapping[str, Sequence[Cell]], cfg: DictConfig) -> None:
    """Print the cells of one or more sweeps, their distinct runs, and the time that is left.

    Args:
        experiments: the cells of each sweep, already checked. A sweep that repeats the cells of an
            earlier one, as Figure 10 repeats Figure 9's, adds none.
        cfg: a configuration with what the sweeps have in common.

    Raises:
        BadInput: if a file named by the user cannot be used, or a longer run was not evaluated at
            a cell's number of batches.
        CharRNNError: if this machine would need a GPU to train the runs, and has none.
    """
    absent = _locate([cell for cells in experiments.values() for cell in cells])
    for cell in (cell for cells in experiments.values() for cell in cells if cell.error):
        print(f"left out: {cell}: {cell.error}")
    experiments = {
        name: [cell for cell in cells if not cell.error] for name, cells in experiments.items()
    }
    for name, other in _repeated(experiments).items():
        print(f"{name}: the cells of {other}")
        experiments = {key: cells for key, cells in experiments.items() if key != name}
    cells = [cell for group in experiments.values() for cell in group]
    runs = distinct(cells)
    status = states(list(runs.values()))
    print_table(_cell_table(experiments, status))
    for corpus in absent:
        size, known = _vocabulary_size(corpus)
        how = "the paper's count" if known else "a guess"
        print(f"{corpus.full_name}: not fetched yet; planned with |V| = {size}, {how}")
    left = [
        cell
        for path, cell in runs.items()
        if status[path].state not in RESULTS
        and (status[path].state is not RunState.FAILED or cell.cfg.retry_failed)
    ]
    counts = Counter(status[path].state for path in runs)
    counted = ", ".join(f"{number} {state}" for state, number in counts.items())
    print(f"{len(cells)} cells, {len(runs)} distinct runs: {counted}; {len(left)} to train")
    if left:
        _print_time_left(left, status, cfg)


def _repeated(experiments: Mapping[str, Sequence[Cell]]) -> dict[str, str]:
    """The sweeps whose cells are exactly those of an earlier sweep, and which sweep that is."""
    first: dict[frozenset[tuple[Path, object, int]], str] = {}
    repeated = {}
    for name, cells in experiments.items():
        key = frozenset(
            (cell.folder.path, cell.cfg.scheme, cell.cfg.num_batches)
            for cell in cells
            if cell.folder
        )
        if (other := first.setdefault(key, name)) != name:
            repeated[name] = other
    return repeated


def _locate(cells: Sequence[Cell]) -> list[Corpus]:
    """Find every cell's run. Returns the corpora that are not on this machine."""
    absent: dict[Corpus, None] = {}
    with no_fetching():
        for cell in cells:
            corpus = build(cell.cfg.data)
            try:
                tokens = load_once(corpus)
            except FetchError:
                absent[corpus] = None
                vocabulary = Vocabulary((), corpus.tokenization)
                nowhere = Source("", "", Path())
                tokens = Tokens(corpus.full_name, np.empty(0), vocabulary, "", nowhere)
            else:
                check_initial_weights(cell.cfg, tokens.vocabulary)
            try:
                cell.folder, _ = locate_run(cell.cfg, tokens)
            except DamagedRun as error:
                cell.error = str(error)
    return list(absent)


def _vocabulary_size(corpus: Corpus) -> tuple[int, bool]:
    """The unique tokens of a corpus that is not here, and whether their number is known."""
    size = getattr(corpus, "num_unique", None) if corpus.first is None else None
    return size or TYPICAL_VOCABULARY, size is not None


def _cell_table(
    experiments: Mapping[str, Sequence[Cell]], status: Mapping[Path, RunStatus]
) -> Table:
    table = Table("experiment", "corpus", "scheme", "k1", "k2", "r", "gamma", "seed", "more", "run")
    first: dict[Path, str] = {}
    called = iter(labels_of([cell for cells in experiments.values() for cell in cells]))
    for name, cells in experiments.items():
        for cell in cells:
            assert cell.folder is not None
            path = cell.folder.path
            here = f"{name} {cell}"
            owner = first.setdefault(path, here)
            run = status[path].state.value if owner == here else f"shared with {owner}"
            row = cell.describe() | {"corpus": next(called)}
            columns = ("corpus", "scheme", "k1", "k2", "num_layers", "hidden_size", "seed")
            own = {key.rpartition(".")[2] for key in cell.cfg.columns}
            more = [*(f"{key}={row[key]}" for key in sorted(own)), str(row["settings"])]
            table.add_row(name, *(str(row[key]) for key in columns), " ".join(more).strip(), run)
    return table


def _print_time_left(
    left: Sequence[Cell], status: Mapping[Path, RunStatus], cfg: DictConfig
) -> None:
    """Print the seconds per batch of every kind of step among the remaining runs, and the total."""
    at_once = workers(cfg)
    threads = {
        id(cell): cell.cfg.threads or (cores() if at_once == 1 else max(1, cores() // at_once))
        for cell in left
    }
    by_step: dict[Step, list[Cell]] = {}
    for cell in left:
        by_step.setdefault(step_of(cell.cfg, threads[id(cell)]), []).append(cell)
    place = _measured_on(cfg)
    seconds, sources = _seconds(by_step, Path(cfg.output_dir), place)
    table = Table("training", "r", "gamma", "k2", "k3", "threads", "runs", "s/batch", "measured")
    total = 0.0
    for step in sorted(by_step, key=str):
        cells = by_step[step]
        total += sum(seconds[step] * _batches_left(cell, status) for cell in cells)
        sizes = step.num_layers, step.hidden_size, step.k2, step.k3, step.threads, len(cells)
        table.add_row(step.training, *map(str, sizes), f"{seconds[step]:.3g}", sources[step])
    print_table(table)
    parallel = min(at_once, len(left))
    print(
        f"time left: {duration(total / parallel)} for {len(left)} runs, {parallel} at once "
        "(evaluation is estimated: a third of a batch per forward pass)"
    )


def _measured_on(cfg: DictConfig) -> Place:
    """What this machine measures the pace on. A cluster's GPU cannot be measured from here."""
    if device_of(cfg) == CPU:
        return Place()
    if is_local(cfg):
        require_here(GPU)
    elif not has_gpu():
        print("planned for a GPU, and there is none here: the times are those of this CPU")
        return Place()
    return Place(gpu_name())


def _seconds(
    by_step: Mapping[Step, Sequence[Cell]], output_dir: Path, place: Place
) -> tuple[dict[Step, float], dict[Step, str]]:
    """Seconds per batch of every kind of step, and where each number comes from."""
    known = seconds_of_runs(output_dir, place)
    seconds, sources = {}, {}
    for step, cells in track(
        by_step.items(),
        "measuring",
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ):
        if step in known:
            seconds[step] = statistics.median(known[step])
            sources[step] = f"in {len(known[step])} of the runs here"
        else:
            seconds[step] = measure(cells[0].cfg, TYPICAL_VOCABULARY, step.threads, place)
            sources[step] = "now"
    return seconds, sources


def _batches_left(cell: Cell, status: Mapping[Path, RunStatus]) -> float:
    """Training batches that the run still needs, with evaluation converted to batches.

    Windowed evaluation of n tokens takes n / B forward passes, each about a third of a training
    batch; progressive evaluation reads one sequence and costs almost nothing.
    """
    assert cell.folder is not None
    cfg = cell.cfg
    left = cfg.num_batches - status[cell.folder.path].batches
    remaining = sum(count > cfg.num_batches - left for count in evaluation_counts(cfg))
    passes = (cfg.datamodule.test_size - cfg.k2) / cfg.datamodule.batch_size
    return left + remaining * passes / 3
