"""The end of a run whose perplexity no longer falls."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
from pytorch_lightning import callbacks

from charrnn.callbacks.evaluation import Evaluate


class EarlyStopping(callbacks.EarlyStopping):
    """Lightning's, which looks at every evaluation of a run instead of the ends of epochs.

    How long it has waited is part of a checkpoint, so a run that resumes ends at the same batch.
    """

    identity_name = "early_stopping"

    def __init__(
        self,
        monitor: str = "val/perplexity",
        min_delta: float = 0.0,
        patience: int = 3,
        mode: str = "min",
        **further: Any,
    ) -> None:
        super().__init__(
            monitor=monitor, min_delta=min_delta, patience=patience, mode=mode, **further
        )

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any
    ) -> None:
        evaluations = (each for each in trainer.callbacks if isinstance(each, Evaluate))  # type: ignore[attr-defined]
        if any(trainer.global_step in each.counts for each in evaluations):
            self._run_early_stopping_check(trainer)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Nothing: a run is one epoch, and its end is the run's."""
