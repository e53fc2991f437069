"""Times training steps and samplers in turn.

Speed does not depend on what a network has learned, so the networks are built here. They take
turns because a ratio of two speeds means little if the machine was busy during one of them.

A step is the scheme's own on the corpus's batches: forward pass, backward pass and optimizer.
Evaluation, loading and logging are not included.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pandas as pd
import torch
from omegaconf import DictConfig

from charrnn.benchmark.measure import Effort, Entry, alternate
from charrnn.datamodule.batches import Batch
from charrnn.devices import GPU
from charrnn.sampling.samplers import SAMPLERS, Choice
from charrnn.sweeps.resources import device_of
from charrnn.training.build import build_datamodule, build_scheme
from charrnn.training.timed_step import make_step

Measure = tuple[str, int]
"""`training` or the name of a sampler, and the scheme."""

SAMPLERS_OF = {"windowed": ("windowed", "rolling"), "progressive": ("progressive",)}
"""The samplers that draw from each sampling procedure's distributions, the paper's first."""


def measure(cells: Sequence[DictConfig], repeats: int, tokens: int) -> pd.DataFrame:
    """Milliseconds of each measure (columns) for one architecture, measured in turn.

    Args:
        cells: one configuration per scheme.
        repeats: training steps measured per scheme, after one for warm-up.
        tokens: tokens drawn by each sampler, after one for warm-up; each is measured separately.
    """
    device = torch.device("cuda" if device_of(cells[0]) == GPU else "cpu")
    datamodule = build_datamodule(cells[0])
    datamodule.setup()
    vocabulary = len(datamodule.tokens.vocabulary)
    prompt_N = datamodule.test_tokens[: cells[0].k2].to(device)
    batches = [
        Batch(batch.inputs_TB.to(device), batch.targets_TB.to(device), batch.number)
        for batch in itertools.islice(datamodule.batches, repeats + 1)
    ]
    steps: dict[Measure, Entry] = {}
    draws: dict[Measure, Entry] = {}
    for cfg in cells:
        scheme = build_scheme(cfg, vocabulary).to(device)
        step = make_step(scheme.training_step, scheme.configure_optimizers())
        steps["training", cfg.scheme] = Entry(map(step, itertools.cycle(batches)).__next__)
        untrained = build_scheme(cfg, vocabulary).to(device).backbone.eval()
        for name in SAMPLERS_OF[scheme.sampling_procedure]:
            sampler = SAMPLERS[name](untrained, prompt_N, cfg.k2, Choice())
            draws[name, cfg.scheme] = Entry(sampler.__next__)
    timed = alternate(steps, Effort(0, repeats)), alternate(draws, Effort(0, tokens))
    return pd.concat(timed, axis="columns")
