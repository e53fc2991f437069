"""What a run costs apart from its training steps: evaluation, Lightning, data, memory."""

from __future__ import annotations

import itertools
import logging
import os
import tempfile
import time
import warnings
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf

from charrnn.benchmark.case import PAPER_TOKENS, VOCABULARY, Case
from charrnn.benchmark.loops import LOOPS, our_backbone
from charrnn.benchmark.measure import Effort, alternate
from charrnn.benchmark.memory import peak_memory
from charrnn.callbacks.clock import Clock
from charrnn.callbacks.training_log import LogTraining
from charrnn.config import conf_folder
from charrnn.datamodule.batches import TrainBatches
from charrnn.evaluation.schedule import log_spaced
from charrnn.logger.tensorboard import TensorBoard
from charrnn.schemes.schemes_1_and_3 import Scheme1
from charrnn.training.timed_step import make_step, seconds

SCALES = ("paper", "laptop", "quick")
TRAINING = "train-step"
EVALUATION = ("eval-windowed", "eval-progressive")
TEXTS = ("sampling-windowed", "sampling-progressive")
"""The loops that write a run's texts."""


def costs() -> pd.DataFrame:
    """All costs, one per row: `cost`, `case`, `value`, `unit`, and what it was computed from."""
    step = Case(512)
    milliseconds = _ours(TRAINING, step)
    feeding, lightning = feed_milliseconds(), lightning_milliseconds()
    rows = [
        *(row for scale in SCALES for row in shares(scale)),
        _row("feeding a batch", step.name, feeding / milliseconds, "share", f"{feeding:.3f} ms"),
        _row(
            "Lightning's overhead",
            step.name,
            lightning / milliseconds,
            "share",
            f"{lightning:.3f} ms per step of {milliseconds:.0f} ms",
        ),
        _row(
            "peak memory of a run",
            Case(512, num_layers=2).name,
            peak_memory(Case(512, num_layers=2)) / 1e9,
            "GB",
            f"{PAPER_TOKENS:,} tokens of text, one thread",
        ),
    ]
    return pd.DataFrame(rows)


def _row(cost: str, case: str, value: float, unit: str, made_from: str) -> dict[str, Any]:
    return {"cost": cost, "case": case, "value": value, "unit": unit, "made from": made_from}


def _ours(loop: str, case: Case) -> float:
    """Milliseconds of the project's own implementation."""
    return float(alternate({"ours": LOOPS[loop](case)["ours"]}, Effort(1, 3))["ours"].median())


def shares(scale: str) -> list[dict[str, Any]]:
    """The shares of evaluation and of the final texts in the time of a one-layer run at a scale.

    They are computed from the times of a batch and of a scored or sampled token, the schedule of
    evaluations, and the length of a text. Both sampling procedures are evaluated and write a text,
    as in a multi-loss run.
    """
    sizes: Any = OmegaConf.load(conf_folder() / "scale" / f"{scale}.yaml")
    length = OmegaConf.load(conf_folder() / "sampling" / "default.yaml").length
    case = Case(sizes.hidden_size.large, dense_size=sizes.dense_size)
    before, threads = torch.get_num_threads(), sizes.threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    try:
        takes = {loop: _ours(loop, case) / 1000 for loop in (TRAINING, *EVALUATION, *TEXTS)}
    finally:
        torch.set_num_threads(before)
    evaluations = len(log_spaced(sizes.num_batches))
    evaluation = (sizes.test_size - case.k2) * sum(takes[loop] for loop in EVALUATION)
    texts = length * sum(takes[loop] for loop in TEXTS)
    whole = sizes.num_batches * takes[TRAINING] + evaluations * evaluation + texts
    name = f"scale={scale},threads={threads}"
    batches = f"{sizes.num_batches:,} batches of {takes[TRAINING]:.3f} s"
    scored = f"{evaluations} evaluations of {evaluation:.2f} s; {batches}"
    return [
        _row("evaluation", name, evaluations * evaluation / whole, "share", scored),
        _row("texts at the end", name, texts / whole, "share", f"{texts:.1f} s"),
    ]


def feed_milliseconds(batches: int = 200) -> float:
    """Milliseconds to read one batch from a corpus as long as the paper's English one."""
    tokens = np.random.default_rng(0).integers(VOCABULARY, size=PAPER_TOKENS, dtype=np.int16)
    feed = iter(TrainBatches(tokens, k1=20, k2=100))
    next(feed)
    return 1000 * median(seconds(lambda: next(feed)) for _ in range(batches))


def lightning_milliseconds(steps: int = 300, rounds: int = 5) -> float:
    """Milliseconds that Lightning adds to a step, measured where the step itself takes little time.

    They depend on the number of parameter tensors, but not on their sizes.
    """
    case = Case(8, k2=2, vocabulary=8, dense_size=8)
    differences = []
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for _ in range(rounds):
        batches = TrainBatches(case.tokens(64 * 1000).numpy(), k1=1, k2=case.k2)
        bare = _bare_steps(case, batches, steps)
        differences.append(_lightning_steps(case, batches, steps) - bare)
    return 1000 * median(differences)


def _scheme(case: Case) -> Scheme1:
    return Scheme1(our_backbone(case), torch.optim.Adam, k1=1, k2=case.k2)


def _bare_steps(case: Case, batches: TrainBatches, steps: int) -> float:
    """Seconds per step of the plain loop that Lightning's replaces."""
    scheme = _scheme(case)
    step = make_step(scheme.training_step, scheme.configure_optimizers())

    def loop() -> None:
        for batch in itertools.islice(batches, steps):
            step(batch)

    return seconds(loop) / steps


def _lightning_steps(case: Case, batches: TrainBatches, steps: int) -> float:
    """Seconds per step in a Trainer like a run's, including its logging."""
    ends = _Ends()
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        procedures = ("windowed", "progressive")
        folders = {name: Path(folder, name) for name in procedures}
        columns: dict[str, dict[str, str]] = {name: {} for name in procedures}
        events = TensorBoard(folders, "a benchmark", columns, batch_size=64)
        trainer = pl.Trainer(
            accelerator="cpu",
            devices=1,
            max_steps=steps + 1,
            max_epochs=-1,
            logger=events,
            callbacks=[LogTraining(50, Clock()), ends],
            limit_val_batches=0,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        with closing(events):
            scheme = _scheme(case)
            scheme.logs_loss = False
            trainer.fit(scheme, train_dataloaders=batches)
    return (ends.seconds[-1] - ends.seconds[0]) / steps


class _Ends(pl.Callback):
    """The times at which steps ended."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.seconds.append(time.perf_counter())
