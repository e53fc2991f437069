"""How many training steps per second several processes make at the same time on one machine.

Runs of a sweep are processes of their own. On a GPU their kernels take turns, or overlap if
NVIDIA's multi-process service (MPS) runs.
"""

from __future__ import annotations

import math
import multiprocessing
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, wait
from dataclasses import dataclass
from statistics import median
from threading import BrokenBarrierError
from typing import Any

import torch

from charrnn.benchmark.case import Case
from charrnn.benchmark.loops import our_step, random_batch, steps_of
from charrnn.console import console
from charrnn.devices import shares_gpus
from charrnn.errors import CharRNNError, reason
from charrnn.schemes.schemes_1_and_3 import Scheme1
from charrnn.training.timed_step import seconds

WARM_UPS = 3
"""Calls before the measurement: the first ones compile, and record CUDA graphs."""
PATIENCE = 300
"""Seconds in which all processes have to be warm."""

_barrier: Any = None
"""Where the processes of a pool wait for each other."""


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


def together(counts: Sequence[int], case: Case, wanted: float) -> Iterator[dict[str, Any]]:
    """A row for each number of processes, all of which train at the same time.

    Every process trains with scheme 1 on one thread, as a run does, without Lightning. Columns:
    whether MPS runs, batches per second of all processes together, their ratio to those of one
    process (NaN unless that was measured before), milliseconds per batch in a process (median,
    least and most), and memory of the GPU, see Pace. If a process fails, the error is printed and
    the rows end there.

    Args:
        counts: numbers of processes.
        case: sizes of the network and its batches, and the device.
        wanted: seconds for which all processes train at the same time.
    """
    alone = math.nan
    for count in counts:
        try:
            paces = _measured(count, case, wanted)
        except CharRNNError as error:
            console.print(f"error: {error}", markup=False, soft_wrap=True)
            return
        times = [pace.milliseconds for pace in paces]
        rate = sum(1000 / each for each in times)
        alone = rate if count == 1 else alone
        yield {
            "case": case.name,
            "processes": count,
            "mps": shares_gpus(),
            "batches_per_s": rate,
            "speed_up": rate / alone,
            "ms_median": median(times),
            "ms_min": min(times),
            "ms_max": max(times),
            "gpu_gb_of_one": max(pace.reserved for pace in paces) / 1e9,
            "gpu_gb_of_all": max(pace.in_use for pace in paces) / 1e9,
        }


def _measured(count: int, case: Case, wanted: float) -> list[Pace]:
    """What each of the processes measured.

    Raises:
        CharRNNError: if one fails.
    """
    context = multiprocessing.get_context("spawn")  # CUDA does not work in forked processes
    barrier = context.Barrier(count, timeout=PATIENCE)
    with ProcessPoolExecutor(count, context, initializer=_begin, initargs=(barrier,)) as pool:
        # Each process takes one of them, since it then waits for all others.
        futures = [pool.submit(_train, case, wanted) for _ in range(count)]
        wait(futures)
    errors = [error for future in futures if (error := future.exception()) is not None]
    if errors:
        error = min(errors, key=lambda each: isinstance(each, BrokenBarrierError))
        slow = f"not all of them were ready after {PATIENCE} s"
        why = slow if isinstance(error, BrokenBarrierError) else reason(error)
        raise CharRNNError(f"--together {count} failed at {case.name}: {why}.") from error
    return [future.result() for future in futures]


def _begin(barrier: Any) -> None:
    global _barrier
    _barrier = barrier
    torch.set_num_threads(1)


def _train(case: Case, wanted: float) -> Pace:
    """Train for some seconds, at the same time as the other processes.

    Raises:
        CharRNNError: if this process fails, and has made the others give up.
        BrokenBarrierError: if another one has, or has not become ready in time.
    """
    try:
        return _train_with_others(case, wanted)
    except BrokenBarrierError:
        raise
    except Exception as error:
        _barrier.abort()
        # Not every error survives the way to another process.
        raise CharRNNError(reason(error).rstrip(".")) from None


def _train_with_others(case: Case, wanted: float) -> Pace:
    steps = steps_of(our_step(Scheme1, case, random_batch(case)), case)
    for _ in range(WARM_UPS):
        seconds(steps.run)
    _barrier.wait()
    batches, started = 0, time.perf_counter()
    while time.perf_counter() - started < wanted:
        seconds(steps.run)
        batches += steps.per
    milliseconds = 1000 * (time.perf_counter() - started) / batches
    if case.device == "cpu":
        return Pace(milliseconds)
    free, total = torch.cuda.mem_get_info()
    return Pace(milliseconds, torch.cuda.max_memory_reserved(), total - free)
