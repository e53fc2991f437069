"""Measure the pace of an experiment's configurations on an idle machine: `--help` says how."""

from __future__ import annotations

import argparse
import logging
import statistics
from pathlib import Path

import pandas as pd
from omegaconf import DictConfig
from rich.progress import track

from analysis.pace import MEASURED, table_of_paces
from charrnn.cli import refusing
from charrnn.console import ConsoleHandler, console
from charrnn.devices import GPU, Place, gpu_name
from charrnn.files import write_atomically
from charrnn.runs.provenance import machine
from charrnn.seals import sealed_table
from charrnn.sweeps.cells import compose_cells
from charrnn.sweeps.resources import cores, device_of
from charrnn.sweeps.seconds_per_batch import Step, measure, step_of

TOKENS = 100
"""Distinct tokens; their number hardly changes what a batch costs."""


def main() -> None:
    """Time the training steps, and write the table that figures and claims then take."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.speed.pace",
        description="Time a training batch of every configuration of experiments, in alternating"
        " rounds. Figures over training time and claims on it then go by these times.",
    )
    parser.add_argument("experiments", nargs="+", help="such as fig9 fig11")
    parser.add_argument("--set", nargs="+", default=[], help="fields, such as k2=20,40,60,80,100")
    parser.add_argument("--scale", default="auto", help="of the experiments")
    parser.add_argument("--rounds", type=int, default=5, help="of half a second a configuration")
    parser.add_argument("--out", type=Path, default=Path("multirun/figures"), help="folder")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[ConsoleHandler()])
    with refusing():
        words = [f"scale={arguments.scale}", "data=stdlib", "seed=0", *arguments.set]
        cells = [cfg for name in arguments.experiments for cfg in compose_cells(name, words)]
        table = paces(cells, arguments.rounds)
        path = table_of_paces(arguments.out, cells[0].scale.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, sealed_table(table))
        print(table.to_string(index=False))
        print(path)


def paces(cells: list[DictConfig], rounds: int) -> pd.DataFrame:
    """Seconds per batch of every configuration among the cells.

    Args:
        cells: configurations of runs.
        rounds: in each of them every configuration is timed once for half a second.

    Returns:
        The columns of analysis.pace.MEASURED, and the median, the quartiles and the machine.
    """
    steps = {step_of(cfg, cfg.threads or cores()): cfg for cfg in cells}
    place = Place(gpu_name()) if device_of(cells[0]) == GPU else Place()
    taken: dict[Step, list[float]] = {step: [] for step in steps}
    hidden = not console.is_terminal
    for _ in track(range(rounds), "measuring", console=console, transient=True, disable=hidden):
        for step, cfg in steps.items():
            taken[step].append(measure(cfg, TOKENS, step.threads, place))
    here = machine()
    rows = []
    for step, values in sorted(taken.items()):
        lower, _, upper = statistics.quantiles(values, n=4) if rounds > 1 else values * 3
        row = {name: getattr(step, name) for name in MEASURED}
        row |= {"seconds": statistics.median(values), "lower": lower, "upper": upper}
        rows.append(row | {"rounds": rounds, "processor": place.gpu or here["processor"]})
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
