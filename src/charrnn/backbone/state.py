"""The state of a recurrent layer."""

from __future__ import annotations

from torch import Tensor

State = tuple[Tensor, ...]
"""The state tensors of one layer, each of shape (B, H); the first is the hidden state."""


def state_after(trajectory: list[State], index: int) -> list[State]:
    """The state after token ``index``, detached from the graph that computed it.

    Args:
        trajectory: for each layer, the states after every token, each (T, B, H).
        index: position of the token in the sequence; -1 for the last.

    Returns:
        The state of each layer, each (B, H).
    """
    # A copy, because a view would keep the states of the whole sequence in memory.
    return [tuple(part[index].detach().clone() for part in layer) for layer in trajectory]
