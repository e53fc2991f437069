"""Drawing new tokens from a trained model: Algorithms 4 and 5."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from charrnn.backbone import Backbone, state_after
from charrnn.errors import CharRNNError, require_number, require_whole

COLDEST = 1e-3
"""Least temperature: the most likely token is all but certain, and logits do not overflow."""


class Diverged(CharRNNError):
    """A model whose predictions are not finite has nothing to sample."""


@dataclass(frozen=True)
class Choice:
    """How a token is drawn from the predicted distribution.

    Args:
        temperature: divides the logits; below 1 sharpens, above 1 flattens.
        top_k: draws from the k most likely tokens only; None from all.
        seed: of the draws.

    Raises:
        BadInput: if an argument is out of its range.
    """

    temperature: float = 1.0
    top_k: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        field, wanted = "sampling.choice.temperature", f"a number, at least {COLDEST}"
        require_number(field, self.temperature, wanted, lambda x: x >= COLDEST)
        if self.top_k is not None:
            require_whole("sampling.choice.top_k", self.top_k, 1, "token, or null")
        require_whole("sampling.choice.seed", self.seed, 0)

    def generator(self) -> torch.Generator:
        """A generator at the start of this seed's draws."""
        return torch.Generator().manual_seed(self.seed)

    def draw(self, logits_V: Tensor, generator: torch.Generator) -> int:
        """One token from the logits (|V|,).

        Raises:
            Diverged: if the logits are not finite.
        """
        if not torch.isfinite(logits_V).all():
            raise Diverged("the model's predictions are not finite: there is nothing to sample.")
        logits_V = logits_V.double().cpu() / self.temperature
        if self.top_k is not None and self.top_k < len(logits_V):
            kept = torch.full_like(logits_V, -torch.inf)
            best = logits_V.topk(self.top_k)
            logits_V = kept.scatter(0, best.indices, best.values)
        return int(torch.multinomial(logits_V.softmax(0), 1, generator=generator))


def windowed_sampling(
    backbone: Backbone, prompt_N: Tensor, k2: int, choice: Choice
) -> Iterator[int]:
    """Endless new tokens, each from the last k2 tokens and the initial state (Algorithm 4).

    Args:
        backbone: the model, in evaluation mode.
        prompt_N: seed sequence (N,), N >= 1; fewer than k2 tokens are read as they are.
        k2: tokens read for each new one.
        choice: how tokens are drawn.
    """
    generator = choice.generator()
    sequence = prompt_N[-k2:].tolist()
    while True:
        with torch.no_grad():
            window_TB = torch.tensor(sequence, device=prompt_N.device)[:, None]
            hidden_TBH, _ = backbone.recur(window_TB, backbone.initial_state(1))
            token = choice.draw(backbone.readout(hidden_TBH[-1, 0]), generator)
        yield token
        sequence = [*sequence, token][-k2:]


def progressive_sampling(
    backbone: Backbone, prompt_N: Tensor, k2: int, choice: Choice
) -> Iterator[int]:
    """Endless new tokens, each from the token before it and the state carried along (Algorithm 5).

    Args:
        backbone: the model, in evaluation mode.
        prompt_N: seed sequence (N,), N >= 1, read from the initial state. All of it is read:
            its length stands where the paper has k2.
        k2: not used; the argument keeps the two procedures interchangeable.
        choice: how tokens are drawn.
    """
    del k2
    generator = choice.generator()
    tokens_TB, state = prompt_N[:, None], backbone.initial_state(1)
    while True:
        with torch.no_grad():
            hidden_TBH, trajectory = backbone.recur(tokens_TB, state)
            token = choice.draw(backbone.readout(hidden_TBH[-1, 0]), generator)
            tokens_TB, state = tokens_TB.new_tensor([[token]]), state_after(trajectory, -1)
        yield token


SAMPLERS: dict[str, Callable[[Backbone, Tensor, int, Choice], Iterator[int]]] = {
    "windowed": windowed_sampling,
    "progressive": progressive_sampling,
}
