"""Schemes 1 and 3: multi-loss training (Algorithm 1), with windowed or progressive sampling."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from charrnn.backbone.network import Network
from charrnn.datamodule.batches import Batch
from charrnn.schema.fields import Start, check_arguments
from charrnn.schemes.base import MakeOptimizer, Scheme
from charrnn.schemes.starts import FROM_REACHED, STARTS, map_states, some_initial


class MultiLoss(Scheme):
    """Algorithm 1, multi-loss training: every sequence starts from the learned initial state.

    The other starts are not in the paper, see charrnn.schemes.starts.

    Args:
        backbone: see Scheme.
        optimizer: see Scheme.
        k1: see Scheme.
        k2: see Scheme.
        k3: see Scheme.
        weighting: see Scheme.
        start: from which state training sequences start, a name in charrnn.schemes.starts.STARTS.
            The model's initial state, from which the first batch starts and whatever is sampled or
            evaluated, is learned with `learned` only. With `zero` it is zero; otherwise it stays
            what it was: zero, unless initial weights were given.
        noise: standard deviation of the noise with start="noise".
        reset: probability that a sequence starts from the initial state all the same.
        lr: see Scheme.
    """

    training_procedure = "multi-loss"
    starts = tuple(STARTS)

    def __init__(
        self,
        backbone: Network | Mapping[str, Any],
        optimizer: MakeOptimizer | Mapping[str, Any],
        k1: int,
        k2: int,
        k3: int | None = None,
        weighting: str = "uniform",
        start: Start = "learned",
        noise: float = 0.1,
        reset: float = 0.0,
        lr: float | None = None,
    ) -> None:
        super().__init__(backbone, optimizer, k1, k2, k3, weighting, start, lr)
        self.save_hyperparameters({"noise": noise, "reset": reset})
        check_arguments("model.", noise=noise, reset=reset)
        self.start, self.noise, self.reset = start, noise, reset

    def training_step(self, batch: Batch) -> Tensor:
        initial = self.backbone.initial_state(batch.inputs_TB.shape[1])
        begun = STARTS[self.start](initial, self.reached, self.noise)
        state = some_initial(self.reset, initial, begun)
        hidden_TBH, _ = self.read(batch.inputs_TB, state)
        return self.loss(hidden_TBH, batch.targets_TB)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self.start in FROM_REACHED:
            checkpoint["reached"] = self.reached

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        super().on_load_checkpoint(checkpoint)
        # It is loaded on the CPU. Before the first batch, the list is empty.
        self.reached = map_states(lambda x_BH: x_BH.to(self.device), checkpoint.get("reached", []))


class Scheme1(MultiLoss):
    """Multi-loss training, windowed sampling (Section 3.4).

    Examples:
        >>> from functools import partial
        >>> from torch.optim import Adam
        >>> from charrnn import Backbone, Scheme1
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=8, dense_size=None)
        >>> scheme = Scheme1(backbone, partial(Adam, lr=0.001), k1=20, k2=100)
        >>> scheme.training_procedure, scheme.sampling_procedure
        ('multi-loss', 'windowed')
    """

    sampling_procedure = "windowed"


class Scheme3(MultiLoss):
    """Multi-loss training, progressive sampling (Section 3.6).

    Examples:
        >>> from functools import partial
        >>> from torch.optim import Adam
        >>> from charrnn import Backbone, Scheme3
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=8, dense_size=None)
        >>> scheme = Scheme3(backbone, partial(Adam, lr=0.001), k1=20, k2=100)
        >>> scheme.training_procedure, scheme.sampling_procedure
        ('multi-loss', 'progressive')
    """

    sampling_procedure = "progressive"
