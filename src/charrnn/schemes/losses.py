"""How the loss weighs the last k3 positions of a training sequence. A new weighting goes here.

A weighting maps k3 to the weights (k3,) of these positions' cross-entropies, in double precision.
With k3 = 1 each of them is single-loss training, and uniform with k3 = k2 is multi-loss training.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

Weighting = Callable[[int], Tensor]


def uniform(k3: int) -> Tensor:
    """The average over the positions (Algorithm 1, line 9)."""
    return torch.full((k3,), 1 / k3, dtype=torch.float64)


def linear(k3: int) -> Tensor:
    """From 0 to 1: i / (k3 - 1) at position i = 0, 1, ... (Section 5); the sum is k3 / 2."""
    return torch.linspace(0, 1, k3, dtype=torch.float64) if k3 > 1 else uniform(1)


def exponential(k3: int) -> Tensor:
    """Up to 1: exp(i - k3 + 1) at position i = 0, 1, ... (Section 5); the sum nears 1.58."""
    return torch.arange(1 - k3, 1, dtype=torch.float64).exp()


def normalised(weighting: Weighting) -> Weighting:
    """The same weights, scaled to a sum of 1: the loss is an average, as in multi-loss training."""

    def weigh(k3: int) -> Tensor:
        weights = weighting(k3)
        return weights / weights.sum()

    return weigh


WEIGHTINGS: dict[str, Weighting] = {
    "uniform": uniform,
    "linear": linear,
    "exponential": exponential,
    "linear-normalised": normalised(linear),
    "exponential-normalised": normalised(exponential),
}


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
    # Cutting nothing off would still cost the backward pass a copy of the whole array.
    hidden_NBH = hidden_TBH[-N:] if len(hidden_TBH) > N else hidden_TBH
    logits = readout(hidden_NBH.flatten(0, 1))
    targets_NB = targets_TB[-N:]
    losses = nn.functional.cross_entropy(logits, targets_NB.flatten(), reduction="none")
    return weights_N.to(losses) @ losses.view_as(targets_NB).mean(1)
