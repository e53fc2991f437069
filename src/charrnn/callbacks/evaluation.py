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
from charrnn.datamodule.module import CharDataModule
from charrnn.evaluation.perplexity import PROCEDURES
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES, reading_gap
from charrnn.logger.tensorboard import READING_GAP, TensorBoard
from charrnn.runs.files import Evaluation
from charrnn.runs.folder import RunFolder
from charrnn.sampling.samplers import FASTEST, Diverged, Text
from charrnn.schemes.base import Scheme

log = logging.getLogger(__name__)


RECENT = 50
"""Batches whose mean loss stands beside an evaluation."""


class Evaluate(pl.Callback):
    """Measures perplexity at given batch counts by both procedures, outside of the training time.

    Every result goes to the run's table and to the loggers; in TensorBoard the model also writes a
    text. Other callbacks find `test/perplexity` by the scheme's own procedure,
    `test/perplexity_windowed` and `test/perplexity_progressive` in the Trainer's
    `callback_metrics`, and `val/...` of the validation split, which by default is the test split.

    Args:
        counts: batch counts after which to evaluate.
        folder: where the table is written.
        clock: the run's.
        text: how the model writes; None for no text.
    """

    def __init__(
        self,
        counts: Iterable[int],
        folder: RunFolder,
        clock: Clock,
        text: Text | None = None,
    ) -> None:
        self.counts = frozenset(counts)
        self.folder, self.clock, self.text = folder, clock, text
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
            self._evaluate_in_time(trainer, pl_module)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Another callback may have ended the training between two evaluations.
        if not self.evaluations or self.evaluations[-1].batches < trainer.global_step:
            self._evaluate_in_time(trainer, pl_module)

    def _evaluate_in_time(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
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
                epoch=datamodule.batches.place(batches - 1)[0],
                train_seconds=self.clock.seconds["training"],
                train_cpu_seconds=self.clock.cpu_seconds["training"],
                train_loss=loss,
                procedure=procedure,
                perplexity=perplexity.value,
                standard_error=perplexity.standard_error,
                tokens_scored=perplexity.tokens_scored,
            )
            self.evaluations.append(row)
        self._show(trainer, scheme)
        metrics = self._metrics(scheme, datamodule)
        scheme.train()
        for logger in trainer.loggers:
            if not isinstance(logger, TensorBoard):
                logger.log_metrics(metrics, batches)
        trainer.callback_metrics.update(
            {name: torch.tensor(value, dtype=torch.float64) for name, value in metrics.items()}
        )
        self.folder.write_table(self.evaluations)
        values = (f"{name} {value:8.2f}" for name, value in self.final().items())
        log.info("  batch %6d   perplexity: %s", batches, "   ".join(values))

    def _metrics(self, scheme: Scheme, datamodule: CharDataModule) -> dict[str, float]:
        """The latest evaluation by the names that other callbacks and loggers use."""
        splits = {"test": self.final()}
        splits["val"] = splits["test"]
        if datamodule.val_size:
            tokens_N = datamodule.val_tokens.to(scheme.device)
            splits["val"] = {
                name: measure(scheme.backbone, tokens_N, scheme.k2).value
                for name, measure in PROCEDURES.items()
            }
        metrics = {
            READING_GAP: reading_gap(*(splits["test"][name] for name in SAMPLING_PROCEDURES))
        }
        for split, values in splits.items():
            metrics[f"{split}/perplexity"] = values[scheme.sampling_procedure]
            metrics |= {f"{split}/perplexity_{name}": value for name, value in values.items()}
        return metrics

    def _show(self, trainer: pl.Trainer, scheme: Scheme) -> None:
        """Write the latest evaluation, and texts, for TensorBoard."""
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoard):
                self._show_in(logger, scheme)

    def _show_in(self, events: TensorBoard, scheme: Scheme) -> None:
        step = self.evaluations[-1].train_sequences
        windowed, progressive = (self.final()[name] for name in SAMPLING_PROCEDURES)
        events.add_reading_gap(reading_gap(windowed, progressive), step)
        for procedure in events.procedures:
            so_far = (r.perplexity for r in self.evaluations if r.procedure == procedure)
            events.add_perplexity(procedure, so_far, step)
            if self.text is not None:
                try:
                    text = self.text.write(scheme.backbone, FASTEST[procedure], with_prompt=False)
                except Diverged as diverged:
                    text = str(diverged)
                events.add_text(procedure, text, step)

    def final(self) -> dict[str, float]:
        """The latest perplexity of each sampling procedure."""
        return {row.procedure: row.perplexity for row in self.evaluations}
