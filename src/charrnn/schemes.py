"""The four schemes of Section 3, and BPTT: how an RNN is trained, and how it is sampled."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Literal, get_args

import pytorch_lightning as pl
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from charrnn.backbone import Backbone, state_after
from charrnn.data.batches import Batch
from charrnn.eager import State
from charrnn.errors import require, require_choice, require_number, require_whole
from charrnn.losses import WEIGHTINGS, weighted_cross_entropy

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]
Start = Literal["learned", "zero"]


class Scheme(pl.LightningModule):
    """What the schemes share: the backbone, the optimizer, k1 and k2, the loss.

    A subclass names its training procedure and its sampling procedure, says in `training_step` from
    which state a sequence starts, and in `own_k3` how many positions have a loss.

    Args:
        backbone: the network, its initial values drawn.
        optimizer: makes the optimizer of the parameters that learn.
        k1: tokens between the starts of successive training sequences.
        k2: tokens in a training sequence.
        k3: positions at its end that the loss counts, at most k2 (Section 5); None: `own_k3`.
        weighting: of these positions in the loss, a name in charrnn.losses.WEIGHTINGS.
        start: whether the initial state is `learned`, or stays `zero`.

    Attributes:
        carried: per layer, the state that the next batch starts from; empty if none is carried.
        reached: per layer, the state after the last token of the latest batch.

    Raises:
        BadInput: if an argument is out of its range, or k3 is not to be chosen here.
    """

    training_procedure: ClassVar[str]
    """Names the training; schemes of one training procedure share their runs."""
    sampling_procedure: ClassVar[str]
    """`windowed` or `progressive`: how this scheme samples, and which perplexity is its own."""
    recorded_procedures: ClassVar[tuple[str, ...]]
    """The perplexities that a run of this training procedure records."""
    orders: ClassVar[tuple[str, ...]] = ("equidistant", "shuffled")
    """The orders of training sequences that the training procedure allows."""
    k3_is_free: ClassVar[bool] = True
    """Whether another k3 than `own_k3` makes sense; if not, it is what defines the training."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        changes = {"own_k3", "training_step", "recorded_procedures"} & vars(cls).keys()
        if changes and "training_procedure" not in vars(cls):
            raise TypeError(
                f"{cls.__name__} changes {', '.join(sorted(changes))} and has to name its own "
                "training_procedure: runs of one procedure are shared."
            )

    def __init__(
        self,
        backbone: Backbone,
        optimizer: MakeOptimizer,
        k1: int,
        k2: int,
        k3: int | None = None,
        weighting: str = "uniform",
        start: Start = "learned",
    ) -> None:
        super().__init__()
        require_whole("k1", k1, 1, "token")
        require_whole("k2", k2, 1, "token")
        own = self.own_k3(k1, k2)
        k3 = own if k3 is None else k3
        require_whole("k3", k3, 1, "position, or null")
        require(k3 <= k2, "k3", k3, f"at most k2={k2}")
        fixed = f"{own} or null in {self.training_procedure} training: take scheme 1, 3 or 4"
        require(self.k3_is_free or k3 == own, "k3", k3, fixed)
        require_choice("weighting", weighting, WEIGHTINGS)
        require_choice("model.start", start, get_args(Start))
        if start == "zero":
            backbone.zero_initial_state()
        self.backbone = backbone
        self.make_optimizer = optimizer
        self.k1, self.k2 = k1, k2
        self.carried: list[State] = []
        self.reached: list[State] = []
        self.weigh = WEIGHTINGS[weighting]
        # Not a buffer: those change with the model's precision, which would round the weights.
        self.weights_N = self.weigh(k3)

    @classmethod
    def own_k3(cls, k1: int, k2: int) -> int:
        """Positions at the end of a sequence that the loss counts unless k3 says otherwise: all."""
        del k1
        return k2

    def read(self, tokens_TB: Tensor, state: list[State]) -> tuple[Tensor, list[State]]:
        """Backbone.recur, of a batch."""
        hidden_TBH, trajectory = self.backbone.recur(tokens_TB, state)
        self.reached = state_after(trajectory, -1)
        return hidden_TBH, trajectory

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

    def training_step(self, batch: Batch) -> Tensor:
        batch_size = batch.inputs_TB.shape[1]
        state = self.backbone.initial_state(batch_size)
        hidden_TBH, _ = self.read(batch.inputs_TB, state)
        return self.loss(hidden_TBH, batch.targets_TB)


