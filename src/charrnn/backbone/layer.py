"""What a recurrent cell is to the rest of the project: one layer, run over whole sequences.

Names end with shapes: T time steps, B sequences, I inputs, H hidden units, G gate units, the
pre-activations of all gates side by side. Sequences are time-major.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from charrnn.backbone.state import State
from charrnn.schema.fields import check_arguments

Step = Callable[[Tensor, State, State], None]
"""Reads tokens (B,) or features (B, I): from the state before, it writes the state after."""


class RecurrentLayer(nn.Module):
    """One layer of some recurrent cell.

    A subclass has parameters of its own and `forward`; it calls `add_initial_state` at the end of
    its constructor, and draws its initial values in `reset_parameters`. The rest follows from
    these, and can be overridden where a cell can do better.

    Args:
        hidden_size: number of units.
        grad_clip: bound on each element of the gradient at the gates' pre-activations, at every
            time step; None does not clip.

    Attributes:
        num_clipped: a tensor in which backward passes count the clipped elements (see
            charrnn.backbone.clipping), or None.

    Raises:
        BadInput: if an argument is out of its range.
    """

    name: ClassVar[str]
    """What the cell is called in files of initial weights: `lstm`, `gru`."""
    state_names: ClassVar[tuple[str, ...]] = ("h",)
    """The tensors of its state. The first is the hidden state, which the layer above reads, and the
    last is the one that remembers, whose size is measured."""
    num_gates: ClassVar[int]
    """How many elements of the gradient `grad_clip` bounds, per unit and time step."""

    def __init__(self, hidden_size: int, grad_clip: float | None = None) -> None:
        super().__init__()
        check_arguments("backbone.", hidden_size=hidden_size, grad_clip=grad_clip)
        self.hidden_size = hidden_size
        self.grad_clip = grad_clip
        self.num_clipped: Tensor | None = None

    def add_initial_state(self) -> None:
        """Add the learned initial state, a parameter (H,) for each tensor of the state: `h0_H`."""
        for name in self.state_names:
            self.register_parameter(f"{name}0_H", nn.Parameter(torch.zeros(self.hidden_size)))

    def initial_parameters(self) -> State:
        """The parameters of the learned initial state, (H,) each."""
        return tuple(self.get_parameter(f"{name}0_H") for name in self.state_names)

    def initial_state(self, batch_size: int) -> State:
        """The learned initial state, for ``batch_size`` sequences."""
        return tuple(start_H.expand(batch_size, -1) for start_H in self.initial_parameters())

    def reset_parameters(self, generator: torch.Generator) -> None:
        """Draw the initial values from a generator, and from nothing else."""
        raise NotImplementedError

    def forward(self, x: Tensor, state: State) -> State:
        """Run the layer over a sequence.

        Args:
            x: tokens (T, B) of an integer type, which stand for one-hot vectors, or features
                (T, B, I).
            state: the state before the first step, each (B, H).

        Returns:
            The state after every step, each (T, B, H).
        """
        raise NotImplementedError

    def stepper(self) -> Step:
        """A function that makes one step. The weights must not change while it is in use."""

        def step_(x: Tensor, before: State, after: State) -> None:
            for part, written in zip(self(x[None], before), after, strict=True):
                written.copy_(part[0])

        return step_

    def arrays(self) -> dict[str, Tensor]:
        """The parameters by the names that files of initial weights have: without shapes."""
        return {re.sub(r"_[A-Z0-9]+$", "", name): each for name, each in self.named_parameters()}


class LayerOfSums(RecurrentLayer):
    """A cell whose gates sum over the inputs with a matrix and a bias.

    The sums over the inputs are computed for a whole sequence at once. A subclass has `recur` in
    place of `forward`.

    Args:
        input_size: number of input features, or of unique tokens if the input is one-hot.
        hidden_size: number of units.
        grad_clip: see RecurrentLayer.
    """

    def __init__(self, input_size: int, hidden_size: int, grad_clip: float | None = None) -> None:
        super().__init__(hidden_size, grad_clip)
        self.W_in_IG = nn.Parameter(torch.empty(input_size, self.num_gates * hidden_size))
        self.b_G = nn.Parameter(torch.empty(self.num_gates * hidden_size))

    def sums(self, x: Tensor) -> Tensor:
        """The gates' sums over the inputs and the bias, (..., G), of tokens or features."""
        if x.is_floating_point():
            return nn.functional.linear(x, self.W_in_IG.t(), self.b_G)
        return nn.functional.embedding(x, self.W_in_IG + self.b_G)

    def recur(self, sums_TBG: Tensor, state: State) -> State:
        """Like `forward`, given the gates' sums over the inputs."""
        raise NotImplementedError

    def forward(self, x: Tensor, state: State) -> State:
        return self.recur(self.sums(x), state)

    def stepper(self) -> Step:
        table_IG: Tensor | None = None

        def step_(x: Tensor, before: State, after: State) -> None:
            nonlocal table_IG
            if x.is_floating_point():
                sums_BG = self.sums(x)
            else:
                if table_IG is None:
                    table_IG = self.sums(torch.arange(len(self.W_in_IG), device=x.device))
                sums_BG = table_IG.index_select(0, x)
            for part, written in zip(self.recur(sums_BG[None], before), after, strict=True):
                written.copy_(part[0])

        return step_


def orthogonal_(weight: Tensor, num_gates: int, generator: torch.Generator) -> None:
    """Draw an orthogonal matrix for each of the gates side by side along the last axis."""
    for gate in weight.chunk(num_gates, dim=1):
        gate.copy_(nn.init.orthogonal_(torch.empty_like(gate), generator=generator))
