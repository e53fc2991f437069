"""The four schemes of Section 3: how an RNN is trained, and how it is sampled and evaluated."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import pytorch_lightning as pl
from torch import Tensor, nn
from torch.optim import Optimizer

from charrnn.backbone import Backbone, state_after
from charrnn.data.batches import Batch
from charrnn.errors import require, require_whole
from charrnn.losses import Weighting, last, scored_weights, uniform, weighted_cross_entropy

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


class Scheme(pl.LightningModule):
    """What the schemes share: the backbone, the optimizer, k1 and k2, the loss.

    A subclass names its training procedure, its sampling procedure and the weighting of its loss,
    and says in `training_step` from which state a sequence starts.

    Args:
        backbone: the network, its initial values drawn.
        optimizer: makes the optimizer of the parameters that learn.
        k1: tokens between the starts of successive training sequences.
        k2: tokens in a training sequence.

    Raises:
        BadInput: if k1 or k2 is not a whole number above 0.
    """

    training_procedure: ClassVar[str]
    """Names the training; schemes of one training procedure share their runs."""
    sampling_procedure: ClassVar[str]
    """`windowed` or `progressive`: how this scheme samples, and which perplexity is its own."""
    recorded_procedures: ClassVar[tuple[str, ...]]
    """The perplexities that a run of this training procedure records."""
    orders: ClassVar[tuple[str, ...]] = ("equidistant", "shuffled")
    """The orders of training sequences that the training procedure allows."""
    weighting: Weighting
    """Weights of the k2 positions in the loss."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        changes = {"weighting", "training_step", "recorded_procedures"} & vars(cls).keys()
        if changes and "training_procedure" not in vars(cls):
            raise TypeError(
                f"{cls.__name__} changes {', '.join(sorted(changes))} and has to name its own "
                "training_procedure: runs of one procedure are shared."
            )

    def __init__(self, backbone: Backbone, optimizer: MakeOptimizer, k1: int, k2: int) -> None:
        super().__init__()
        require_whole("k1", k1, 1, "token")
        require_whole("k2", k2, 1, "token")
        self.backbone = backbone
        self.make_optimizer = optimizer
        self.k1, self.k2 = k1, k2
        # Not a buffer: those change with the model's precision, which would round the weights.
        self.weights_N = scored_weights(type(self).weighting(k2))

    def loss(self, hidden_TBH: Tensor, targets_TB: Tensor) -> Tensor:
        """The weighted cross-entropy of the targets given the hidden states before them."""
        readout = self.backbone.readout
        return weighted_cross_entropy(readout, hidden_TBH, targets_TB, self.weights_N)

    def configure_optimizers(self) -> Optimizer:
        return self.make_optimizer(p for p in self.parameters() if p.requires_grad)


class MultiLoss(Scheme):
    """Algorithm 1, multi-loss training: every sequence starts from the learned state."""

    training_procedure = "multi-loss"
    recorded_procedures: ClassVar[tuple[str, ...]] = ("windowed", "progressive")
    weighting = staticmethod(uniform)

    def training_step(self, batch: Batch) -> Tensor:
        batch_size = batch.inputs_TB.shape[1]
        state = self.backbone.initial_state(batch_size)
        hidden_TBH, _ = self.backbone.recur(batch.inputs_TB, state)
        return self.loss(hidden_TBH, batch.targets_TB)


class SingleLoss(MultiLoss):
    """Algorithm 2, single-loss training: as Algorithm 1, with a loss on the last token alone."""

    training_procedure = "single-loss"
    recorded_procedures = ("windowed",)
    weighting = staticmethod(last)


class ConditionalMultiLoss(Scheme):
    """Algorithm 3, conditional multi-loss training: the state is carried from batch to batch.

    Batch i + 1 starts k1 tokens after batch i, hence from the state after token k1 of batch i, as
    computed with the weights from before the update. Every epoch starts from the zero state.

    Raises:
        BadInput: if k1 is greater than k2: the state after token k1 is never computed then.
    """

    training_procedure = "conditional-multi-loss"
    recorded_procedures = ("progressive",)
    orders = ("equidistant",)
    weighting = staticmethod(uniform)

    def __init__(self, backbone: Backbone, optimizer: MakeOptimizer, k1: int, k2: int) -> None:
        super().__init__(backbone, optimizer, k1, k2)
        require(
            k1 <= k2,
            "k1",
            k1,
            f"at most k2={k2} in scheme 4, which carries the state after token k1",
        )
        backbone.zero_initial_state()

    def training_step(self, batch: Batch) -> Tensor:
        if batch.number == 0:
            self.carried = self.backbone.initial_state(batch.inputs_TB.shape[1])
        hidden_TBH, trajectory = self.backbone.recur(batch.inputs_TB, self.carried)
        self.carried = state_after(trajectory, self.k1 - 1)
        return self.loss(hidden_TBH, batch.targets_TB)


class Scheme1(MultiLoss):
    """Multi-loss training, windowed sampling (Section 3.4)."""

    sampling_procedure = "windowed"


class Scheme2(SingleLoss):
    """Single-loss training, windowed sampling (Section 3.5)."""

    sampling_procedure = "windowed"


class Scheme3(MultiLoss):
    """Multi-loss training, progressive sampling (Section 3.6)."""

    sampling_procedure = "progressive"


class Scheme4(ConditionalMultiLoss):
    """Conditional multi-loss training, progressive sampling (Section 3.7)."""

    sampling_procedure = "progressive"
