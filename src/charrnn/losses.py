"""How the loss weighs the k2 positions of a training sequence. A new weighting is a function here.

A weighting maps k2 to the weights (k2,) of the positions' cross-entropies, in double precision.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Weighting = Callable[[int], Tensor]


def uniform(k2: int) -> Tensor:
    """Multi-loss: the average over all positions (Algorithm 1, line 9)."""
    return torch.full((k2,), 1 / k2, dtype=torch.float64)


def last(k2: int) -> Tensor:
    """Single-loss: the last position only (Algorithm 2, line 9)."""
    return nn.functional.one_hot(torch.tensor(k2 - 1), k2).double()


def scored_weights(weights_T: Tensor) -> Tensor:
    """The weights from the first position on that has one: what comes before costs nothing."""
    return weights_T[int(weights_T.nonzero()[0]) :]


def weighted_cross_entropy(
    readout: Callable[[Tensor], Tensor], hidden_TBH: Tensor, targets_TB: Tensor, weights_N: Tensor
) -> Tensor:
    """Cross-entropy (Eq. 10), averaged over the batch and weighted over the last N positions.

    The dense layers see these positions only, which makes single-loss training cheaper.

    Args:
        readout: logits (..., |V|) of hidden states (..., H).
        hidden_TBH: hidden states after each input token (T, B, H).
        targets_TB: the tokens that follow (T, B).
        weights_N: weights of the last N positions (N,), N <= T.

    Returns:
        The loss, a scalar in nats.
    """
    N = len(weights_N)
    logits = readout(hidden_TBH[-N:].flatten(0, 1))
    targets_NB = targets_TB[-N:]
    losses = nn.functional.cross_entropy(logits, targets_NB.flatten(), reduction="none")
    return weights_N.to(losses) @ losses.view_as(targets_NB).mean(1)
