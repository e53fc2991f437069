"""Measurements of the training at every evaluation: gradients, and the size of states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import pytorch_lightning as pl
from torch.optim import Optimizer

from charrnn.callbacks.gradient_norm import gradient_norm
from charrnn.callbacks.state_size import state_size
from charrnn.datamodule.batches import Batch
from charrnn.runs.folder import RunFolder
from charrnn.schemes.base import Scheme


@dataclass(frozen=True)
class Diagnosis:
    """One row of a run's second table.

    Attributes:
        batches: training batches so far.
        train_sequences: training sequences in them.
        gradient_norm: L2 norm of all parameters' gradients, of the last of these batches.
        mean_abs_cell, max_abs_cell, saturated_share: of the cell states after the last token of
            that batch's sequences, see charrnn.callbacks.state_size; in schemes that carry no
            state, after k2 tokens.
    """

    batches: int
    train_sequences: int
    gradient_norm: float
    mean_abs_cell: float
    max_abs_cell: float
    saturated_share: float


class Diagnose(pl.Callback):
    """Writes a row of `diagnostics.csv` after given batch counts; training is unaffected.

    Args:
        counts: batch counts.
        folder: where the table is written.
    """

    def __init__(self, counts: Iterable[int], folder: RunFolder) -> None:
        self.counts, self.folder = frozenset(counts), folder
        self.rows: list[Diagnosis] = []

    def state_dict(self) -> dict[str, Any]:
        return {"rows": [asdict(row) for row in self.rows]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = [Diagnosis(**row) for row in state_dict["rows"]]
        self.folder.write_diagnostics(map(asdict, self.rows))

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Optimizer
    ) -> None:
        if trainer.global_step + 1 in self.counts:
            self._gradient_norm = gradient_norm(pl_module).item()

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        *_: Any,
    ) -> None:
        batches = trainer.global_step
        if batches not in self.counts:
            return
        assert isinstance(pl_module, Scheme)
        sizes = {name: size.item() for name, size in state_size(pl_module.reached).items()}
        del sizes["norm"]
        sequences = batches * batch.inputs_TB.shape[1]
        self.rows.append(Diagnosis(batches, sequences, self._gradient_norm, **sizes))
        self.folder.write_diagnostics(map(asdict, self.rows))
