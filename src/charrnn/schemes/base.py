"""What all schemes share: how an RNN is trained, and how it is sampled (Section 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Literal, get_args

import pytorch_lightning as pl
from torch import Tensor, nn
from torch.optim import Optimizer

from charrnn.backbone.network import Backbone
from charrnn.backbone.state import State, state_after
from charrnn.errors import require, require_choice, require_whole
from charrnn.schemes.losses import WEIGHTINGS, weighted_cross_entropy

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
        weighting: of these positions in the loss, a name in charrnn.schemes.losses.WEIGHTINGS.
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
