"""A scheme: how an RNN is trained, and how it is sampled (Section 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from charrnn.backbone.network import Network
from charrnn.backbone.state import State, state_after
from charrnn.errors import require, require_choice
from charrnn.evaluation.perplexity import place_of_doubles
from charrnn.schema.fields import FIELDS, Start, check_arguments
from charrnn.schemes import hyperparameters as described
from charrnn.schemes.losses import weighted_cross_entropy, weighting_called
from charrnn.schemes.own_loop import OwnLoop
from charrnn.schemes.starts import map_states

MakeOptimizer = Callable[[Iterable[nn.Parameter]], Optimizer]


class Scheme(OwnLoop):
    """A training procedure and a sampling procedure, as a Lightning module.

    A subclass names both procedures. Its `training_step` decides from which state a sequence
    starts, and its `own_k3` how many positions count in the loss. A subclass with arguments of its
    own saves them, for its checkpoints: `self.save_hyperparameters("name")`.

    Args:
        backbone: the network, with its initial values; or its description, see
            charrnn.schemes.hyperparameters.
        optimizer: makes the optimizer, given the parameters to learn; or its description.
        k1: tokens between the starts of successive training sequences.
        k2: tokens in a training sequence.
        k3: how many of a sequence's last positions count in the loss, at most k2 (Section 5); None
            takes `own_k3`.
        weighting: how the loss weighs these positions, see
            charrnn.schemes.losses.weighting_called.
        start: whether the initial state is `learned` or stays `zero`; MultiLoss has further starts.
        lr: learning rate; None takes that of ``optimizer``.

    Attributes:
        hparams: the arguments as plain values.
        carried: for each layer, the state that the next batch starts from; empty if no state is
            carried.
        reached: for each layer, the state after the last token of the latest batch.
        k3: how many of a sequence's last positions count in the loss.

    Raises:
        BadInput: if an argument is out of its range, or k3 is fixed in this training procedure.

    Examples:
        Two tokens in turn, "abab...", of which scheme 1 learns one batch:

        >>> from charrnn import Backbone
        >>> import torch
        >>> from charrnn.datamodule.batches import Batch
        >>> from charrnn.schemes.schemes_1_and_3 import Scheme1
        >>> backbone = Backbone(vocabulary_size=2, hidden_size=4, dense_size=None)
        >>> scheme = Scheme1(backbone, torch.optim.Adam, k1=1, k2=6)
        >>> tokens_TB = torch.tensor([0, 1, 0, 1, 0, 1, 0])[:, None]
        >>> batch = Batch(inputs_TB=tokens_TB[:-1], targets_TB=tokens_TB[1:], number=0)
        >>> optimizer = scheme.configure_optimizers()
        >>> before = scheme.training_step(batch)
        >>> before.backward()
        >>> optimizer.step()
        >>> bool(scheme.training_step(batch) < before)
        True
    """

    training_procedure: ClassVar[str]
    """Name of the training procedure. Schemes with the same one share their runs."""
    sampling_procedure: ClassVar[str]
    """`windowed` or `progressive`: how the scheme samples, and which perplexity it reports."""
    starts: ClassVar[tuple[str, ...]] = ("learned", "zero")
    """The starts of training sequences that the training procedure allows."""
    orders: ClassVar[tuple[str, ...]] = ("equidistant", "shuffled")
    """The orders of training sequences that the training procedure allows."""
    k3_is_free: ClassVar[bool] = True
    """Whether k3 can be chosen; if not, `own_k3` is part of the training procedure's definition."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        changes = {"own_k3", "training_step"} & vars(cls).keys()
        if changes and "training_procedure" not in vars(cls):
            raise TypeError(
                f"{cls.__name__} changes {', '.join(sorted(changes))} and has to name its own "
                "training_procedure, because runs of the same procedure are shared."
            )

    def __init__(
        self,
        backbone: Network | Mapping[str, Any],
        optimizer: MakeOptimizer | Mapping[str, Any],
        k1: int,
        k2: int,
        k3: int | None = None,
        weighting: str = "uniform",
        start: Start = "learned",
        lr: float | None = None,
    ) -> None:
        super().__init__()
        if isinstance(backbone, Mapping):
            backbone = described.build_backbone(backbone)
        if isinstance(optimizer, Mapping):
            optimizer = described.build_optimizer(optimizer)
        made_by = described.describe_optimizer(optimizer)
        values = {"k1": k1, "k2": k2, "k3": k3, "weighting": weighting, "start": start}
        rate = described.learning_rate(made_by) if lr is None else lr
        network = described.describe(type(backbone), getattr(backbone, "arguments", {}))
        parts = {"lr": rate, "backbone": network, "optimizer": made_by}
        self.save_hyperparameters(values | parts)
        check_arguments("", k1=k1, k2=k2, k3=k3)
        require_choice("start", start, self.starts)
        own = self.own_k3(k1, k2)
        k3 = own if k3 is None else k3
        require(k3 <= k2, "k3", k3, f"at most k2={k2}")
        fixed = f"{own} or null in {self.training_procedure} training: take scheme 1, 3 or 4"
        require(self.k3_is_free or k3 == own, "k3", k3, fixed)
        weigh = weighting_called(weighting)
        if lr is not None:
            FIELDS["optimizer.lr"].check("lr", lr)
        if start == "zero":
            backbone.zero_initial_state()
        elif start != "learned":
            backbone.fix_initial_state()
        self.backbone = backbone
        self.make_optimizer = optimizer
        self.k1, self.k2, self.lr = k1, k2, lr
        self.carried: list[State] = []
        self.reached: list[State] = []
        self.weigh, self.k3 = weigh, k3
        # Not buffers, which would be rounded to the precision of the model.
        self._weights: dict[tuple[int, torch.device], Tensor] = {}

    @classmethod
    def own_k3(cls, k1: int, k2: int) -> int:
        """The default of k3: all positions count in the loss."""
        del k1
        return k2

    @property
    def weights_N(self) -> Tensor:  # noqa: N802, its name carries its shape
        """The weights (k3,) of the last k3 positions in the loss, in double precision."""
        key = self.k3, place_of_doubles(self.device)
        if key not in self._weights:  # kept, because a copy in every step would wait for a GPU
            with torch.inference_mode(False):
                self._weights[key] = self.weigh(self.k3).to(key[1])
        return self._weights[key]

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        # What `to`, `cuda` or `double` do to the weights, they do to the states, too.
        super()._apply(fn, recurse)
        self.carried, self.reached = map_states(fn, self.carried), map_states(fn, self.reached)
        return self

    def read(self, tokens_TB: Tensor, state: list[State]) -> tuple[Tensor, list[State]]:
        """Run the recurrent layers over a batch, like Network.recur."""
        hidden_TBH, trajectory = self.backbone.recur(tokens_TB, state)
        self.reached = state_after(trajectory, -1)
        return hidden_TBH, trajectory

    def loss(self, hidden_TBH: Tensor, targets_TB: Tensor) -> Tensor:
        """The weighted cross-entropy of the targets (T, B), given hidden states (T, B, H)."""
        readout = self.backbone.readout
        return weighted_cross_entropy(readout, hidden_TBH, targets_TB, self.weights_N)

    def configure_optimizers(self) -> Optimizer:
        optimizer = self.make_optimizer(p for p in self.parameters() if p.requires_grad)
        if self.lr is not None:
            for group in optimizer.param_groups:
                group["lr"] = self.lr
        if self.hparams["optimizer"] is None:  # made by a function of the user's
            self.hparams["optimizer"] = described.describe(type(optimizer), optimizer.defaults)
            self.hparams["lr"] = optimizer.param_groups[0].get("lr")
        return optimizer

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # A new module is in single precision.
        precise = (
            value for value in checkpoint["state_dict"].values() if value.is_floating_point()
        )
        self.to(next(precise).dtype)

    @classmethod
    def load_from_checkpoint(cls, checkpoint_path: Any, *args: Any, **kwargs: Any) -> Self:
        """The scheme of a checkpoint: of a Trainer of one's own, or `checkpoint.pt` of a run.

        Args:
            checkpoint_path: the file.
            *args: as of LightningModule.load_from_checkpoint.
            **kwargs: as there; arguments of the scheme, such as ``backbone``, take the place of the
                kept ones.

        Raises:
            CharRNNError: if a class that the checkpoint names cannot be imported, or the rest of
                the run is missing.
        """
        if described.is_a_runs(checkpoint_path):
            with Path(checkpoint_path).open("rb") as file:
                file.readline()
                checkpoint_path = described.as_lightnings(file, Path(checkpoint_path).parent)
        return super().load_from_checkpoint(checkpoint_path, *args, **kwargs)
