"""The plain recurrent cell (Eq. 6): h(n) = tanh(W x(n) + U h(n-1) + b).

Shapes are those of charrnn.backbone.layer, with G = H.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from charrnn.backbone.clipping import clip_
from charrnn.backbone.cuda_graphs import replay
from charrnn.backbone.layer import LayerOfSums, orthogonal_
from charrnn.backbone.network import Network
from charrnn.backbone.precision import without_autocast
from charrnn.backbone.state import State

tanh_backward = torch.ops.aten.tanh_backward.grad_input


class RNNLayer(LayerOfSums):
    """One layer of plain recurrent cells; see LayerOfSums for the arguments."""

    name = "rnn"
    num_gates = 1

    def __init__(self, input_size: int, hidden_size: int, grad_clip: float | None = 50.0) -> None:
        super().__init__(input_size, hidden_size, grad_clip)
        self.W_hid_HG = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.add_initial_state()

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw orthogonal matrices; the bias and the initial state are 0."""
        with torch.no_grad():
            for weight in (self.W_in_IG, self.W_hid_HG):
                orthogonal_(weight, 1, generator)
            for zero in (self.b_G, *self.initial_parameters()):
                zero.zero_()

    def recur(self, sums_TBG: Tensor, state: State) -> State:
        (h_BH,) = state
        if torch.is_grad_enabled():
            clipping = self.grad_clip, self.num_clipped
            return (_Recurrence.apply(sums_TBG, h_BH, self.W_hid_HG, *clipping),)
        return (replay(_forward, sums_TBG, h_BH, self.W_hid_HG)[1:],)


class RNNNetwork(Network):
    """The network of Table 3 with plain recurrent cells; see Network for the other arguments.

    Args:
        vocabulary_size: see Network.
        num_layers: see Network.
        hidden_size: see Network.
        dense_size: see Network.
        grad_clip: bound on each element of the gradient at the pre-activations, at every time step;
            None for no bound.
        dropout: see Network.
        seed: see Network.
    """

    identity_name = "rnn"

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int = 1,
        hidden_size: int = 512,
        dense_size: int | None = 1024,
        grad_clip: float | None = 50.0,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        sizes = vocabulary_size, num_layers, hidden_size, dense_size
        super().__init__(RNNLayer, {"grad_clip": grad_clip}, *sizes, dropout, seed)


def _forward(sums_TBG: Tensor, h_BH: Tensor, W_hid_HG: Tensor) -> Tensor:
    """The hidden states (T + 1, B, H), of which the first is the one before the first step."""
    h = sums_TBG.new_empty(len(sums_TBG) + 1, *h_BH.shape)
    h[0] = h_BH
    for t, sums_BG in enumerate(sums_TBG):
        torch.addmm(sums_BG, h[t], W_hid_HG, out=h[t + 1]).tanh_()
    return h


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        sums_TBG: Tensor,
        h_BH: Tensor,
        W_hid_HG: Tensor,
        grad_clip: float | None,
        num_clipped: Tensor | None,
    ) -> Tensor:
        ctx.grad_clip, ctx.num_clipped = grad_clip, num_clipped
        h = replay(_forward, sums_TBG, h_BH, W_hid_HG)
        ctx.save_for_backward(h, W_hid_HG)
        return h[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh_TBH: Tensor) -> tuple[Any, ...]:
        arguments = dh_TBH, *ctx.saved_tensors, ctx.grad_clip
        with without_autocast(dh_TBH):
            gradients = replay(_backward, *arguments, num_clipped=ctx.num_clipped)
        return *gradients, None, None


def _backward(
    dh_TBH: Tensor,
    h: Tensor,
    W_hid_HG: Tensor,
    grad_clip: float | None,
    num_clipped: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of the sums, h0 and W_hid."""
    W_hid_GH = W_hid_HG.t().contiguous()
    dz_TBG, dh_BH = torch.empty_like(dh_TBH), torch.zeros_like(h[0])
    for t in reversed(range(len(dz_TBG))):
        dh_BH += dh_TBH[t]
        tanh_backward(dh_BH, h[t + 1], grad_input=dz_TBG[t])
        clip_(dz_TBG[t], grad_clip, num_clipped)
        torch.mm(dz_TBG[t], W_hid_GH, out=dh_BH)
    dW_hid_HG = h[:-1].flatten(0, 1).t() @ dz_TBG.flatten(0, 1)
    return dz_TBG, dh_BH, dW_hid_HG
