"""How many training steps per second several processes make at the same time on one machine.

Runs of a sweep are processes of their own. On a GPU their kernels take turns, or overlap if
NVIDIA's multi-process service (MPS) runs.
"""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from charrnn.benchmark.case import Case
from charrnn.benchmark.loops import our_step, random_batch, steps_of
from charrnn.benchmark.measure import Entry
from charrnn.console import console
from charrnn.devices import shares_gpus
from charrnn.errors import CharRNNError, reason
from charrnn.schemes.schemes_1_and_3 import Scheme1
from charrnn.training.timed_step import seconds

WARM_UPS = 3
"""Calls before the measurement: the first ones compile, and record CUDA graphs."""

_steps: Entry
"""What a process trains, from `_prepare` on."""


@dataclass(frozen=True)
class Pace:
    """What one of the processes measured.

    Attributes:
        milliseconds: time per batch.
        reserved: bytes of the GPU that torch reserved at most; without those of the CUDA context,
            which are some hundred MB per process. NaN on a CPU.
        in_use: bytes of the GPU in use at the end, by all processes. NaN on a CPU.
    """

    milliseconds: float
    reserved: float = math.nan
    in_use: float = math.nan


def together(counts: Sequence[int], case: Case, wanted: float) -> list[dict[str, Any]]:
    """A row for each number of processes, all of which train at the same time.

    Every process trains with scheme 1 on one thread, as a run does, without Lightning. Columns:
    whether MPS runs, batches per second of all processes together, their ratio to those of one
    process (NaN unless that is measured too), milliseconds per batch in a process (median, least
    and most), and memory of the GPU, see Pace.

    Starting a process takes longer than measuring it. So all are started at once, the largest
    number is measured first, and processes end when no later measurement needs them. If processes
    fail, their error is printed, and numbers that the others still reach are measured.

    Args:
        counts: numbers of processes.
        case: sizes of the network and its batches, and the device.
        wanted: seconds for which all processes train at the same time.
    """
    context = multiprocessing.get_context("spawn")  # CUDA does not work in forked processes
    processes = [ProcessPoolExecutor(1, context) for _ in range(max(counts))]
    paces: dict[int, list[Pace]] = {}
    try:
        _, processes = _in_each(processes, _prepare, case)
        for count in sorted(set(counts), reverse=True):
            _end(processes[count:])
            processes = processes[:count]
            if len(processes) == count:
                paces[count], processes = _in_each(processes, _train, case, wanted)
    finally:
        _end(processes)
    measured = [paces[count] for count in counts if len(paces.get(count, ())) == count]
    alone = next((_rate(each) for each in measured if len(each) == 1), math.nan)
    return [_row(case, each, alone) for each in measured]


def _rate(paces: list[Pace]) -> float:
    """Batches per second of all processes together."""
    return sum(1000 / pace.milliseconds for pace in paces)


def _row(case: Case, paces: list[Pace], alone: float) -> dict[str, Any]:
    times = [pace.milliseconds for pace in paces]
    return {
        "case": case.name,
        "processes": len(paces),
        "mps": shares_gpus(),
        "batches_per_s": _rate(paces),
        "speed_up": _rate(paces) / alone,
        "ms_median": median(times),
        "ms_min": min(times),
        "ms_max": max(times),
        "gpu_gb_of_one": max(pace.reserved for pace in paces) / 1e9,
        "gpu_gb_of_all": max(pace.in_use for pace in paces) / 1e9,
    }


def _in_each(
    processes: list[ProcessPoolExecutor],
    function: Callable[..., Any],
    case: Case,
    *arguments: Any,
) -> tuple[list[Any], list[ProcessPoolExecutor]]:
    """Results of a function in every process at the same time, and the processes that have them.

    The others are ended, and their first error is printed.
    """
    futures = [process.submit(_here, function, case, *arguments) for process in processes]
    errors = [future.exception() for future in futures]
    failed = [process for process, error in zip(processes, errors, strict=True) if error]
    _end(failed)
    if failed:
        why = reason(next(error for error in errors if error))
        which = f"{len(failed)} of {len(processes)} processes failed at {case.name}"
        console.print(f"error: {which}: {why}", markup=False, soft_wrap=True)
    results = [future.result() for future in futures if not future.exception()]
    return results, [process for process in processes if process not in failed]


def _here(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in this process; not every error survives the way to another one.

    Raises:
        CharRNNError: if it fails.
    """
    try:
        return function(*arguments)
    except Exception as error:
        raise CharRNNError(reason(error)) from None


def _end(processes: list[ProcessPoolExecutor]) -> None:
    # One after the other they would take about a second each.
    with ThreadPoolExecutor() as threads:
        list(threads.map(lambda process: process.shutdown(), processes))


def _prepare(case: Case) -> None:
    """Build the network in this process, and run the first steps."""
    global _steps
    torch.set_num_threads(1)
    _steps = steps_of(our_step(Scheme1, case, random_batch(case)), case)
    for _ in range(WARM_UPS):
        seconds(_steps.run)


def _train(case: Case, wanted: float) -> Pace:
    """Train for some seconds."""
    batches, started = 0, time.perf_counter()
    while time.perf_counter() - started < wanted:
        seconds(_steps.run)
        batches += _steps.per
    milliseconds = 1000 * (time.perf_counter() - started) / batches
    if case.device == "cpu":
        return Pace(milliseconds)
    free, total = torch.cuda.mem_get_info()
    return Pace(milliseconds, torch.cuda.max_memory_reserved(), total - free)
