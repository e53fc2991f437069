"""Evaluation at chosen batch counts."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from charrnn.callbacks.clock import Clock, finish_queued_work
from charrnn.callbacks.tensorboard_events import Events
from charrnn.datamodule.module import CharDataModule
from charrnn.evaluation.perplexity import PROCEDURES
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES, reading_gap
from charrnn.runs.files import Evaluation
from charrnn.runs.folder import RunFolder
from charrnn.sampling.samplers import FASTEST, Diverged, Text
from charrnn.schemes.base import Scheme

log = logging.getLogger(__name__)


RECENT = 50
"""Batches whose mean loss stands beside an evaluation."""


class Evaluate(pl.Callback):
    """Measures perplexity at given batch counts by both procedures, outside of the training time.

    Every result goes to the run's table and to TensorBoard, where the model also writes a text.

    Args:
        counts: batch counts after which to evaluate.
        folder: where the table is written.
        events: TensorBoard's.
        clock: the run's.
        text: how the model writes; None for no text.
    """

    def __init__(
        self,
        counts: Iterable[int],
        folder: RunFolder,
        events: Events,
        clock: Clock,
        text: Text | None = None,
    ) -> None:
        self.counts = frozenset(counts)
        self.folder, self.events, self.clock, self.text = folder, events, clock, text
        self.evaluations: list[Evaluation] = []
        self.losses: deque[Tensor] = deque(maxlen=RECENT)  # on their device: reading one waits

    def state_dict(self) -> dict[str, Any]:
        return {
            "evaluations": [asdict(row) for row in self.evaluations],
            "losses": [loss.item() for loss in self.losses],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.evaluations = [Evaluation(**row) for row in state_dict["evaluations"]]
        self.losses.extend(torch.tensor(state_dict["losses"], dtype=torch.float64))
        self.folder.write_table(self.evaluations)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any
    ) -> None:
        self.losses.append(outputs["loss"].detach().double())
        if trainer.global_step in self.counts:
            finish_queued_work()
            self.clock.lap("training")
            self._evaluate(trainer, pl_module)
            self.clock.lap("evaluation")

    def _evaluate(self, trainer: pl.Trainer, scheme: pl.LightningModule) -> None:
        assert isinstance(scheme, Scheme)
        datamodule: CharDataModule = trainer.datamodule  # type: ignore[attr-defined]
        tokens_N = datamodule.test_tokens.to(scheme.device)
        batches = trainer.global_step
        loss = sum(loss.item() for loss in self.losses) / len(self.losses)
        scheme.eval()
        for procedure, measure in PROCEDURES.items():
            perplexity = measure(scheme.backbone, tokens_N, scheme.k2)
            row = Evaluation(
                batches=batches,
                train_sequences=batches * datamodule.batch_size,
                epoch=(batches - 1) // datamodule.batches.per_epoch,
                train_seconds=self.clock.seconds["training"],
                train_cpu_seconds=self.clock.cpu_seconds["training"],
                train_loss=loss,
                procedure=procedure,
                perplexity=perplexity.value,
                standard_error=perplexity.standard_error,
                tokens_scored=perplexity.tokens_scored,
            )
            self.evaluations.append(row)
        self._show(scheme)
        scheme.train()
        self.folder.write_table(self.evaluations)
        values = (f"{name} {value:8.2f}" for name, value in self.final().items())
        log.info("  batch %6d   perplexity: %s", batches, "   ".join(values))

    def _show(self, scheme: Scheme) -> None:
        """Write the latest evaluation, and texts, for TensorBoard."""
        step = self.evaluations[-1].train_sequences
        windowed, progressive = (self.final()[name] for name in SAMPLING_PROCEDURES)
        self.events.add_reading_gap(reading_gap(windowed, progressive), step)
        for procedure in self.events.procedures:
            so_far = (r.perplexity for r in self.evaluations if r.procedure == procedure)
            self.events.add_perplexity(procedure, so_far, step)
            if self.text is not None:
                try:
                    text = self.text.write(scheme.backbone, FASTEST[procedure], with_prompt=False)
                except Diverged as diverged:
                    text = str(diverged)
                self.events.add_text(procedure, text, step)

    def final(self) -> dict[str, float]:
        """The latest perplexity of each sampling procedure."""
        return {row.procedure: row.perplexity for row in self.evaluations}
