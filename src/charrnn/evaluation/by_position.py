"""Perplexity by position: how much each additional token of context improves a prediction."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from charrnn.backbone.network import Network
from charrnn.evaluation.perplexity import WINDOWS, in_double


def perplexity_by_position(backbone: Network, tokens_N: Tensor, k2: int) -> Tensor:
    """The perplexity of the predictions after 1, 2, ..., k2 tokens from the initial state.

    Every window of k2 tokens in the text is read, so each position scores N - k2 predictions. The
    last position's perplexity is windowed_perplexity.

    Args:
        backbone: the model, in evaluation mode.
        tokens_N: the text (N,), N > k2.
        k2: tokens in a window.

    Returns:
        Perplexities (k2,) in double precision, infinite or NaN for a diverged model.

    Examples:
        >>> from charrnn import Backbone
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=4, dense_size=None).eval()
        >>> tokens_N = torch.tensor([0, 1, 2, 3, 4] * 10)
        >>> perplexity_by_position(backbone, tokens_N, k2=3).shape
        torch.Size([3])
    """
    inputs_WT, targets_WT = (text.unfold(0, k2, 1) for text in (tokens_N[:-1], tokens_N[1:]))
    losses_T = in_double(torch.zeros(k2, device=tokens_N.device))
    with torch.inference_mode():
        for inputs_BT, targets_BT in zip(
            inputs_WT.split(WINDOWS), targets_WT.split(WINDOWS), strict=True
        ):
            state = backbone.initial_state(len(inputs_BT))
            hidden_TBH, _ = backbone.recur(inputs_BT.t(), state)
            for t, (hidden_BH, targets_B) in enumerate(
                zip(hidden_TBH, targets_BT.t(), strict=True)
            ):
                losses = nn.functional.cross_entropy(
                    backbone.readout(hidden_BH), targets_B, reduction="none"
                )
                losses_T[t] += in_double(losses).sum()
    return (losses_T.cpu() / len(inputs_WT)).exp()
