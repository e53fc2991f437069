"""How the loss weighs the last k3 positions of a training sequence (Section 5).

A weighting is a function from k3 to the weights (k3,) of the positions' cross-entropies, in double
precision. With k3 = 1 every weighting is single-loss training; `uniform` with k3 = k2 is multi-loss
training. To add a weighting, write its function here and list it in WEIGHTINGS, or declare it as an
entry point of your own package, see docs/how-to/plug-in.md.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from charrnn import plugins
from charrnn.backbone.precision import at_least_single, without_autocast
from charrnn.errors import require_choice

Weighting = Callable[[int], Tensor]


def uniform(k3: int) -> Tensor:
    """The average over the positions (Algorithm 1, line 9)."""
    return torch.full((k3,), 1 / k3, dtype=torch.float64)


def linear(k3: int) -> Tensor:
    """Rising from 0 to 1: i / (k3 - 1) at position i = 0, 1, ...; the weights sum to k3 / 2.

    Examples:
        >>> linear(5).tolist()
        [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    return torch.linspace(0, 1, k3, dtype=torch.float64) if k3 > 1 else uniform(1)


def exponential(k3: int) -> Tensor:
    """Rising to 1: exp(i - k3 + 1) at position i = 0, 1, ...; the weights sum to about 1.58."""
    return torch.arange(1 - k3, 1, dtype=torch.float64).exp()


def normalised(weighting: Weighting) -> Weighting:
    """Scale a weighting to a sum of 1, so the loss is an average, as in multi-loss training."""

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
PLUGINS = "charrnn.weightings"
"""Entry points in which a package declares weightings of its own."""


def weighting_called(name: str) -> Weighting:
    """A weighting by its name: one of the project's, or of an installed package.

    Raises:
        CharRNNError: if there is none, or its package cannot be imported.
    """
    if name in WEIGHTINGS:
        return WEIGHTINGS[name]
    require_choice("weighting", name, [*WEIGHTINGS, *plugins.names(PLUGINS)])
    found: Weighting = plugins.load(PLUGINS, name)
    return found


def weighted_cross_entropy(
    readout: Callable[[Tensor], Tensor], hidden_TBH: Tensor, targets_TB: Tensor, weights_N: Tensor
) -> Tensor:
    """Cross-entropy (Eq. 10), averaged over the batch and weighted over the last N positions.

    The dense layers are applied to these positions only, which makes single-loss training cheaper.

    Args:
        readout: computes logits (..., |V|) from hidden states (..., H).
        hidden_TBH: hidden states after each input token (T, B, H).
        targets_TB: the tokens that follow each input token (T, B).
        weights_N: weights of the last N positions (N,), N <= T.

    Returns:
        The loss, a scalar in nats.

    Examples:
        Logits of zero predict each of 8 tokens with probability 1/8; log 8 is 2.0794:

        >>> hidden_TBH, targets_TB = torch.zeros(5, 2, 8), torch.zeros(5, 2, dtype=torch.int64)
        >>> weighted_cross_entropy(nn.Identity(), hidden_TBH, targets_TB, uniform(3))
        tensor(2.0794)
    """
    N = len(weights_N)
    # Even a slice of everything would cost the backward pass a copy of the whole array.
    hidden_NBH = hidden_TBH[-N:] if len(hidden_TBH) > N else hidden_TBH
    logits = at_least_single(readout(hidden_NBH.flatten(0, 1)))
    targets_NB = targets_TB[-N:]
    with without_autocast(logits):
        losses = nn.functional.cross_entropy(logits, targets_NB.flatten(), reduction="none")
        return weights_N.to(losses) @ losses.view_as(targets_NB).mean(1)
