"""Reading one token at a time for sampling: one carried state, or all open windows at once.

All memory is allocated at the start, and rows never move. Shapes: W windows, S streams, R = W * S
rows in which the streams of one window are next to each other, H hidden units, G = 4H gate units.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from charrnn.backbone.lstm import PeepholeLSTM
from charrnn.backbone.lstm_autograd import step_
from charrnn.backbone.network import Backbone
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

    def __init__(self, backbone: Backbone, num_streams: int) -> None:
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

    def __init__(self, backbone: Backbone, k2: int, num_streams: int) -> None:
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

    def __init__(self, backbone: Backbone, num_windows: int, num_streams: int) -> None:
        self.S = num_streams
        self.readout = backbone.readout
        rows = num_windows * num_streams
        self.layers = [_LayerSteps(layer, rows) for layer in backbone.lstms()]
        first = self.layers[0].layer
        self.table_VG = first.W_in_IG + first.bias_G

    def restart(self, window: int) -> None:
        """Reset a window to the initial state."""
        for layer in self.layers:
            layer.restart(self._rows(window))

    def advance(self, tokens_S: Tensor, windows: int) -> None:
        """Let the first ``windows`` windows read the next token of their streams."""
        tokens_R = tokens_S.repeat(windows)
        first, *others = self.layers
        with without_autocast(self.table_VG):
            hidden_RH = first.advance(len(tokens_R), self.table_VG, tokens_R)
            for layer in others:
                inputs_RG = torch.addmm(layer.layer.bias_G, hidden_RH, layer.layer.W_in_IG)
                hidden_RH = layer.advance(len(tokens_R), inputs_RG)

    def logits(self, window: int) -> Tensor:
        return self.readout(self.layers[-1].state[0][self._rows(window)])

    def _rows(self, window: int) -> slice:
        return slice(window * self.S, (window + 1) * self.S)


class _LayerSteps:
    """One layer's state in R rows. Each step writes to a second copy, and the two are swapped."""

    def __init__(self, layer: PeepholeLSTM, rows: int) -> None:
        self.layer = layer
        h_RH, c_RH = layer.initial_state(rows)
        self.state: State = h_RH.clone(), c_RH.clone()
        self.spare: State = torch.empty_like(self.state[0]), torch.empty_like(self.state[1])

    def restart(self, rows: slice) -> None:
        h_RH, c_RH = self.state
        h_RH[rows], c_RH[rows] = self.layer.h0_H, self.layer.c0_H

    def advance(self, rows: int, inputs: Tensor, tokens_R: Tensor | None = None) -> Tensor:
        """Advance the first rows, given the inputs of `step_`. Returns their hidden states."""
        layer = self.layer
        before = self.state[0][:rows], self.state[1][:rows]
        after = self.spare[0][:rows], self.spare[1][:rows]
        weights = layer.W_hid_HG, layer.W_peep_3H
        step_(inputs, tokens_R, before, after, *weights, layer.peepholes)
        self.state, self.spare = self.spare, self.state
        return after[0]
