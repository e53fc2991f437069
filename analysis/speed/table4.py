"""Table 4: milliseconds per training batch and per sampled token. `--help` lists the options.

The cells are those of `experiment=table4`, measured by analysis.speed.timing; no run is needed.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd
import torch
from omegaconf import DictConfig
from rich.progress import track

from analysis.speed.timing import Measure, measure
from charrnn.cli import refusing
from charrnn.config import build
from charrnn.console import ConsoleHandler, console
from charrnn.devices import GPU, gpu_name, require_here
from charrnn.files import write_atomically
from charrnn.runs.provenance import machine
from charrnn.seals import sealed_table
from charrnn.sweeps.cells import compose_cells
from charrnn.sweeps.resources import device_of
from charrnn.training.build import check

PAPER: dict[Measure, tuple[float, ...]] = {
    ("training", 1): (60.5, 138.8, 106.5, 267.4),
    ("training", 2): (46.5, 114.6, 93.1, 245.8),
    ("training", 3): (60.5, 138.8, 106.5, 267.5),
    ("training", 4): (60.6, 138.9, 106.6, 267.6),
    ("windowed", 1): (7.0, 21.7, 13.7, 43.3),
    ("windowed", 2): (7.0, 21.7, 13.7, 43.3),
    ("progressive", 3): (0.7, 1.2, 1.1, 2.2),
    ("progressive", 4): (0.7, 1.2, 1.1, 2.2),
}
"""The paper's milliseconds, on a K40c: gamma = 128 and 512 with one layer, then with two."""
RATIOS: dict[str, Callable[[Any], Any]] = {
    "saved in training by scheme 2": lambda ms: 1 - ms["training", 2] / ms["training", 1],
    "windowed / progressive": lambda ms: ms["windowed", 1] / ms["progressive", 3],
    "windowed / rolling": lambda ms: ms["windowed", 1] / ms["rolling", 1],
    "rolling / progressive": lambda ms: ms["rolling", 1] / ms["progressive", 3],
}
"""The ratios below the times, as functions of the milliseconds of all measures."""


def summarise(times: pd.DataFrame, paper: Mapping[Measure, float]) -> pd.DataFrame:
    """The table's rows for one architecture: measures, then ratios of measures of one round.

    Columns: what, unit, median, lower and upper quartile, repeats, and the paper's number.

    Args:
        times: milliseconds, as `measure` returns them.
        paper: the paper's milliseconds for the same architecture; may be empty.
    """
    rows = []
    for name, scheme in cast("list[Measure]", list(times.columns)):
        unit = "ms per batch" if name == "training" else "ms per token"
        what = f"scheme {scheme}: {name if name == 'training' else f'{name} sampling'}"
        rows.append(_row(what, unit, times[name, scheme], paper.get((name, scheme))))
    for what, ratio in RATIOS.items():
        with contextlib.suppress(KeyError):  # one of the two was not measured
            rows.append(_row(what, "ratio", ratio(times), None))
            rows[-1]["paper"] = ratio(paper)
    return pd.DataFrame(rows)


def _row(what: str, unit: str, values: pd.Series, paper: float | None) -> dict[str, Any]:
    lower, median, upper = values.dropna().quantile([0.25, 0.5, 0.75])
    row = {"what": what, "unit": unit, "median": median, "lower": lower, "upper": upper}
    return row | {"repeats": values.count(), "paper": paper}


def paper_of(cfg: DictConfig) -> dict[Measure, float]:
    """The paper's milliseconds for the architecture that the configuration's stands for."""
    sizes = [cfg.scale.hidden_size.small, cfg.scale.hidden_size.large]
    layers, hidden_size = cfg.backbone.num_layers, cfg.backbone.hidden_size
    if layers not in (1, 2) or hidden_size not in sizes:
        return {}
    place = 2 * (layers - 1) + sizes.index(hidden_size)
    return {measure: milliseconds[place] for measure, milliseconds in PAPER.items()}


Rows = list[tuple[str, str, list[dict[Any, Any] | None]]]


def by_architecture(table: pd.DataFrame) -> tuple[list[tuple[int, int]], Rows]:
    """The table with one column per architecture.

    Returns:
        The architectures (r, gamma), and for each row what it is, its unit, and the row of
        ``table`` for each architecture; None where that has none.
    """
    sizes = ["num_layers", "hidden_size"]
    columns = list(dict.fromkeys(table[sizes].itertuples(index=False, name=None)))
    rows: Rows = []
    for (what, unit), group in table.groupby(["what", "unit"], sort=False):
        cells = {(row["num_layers"], row["hidden_size"]): row for row in group.to_dict("records")}
        rows.append((str(what), str(unit), [cells.get(column) for column in columns]))
    return columns, rows


