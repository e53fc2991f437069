"""A recurrent cell that forgets at the same rate in every step."""

import torch
from torch import Tensor, nn

from charrnn.backbone.layer import LayerOfSums, orthogonal_
from charrnn.backbone.network import Network
from charrnn.backbone.state import State


class LeakyLayer(LayerOfSums):
    """h(n) = rate * h(n-1) + (1 - rate) * tanh(W x(n) + U h(n-1) + b)."""

    name = "leaky"
    num_gates = 1

    def __init__(self, input_size: int, hidden_size: int, rate: float = 0.5) -> None:
        super().__init__(input_size, hidden_size)
        self.rate = rate
        self.W_hid_HG = nn.Parameter(torch.empty(hidden_size, hidden_size))
        self.add_initial_state()

    def reset_parameters(self, generator: torch.Generator) -> None:
        with torch.no_grad():
            for weight in (self.W_in_IG, self.W_hid_HG):
                orthogonal_(weight, 1, generator)
            self.b_G.zero_()

    def recur(self, sums_TBG: Tensor, state: State) -> State:
        (h_BH,) = state
        states = []
        for sums_BG in sums_TBG:
            h_BH = torch.lerp(torch.tanh(sums_BG + h_BH @ self.W_hid_HG), h_BH, self.rate)
            states.append(h_BH)
        return (torch.stack(states),)


class LeakyNetwork(Network):
    """The network of Table 3 with such layers."""

    identity_name = "leaky"

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int = 1,
        hidden_size: int = 512,
        dense_size: int | None = 1024,
        rate: float = 0.5,
        dropout: float = 0.0,
        seed: int = 0,
    ) -> None:
        sizes = vocabulary_size, num_layers, hidden_size, dense_size
        super().__init__(LeakyLayer, {"rate": rate}, *sizes, dropout, seed)
