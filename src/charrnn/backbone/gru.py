"""The gated recurrent unit (GRU), with the reset gate before or after the matrix product.

Shapes are those of charrnn.backbone.layer, with G = 3H: along G the gates have the order reset,
update, candidate (r, u, n), as in torch. The update gate u keeps the state:

    r, u = sigmoid(W x(n) + U h(n-1) + b)
    n = tanh(W x(n) + b + r * (U h(n-1) + b_new))     reset_gate=after (cuDNN, torch.nn.GRU)
    n = tanh(W x(n) + b + U (r * h(n-1)))             reset_gate=before (Cho et al. 2014)
    h(n) = u * h(n-1) + (1 - u) * n
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from charrnn.backbone import gru_recurrence
from charrnn.backbone.cuda_graphs_autograd import replay_with_gradients
from charrnn.backbone.layer import LayerOfSums, orthogonal_
from charrnn.backbone.network import Network
from charrnn.backbone.state import State
from charrnn.schema.fields import ResetGate, check_arguments


class GRULayer(LayerOfSums):
    """One GRU layer.

    Args:
        input_size: see LayerOfSums.
        hidden_size: see LayerOfSums.
        reset_gate: `after` or `before` the matrix product of the candidate.
        forget_bias: initial bias of the update gate, which keeps the state; other biases start at
            0.
        layer_norm: whether the gates' sums over the inputs and over the state are normalised (Ba et
            al. 2016), those of reset and update gate together and the candidate's by itself.
        grad_clip: see RecurrentLayer. The bound holds at the three gates' pre-activations; whatever
            is computed from their gradients uses the clipped ones.
    """

    name = "gru"
    num_gates = 3

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        reset_gate: ResetGate = "after",
        forget_bias: float = 0.0,
        layer_norm: bool = False,
        grad_clip: float | None = 50.0,
    ) -> None:
        super().__init__(input_size, hidden_size, grad_clip)
        check_arguments(
            "backbone.", reset_gate=reset_gate, forget_bias=forget_bias, layer_norm=layer_norm
        )
        self.reset_gate = reset_gate
        self.forget_bias = forget_bias
        self.W_hid_HG = nn.Parameter(torch.empty(hidden_size, 3 * hidden_size))
        after = torch.empty(hidden_size) if reset_gate == "after" else None
        self.b_new_H = nn.Parameter(after) if after is not None else None
        # Rows: of the sums over the inputs, and over the state.
        gains = torch.empty(2, 3 * hidden_size) if layer_norm else None
        self.gains_2G = nn.Parameter(gains) if gains is not None else None
        self.add_initial_state()

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw an orthogonal matrix per gate; gains are 1, the initial state is 0."""
        with torch.no_grad():
            for weight in (self.W_in_IG, self.W_hid_HG):
                orthogonal_(weight, 3, generator)
            self.b_G.zero_().chunk(3)[1].fill_(self.forget_bias)
            if self.b_new_H is not None:
                self.b_new_H.zero_()
            if self.gains_2G is not None:
                self.gains_2G.fill_(1.0)
            for zero in self.initial_parameters():
                zero.zero_()

    def sums(self, x: Tensor) -> Tensor:
        if self.gains_2G is None:
            return super().sums(x)
        if x.is_floating_point():
            return gru_recurrence.normalised(x @ self.W_in_IG, self.gains_2G[0]) + self.b_G
        table_IG = gru_recurrence.normalised(self.W_in_IG, self.gains_2G[0]) + self.b_G
        return nn.functional.embedding(x, table_IG)

    def recur(self, sums_TBG: Tensor, state: State) -> State:
        (h_BH,) = state
        weights = self.W_hid_HG, self.b_new_H
        if self.gains_2G is None:
            clipping = self.grad_clip, self.num_clipped
            return (gru_recurrence.run(sums_TBG, h_BH, *weights, *clipping),)
        run, gains_G = gru_recurrence.run_normalised, self.gains_2G[1]
        arguments = sums_TBG, h_BH, *weights, gains_G, self.grad_clip
        return (replay_with_gradients(run, *arguments, num_clipped=self.num_clipped),)


class GRUNetwork(Network):
    """The network of Table 3 with GRU layers; see Network for the other arguments.

    Args:
        vocabulary_size: see Network.
        num_layers: see Network.
        hidden_size: see Network.
        dense_size: see Network.
        reset_gate: see GRULayer.
        forget_bias: see GRULayer.
        layer_norm: see GRULayer.
        grad_clip: see GRULayer.
        dropout: see Network.
        seed: see Network.
    """

    identity_name = "gru"

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int = 1,
        hidden_size: int = 512,
        dense_size: int | None = 1024,
        reset_gate: ResetGate = "after",
        forget_bias: float = 0.0,
        layer_norm: bool = False,
        grad_clip: float | None = 50.0,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        settings = {
            "reset_gate": reset_gate,
            "forget_bias": forget_bias,
            "layer_norm": layer_norm,
            "grad_clip": grad_clip,
        }
        sizes = vocabulary_size, num_layers, hidden_size, dense_size
        super().__init__(GRULayer, settings, *sizes, dropout, seed)