def readable(table: pd.DataFrame) -> str:
    """The table as Markdown: median, quartiles, and the paper's number where it has one."""
    columns, rows = by_architecture(table)
    names = [f"r={r}, gamma={gamma}" for r, gamma in columns]
    lines = [["", "unit", *names], ["---"] * (2 + len(names))]
    lines += [
        [what, unit, *(_cell(row) if row else "" for row in cells)] for what, unit, cells in rows
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(row: Mapping[Any, Any]) -> str:
    ours = f"{digits(row['median'])} ({digits(row['lower'])} to {digits(row['upper'])})"
    return ours if pd.isna(row["paper"]) else f"{ours}; paper {round(row['paper'], 2):g}"


def digits(value: float) -> str:
    """Three significant digits, or all digits before the point if these are more."""
    return f"{value:.{max(0, 2 - max(0, math.floor(math.log10(abs(value)))))}f}" if value else "0"


def main() -> None:
    """Measure, print the table and write it as Markdown and CSV."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.speed.table4",
        description="Measure the speed of the schemes, beside the paper's Table 4.",
    )
    parser.add_argument("words", nargs="*", help="overrides such as scale=laptop corpora=stdlib")
    parser.add_argument("--repeats", type=int, default=7, help="training steps timed per scheme")
    parser.add_argument("--tokens", type=int, default=30, help="tokens timed per sampler")
    parser.add_argument("--out", type=Path, help="folder of the table (default: multirun/figures)")
    arguments = parser.parse_intermixed_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[ConsoleHandler()])
    with refusing():
        _measure_and_write(arguments)


def _measure_and_write(arguments: argparse.Namespace) -> None:
    cells = compose_cells("table4", arguments.words)
    require_here(device_of(cells[0]))
    for cfg in cells:
        check(cfg)
    if cells[0].threads is not None:
        torch.set_num_threads(cells[0].threads)
    table = pd.concat(_measured(cells, arguments.repeats, arguments.tokens))
    print(heading := _heading(cells[0], table))
    print(text := readable(table))
    out = arguments.out or Path(cells[0].output_dir) / "figures"
    out.mkdir(parents=True, exist_ok=True)
    stem = f"table4-{cells[0].scale.name}"
    for suffix, content in ((".md", f"{heading}\n\n{text}\n"), (".csv", sealed_table(table))):
        write_atomically(out / f"{stem}{suffix}", content)
        print(out / f"{stem}{suffix}")


def _measured(cells: Sequence[DictConfig], repeats: int, tokens: int) -> Iterator[pd.DataFrame]:
    """The rows of each architecture, with what they were measured on."""
    here = machine()
    groups = [list(group) for _, group in itertools.groupby(cells, key=_architecture)]
    hidden = not console.is_terminal
    for schemes in track(groups, "measuring", console=console, transient=True, disable=hidden):
        cfg = schemes[0]
        rows = summarise(measure(schemes, repeats, tokens), paper_of(cfg))
        yield rows.assign(
            num_layers=cfg.backbone.num_layers,
            hidden_size=cfg.backbone.hidden_size,
            dense_size=cfg.backbone.dense_size,
            batch_size=cfg.datamodule.batch_size,
            k1=cfg.k1,
            k2=cfg.k2,
            corpus=build(cfg.data).full_name,
            threads=here["threads"],
            processor=gpu_name() if device_of(cfg) == GPU else here["processor"],
            torch=torch.__version__,
        )


def _architecture(cfg: DictConfig) -> tuple[int, int]:
    return cfg.backbone.num_layers, cfg.backbone.hidden_size


def _heading(cfg: DictConfig, table: pd.DataFrame) -> str:
    """What was measured, and on what machine."""
    row = table.iloc[0]
    return (
        f"scale={cfg.scale.name}; {row['corpus']}; batch {row['batch_size']}, k1={row['k1']},"
        f" k2={row['k2']}, dense {row['dense_size']}; threads: {row['threads']};"
        f" {row['processor']}; torch {row['torch']}. Median (quartiles); the paper's numbers are"
        " for gamma = 128 and 512 on a K40c."
    )


if __name__ == "__main__":
    main()
