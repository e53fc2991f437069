"""What a scheme does in a Trainer of the user's own: it logs its loss, validates and tests."""

from __future__ import annotations

from typing import Any, ClassVar

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities import rank_zero_warn
from torch import Tensor

from charrnn.backbone.network import Network
from charrnn.backbone.state import State
from charrnn.datamodule.batches import Batch
from charrnn.datamodule.parts import Part
from charrnn.evaluation.in_parts import InParts
from charrnn.evaluation.perplexity import place_of_doubles


class OwnLoop(pl.LightningModule):
    """Logs metrics under names for loggers, EarlyStopping and ModelCheckpoint.

    ==============================  ===========================================================
    ``train/loss``                  the loss of each batch
    ``val/perplexity``              by the scheme's own sampling procedure (Eq. 9)
    ``val/perplexity_windowed``     by windowed sampling (Algorithm 4)
    ``val/perplexity_progressive``  by progressive sampling (Algorithm 5)
    ``val/loss``                    the logarithm of ``val/perplexity``
    ``test/...``                    the same of the test split
    ==============================  ===========================================================

    Validation and test read the parts of a split in order, see charrnn.datamodule.parts. Values are
    in double precision, and equal `charrnn.perplexity` to the bit unless the Trainer reads only
    some of the parts or computes in mixed precision. With several loaders the names end with
    ``/dataloader_idx_0`` and so on, as Lightning's do.

    Attributes:
        logs_loss: whether ``train/loss`` is logged.
    """

    sampling_procedure: ClassVar[str]
    backbone: Network
    k2: int
    logs_loss = True

    def forward(
        self, tokens_TB: Tensor, state: list[State] | None = None
    ) -> tuple[Tensor, list[State]]:
        """What follows each token, as a model that reads on predicts it.

        Args:
            tokens_TB: tokens (T, B).
            state: for each layer, the state before the first token, (B, H) each; None for the
                initial state.

        Returns:
            The logits after every token, (T, B, |V|), and the state after the last one.
        """
        before = self.backbone.initial_state(tokens_TB.shape[1]) if state is None else state
        hidden_TBH, trajectory = self.backbone.recur(tokens_TB, before)
        after = [tuple(part_TBH[-1] for part_TBH in layer) for layer in trajectory]
        return self.backbone.readout(hidden_TBH), after

    def on_fit_start(self) -> None:
        # There gradients are scaled up when the layers clip them.
        clips = (getattr(layer, "grad_clip", None) is not None for layer in self.modules())
        if self.trainer.precision == "16-mixed" and any(clips):
            rank_zero_warn(
                "precision='16-mixed' scales gradients up before grad_clip bounds them: take "
                "'bf16-mixed', or a backbone with grad_clip=None."
            )

    def on_train_batch_end(self, outputs: Any, batch: Batch, batch_idx: int) -> None:
        if self.logs_loss:
            size = batch.inputs_TB.shape[1]
            self.log("train/loss", outputs["loss"], prog_bar=True, batch_size=size)

    def on_validation_epoch_start(self) -> None:
        self._readers: dict[int, InParts] = {}

    def validation_step(self, part: Part, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Read the next part of the validation split."""
        self._read(part, dataloader_idx)

    def on_validation_epoch_end(self) -> None:
        self._log_perplexities("val")

    def on_test_epoch_start(self) -> None:
        self._readers = {}

    def test_step(self, part: Part, batch_idx: int, dataloader_idx: int = 0) -> None:
        """Read the next part of the test split."""
        self._read(part, dataloader_idx)

    def on_test_epoch_end(self) -> None:
        self._log_perplexities("test")

    def _read(self, part: Part, loader: int) -> None:
        if loader not in self._readers:
            self._readers[loader] = InParts(self.backbone, self.k2)
        self._readers[loader].read(part)

    def _log_perplexities(self, split: str) -> None:
        for loader, reader in self._readers.items():
            suffix = f"/dataloader_idx_{loader}" if len(self._readers) > 1 else ""
            values = {name: value.value for name, value in reader.perplexities().items()}
            own = values[self.sampling_procedure]
            named = {f"perplexity_{name}": value for name, value in values.items()}
            named["loss"] = torch.tensor(own, dtype=torch.float64).log().item()
            self._log_exactly(f"{split}/perplexity{suffix}", own, prog_bar=True)
            for name, value in named.items():
                self._log_exactly(f"{split}/{name}{suffix}", value)
        self._readers = {}

    def _log_exactly(self, name: str, value: float, prog_bar: bool = False) -> None:
        """Log a value that Lightning would round to single precision if it were a float."""
        exact = torch.tensor(value, dtype=torch.float64, device=place_of_doubles(self.device))
        self.log(name, exact, prog_bar=prog_bar, batch_size=1)
