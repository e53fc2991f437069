"""The state of a recurrent layer, and where its peepholes look."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

Peepholes = Literal["lasagne", "paper", "none"]
State = tuple[Tensor, Tensor]
"""Hidden and cell state of one layer, each of shape (B, H)."""


def state_after(trajectory: list[State], index: int) -> list[State]:
    """The state after token ``index`` of a sequence, cut off from the graph that computed it."""
    # A copy, since a view would keep the whole sequence's states in memory.
    return [(h[index].detach().clone(), c[index].detach().clone()) for h, c in trajectory]