class SingleLoss(MultiLoss):
    """Algorithm 2, single-loss training: as Algorithm 1, with a loss on the last token alone."""

    training_procedure = "single-loss"
    recorded_procedures = ("windowed",)
    k3_is_free = False

    @classmethod
    def own_k3(cls, k1: int, k2: int) -> int:
        del k1, k2
        return 1


class ConditionalMultiLoss(Scheme):
    """Algorithm 3, conditional multi-loss training: the state is carried from batch to batch.

    Batch i + 1 starts k1 tokens after batch i, hence from the state after token k1 of batch i, as
    computed with the weights from before the update. Every epoch starts from the zero state. The
    arguments that follow are not the paper's: ways to tell what makes carrying unstable.

    Args:
        backbone: see Scheme, like the arguments after it.
        optimizer: -
        k1: -
        k2: -
        k3: -
        weighting: -
        start: of an epoch, and after a reset.
        reset: probability that a sequence does not go on from the carried state, but starts anew.
        recompute: whether the first k1 tokens are read once more after the update, so that the
            carried state comes from the new weights.
        restart: whether an epoch starts anew, rather than from the state that the last ended in.

    Raises:
        BadInput: if k1 is greater than k2: the state after token k1 is never computed then.
    """

    training_procedure = "conditional-multi-loss"
    recorded_procedures = ("progressive",)
    orders = ("equidistant",)

    def __init__(
        self,
        backbone: Backbone,
        optimizer: MakeOptimizer,
        k1: int,
        k2: int,
        k3: int | None = None,
        weighting: str = "uniform",
        start: Start = "zero",
        reset: float = 0.0,
        recompute: bool = False,
        restart: bool = True,
    ) -> None:
        super().__init__(backbone, optimizer, k1, k2, k3, weighting, start)
        carries = f"at most k2={k2} in a scheme that carries the state after token k1"
        require(k1 <= k2, "k1", k1, carries)
        require_number("model.reset", reset, "a share from 0 to 1", lambda x: 0 <= x <= 1)
        require_choice("model.recompute", recompute, [True, False])
        require_choice("model.restart", restart, [True, False])
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
        if self.reset == 0:  # draws nothing: the random numbers are those of dropout
            return self.carried
        anew_B1 = (torch.rand(batch.inputs_TB.shape[1], 1) < self.reset).to(self.device)
        return [
            (torch.where(anew_B1, h0, h), torch.where(anew_B1, c0, c))
            for (h0, c0), (h, c) in zip(initial, self.carried, strict=True)
        ]

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        if self.recompute:
            with torch.no_grad():
                _, trajectory = self.backbone.recur(self.first_tokens_TB, self.before)
            self.carried = state_after(trajectory, -1)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["carried"] = self.carried

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.carried = checkpoint["carried"]

    def on_train_start(self) -> None:
        # A checkpoint is read on the CPU; before the first batch there is nothing to carry.
        self.carried = [(h.to(self.device), c.to(self.device)) for h, c in self.carried]


class TruncatedBPTT(ConditionalMultiLoss):
    """Section 2.1: every k1 tokens the losses since the last time go back k2 steps.

    Each token's loss counts once, so only the last k1 positions of a window have one; the k2 - k1
    tokens before them lengthen the way back. An epoch's first time comes after k2 tokens instead of
    k1, so that no way back is shorter, and all k2 positions have a loss then; it is their average,
    as at any time. Tokens are read anew with the present weights, as Algorithm 3 does; a single
    pass over the text would keep what earlier weights have computed, and its gradient would be that
    of no one model.
    """

    training_procedure = "truncated-bptt"
    k3_is_free = False

    @classmethod
    def own_k3(cls, k1: int, k2: int) -> int:
        return min(k1, k2)

    def training_step(self, batch: Batch) -> Tensor:
        opens = batch.number == 0
        self.weights_N = self.weigh(self.k2 if opens else self.own_k3(self.k1, self.k2))
        return super().training_step(batch)


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


class BPTT(TruncatedBPTT):
    """Truncated backpropagation through time (Section 2.1), progressive sampling."""

    sampling_procedure = "progressive"
