"""What happens beside training: evaluation at chosen batch counts, and the training loss's log."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any

import pytorch_lightning as pl
import torch

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
        self.resumed = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any
    ) -> None:
        if trainer.global_step not in self.counts:
            return
        if pl_module.device.type == "cuda":
            torch.cuda.synchronize()  # work that is queued is still training
        self.train_seconds += time.perf_counter() - self.resumed
        self._evaluate(trainer, pl_module)
        self.resumed = time.perf_counter()

    def _evaluate(self, trainer: pl.Trainer, scheme: pl.LightningModule) -> None:
        assert isinstance(scheme, Scheme)
        assert trainer.logger is not None
        datamodule: CharDataModule = trainer.datamodule  # type: ignore[attr-defined]
        tokens_N = datamodule.test_tokens.to(scheme.device)
        batches = trainer.global_step
        scheme.eval()
        for procedure in scheme.recorded_procedures:
            perplexity = PROCEDURES[procedure](scheme.backbone, tokens_N, scheme.k2)
            row = Evaluation(
                batches=batches,
                train_sequences=batches * datamodule.batch_size,
                epoch=trainer.current_epoch,
                train_seconds=self.train_seconds,
                procedure=procedure,
                perplexity=perplexity.value,
                tokens_scored=perplexity.tokens_scored,
            )
            self.evaluations.append(row)
            trainer.logger.log_metrics(
                {f"perplexity/{procedure}": row.perplexity}, step=row.train_sequences
            )
        scheme.train()
        self.folder.write_table(self.evaluations)
        values = (f"{name} {value:8.2f}" for name, value in self.final().items())
        log.info("  batch %6d   perplexity: %s", batches, "   ".join(values))

    def final(self) -> dict[str, float]:
        """The latest perplexity of each sampling procedure."""
        return {row.procedure: row.perplexity for row in self.evaluations}


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
        *_: Any,
    ) -> None:
        if trainer.global_step % self.every == 0:
            assert trainer.logger is not None
            loss, sequences = outputs["loss"], trainer.global_step * batch.inputs_TB.shape[1]
            trainer.logger.log_metrics({"train/loss": loss.item()}, step=sequences)
