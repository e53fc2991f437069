"""How long a training batch takes on this machine: from runs that are there, else measured now."""

from __future__ import annotations

import json
import platform
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from charrnn.backbone.recurrence import prepare_cpu
from charrnn.datamodule.batches import Batch
from charrnn.runs.folder import RunFolder
from charrnn.training.build import DTYPES, build, optimizer, scheme_class

MEASURED_SECONDS = 0.5
"""How long steps are repeated."""
WARM_UP = 4
"""Sequences in the step that warms up."""


@dataclass(frozen=True, order=True)
class Step:
    """What the time of a training batch depends on; the corpus and k1 hardly count."""

    training: str
    num_layers: int
    hidden_size: int
    dense_size: int | None
    k2: int
    batch_size: int
    precision: int
    threads: int


def step_of(cfg: DictConfig, threads: int) -> Step:
    """The training step of a configuration's run on a number of threads."""
    return Step(
        training=scheme_class(cfg).training_procedure,
        num_layers=cfg.backbone.num_layers,
        hidden_size=cfg.backbone.hidden_size,
        dense_size=cfg.backbone.dense_size,
        k2=cfg.k2,
        batch_size=cfg.datamodule.batch_size,
        precision=cfg.precision,
        threads=threads,
    )


def seconds_of_runs(output_dir: Path) -> dict[Step, list[float]]:
    """Seconds a batch of all runs that this machine has trained, or trains, in ``output_dir``."""
    found: dict[Step, list[float]] = defaultdict(list)
    for path in output_dir.glob("*/provenance.json"):
        folder = RunFolder(path.parent)
        try:
            machine = json.loads(path.read_text())["machine"]
            cfg = OmegaConf.load(folder.path / "config.yaml")
            assert isinstance(cfg, DictConfig)
            step = step_of(cfg, machine["threads"])
            seconds = folder.seconds_per_batch()
        except Exception:  # half-written, edited, or of another version: the others tell enough
            continue
        same = machine["name"] == platform.node() and machine["gpu"] == gpu()
        if same and seconds is not None:
            found[step].append(seconds)
    return found


def gpu() -> str | None:
    """The name of this machine's GPU."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else None


def measure(cfg: DictConfig, vocabulary_size: int, threads: int) -> float:
    """Seconds of a training step on random tokens: the median, after a small one that warms up."""
    prepare_cpu()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    backbone = build(cfg.backbone, vocabulary_size=vocabulary_size).to(DTYPES[cfg.precision])
    scheme = build(cfg.model, backbone=backbone, optimizer=optimizer(cfg)).to(device)
    update = scheme.configure_optimizers()
    size = cfg.k2 + 1, cfg.datamodule.batch_size
    tokens_TB = torch.randint(vocabulary_size, size, device=device)
    batch = Batch(tokens_TB[:-1], tokens_TB[1:], number=0)
    small = Batch(batch.inputs_TB[:, :WARM_UP], batch.targets_TB[:, :WARM_UP], number=0)

    def step(batch: Batch) -> float:
        started = time.perf_counter()
        update.zero_grad()
        scheme.training_step(batch).backward()
        update.step()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        step(small)
        seconds = [step(batch)]
        while sum(seconds) < MEASURED_SECONDS:
            seconds.append(step(batch))
    finally:
        torch.set_num_threads(before)
    return statistics.median(seconds)
