"""What people's training loops do: three well-known ones, as schemes beside the paper's.

All three carry the state, detached, from each training sequence to the one after it, as scheme 4
does with k1 = k2, and start every epoch from the zero state. They never read a token again, so
they need k1 = k2, and the loss of every token counts once. Tokens at the end of an epoch that do
not fill a sequence are left out (Eq. 8). All three are sampled progressively.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.optim import Optimizer

from charrnn.backbone.network import Network
from charrnn.datamodule.batches import Batch
from charrnn.errors import require
from charrnn.schema.fields import check_arguments
from charrnn.schemes.base import MakeOptimizer
from charrnn.schemes.scheme_4 import ConditionalMultiLoss


class KerasStateful(ConditionalMultiLoss):
    """An RNN layer of Keras with `stateful=True`, whose user resets it at the end of every epoch.

    Sequence i of a batch goes on where sequence i of the batch before it ended, from its last state
    (https://keras.io/api/layers/recurrent_layers/lstm, `stateful`); `reset_states` makes that state
    zero. This is scheme 4 with k1 = k2, and trains the same weights. Schemes 1 to 3 start every
    sequence from the initial state instead, and scheme 2 has a loss at the last position only.

    Args:
        backbone: see Scheme.
        optimizer: see Scheme.
        k1: tokens between the starts of successive sequences, equal to k2.
        k2: see Scheme.
        k3: k2, or None for the same.
        weighting: see Scheme.
        lr: see Scheme.

    Raises:
        BadInput: if k1 is not k2.
    """

    training_procedure = "keras-stateful"
    sampling_procedure = "progressive"
    k3_is_free = False

    def __init__(
        self,
        backbone: Network | Mapping[str, Any],
        optimizer: MakeOptimizer | Mapping[str, Any],
        k1: int,
        k2: int,
        k3: int | None = None,
        weighting: str = "uniform",
        lr: float | None = None,
    ) -> None:
        follow = f"k2={k2} in {self.training_procedure} training, whose sequences follow each other"
        require(k1 == k2, "k1", k1, follow)
        super().__init__(backbone, optimizer, k1, k2, k3, weighting, lr=lr)

    def training_step(self, batch: Batch) -> Tensor:
        self.k3 = len(batch.inputs_TB)
        hidden_TBH, _ = self.read(batch.inputs_TB, self._state_before(batch))
        self.carried = self.reached
        return self.loss(hidden_TBH, batch.targets_TB)


class WordLanguageModel(KerasStateful):
    """The loop of PyTorch's example of a word language model.

    Its `main.py` (https://github.com/pytorch/examples/tree/main/word_language_model) carries the
    state (`repackage_hidden`), and scales the gradient of all weights down to a largest Euclidean
    norm. The paper's schemes, 1 to 4, bound each element of the gates' gradients at every time step
    instead; scheme 4 with k1 = k2 is the same but for that. What the example does to the learning
    rate is left to the optimizer.

    Args:
        backbone: see Scheme; with grad_clip=None.
        optimizer: see Scheme.
        k1: tokens between the starts of successive sequences, equal to k2; `--bptt` there.
        k2: see Scheme.
        k3: k2, or None for the same.
        weighting: see Scheme.
        clip_norm: largest norm of the gradient, `--clip` there.
        lr: see Scheme.

    Raises:
        BadInput: if k1 is not k2, or the backbone bounds gradients itself.
    """

    training_procedure = "word-language-model"

    def __init__(
        self,
        backbone: Network | Mapping[str, Any],
        optimizer: MakeOptimizer | Mapping[str, Any],
        k1: int,
        k2: int,
        k3: int | None = None,
        weighting: str = "uniform",
        clip_norm: float = 0.25,
        lr: float | None = None,
    ) -> None:
        super().__init__(backbone, optimizer, k1, k2, k3, weighting, lr)
        self.save_hyperparameters({"clip_norm": clip_norm})
        check_arguments("model.", clip_norm=clip_norm)
        instead = f"null in {self.training_procedure} training, which bounds the norm instead"
        for layer in self.backbone.recurrent_layers():
            require(layer.grad_clip is None, "backbone.grad_clip", layer.grad_clip, instead)
        self.clip_norm = clip_norm

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        nn.utils.clip_grad_norm_(self.parameters(), self.clip_norm)


class AWDLSTM(WordLanguageModel):
    """The loop of AWD-LSTM: sequences of random lengths (Merity et al. 2018, Section 5).

    The data module draws the lengths, with ``order="random-lengths"``, so that sequences do not
    end at the same places in every epoch. The learning rate of each update is multiplied by
    length / k2, and the loss is the average over the sequence, so every token weighs the same. The
    state is carried and the norm of the gradient bounded as in WordLanguageModel, after `main.py`
    of https://github.com/salesforce/awd-lstm-lm. In schemes 1 to 4 all sequences have k2 tokens.
    The rest of AWD-LSTM is not a way to cut sequences, and is left out: DropConnect and its other
    dropouts, the penalties on activations, and averaged SGD.

    Args:
        backbone: see WordLanguageModel.
        optimizer: see Scheme.
        k1: see WordLanguageModel.
        k2: mean length of the long sequences, `--bptt` there.
        k3: see WordLanguageModel.
        weighting: see Scheme.
        clip_norm: see WordLanguageModel.
        lr: see Scheme.
    """

    training_procedure = "awd-lstm"
    orders = ("random-lengths",)

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        super().on_before_optimizer_step(optimizer)
        for group in optimizer.param_groups:
            group["lr"] *= self.k3 / self.k2  # k3 is the length of the latest sequence

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, *args: Any, **kwargs: Any
    ) -> None:
        rates = [group["lr"] for group in optimizer.param_groups]
        super().optimizer_step(epoch, batch_idx, optimizer, *args, **kwargs)
        for group, rate in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
