"""The speed of training steps and samplers, measured in turn.

Speed does not depend on what a network has learned: the networks are built here, and not trained
one after the other, since a ratio of two speeds is worth little if the machine was busy with
something else during one of them.

A step is that of the scheme itself on the corpus's own batches: forward pass, backward pass and
optimizer. What a run adds around it (evaluation, loading, logging) is no part of it.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd
import torch
from omegaconf import DictConfig
from rich.progress import track

from charrnn.console import console
from charrnn.datamodule.batches import Batch
from charrnn.sampling.drawing import SAMPLERS, Choice
from charrnn.schemes.base import Scheme
from charrnn.training.build import build_datamodule, build_scheme

Measure = tuple[str, int]
"""`training` or the name of a sampler, and the scheme."""
Action = Callable[[], object]

SAMPLERS_OF = {"windowed": ("windowed", "rolling"), "progressive": ("progressive",)}
"""The samplers that draw from the distributions of a sampling procedure, the paper's first."""


def measure(cells: Sequence[DictConfig], repeats: int, tokens: int) -> pd.DataFrame:
    """Milliseconds of every measure (columns) of the cells of one architecture, in turn.

    Args:
        cells: one configuration a scheme.
        repeats: training steps of each that are measured, after one of warm-up.
        tokens: that each sampler draws, after one of warm-up; each is measured on its own.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    datamodule = build_datamodule(cells[0])
    datamodule.setup()
    vocabulary = len(datamodule.tokens.vocabulary)
    prompt_N = datamodule.test_tokens[: cells[0].k2].to(device)
    batches = [
        Batch(batch.inputs_TB.to(device), batch.targets_TB.to(device), batch.number)
        for batch in itertools.islice(datamodule.train_dataloader(), repeats + 1)
    ]
    steps: dict[Measure, Action] = {}
    draws: dict[Measure, Action] = {}
    for cfg in cells:
        scheme = build_scheme(cfg, vocabulary).to(device)
        steps["training", cfg.scheme] = _training(scheme, itertools.cycle(batches)).__next__
        untrained = build_scheme(cfg, vocabulary).to(device).backbone.eval()
        for name in SAMPLERS_OF[scheme.sampling_procedure]:
            if name in SAMPLERS:
                sampler = SAMPLERS[name](untrained, prompt_N, cfg.k2, Choice())
                draws[name, cfg.scheme] = sampler.__next__
    return pd.concat([_in_turn(steps, repeats), _in_turn(draws, tokens)], axis="columns")


def _training(scheme: Scheme, batches: Iterator[Batch]) -> Iterator[None]:
    """A training step each time that it is asked for one."""
    optimizer = scheme.configure_optimizers()
    for batch in batches:
        optimizer.zero_grad()
        loss: Any = scheme.training_step(batch)
        loss.backward()
        optimizer.step()
        yield


def _in_turn(actions: Mapping[Measure, Action], rounds: int) -> pd.DataFrame:
    """Milliseconds of each action (rows: rounds, columns: actions), after one warm-up each."""
    for action in actions.values():
        action()
    times = []
    hidden = not console.is_terminal
    for _ in track(range(rounds), "measuring", console=console, transient=True, disable=hidden):
        row = {}
        for name, action in actions.items():
            _wait_for_device()
            started = time.perf_counter()
            action()
            _wait_for_device()
            row[name] = 1000 * (time.perf_counter() - started)
        times.append(row)
    return pd.DataFrame(times)


def _wait_for_device() -> None:
    """What was asked of a GPU goes on after the asking."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
