"""The minimal cells of Feng et al. (2024, arXiv 2410.01201): minGRU and minLSTM.

Their gates see the input alone, so that the state is a linear recurrence, which needs no matrix
product in each step, and which charrnn.backbone.scan can compute for all steps at once:

    minGRU:   z = sigmoid(W x(n) + b), h(n) = (1 - z) * h(n-1) + z * v
    minLSTM:  f, i = sigmoid(W x(n) + b), h(n) = (f * h(n-1) + i * v) / (f + i)

The candidate v is W x(n) + b (Section 3), or made positive by the function g of Appendix B.2.
Shapes are those of charrnn.backbone.layer; along G the gates have the order z, v, or f, i, v.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from charrnn.backbone.clipping import clip_gradient
from charrnn.backbone.layer import LayerOfSums, RecurrentLayer, orthogonal_
from charrnn.backbone.network import Network
from charrnn.backbone.scan import linear_recurrence
from charrnn.backbone.state import State
from charrnn.schema.fields import Candidate, check_arguments


class MinimalLayer(LayerOfSums):
    """What the two cells share.

    Args:
        input_size: see LayerOfSums.
        hidden_size: see LayerOfSums.
        forget_bias: initial bias of what keeps the state: minLSTM's forget gate, or the opposite of
            minGRU's gate. Other biases start at 0.
        candidate: `linear` or `positive`.
        grad_clip: see RecurrentLayer.
    """

    keeps: ClassVar[float]
    """1 if the first gate keeps the state, -1 if it replaces it."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        forget_bias: float = 0.0,
        candidate: Candidate = "linear",
        grad_clip: float | None = 50.0,
    ) -> None:
        super().__init__(input_size, hidden_size, grad_clip)
        check_arguments("backbone.", forget_bias=forget_bias, candidate=candidate)
        self.forget_bias, self.candidate = forget_bias, candidate
        self.add_initial_state()

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw an orthogonal matrix per gate; the initial state is 0."""
        with torch.no_grad():
            orthogonal_(self.W_in_IG, self.num_gates, generator)
            self.b_G.zero_()[: self.hidden_size].fill_(self.keeps * self.forget_bias)
            for zero in self.initial_parameters():
                zero.zero_()

    def factors(self, gates: list[Tensor]) -> tuple[Tensor, Tensor]:
        """How much of the state is kept, and how much of the candidate is added, (T, B, H) each.

        Args:
            gates: the gates' pre-activations, the candidate's left out.
        """
        raise NotImplementedError

    def recur(self, sums_TBG: Tensor, state: State) -> State:
        (h_BH,) = state
        sums_TBG = clip_gradient(sums_TBG, self.grad_clip, self.num_clipped)
        *gates, v_TBH = sums_TBG.chunk(self.num_gates, dim=2)
        if self.candidate == "positive":
            v_TBH = positive(v_TBH)
        kept_TBH, added_TBH = self.factors(gates)
        return (linear_recurrence(kept_TBH, added_TBH * v_TBH, h_BH),)


class MinGRULayer(MinimalLayer):
    """One minGRU layer; see MinimalLayer for the arguments."""

    name = "mingru"
    num_gates = 2
    keeps = -1.0

    def factors(self, gates: list[Tensor]) -> tuple[Tensor, Tensor]:
        (z_TBH,) = gates
        return torch.sigmoid(-z_TBH), torch.sigmoid(z_TBH)


class MinLSTMLayer(MinimalLayer):
    """One minLSTM layer; see MinimalLayer for the arguments."""

    name = "minlstm"
    num_gates = 3
    keeps = 1.0

    def factors(self, gates: list[Tensor]) -> tuple[Tensor, Tensor]:
        # f / (f + i) from logarithms: the quotient itself is 0 / 0 where both gates are closed.
        f_TBH, i_TBH = map(nn.functional.logsigmoid, gates)
        return torch.sigmoid(f_TBH - i_TBH), torch.sigmoid(i_TBH - f_TBH)


def positive(x: Tensor) -> Tensor:
    """The function g of Appendix B.2: x + 0.5 from 0 upwards, sigmoid(x) below.

    Examples:
        >>> positive(torch.tensor([0.0, 2.0])).tolist()
        [0.5, 2.5]
    """
    return torch.where(x >= 0, x + 0.5, torch.sigmoid(x))


class _MinimalNetwork(Network):
    layer_class: ClassVar[type[RecurrentLayer]]

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int = 1,
        hidden_size: int = 512,
        dense_size: int | None = 1024,
        forget_bias: float = 0.0,
        candidate: Candidate = "linear",
        grad_clip: float | None = 50.0,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        settings = {"forget_bias": forget_bias, "candidate": candidate, "grad_clip": grad_clip}
        sizes = vocabulary_size, num_layers, hidden_size, dense_size
        super().__init__(self.layer_class, settings, *sizes, dropout, seed)


class MinGRUNetwork(_MinimalNetwork):
    """The network of Table 3 with minGRU layers; see Network and MinimalLayer for arguments."""

    identity_name = "mingru"
    layer_class = MinGRULayer


class MinLSTMNetwork(_MinimalNetwork):
    """The network of Table 3 with minLSTM layers; see Network and MinimalLayer for arguments."""

    identity_name = "minlstm"
    layer_class = MinLSTMLayer
