"""Scheme 4: conditional multi-loss training (Algorithm 3), which carries the state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from charrnn.backbone.network import Network
from charrnn.backbone.state import State, state_after
from charrnn.datamodule.batches import Batch
from charrnn.errors import require
from charrnn.schema.fields import Start, check_arguments
from charrnn.schemes.base import MakeOptimizer, Scheme
from charrnn.schemes.starts import map_states, some_initial


class ConditionalMultiLoss(Scheme):
    """Algorithm 3, conditional multi-loss training: the state is carried from batch to batch.

    Batch i + 1 starts k1 tokens after batch i, so it starts from the state after token k1 of batch
    i, as computed with the weights before the update. Every epoch starts from the zero state.
    `reset`, `recompute` and `restart` are not in the paper: they help to find out why carrying the
    state is unstable.

    Args:
        backbone: see Scheme.
        optimizer: see Scheme.
        k1: see Scheme.
        k2: see Scheme.
        k3: see Scheme.
        weighting: see Scheme.
        start: the state at the start of an epoch and after a reset, `zero` or `learned`.
        reset: probability that a sequence starts from that state instead of the carried one.
        recompute: whether to read the first k1 tokens again after the update, so that the carried
            state comes from the new weights.
        restart: whether every epoch starts from that state; if not, the state is carried from the
            end of the previous epoch.
        lr: see Scheme.

    Raises:
        BadInput: if k1 is greater than k2, because the state after token k1 is not computed then.
    """

    training_procedure = "conditional-multi-loss"
    orders = ("equidistant",)

    def __init__(
        self,
        backbone: Network | Mapping[str, Any],
        optimizer: MakeOptimizer | Mapping[str, Any],
        k1: int,
        k2: int,
        k3: int | None = None,
        weighting: str = "uniform",
        start: Start = "zero",
        reset: float = 0.0,
        recompute: bool = False,
        restart: bool = True,
        lr: float | None = None,
    ) -> None:
        super().__init__(backbone, optimizer, k1, k2, k3, weighting, start, lr)
        self.save_hyperparameters({"reset": reset, "recompute": recompute, "restart": restart})
        carries = f"at most k2={k2} in a scheme that carries the state after token k1"
        require(k1 <= k2, "k1", k1, carries)
        check_arguments("model.", reset=reset, recompute=recompute, restart=restart)
        self.reset, self.recompute, self.restart = reset, recompute, restart

    def training_step(self, batch: Batch) -> Tensor:
        self.before = self._state_before(batch)
        self.first_tokens_TB = batch.inputs_TB[: self.k1]
        hidden_TBH, trajectory = self.read(batch.inputs_TB, self.before)
        self.carried = state_after(trajectory, self.k1 - 1)
        return self.loss(hidden_TBH, batch.targets_TB)

    def _state_before(self, batch: Batch) -> list[State]:
        initial = self.backbone.initial_state(batch.inputs_TB.shape[1])
        if batch.number == 0 and (self.restart or not self.carried):
            return initial
        return some_initial(self.reset, initial, self.carried)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        if self.recompute:
            with torch.no_grad():
                _, trajectory = self.backbone.recur(self.first_tokens_TB, self.before)
            self.carried = state_after(trajectory, -1)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["carried"] = self.carried

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        # It is loaded on the CPU. Before the first batch, the list is empty.
        self.carried = map_states(lambda x_BH: x_BH.to(self.device), checkpoint["carried"])


class Scheme4(ConditionalMultiLoss):
    """Conditional multi-loss training, progressive sampling (Section 3.7).

    Examples:
        >>> from functools import partial
        >>> from torch.optim import Adam
        >>> from charrnn import Backbone, Scheme4
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=8, dense_size=None)
        >>> scheme = Scheme4(backbone, partial(Adam, lr=0.001), k1=20, k2=100)
        >>> scheme.training_procedure, scheme.sampling_procedure
        ('conditional-multi-loss', 'progressive')
    """

    sampling_procedure = "progressive"
