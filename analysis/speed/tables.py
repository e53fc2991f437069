"""Tables of docs/explanation/speed.md, from what was measured; see analysis.numbers.

A column is an architecture: the paper's two widths, each with one and two layers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pandas as pd

from analysis.markdown import markdown_head, markdown_row
from analysis.statistics.units import share

MEASURED = Path(__file__).parent.parent / "figures"
TABLE4 = Path(__file__).parent.parent / "reference" / "table4-paper.csv"
ARCHITECTURES = [(1, 512), (1, 128), (2, 512), (2, 128)]
"""r and gamma."""
HEADS = [f"gamma {gamma}, r {r}" for r, gamma in ARCHITECTURES]
LOOPS = (
    ("a training step of scheme 1, batch 64", "benchmark", "train-step", "ours"),
    ("... without the compiled part", "benchmark", "train-step", "ours, eager"),
    ("... with AVX2 instead of AVX-512", "benchmark-avx2", "train-step", "ours"),
    ("windowed perplexity", "benchmark", "eval-windowed", "ours"),
    ("progressive perplexity", "benchmark", "eval-progressive", "ours"),
    ("windowed sampling, as Algorithm 4 is written", "benchmark", "sampling-windowed", "ours"),
    ("rolling windowed sampling", "benchmark", "sampling-rolling", "ours"),
    ("progressive sampling", "benchmark", "sampling-progressive", "ours"),
)
"""Rows of `loops`: title, table, loop and implementation."""
PACE = (
    ("with AVX-512", "benchmark", "train-step", "ours"),
    ("the same, limited to AVX2", "benchmark-avx2", "train-step", "ours"),
)
"""Rows of `pace`."""
STEPS = {"LSTM": "train-step", "GRU": "train-step-gru", "RNN": "train-step-rnn"}
"""The benchmark's loops that time a training step of a cell."""
ON_A_GPU = {
    "ours": "ours",
    "floor": "the matrix products alone, as one CUDA graph",
    "nn.LSTM": "`torch.nn.LSTM` (cuDNN; no peepholes, no clipping)",
    "ours, eager": "ours, without graphs and kernels",
    "autograd-loop": "a loop of cells under plain autograd",
    "ours, TF32": "ours, TF32",
}
"""Rows of `gpu`: implementations, and what they are called."""
SIDE_BY_SIDE = (
    ("benchmark-together", 512, "gamma 512, taking turns"),
    ("benchmark-together-mps", 512, "gamma 512, with MPS"),
    ("benchmark-together-mps", 128, "gamma 128, with MPS"),
)
"""Columns of `together`: table, gamma, and title."""
OF_TABLE4 = (
    ("training, scheme 1, ms per batch", "scheme 1: training"),
    ("training, scheme 2, ms per batch", "scheme 2: training"),
    ("saved by scheme 2", "saved in training by scheme 2"),
    ("windowed sampling, ms per token", "scheme 1: windowed sampling"),
    ("rolling windowed sampling", "scheme 1: rolling sampling"),
    ("progressive sampling", "scheme 3: progressive sampling"),
    ("windowed / progressive", "windowed / progressive"),
)
"""Rows of `table4`: title, and what was measured."""


def loops() -> Iterator[str]:
    """What each loop takes, relative to its matrix products and to torch.nn.LSTM."""
    yield from _ratios("one thread; our time / products, our time / `nn.LSTM`", LOOPS)


def pace() -> Iterator[str]:
    """What a training step takes, with either kind of processor."""
    machine = _measured("benchmark")["machine"].iloc[0]
    yield from _ratios(f"{machine}, one thread; our time / products, our time / `nn.LSTM`", PACE)


def _ratios(heading: str, lines: Iterable[tuple[str, str, str, str]]) -> Iterator[str]:
    yield from markdown_head(heading, *HEADS)
    for title, name, loop, implementation in lines:
        rows = _of_architectures(_measured(name), loop=loop, implementation=implementation)
        yield markdown_row(
            title,
            *(f"{row.ratio_to_floor:.2f}, {row.ratio_to_nn_lstm:.2f}" for row in rows.itertuples()),
        )


