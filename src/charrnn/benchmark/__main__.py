"""The benchmark: `python -m charrnn.benchmark --help`."""

from __future__ import annotations

import argparse
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import torch
from rich.progress import track

from charrnn.benchmark.case import BATCH, DENSE, VOCABULARY, Case
from charrnn.benchmark.costs import costs
from charrnn.benchmark.loops import LOOPS
from charrnn.benchmark.measure import BASELINES, Effort, alternate, summary
from charrnn.console import console, refuse
from charrnn.errors import CharRNNError, require_choice
from charrnn.files import write_atomically
from charrnn.runs.provenance import machine

Plan = list[tuple[str, Case]]
"""Loops, and the cases that they are measured at."""

CORE = Case(512)
QUICK: Plan = [
    *((loop, CORE) for loop in LOOPS),
    ("train-step", Case(128)),
    ("train-step", Case(128, num_layers=2)),
]
FULL: Plan = [
    (loop, Case(hidden_size, num_layers))
    for loop in LOOPS
    for num_layers in (1, 2)
    for hidden_size in (512, 128)
]
WIDE: Plan = [("train-step", CORE), ("eval-windowed", CORE)]
"""Also measured on all cores."""
GROWTH: Plan = [
    ("train-step", case)
    for case in dict.fromkeys(
        [
            *(Case(128, k2=k2) for k2 in (25, 50, 100, 200, 400)),
            *(Case(hidden_size) for hidden_size in (64, 128, 256, 512)),
            *(Case(128, num_layers=num_layers) for num_layers in (1, 2, 3, 4)),
            *(Case(128, vocabulary=size) for size in (30, 85, 200, 400, 800)),
        ]
    )
]
EFFORT = {
    "quick": Effort(0.7, 5, limit=20, precision=0.03),
    "growth": Effort(1.5, 5),
    "full": Effort(4, 5),
}
GROWING = ("ours", "floor", "nn.LSTM")


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
    """Measure, print the table and write it as CSV."""
    parser = argparse.ArgumentParser(
        prog="python -m charrnn.benchmark",
        description="Time every loop, next to its matrix products alone and to its peers.",
    )
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--quick", action="store_true", help="the core rows, in about two minutes")
    which.add_argument("--growth", action="store_true", help="a training step over k2, gamma, r, V")
    parser.add_argument(
        "--out", type=Path, default=Path("multirun/benchmark"), help="folder of the tables"
    )
    parser.add_argument("--seconds", type=float, help="minimum time spent on each loop")
    parser.add_argument("--rounds", type=int, help="minimum number of rounds")
    parser.add_argument("--loops", default=",".join(LOOPS), help="which loops, such as train-step")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    arguments = parser.parse_args()
    usual = EFFORT["quick" if arguments.quick else "growth" if arguments.growth else "full"]
    effort = replace(
        usual,
        seconds=arguments.seconds or usual.seconds,
        rounds=arguments.rounds or usual.rounds,
        limit=math.inf if arguments.rounds else usual.limit,
    )
    loops = arguments.loops.split(",")
    try:
        for loop in loops:
            require_choice("--loops", loop, LOOPS)
    except CharRNNError as error:
        refuse(error)
    growth, quick, full, wide = (
        [(loop, case) for loop, case in plan if loop in loops]
        for plan in (GROWTH, QUICK, FULL, WIDE)
    )
    threads, cores = arguments.threads, os.cpu_count() or 1
    tables: dict[str, pd.DataFrame] = {}
    if arguments.growth:
        stem, parts = "growth", [*measure(growth, effort, threads, GROWING)]
    elif arguments.quick:
        stem, parts = "benchmark-quick", [*measure(quick, effort, threads)]
    else:
        stem, parts = "benchmark", [*measure(full, effort, threads)]
        if cores > threads:
            parts += measure(wide, effort, cores)
        torch.set_num_threads(threads)
        if len(loops) == len(LOOPS):
            tables["costs"] = costs()
    processor = machine()["processor"]
    where = {"machine": processor, "cores": cores, "torch": torch.__version__}
    tables = {stem: pd.concat(parts).assign(**where), **tables}
    print(
        f"{processor}, {cores} cores; torch {torch.__version__}; float32; batch {BATCH},"
        f" dense {DENSE}, |V|={VOCABULARY} unless the case says otherwise"
    )
    print(readable(tables[stem]))
    if "costs" in tables:
        print(tables["costs"].round(4).to_string(index=False))
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        path = arguments.out / f"{name}.csv"
        write_atomically(path, table.to_csv(index=False))
        print(path)


if __name__ == "__main__":
    main()
