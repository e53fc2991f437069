"""The benchmark: `python -m charrnn.benchmark --help`."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from rich.progress import track

from charrnn.benchmark.case import BATCH, DENSE, VOCABULARY
from charrnn.benchmark.costs import costs
from charrnn.benchmark.loops import LOOPS
from charrnn.benchmark.measure import BASELINES, Effort, alternate, float32_products, summary
from charrnn.benchmark.plans import (
    CORE,
    EFFORT,
    FULL,
    GROWING,
    GROWTH,
    ON_A_GPU,
    QUICK,
    TOGETHER,
    WIDE,
    Plan,
)
from charrnn.benchmark.together import together
from charrnn.console import console, refuse
from charrnn.devices import CPU, GPU, gpu_name, require_here, shares_gpus
from charrnn.errors import CharRNNError, require, require_choice
from charrnn.files import write_atomically
from charrnn.runs.provenance import machine


def measure(
    plan: Plan, effort: Effort, threads: int, implementations: Iterable[str] = ()
) -> Iterator[pd.DataFrame]:
    """The rows of every loop and case of the plan, for the given implementations or all."""
    torch.set_num_threads(threads)
    for loop, case in track(plan, "measuring", console=console, transient=True):
        entries = LOOPS[loop](case)
        chosen = {name: entries[name] for name in implementations or entries}
        yield summary(loop, case, alternate(chosen, effort))


def readable(table: pd.DataFrame) -> str:
    """The table as it is printed, each ratio with its quartiles."""
    shown = table[["loop", "implementation", "case", "threads", "rounds", "unit"]].copy()
    for column in ("ms_median", "ms_min", "ms_max"):
        shown[column] = table[column].map(lambda ms: f"{ms:.4g}")
    for column in BASELINES.values():
        parts = zip(table[column], table[f"{column}_q1"], table[f"{column}_q3"], strict=True)
        shown[column] = [
            "" if pd.isna(ratio) else f"{ratio:.2f} ({q1:.2f}-{q3:.2f})" for ratio, q1, q3 in parts
        ]
    return shown.to_string(index=False)


def main() -> None:
    """Measure, print the tables and write them as CSV."""
    arguments = _arguments()
    threads, cores = arguments.threads, os.cpu_count() or 1
    loops = arguments.loops.split(",")
    try:
        require_choice("--device", arguments.device, (CPU, GPU))
        for loop in loops:
            require_choice("--loops", loop, LOOPS)
        counts = _whole_numbers("--together", arguments.together)
        sizes = _whole_numbers("--gamma", arguments.gamma)
        require_here(arguments.device)
    except CharRNNError as error:
        refuse(error)
    on_gpu = arguments.device == GPU
    device = "cuda" if on_gpu else "cpu"
    growth, quick, full, wide = (
        [(loop, replace(case, device=device)) for loop, case in plan if loop in loops]
        for plan in (GROWTH, QUICK, FULL, WIDE)
    )
    effort = _effort(arguments)
    tables: dict[str, pd.DataFrame] = {}
    complete = True
    with float32_products("highest"):
        if counts:
            cases = [replace(CORE, hidden_size=size, device=device) for size in sizes]
            wanted = arguments.seconds or TOGETHER
            rows = [row for case in cases for row in together(counts, case, wanted)]
            complete = len(rows) == len(counts) * len(cases)
            if not rows:
                sys.exit(1)
            stem = "together-mps" if shares_gpus() else "together"
            parts = [pd.DataFrame(rows)]
        elif arguments.growth:
            stem, parts = "growth", [*measure(growth, effort, threads, GROWING)]
        elif arguments.quick:
            stem, parts = "benchmark-quick", [*measure(quick, effort, threads)]
        else:
            stem, parts = "benchmark", [*measure(full, effort, threads)]
            if cores > threads and not on_gpu:
                parts += measure(wide, effort, cores)
            torch.set_num_threads(threads)
            if len(loops) == len(LOOPS) and not on_gpu:
                tables["costs"] = costs()
    processor = gpu_name() if on_gpu else machine()["processor"]
    where = {"machine": processor, "cores": cores, "torch": torch.__version__}
    tables = {stem: pd.concat(parts).assign(**where), **tables}
    print(
        f"{processor}, {cores} {'CPU ' * on_gpu}cores; torch {torch.__version__}; float32; batch"
        f" {BATCH}, dense {DENSE}, |V|={VOCABULARY} unless the case says otherwise"
    )
    print(parts[0].round(3).to_string(index=False) if counts else readable(tables[stem]))
    if "costs" in tables:
        print(tables["costs"].round(4).to_string(index=False))
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        path = arguments.out / f"{name}.csv"
        write_atomically(path, table.to_csv(index=False))
        print(path)
    if not complete:
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m charrnn.benchmark",
        description="Time every loop, next to its matrix products alone and to its peers.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quick", action="store_true", help="the core rows, in about two minutes")
    which.add_argument("--growth", action="store_true", help="a training step over k2, gamma, r, V")
    which.add_argument(
        "--together", help="batches per second of several processes at once, such as 1,2,4"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("multirun/benchmark"), help="folder of the tables"
    )
    parser.add_argument("--seconds", type=float, help="minimum time spent on each loop")
    parser.add_argument("--rounds", type=int, help="minimum number of rounds")
    parser.add_argument("--loops", default=",".join(LOOPS), help="which loops, such as train-step")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--device", default=CPU, help="cpu or gpu")
    parser.add_argument("--gamma", default="512", help="sizes of the networks of --together")
    return parser.parse_args()


def _whole_numbers(field: str, given: str | None) -> list[int]:
    """The numbers of a list such as `1,2,4`; none if it was not given."""
    words = given.split(",") if given is not None else []
    fits = all(word.isdecimal() and int(word) > 0 for word in words)
    require(fits, field, given, "whole numbers from 1 on, such as 1,2,4")
    return [int(word) for word in words]


def _effort(arguments: argparse.Namespace) -> Effort:
    usual = EFFORT["quick" if arguments.quick else "growth" if arguments.growth else "full"]
    return replace(
        usual,
        seconds=arguments.seconds or usual.seconds,
        rounds=arguments.rounds or usual.rounds,
        limit=math.inf if arguments.rounds else usual.limit,
        warm_ups=ON_A_GPU if arguments.device == GPU else 1,
    )


if __name__ == "__main__":
    main()
