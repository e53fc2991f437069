"""How long a training batch takes on this machine: read from existing runs, or measured now."""

from __future__ import annotations

import json
import platform
import statistics
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from charrnn.backbone.lstm_autograd import prepare_cpu
from charrnn.config import build
from charrnn.datamodule.batches import Batch
from charrnn.devices import Place
from charrnn.runs.files import CONFIG
from charrnn.runs.folder import PROVENANCE, RunFolder
from charrnn.runs.identity import declared_name
from charrnn.training.build import DTYPES, optimizer, scheme_class
from charrnn.training.timed_step import make_step, seconds
from charrnn.untrusted import judge, plain_yaml

MEASURED_SECONDS = 0.5
"""Steps are repeated until they have taken this long."""
WARM_UP = 4
"""Sequences in the warm-up step."""


@dataclass(frozen=True, order=True)
class Step:
    """Everything that a training batch's time depends on; corpus and k1 hardly matter.

    Attributes:
        backbone: the name that the network's class declares, which stands for its recurrent cell.
        k3: positions that the loss counts, also where the configuration leaves k3 to the scheme.
    """

    training: str
    backbone: str
    layer_norm: bool
    num_layers: int
    hidden_size: int
    dense_size: int | None
    k2: int
    k3: int
    batch_size: int
    precision: int | str
    threads: int


def step_of(cfg: DictConfig, threads: int) -> Step:
    """The training step of a configuration's run on a number of threads."""
    scheme = scheme_class(cfg)
    return Step(
        training=scheme.training_procedure,
        backbone=declared_name(cfg.backbone._target_),
        layer_norm=cfg.backbone.get("layer_norm", False),
        num_layers=cfg.backbone.num_layers,
        hidden_size=cfg.backbone.hidden_size,
        dense_size=cfg.backbone.get("dense_size"),
        k2=cfg.k2,
        k3=scheme.own_k3(cfg.k1, cfg.k2) if cfg.k3 is None else cfg.k3,
        batch_size=cfg.datamodule.batch_size,
        precision=cfg.precision,
        threads=threads,
    )


def seconds_of_runs(output_dir: Path, place: Place) -> dict[Step, list[float]]:
    """Seconds per batch of each run in ``output_dir`` trained on this machine, on ``place``."""
    found: dict[Step, list[float]] = defaultdict(list)
    for path in output_dir.glob("*/provenance.json"):
        folder = RunFolder(path.parent)
        try:
            machine = json.loads(folder.read(PROVENANCE))["machine"]
            cfg = OmegaConf.create(plain_yaml(folder.read(CONFIG)))
            judge(cfg.model._target_, folder.path)
            step = step_of(cfg, machine["threads"])
            per_batch = folder.seconds_per_batch()
        except Exception:  # half-written, edited, or from another version: the others suffice
            continue
        same = machine["name"] == platform.node() and machine["gpu"] == place.gpu
        if same and per_batch is not None:
            found[step].append(per_batch)
    return found


def measure(cfg: DictConfig, vocabulary_size: int, threads: int, place: Place) -> float:
    """Median seconds of a training step on random tokens, after a small warm-up step.

    The batch is not the first of an epoch: in truncated BPTT that one's loss counts more positions.
    """
    prepare_cpu()
    device = torch.device("cpu" if place.gpu is None else "cuda")
    backbone = build(cfg.backbone, vocabulary_size=vocabulary_size).to(DTYPES[cfg.precision])
    scheme = build(cfg.model, backbone=backbone, optimizer=optimizer(cfg)).to(device)
    step = make_step(scheme.training_step, scheme.configure_optimizers())
    size = cfg.k2 + 1, cfg.datamodule.batch_size
    tokens_TB = torch.randint(vocabulary_size, size, device=device)
    first, second = (Batch(tokens_TB[:-1], tokens_TB[1:], number) for number in (0, 1))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        step(Batch(first.inputs_TB[:, :WARM_UP], first.targets_TB[:, :WARM_UP], number=0))
        with torch.no_grad():  # without updating: only the state that the second starts from
            scheme.training_step(first)
        taken = [seconds(lambda: step(second))]
        while sum(taken) < MEASURED_SECONDS:
            taken.append(seconds(lambda: step(second)))
    finally:
        torch.set_num_threads(before)
    return statistics.median(taken)
