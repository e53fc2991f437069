"""How much a model's predictions owe to the far past."""

from __future__ import annotations

import math

from torch import Tensor

from charrnn.backbone.network import Network
from charrnn.evaluation.perplexity import losses_after, perplexity_of

NEAR = 20
"""Tokens before a prediction that are its near past: the paper's shortest training sequence."""


def gain_from_far_past(backbone: Network, tokens_N: Tensor, k2: int, near: int = NEAR) -> float:
    """log(perplexity with a foreign far past / perplexity): what the true far past is good for.

    Each token is predicted from the k2 before it, as windowed sampling does. Then all but the last
    ``near`` of these are replaced by as many tokens from another place of the same text, half the
    text away. The network still reads k2 tokens, as it did in training, and text that looks like
    any other; only what it says about this prediction is gone.

    Args:
        backbone: the model, in evaluation mode.
        tokens_N: the text (N,), N > k2 + 1.
        k2: tokens read before each prediction, more than ``near``.
        near: tokens that stay.

    Returns:
        The gain: 0 for a model that predicts from its last ``near`` tokens alone. NaN or infinite
        for a diverged model.

    Examples:
        An untrained model learns nothing from any past:

        >>> from charrnn import Backbone
        >>> import torch
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=4, dense_size=None).eval()
        >>> tokens_N = torch.tensor([0, 1, 2, 3, 4] * 10)
        >>> abs(gain_from_far_past(backbone, tokens_N, k2=10, near=2)) < 0.01
        True
    """
    own_WT, targets_W = tokens_N[:-1].unfold(0, k2, 1), tokens_N[k2:]
    foreign_WT = own_WT.clone()
    foreign_WT[:, :-near] = own_WT.roll(len(own_WT) // 2, dims=0)[:, :-near]
    own, foreign = (
        perplexity_of(losses_after(backbone, windows_WT, targets_W), len(targets_W)).value
        for windows_WT in (own_WT, foreign_WT)
    )
    return math.log(foreign) - math.log(own)
