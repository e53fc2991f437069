"""The alternatives that a user has: torch's own layers, or a loop of cells under plain autograd.

All read one-hot vectors, start from the zero state, and implement the paper's algorithms in the
plainest way: a network and a few lines around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from charrnn.backbone.network import LEAKINESS
from charrnn.benchmark.case import Case

Layers = type[nn.LSTM] | type[nn.GRU] | type[nn.RNN]


class Peer(nn.Module):
    """One-hot input, the recurrent layers of a subclass, and the dense layers of Table 3."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        self.vocabulary = case.vocabulary
        self.readout = nn.Sequential(
            nn.Linear(case.hidden_size, case.dense_size),
            nn.LeakyReLU(LEAKINESS),
            nn.Linear(case.dense_size, case.vocabulary),
        )

    def recur(self, x_TBV: Tensor, state: Any) -> tuple[Tensor, Any]:
        """The top layer's hidden states (T, B, H), and the state after the last step."""
        raise NotImplementedError

    def forward(self, tokens_TB: Tensor, state: Any = None) -> tuple[Tensor, Any]:
        return self.recur(nn.functional.one_hot(tokens_TB, self.vocabulary).float(), state)


class TorchLayers(Peer):
    """Recurrent layers of torch: no peepholes, no clipping, no learned start.

    Args:
        case: their sizes.
        layers: their class.
    """

    def __init__(self, case: Case, layers: Layers = nn.LSTM) -> None:
        super().__init__(case)
        self.layers = layers(case.vocabulary, case.hidden_size, case.num_layers)

    def recur(self, x_TBV: Tensor, state: Any) -> tuple[Tensor, Any]:
        return self.layers(x_TBV, state)


class AutogradLoop(Peer):
    """An LSTMCell-style loop with Lasagne's peepholes; no clipping, no learned start."""

    def __init__(self, case: Case) -> None:
        super().__init__(case)
        sizes = [case.vocabulary] + [case.hidden_size] * (case.num_layers - 1)
        self.cells = nn.ModuleList(PeepholeCell(size, case.hidden_size) for size in sizes)
        self.hidden_size = case.hidden_size

    def recur(self, x_TBV: Tensor, state: Any) -> tuple[Tensor, Any]:
        if state is None:
            zero_BH = x_TBV.new_zeros(x_TBV.shape[1], self.hidden_size)
            state = [(zero_BH, zero_BH) for _ in self.cells]
        state, hidden = list(state), []
        for x in x_TBV:
            for n, cell in enumerate(self.cells):
                state[n] = cell(x, state[n])
                x = state[n][0]
            hidden.append(x)
        return torch.stack(hidden), state


class PeepholeCell(nn.Module):
    """One step of one layer, written plainly."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.input = nn.Linear(input_size, 4 * hidden_size)
        self.hidden = nn.Linear(hidden_size, 4 * hidden_size, bias=False)
        self.peepholes = nn.Parameter(0.1 * torch.randn(3, hidden_size))

    def forward(self, x: Tensor, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        h, c = state
        i, f, g, o = (self.input(x) + self.hidden(h)).chunk(4, dim=1)
        peep_i, peep_f, peep_o = self.peepholes
        i, f = torch.sigmoid(i + peep_i * c), torch.sigmoid(f + peep_f * c)
        c = f * c + i * torch.tanh(g)
        o = torch.sigmoid(o + peep_o * c)
        return o * torch.tanh(c), c


PEERS: dict[str, type[Peer]] = {"nn.LSTM": TorchLayers, "autograd-loop": AutogradLoop}


def loss(peer: Peer, inputs_TB: Tensor, targets_TB: Tensor) -> Tensor:
    """The multi-loss of a batch."""
    hidden_TBH, _ = peer(inputs_TB)
    logits_NV = peer.readout(hidden_TBH).flatten(0, 1)
    return nn.functional.cross_entropy(logits_NV, targets_TB.flatten())


def windowed_perplexity(peer: Peer, tokens_N: Tensor, k2: int) -> float:
    """All windows side by side: Algorithm 4 in one batch."""
    with torch.no_grad():
        hidden_TBH, _ = peer(tokens_N[:-1].unfold(0, k2, 1).t())
        logits_NV = peer.readout(hidden_TBH[-1])
        return nn.functional.cross_entropy(logits_NV, tokens_N[k2:]).exp().item()


def progressive_perplexity(peer: Peer, tokens_N: Tensor, k2: int) -> float:
    """One pass: Algorithm 5."""
    with torch.no_grad():
        hidden_TBH, _ = peer(tokens_N[:-1, None])
        logits_NV = peer.readout(hidden_TBH[k2 - 1 :, 0])
        return nn.functional.cross_entropy(logits_NV, tokens_N[k2:]).exp().item()


PERPLEXITIES = {"windowed": windowed_perplexity, "progressive": progressive_perplexity}


def windowed_sampling(peer: Peer, prompt_N: Tensor) -> Iterator[int]:
    """Algorithm 4: each token is drawn given the last k2, the length of the prompt."""
    window_N = prompt_N
    while True:
        with torch.no_grad():
            hidden_TBH, _ = peer(window_N[:, None])
            token_1 = _draw(peer, hidden_TBH)
        yield int(token_1)
        window_N = torch.cat([window_N[1:], token_1])


def progressive_sampling(peer: Peer, prompt_N: Tensor) -> Iterator[int]:
    """Algorithm 5: each token is drawn given the one before it and the state."""
    tokens_N, state = prompt_N, None
    while True:
        with torch.no_grad():
            hidden_TBH, state = peer(tokens_N[:, None], state)
            tokens_N = _draw(peer, hidden_TBH)
        yield int(tokens_N)


def _draw(peer: Peer, hidden_TBH: Tensor) -> Tensor:
    return torch.multinomial(peer.readout(hidden_TBH[-1, 0]).softmax(0), 1)
