"""The measurement behind `jobs=auto`: runs per hour, one at a time and several at once.

Each row trains part of Figure 9's grid from scratch: `python -m analysis.speed.runs_per_hour -h`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

from charrnn.cli import refusing
from charrnn.files import write_atomically
from charrnn.runs.provenance import machine
from charrnn.sweeps.resources import cores

ENTRY = "from charrnn.cli import train; train()"


def measure(words: list[str], jobs: int, threads: int) -> float:
    """Runs per hour of the sweep that ``words`` describe, including the start of processes."""
    with tempfile.TemporaryDirectory() as folder:
        fixed = [f"output_dir={folder}", f"jobs={jobs}", f"threads={threads}"]
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", ENTRY, "-m", *words, *fixed], check=True)
        seconds = time.perf_counter() - started
        return len(list(Path(folder).glob("*/finished.json"))) * 3600 / seconds


def main() -> None:
    """Measure, print the table and write it as CSV."""
    parser = argparse.ArgumentParser(description="Runs per hour by number of jobs and threads.")
    parser.add_argument("--out", type=Path, default=Path("multirun/benchmark"), help="folder")
    parser.add_argument(
        "words",
        nargs="*",
        default=["scale=quick", "data=stdlib", "scheme=1,2,4", "k1=20,100"],
        help="the sweep, as for src/train.py -m",
    )
    arguments = parser.parse_args()
    with refusing():
        _measure_and_write(arguments.words, arguments.out)


def _measure_and_write(words: list[str], out: Path) -> None:
    here = cores()
    rows = [
        {"jobs": jobs, "threads": threads, "runs_per_hour": measure(words, jobs, threads)}
        for jobs, threads in dict.fromkeys([(1, here), (1, 1), (here, 1)])
    ]
    table = pd.DataFrame(rows).round(1)
    print(f"{machine()['processor']}, {here} cores; {' '.join(words)}")
    print(table.to_string(index=False))
    out.mkdir(parents=True, exist_ok=True)
    write_atomically(out / "runs-per-hour.csv", table.to_csv(index=False))


if __name__ == "__main__":
    main()
