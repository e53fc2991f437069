"""Measurements of the training itself, for the loggers."""

from __future__ import annotations

from typing import Any

import pytorch_lightning as pl
import torch
from torch.optim import Optimizer

from charrnn.callbacks.clock import Clock
from charrnn.callbacks.gradient_norm import gradient_norm
from charrnn.callbacks.state_size import state_size
from charrnn.datamodule.batches import Batch
from charrnn.schemes.base import Scheme


class LogTraining(pl.Callback):
    """Measures every ``every`` batches, since reading a value makes a GPU wait.

    Measuring changes no bit of the training:

    ============================  =============================================================
    ``train/loss``                the loss of this batch
    ``train/gradient_norm``       L2 norm of all parameters' gradients
    ``train/clipped_share``       share of the elements of the gates' gradients, over layers,
                                  time steps and sequences, that `backbone.grad_clip` bounds
    ``train/tokens_per_second``   tokens read since the last measurement, per second of training
    ``state/...``                 if a state is carried, see charrnn.callbacks.state_size
    ============================  =============================================================
    """

    def __init__(self, every: int, clock: Clock) -> None:
        self.every, self.clock = every, clock

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._tokens, self._since = 0, self.clock.seconds["training"]

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Batch, *_: Any
    ) -> None:
        assert isinstance(pl_module, Scheme)
        self.due = (trainer.global_step + 1) % self.every == 0
        self._tokens += batch.inputs_TB.numel()
        if self.due:
            for layer in pl_module.backbone.recurrent_layers():
                layer.num_clipped = torch.zeros((), dtype=torch.int64, device=pl_module.device)

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        if self.due:
            self._gradient_norm = gradient_norm(pl_module)

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        *_: Any,
    ) -> None:
        if not self.due:
            return
        assert isinstance(pl_module, Scheme)
        measured = {"train/loss": outputs["loss"], "train/gradient_norm": self._gradient_norm}
        if (share := self._clipped_share(pl_module, batch)) is not None:
            measured["train/clipped_share"] = share
        if pl_module.carried:
            sizes = state_size(pl_module.carried)
            measured |= {f"state/{name}": value for name, value in sizes.items()}
        values = {name: value.item() for name, value in measured.items()}
        self.clock.lap("training")
        now = self.clock.seconds["training"]
        values["train/tokens_per_second"] = self._tokens / (now - self._since)
        self._tokens, self._since = 0, now
        for logger in trainer.loggers:
            logger.log_metrics(values, trainer.global_step)

    def on_save_checkpoint(self, trainer: pl.Trainer, *_: Any) -> None:
        # A run that resumes from the checkpoint does not repeat what was written before it.
        for logger in trainer.loggers:
            logger.save()

    def _clipped_share(self, scheme: Scheme, batch: Batch) -> torch.Tensor | None:
        """The share, if there is a bound. Stops counting in the layers."""
        clipped, elements = [], 0
        for layer in scheme.backbone.recurrent_layers():
            if layer.num_clipped is not None and layer.grad_clip is not None:
                clipped.append(layer.num_clipped)
                elements += batch.inputs_TB.numel() * layer.num_gates * layer.hidden_size
            layer.num_clipped = None
        return torch.stack(clipped).sum() / elements if clipped else None
