"""How a model predicts if it reads on, far beyond the length of its training sequences.

Both measures are those of Buitrago Ruiz and Gu (2025, arXiv 2507.02782): perplexity against
position, and effective remembrance. Where the former turns up, the model has met states that its
training has not shown it; where the latter stays high, it has not let go of the distant past.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from charrnn.backbone.network import Network
from charrnn.backbone.precision import at_least_single
from charrnn.backbone.state import State, state_after
from charrnn.evaluation.perplexity import in_double, token_losses

READERS = 64
"""Readers side by side."""
STEPS = 32
"""Tokens of every reader whose states are in memory at a time."""


class ByPosition(NamedTuple):
    """What is measured after 1, 2, ..., T tokens from the initial state.

    Attributes:
        losses_T: -log p of the next token, the mean over readers, in double precision.
        sizes_PT: the mean of |x| over readers, layers and units, for each part of a layer's state:
            for an LSTM the hidden and the cell state.
        largest_PT: the largest |x|, likewise.
    """

    losses_T: Tensor
    sizes_PT: Tensor
    largest_PT: Tensor


def read_on(backbone: Network, tokens_N: Tensor, length: int, readers: int = READERS) -> ByPosition:
    """Let many readers read on from places all over a text, each from the initial state.

    The text is a circle, so that a reader can read more tokens than it has. Readers start at equal
    distances: over as many positions as lie between two of them, they score every token once, and
    positions can be compared.

    Args:
        backbone: the model, in evaluation mode.
        tokens_N: the text (N,).
        length: T, how many tokens each reads.
        readers: how many there are, at most N.

    Examples:
        >>> from charrnn import Backbone
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=4, dense_size=None).eval()
        >>> found = read_on(backbone, torch.tensor([0, 1, 2, 3, 4] * 10), length=200, readers=10)
        >>> found.losses_T.shape, round(found.losses_T.mean().exp().item())
        (torch.Size([200]), 5)
    """
    readers = min(readers, len(tokens_N))
    places_B = torch.arange(readers, device=tokens_N.device) * len(tokens_N) // readers
    places_TB = torch.arange(length + 1, device=tokens_N.device)[:, None] + places_B
    losses, sizes, largest = [], [], []
    state = backbone.initial_state(readers)
    with torch.inference_mode():
        for places_SB in places_TB[:-1].split(STEPS):
            inputs_SB, targets_SB = (tokens_N[(places_SB + n) % len(tokens_N)] for n in (0, 1))
            hidden_SBH, trajectory = backbone.recur(inputs_SB, state)
            state = state_after(trajectory, -1)
            own = token_losses(backbone.readout(hidden_SBH.flatten(0, 1)), targets_SB.flatten())
            losses.append(own.view(targets_SB.shape).mean(1))
            parts = [torch.cat(layers, dim=2).abs() for layers in zip(*trajectory, strict=True)]
            sizes.append(torch.stack([in_double(part).mean((1, 2)) for part in parts]))
            largest.append(torch.stack([in_double(part.amax((1, 2))) for part in parts]))
    found = torch.cat(losses), torch.cat(sizes, dim=1), torch.cat(largest, dim=1)
    return ByPosition(*(each.cpu() for each in found))


def effective_remembrance(
    backbone: Network, tokens_N: Tensor, kept: Sequence[int], samples: int = 64
) -> Tensor:
    """How far a prediction from the whole past lies from one of the last tokens alone.

    It is the total variation distance between the two distributions of the next token, from 0 to 1,
    a mean over places spread over the text. A model that has let go of what lies more than t tokens
    back has a distance of 0 at t.

    Args:
        backbone: the model, in evaluation mode.
        tokens_N: the text (N,), N > max(kept).
        kept: numbers t of last tokens, each at least 1.
        samples: number of places.

    Returns:
        The mean distance for each t, in double precision.

    Examples:
        With all tokens there are, nothing is left out:

        >>> from charrnn import Backbone
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=4, dense_size=None).eval()
        >>> effective_remembrance(backbone, torch.arange(30) % 5, [30], samples=1).item()
        0.0
    """
    most = max(kept)
    ends_S = torch.linspace(most, len(tokens_N), samples, device=tokens_N.device).long().unique()
    with torch.inference_mode():
        whole_SH = torch.cat([*_hidden_at(backbone, tokens_N, ends_S)])
        whole_SV = _probabilities(backbone, whole_SH)
        distances = []
        for t in kept:
            window_TS = tokens_N[ends_S - t + torch.arange(t, device=ends_S.device)[:, None]]
            last_SH = _read(backbone, window_TS)
            apart_SV = (whole_SV - _probabilities(backbone, last_SH)).abs()
            distances.append(apart_SV.sum(1).mean() / 2)
    return torch.stack(distances).cpu()


def _hidden_at(backbone: Network, tokens_N: Tensor, ends_S: Tensor) -> Iterator[Tensor]:
    """The hidden state of one reader of the text after ``ends_S`` tokens, in pieces."""
    state, before = backbone.initial_state(1), 0
    for inputs_T in tokens_N[: int(ends_S[-1])].split(1024):
        hidden_TBH, trajectory = backbone.recur(inputs_T[:, None], state)
        state = state_after(trajectory, -1)
        here_S = ends_S[(ends_S > before) & (ends_S <= before + len(inputs_T))]
        yield hidden_TBH[here_S - before - 1, 0]
        before += len(inputs_T)


def _read(backbone: Network, tokens_TB: Tensor) -> Tensor:
    """The hidden state after the last token, (B, H)."""
    state: list[State] = backbone.initial_state(tokens_TB.shape[1])
    for inputs_SB in tokens_TB.split(STEPS):
        hidden_SBH, trajectory = backbone.recur(inputs_SB, state)
        state = state_after(trajectory, -1)
    return hidden_SBH[-1]


def _probabilities(backbone: Network, hidden_BH: Tensor) -> Tensor:
    return in_double(at_least_single(backbone.readout(hidden_BH))).softmax(1)
