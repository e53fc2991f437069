"""Perplexity (Eq. 9) of a token sequence, with windowed or progressive predictions.

Both score the same tokens: all but the first k2.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from charrnn.backbone.network import Network
from charrnn.backbone.precision import at_least_single, without_autocast
from charrnn.backbone.state import State, state_after
from charrnn.datamodule.parts import CHUNK
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES

WINDOWS = 256
"""Windows that are read side by side, enough for efficient matrix products."""
WINDOWS_ON_A_GPU = 2048
"""The same of a GPU, which would be idle most of the time with a few hundred."""
STEPS = 10
"""Tokens of each window whose states are in memory at a time, few enough to fit into the cache."""
NOT_SCORED = -100
"""Target of a token that is read but not scored."""


BLOCK = 100
"""Tokens in a block, whose mean loss hardly depends on that of the next one."""


class Perplexity(NamedTuple):
    """A perplexity.

    Attributes:
        value: infinite or NaN for a diverged model.
        tokens_scored: the number of tokens in it.
        standard_error: of its logarithm: how much that would differ between test splits of this
            size, estimated from the means of blocks of 100 tokens (batch means, since the losses
            of neighbours are alike). NaN for fewer than two blocks.
    """

    value: float
    tokens_scored: int
    standard_error: float


def windowed_perplexity(backbone: Network, tokens_N: Tensor, k2: int) -> Perplexity:
    """Perplexity if each token is predicted from the k2 tokens before it alone (Algorithm 4).

    Every window of k2 tokens starts from the initial state.

    Args:
        backbone: the model, in evaluation mode.
        tokens_N: the test split (N,), N > k2.
        k2: tokens read before each prediction.

    Examples:
        An untrained model of 5 tokens predicts each with a probability of about 1/5:

        >>> from charrnn import Backbone
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=4, dense_size=None).eval()
        >>> tokens_N = torch.tensor([0, 1, 2, 3, 4] * 10)
        >>> perplexity = windowed_perplexity(backbone, tokens_N, k2=10)
        >>> round(perplexity.value), perplexity.tokens_scored
        (5, 40)
    """
    return perplexity_of(windowed_losses(backbone, tokens_N, k2), len(tokens_N) - k2)


def windowed_losses(backbone: Network, tokens_N: Tensor, k2: int) -> list[Tensor]:
    """-log p of every token but the first k2, in double precision, in chunks.

    Args:
        backbone: see windowed_perplexity.
        tokens_N: the tokens (N,), N > k2.
        k2: see windowed_perplexity.
    """
    return losses_after(backbone, tokens_N[:-1].unfold(0, k2, 1), tokens_N[k2:])


def losses_after(backbone: Network, windows_WT: Tensor, targets_W: Tensor) -> list[Tensor]:
    """-log p of a token after each window, in double precision, in chunks (`windows_at_a_time`).

    Args:
        backbone: see windowed_perplexity.
        windows_WT: the tokens to read, from the initial state (W, T).
        targets_W: the token after each window (W,).
    """
    losses, most = [], windows_at_a_time(windows_WT.device)
    with torch.inference_mode():
        for chunk_BT, targets_B in zip(windows_WT.split(most), targets_W.split(most), strict=True):
            state = backbone.initial_state(len(chunk_BT))
            for inputs_TB in chunk_BT.t().split(STEPS):
                hidden_TBH, trajectory = backbone.recur(inputs_TB, state)
                state = state_after(trajectory, -1)
            losses.append(token_losses(backbone.readout(hidden_TBH[-1]), targets_B))
    return losses


def windows_at_a_time(device: torch.device) -> int:
    """How many windows a device reads side by side."""
    return WINDOWS_ON_A_GPU if device.type == "cuda" else WINDOWS


def progressive_perplexity(backbone: Network, tokens_N: Tensor, k2: int) -> Perplexity:
    """Perplexity if each token is predicted from all tokens before it (Algorithm 5).

    The tokens are read once, from the initial state, and the state is carried along.

    Args:
        backbone: the model, in evaluation mode.
        tokens_N: the test split (N,), N > k2.
        k2: tokens read before the first one that is scored.

    Examples:
        >>> from charrnn import Backbone
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=4, dense_size=None).eval()
        >>> tokens_N = torch.tensor([0, 1, 2, 3, 4] * 10)
        >>> progressive_perplexity(backbone, tokens_N, k2=10).tokens_scored
        40
    """
    targets_N = tokens_N[1:].clone()
    targets_N[: k2 - 1] = NOT_SCORED
    state = backbone.initial_state(1)
    losses, _ = progressive_losses(backbone, tokens_N[:-1], targets_N, state)
    return perplexity_of(losses, len(tokens_N) - k2)


def progressive_losses(
    backbone: Network, inputs_N: Tensor, targets_N: Tensor, state: list[State]
) -> tuple[list[Tensor], list[State]]:
    """-log p of every target, 0 for those that are `NOT_SCORED`, in chunks of `CHUNK`.

    Args:
        backbone: see progressive_perplexity.
        inputs_N: the tokens to read (N,).
        targets_N: the token after each of them, or `NOT_SCORED`, (N,).
        state: for each layer, the state before the first token, (1, H) each.

    Returns:
        The chunks, in double precision, and the state after the last token.
    """
    losses = []
    with torch.inference_mode():
        for inputs_T, targets_T in zip(inputs_N.split(CHUNK), targets_N.split(CHUNK), strict=True):
            hidden_TBH, trajectory = backbone.recur(inputs_T[:, None], state)
            state = state_after(trajectory, -1)
            losses.append(token_losses(backbone.readout(hidden_TBH[:, 0]), targets_T))
    return losses, state


PROCEDURES: dict[str, Callable[[Network, Tensor, int], Perplexity]] = dict(
    zip(SAMPLING_PROCEDURES, (windowed_perplexity, progressive_perplexity), strict=True)
)


def token_losses(logits: Tensor, targets: Tensor) -> Tensor:
    """Each token's -log p, see `in_double`; 0 for those that are not scored.

    Args:
        logits: for each token, (N, |V|).
        targets: the tokens, or `NOT_SCORED`, (N,).
    """
    logits = at_least_single(logits)
    with without_autocast(logits):
        losses = nn.functional.cross_entropy(
            logits, targets, reduction="none", ignore_index=NOT_SCORED
        )
    return in_double(losses)


def in_double(values: Tensor) -> Tensor:
    """The values in double precision, on their device if that has it, else on the CPU.

    They stay there until all are measured, because a GPU would have to finish for each copy.
    """
    return values.to(place_of_doubles(values.device)).double()


def place_of_doubles(device: torch.device) -> torch.device:
    """The device, or the CPU for those that know no double precision."""
    return torch.device("cpu") if device.type == "mps" else device


def perplexity_of(losses: Sequence[Tensor], tokens_scored: int) -> Perplexity:
    """The perplexity of the last ``tokens_scored`` of the losses, which come in chunks."""
    losses = [chunk.cpu() for chunk in losses]
    mean = sum(chunk.sum().item() for chunk in losses) / tokens_scored
    scored = torch.cat(losses)[-tokens_scored:]
    means = scored[: tokens_scored // BLOCK * BLOCK].view(-1, BLOCK).mean(dim=1)
    error = means.std() / len(means) ** 0.5 if len(means) > 1 else torch.tensor(torch.nan)
    return Perplexity(
        # For a diverged model torch's exp overflows to infinity, where math's raises an error.
        torch.tensor(mean, dtype=torch.float64).exp().item(),
        tokens_scored,
        error.item(),
    )
