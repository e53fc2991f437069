"""The network that all schemes share (Table 3): one-hot, r recurrent and two dense layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from charrnn.backbone import dense_fused
from charrnn.backbone.layer import RecurrentLayer
from charrnn.backbone.lstm import PeepholeLSTM
from charrnn.backbone.precision import without_autocast
from charrnn.backbone.state import State
from charrnn.schema.fields import Peepholes, check_arguments

LEAKINESS = 0.01
"""Slope of the leaky ReLU below zero (Table 3)."""


class Network(nn.Module):
    """From a sequence of tokens to logits, with any recurrent cell.

    Names: T time steps, B sequences, H = ``hidden_size``. A subclass for a cell names the class of
    its layers and their settings, which are arguments of its own. It declares an `identity_name`,
    by which its runs are known.

    Args:
        layer_class: the recurrent layer.
        settings: arguments of the layer beside its sizes, by their names.
        vocabulary_size: number of unique tokens, the paper's |V|.
        num_layers: number of recurrent layers, the paper's r.
        hidden_size: units in each recurrent layer, the paper's gamma.
        dense_size: units in the hidden dense layer; None leaves that layer out.
        dropout: probability of dropping an input of either dense layer (Section 4.3).
        seed: seed of the initial values, which depend on nothing but it and the architecture.

    Attributes:
        arguments: those of the subclass by their names, for checkpoints of schemes. One that takes
            others, such as the size of something new, adds them.

    Raises:
        BadInput: if an argument is out of its range.
    """

    def __init__(
        self,
        layer_class: type[RecurrentLayer],
        settings: Mapping[str, Any],
        vocabulary_size: int,
        num_layers: int,
        hidden_size: int,
        dense_size: int | None,
        dropout: float,
        seed: int,
    ) -> None:
        super().__init__()
        common = {
            "num_layers": num_layers,
            "hidden_size": hidden_size,
            "dense_size": dense_size,
            "dropout": dropout,
            "seed": seed,
        }
        check_arguments("backbone.", **common)
        self.arguments = {"vocabulary_size": vocabulary_size, **common, **settings}
        sizes = [vocabulary_size] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(layer_class(size, hidden_size, **settings) for size in sizes)
        self.dense = nn.Linear(hidden_size, dense_size) if dense_size is not None else None
        self.output = nn.Linear(dense_size or hidden_size, vocabulary_size)
        self.dropout = nn.Dropout(dropout)
        self.reset_parameters(seed)

    def recurrent_layers(self) -> Iterator[RecurrentLayer]:
        """The recurrent layers, from the input upwards."""
        for layer in self.layers:
            assert isinstance(layer, RecurrentLayer)
            yield layer

    def reset_parameters(self, seed: int) -> None:
        """Draw the initial values of Table 3, layer by layer, from ``seed`` alone."""
        if self.output.weight.is_meta:  # shapes without memory, to check a configuration
            return
        generator = torch.Generator().manual_seed(seed)
        # The last bits of a QR decomposition can depend on the number of threads.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for layer in self.recurrent_layers():
                layer.reset_parameters(generator)
            for linear in (self.dense, self.output):
                if linear is not None:
                    nn.init.xavier_uniform_(linear.weight, generator=generator)
                    nn.init.zeros_(linear.bias)
        finally:
            torch.set_num_threads(threads)

    def initial_state(self, batch_size: int) -> list[State]:
        """The learned initial state of each layer, (batch_size, H) each."""
        return [layer.initial_state(batch_size) for layer in self.recurrent_layers()]

    def fix_initial_state(self) -> None:
        """Leave the initial state as it is, and do not learn it."""
        for layer in self.recurrent_layers():
            for initial_H in layer.initial_parameters():
                initial_H.requires_grad_(False)

    def zero_initial_state(self) -> None:
        """Make the initial state zero, and do not learn it."""
        self.fix_initial_state()
        for layer in self.recurrent_layers():
            for initial_H in layer.initial_parameters():
                initial_H.zero_()

    def recur(self, tokens_TB: Tensor, state: list[State]) -> tuple[Tensor, list[State]]:
        """Run the recurrent layers.

        Args:
            tokens_TB: token indices (T, B).
            state: for each layer, the state before the first token.

        Returns:
            The top layer's hidden states (T, B, H), and for each layer its state after every token,
            each tensor (T, B, H), in the precision of the weights: under autocast, too, where the
            recurrence computes in one precision.
        """
        x, trajectory = tokens_TB, []
        for layer, before in zip(self.recurrent_layers(), state, strict=True):
            like = layer.initial_parameters()[0]
            with without_autocast(like):
                if x.is_floating_point():
                    x = x.to(like.dtype)
                after = layer(x, tuple(part.to(like.dtype) for part in before))
            trajectory.append(after)
            x = after[0]
        return x, trajectory

    def readout(self, hidden: Tensor) -> Tensor:
        """Apply the dense layers: from hidden states (..., H) to logits (..., |V|).

        On a CPU the layers take some of the rows at a time, see charrnn.backbone.dense_fused.
        """
        if self.dense is None or hidden.device.type != "cpu":
            return self._dense_layers(hidden)
        if dense_fused.fits(hidden, self.dense, self.dropout, self.output):
            return dense_fused.logits(hidden, self.dense, self.output, LEAKINESS)
        most = dense_fused.rows_at_a_time(self.arguments["dense_size"], hidden)
        shape = hidden.shape[:-1]
        if shape.numel() <= most:
            return self._dense_layers(hidden)
        parts = hidden.flatten(0, -2).split(most)
        return torch.cat([self._dense_layers(part) for part in parts]).unflatten(0, shape)

    def _dense_layers(self, hidden: Tensor) -> Tensor:
        if self.dense is not None:
            hidden = self.dense(self.dropout(hidden))
            # In place, because this is the largest array of a training step; torch forbids it
            # where a user's hook has seen that array.
            in_place = not dense_fused.is_changed(self.dense)
            hidden = nn.functional.leaky_relu(hidden, LEAKINESS, inplace=in_place)
        return self.output(self.dropout(hidden))


class Backbone(Network):
    """The paper's network, with LSTM layers; see Network for the other arguments.

    Args:
        vocabulary_size: see Network.
        num_layers: see Network.
        hidden_size: see Network.
        dense_size: see Network.
        peepholes: `lasagne`, `paper` or `none`; see PeepholeLSTM.
        forget_bias: initial bias of the forget gates.
        grad_clip: bound on each element of the gates' gradients at every time step; None for no
            bound.
        dropout: see Network.
        seed: see Network.
        layer_norm: whether sums and cell states are normalised; see PeepholeLSTM.

    Raises:
        BadInput: if an argument is out of its range.

    Examples:
        >>> backbone = Backbone(vocabulary_size=27, hidden_size=8, dense_size=16)
        >>> tokens_TB = torch.zeros(5, 2, dtype=torch.int64)
        >>> hidden_TBH, trajectory = backbone.recur(tokens_TB, backbone.initial_state(batch_size=2))
        >>> backbone.readout(hidden_TBH).shape
        torch.Size([5, 2, 27])
    """

    identity_name = "lstm"

    def __init__(
        self,
        vocabulary_size: int,
        num_layers: int = 1,
        hidden_size: int = 512,
        dense_size: int | None = 1024,
        peepholes: Peepholes = "lasagne",
        forget_bias: float = 5.0,
        grad_clip: float | None = 50.0,
        dropout: float = 0.0,
        seed: int = 0,
        layer_norm: bool = False,
    ) -> None:
        settings = {
            "peepholes": peepholes,
            "forget_bias": forget_bias,
            "grad_clip": grad_clip,
            "layer_norm": layer_norm,
        }
        sizes = vocabulary_size, num_layers, hidden_size, dense_size
        super().__init__(PeepholeLSTM, settings, *sizes, dropout, seed)
