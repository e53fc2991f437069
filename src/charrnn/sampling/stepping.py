"""Reading one token at a time for sampling: one carried state, or all open windows at once.

All memory is allocated at the start, and rows never move. Shapes: W windows, S streams, R = W * S
rows in which the streams of one window are next to each other.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from charrnn.backbone.layer import RecurrentLayer
from charrnn.backbone.network import Network
from charrnn.backbone.precision import without_autocast
from charrnn.backbone.state import State


class Reader(Protocol):
    """Reads S streams of tokens and predicts the next token of each."""

    def read(self, tokens_S: Tensor) -> None:
        """Read the next token of every stream."""

    def logits(self) -> Tensor:
        """The logits of the token that follows, (S, |V|)."""


class Progressive:
    """One state per stream, carried along from the initial state (Algorithm 5).

    The weights must not change in the meantime.

    Args:
        backbone: the model, in evaluation mode.
        num_streams: number of streams, S.
    """

    def __init__(self, backbone: Network, num_streams: int) -> None:
        self.steps = _Steps(backbone, 1, num_streams)

    def read(self, tokens_S: Tensor) -> None:
        self.steps.advance(tokens_S, windows=1)

    def logits(self) -> Tensor:
        return self.steps.logits(window=0)


class RollingWindows:
    """The last k2 tokens of every stream, read from the initial state (Algorithm 4).

    Algorithm 4 reads k2 tokens for every new one. Here all k2 open windows stay in memory, one row
    each, and a token advances all of them by one step in a single matrix product. The oldest window
    is then complete, and the next window reuses its row. If a stream has had fewer than k2 tokens,
    its oldest window contains all of them.

    The weights must not change in the meantime.

    Args:
        backbone: the model, in evaluation mode.
        k2: tokens in a window.
        num_streams: number of streams, S.
    """

    def __init__(self, backbone: Network, k2: int, num_streams: int) -> None:
        self.k2 = k2
        self.tokens_read = 0
        self.steps = _Steps(backbone, k2, num_streams)

    def read(self, tokens_S: Tensor) -> None:
        self.steps.restart(self.tokens_read % self.k2)
        self.tokens_read += 1
        self.steps.advance(tokens_S, windows=min(self.tokens_read, self.k2))

    def logits(self) -> Tensor:
        oldest = max(0, self.tokens_read - self.k2)
        return self.steps.logits(oldest % self.k2)


class _Steps:
    """The network's state in W windows of S streams each, which advances step by step."""

    def __init__(self, backbone: Network, num_windows: int, num_streams: int) -> None:
        self.S = num_streams
        self.readout = backbone.readout
        rows = num_windows * num_streams
        self.layers = [_LayerSteps(layer, rows) for layer in backbone.recurrent_layers()]

    def restart(self, window: int) -> None:
        """Reset a window to the initial state."""
        for layer in self.layers:
            layer.restart(self._rows(window))

    def advance(self, tokens_S: Tensor, windows: int) -> None:
        """Let the first ``windows`` windows read the next token of their streams."""
        x = tokens_S.repeat(windows)
        with without_autocast(self.layers[0].state[0]):
            for layer in self.layers:
                x = layer.advance(x)

    def logits(self, window: int) -> Tensor:
        return self.readout(self.layers[-1].state[0][self._rows(window)])

    def _rows(self, window: int) -> slice:
        return slice(window * self.S, (window + 1) * self.S)


class _LayerSteps:
    """One layer's state in R rows. Each step writes to a second copy, and the two are swapped."""

    def __init__(self, layer: RecurrentLayer, rows: int) -> None:
        self.initial = layer.initial_state(1)
        self.step_ = layer.stepper()
        self.state: State = tuple(part.clone() for part in layer.initial_state(rows))
        self.spare: State = tuple(torch.empty_like(part) for part in self.state)

    def restart(self, rows: slice) -> None:
        for part, initial in zip(self.state, self.initial, strict=True):
            part[rows] = initial

    def advance(self, x: Tensor) -> Tensor:
        """Let the first rows read tokens (rows,) or features. Returns their hidden states."""
        before = tuple(part[: len(x)] for part in self.state)
        after = tuple(part[: len(x)] for part in self.spare)
        self.step_(x, before, after)
        self.state, self.spare = self.spare, self.state
        return after[0]