def cells() -> Iterator[str]:
    """A training step of each cell that torch has, over its products, and torch's over it."""
    table = _measured("benchmark")
    yield from markdown_head(f"{table['machine'].iloc[0]}, one thread", *HEADS)
    for cell, loop in STEPS.items():
        for title, implementation, column in (
            (f"{cell}: our time / its products'", "ours", "ratio_to_floor"),
            (f"{cell}: the time of `nn.{cell}` / ours", f"nn.{cell}", "ratio_to_ours"),
        ):
            rows = _of_architectures(table, loop=loop, implementation=implementation)
            known = rows[[column, f"{column}_q1", f"{column}_q3"]].itertuples(index=False)
            yield markdown_row(title, *("{:.2f} ({:.2f} to {:.2f})".format(*one) for one in known))


def gpu() -> Iterator[str]:
    """A training step on a GPU, by implementation; ours with the paper's in brackets."""
    table = _measured("benchmark-gpu")
    yield from markdown_head("ms (the paper's K40c in brackets)", *HEADS)
    for implementation, title in ON_A_GPU.items():
        rows = _of_architectures(table, loop="train-step", implementation=implementation)
        ours = [_three_digits(ms) for ms in rows["ms_median"]]
        if implementation == "ours":
            papers = _of_architectures(_table4(), what="scheme 1: training")["paper"]
            ours = [f"{ms} ({paper})" for ms, paper in zip(ours, papers, strict=True)]
        yield markdown_row(title, *ours)


def together() -> Iterator[str]:
    """Batches per second of several processes on one GPU, and how many times those of one."""
    yield from markdown_head("batches per second", *(title for *_, title in SIDE_BY_SIDE))
    columns = []
    for name, gamma, _ in SIDE_BY_SIDE:
        table = pd.read_csv(MEASURED / f"{name}.csv").set_index("processes")
        columns.append(table[table["case"].str.startswith(f"gamma={gamma},")])
    for processes in sorted({count for column in columns for count in column.index}):
        known = (column[column.index == processes] for column in columns)
        yield markdown_row(
            f"{processes} process{'es' * (processes > 1)}",
            *(
                f"{row['batches_per_s'].iloc[0]:.0f} ({row['speed_up'].iloc[0]:.2f})"
                if len(row)
                else ""
                for row in known
            ),
        )


def table4() -> Iterator[str]:
    """Table 4 of the paper, whose numbers are in brackets."""
    table = _table4()
    yield from markdown_head("", *HEADS)
    for title, what in OF_TABLE4:
        as_ours, as_papers = (
            (share, share) if "saved" in title else (_three_digits, "{:.4g}".format)
        )
        rows = _of_architectures(table, what=what)
        known = zip(rows["median"].map(as_ours), rows["paper"], strict=True)
        yield markdown_row(
            title,
            *(ours if pd.isna(paper) else f"{ours} ({as_papers(paper)})" for ours, paper in known),
        )


def _three_digits(number: float) -> str:
    return f"{number:.{max(0, 2 - math.floor(math.log10(number)))}f}"


def _table4() -> pd.DataFrame:
    """The measurements of Table 4, of one thread."""
    table = pd.read_csv(TABLE4).rename(columns={"num_layers": "r", "hidden_size": "gamma"})
    return table[table["threads"] == 1]


def _measured(name: str) -> pd.DataFrame:
    """A table of the benchmark, of one thread."""
    table = pd.read_csv(MEASURED / f"{name}.csv")
    return table[table["threads"] == 1]


def _of_architectures(table: pd.DataFrame, **place: str) -> pd.DataFrame:
    """The one row of each architecture, where columns have the given values."""
    for column, value in place.items():
        table = table[table[column] == value]
    rows = table.set_index(["r", "gamma"])
    assert rows.index.is_unique
    return rows.loc[ARCHITECTURES]


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "loops": loops,
    "pace": pace,
    "cells": cells,
    "benchmark-gpu": gpu,
    "benchmark-together": together,
    "table4": table4,
}
"""By the names that they have on pages."""
