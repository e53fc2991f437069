"""What happens beside training: evaluation at chosen batch counts, and the training loss's log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor

from charrnn.data.batches import Batch
from charrnn.data.module import CharDataModule
from charrnn.perplexity import PROCEDURES
from charrnn.runs import Evaluation, RunFolder
from charrnn.schemes import Scheme

log = logging.getLogger(__name__)


def log_spaced(num_batches: int) -> list[int]:
    """The batch counts of the authors' code: 1, 3, 6, 13, 26, 51, 101, 201, 401, ..., the last."""
    counts = [1, 3, 6, 13]
    while (following := 25 * 2 ** (len(counts) - 4) + 1) < num_batches:
        counts.append(following)
    return [count for count in counts if count < num_batches] + [num_batches]


class Evaluate(pl.Callback):
    """Measures perplexity at given batch counts, outside of the training time.

    Every result goes to the run's table and to TensorBoard, there with the number of training
    sequences as the step.

    Args:
        counts: batch counts after which to evaluate.
        folder: where the table is written.
    """

    def __init__(self, counts: Iterable[int], folder: RunFolder) -> None:
        self.counts = frozenset(counts)
        self.folder = folder
        self.evaluations: list[Evaluation] = []
        self.train_seconds = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._resume_clock(pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        batches = trainer.global_step
        if batches not in self.counts:
            return
        self._stop_clock(pl_module)
        assert isinstance(pl_module, Scheme)
        datamodule: Any = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(datamodule, CharDataModule)
        tokens = datamodule.test_tokens.to(pl_module.device)
        sequences = batches * datamodule.batch_size
        pl_module.eval()
        for procedure in pl_module.recorded_procedures:
            value, scored = PROCEDURES[procedure](pl_module.backbone, tokens, pl_module.k2)
            self.evaluations.append(
                Evaluation(
                    batches,
                    sequences,
                    trainer.current_epoch,
                    self.train_seconds,
                    procedure,
                    value,
                    scored,
                )
            )
            assert trainer.logger is not None
            trainer.logger.log_metrics({f"perplexity/{procedure}": value}, step=sequences)
        pl_module.train()
        self.folder.write_table(self.evaluations)
        self._report(batches)
        self._resume_clock(pl_module)

    def final(self) -> dict[str, float]:
        """The last perplexity of each sampling procedure."""
        return {row.procedure: row.perplexity for row in self.evaluations}

    def _report(self, batches: int) -> None:
        latest = [row for row in self.evaluations if row.batches == batches]
        values = "   ".join(f"{row.procedure} {row.perplexity:8.2f}" for row in latest)
        log.info("  batch %6d   perplexity: %s", batches, values)

    def _stop_clock(self, pl_module: pl.LightningModule) -> None:
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize()  # work that is queued is still training
        self.train_seconds += time.perf_counter() - self.resumed

    def _resume_clock(self, pl_module: pl.LightningModule) -> None:
        self.resumed = time.perf_counter()


class LogLoss(pl.Callback):
    """Writes the training loss to TensorBoard every ``every`` batches.

    Reading the loss makes a GPU wait, and Lightning's own logging costs about as much as a small
    step: hence not at every batch.
    """

    def __init__(self, every: int) -> None:
        self.every = every

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_idx: int,
    ) -> None:
        if trainer.global_step % self.every == 0:
            loss: Tensor = outputs["loss"]
            sequences = trainer.global_step * batch.inputs_TB.shape[1]
            assert trainer.logger is not None
            trainer.logger.log_metrics({"train/loss": loss.item()}, step=sequences)
