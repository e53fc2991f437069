"""Drawing new tokens from a trained model: Algorithms 4 and 5."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from charrnn.backbone.network import Backbone
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CharRNNError, require_number, require_whole
from charrnn.sampling.stepping import Progressive, Reader, RollingWindows

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

    def generator(self, stream: int = 0) -> torch.Generator:
        """A generator at the start of a stream's draws: stream s draws as seed + s does alone."""
        return torch.Generator().manual_seed(self.seed + stream)

    def draw(self, logits_V: Tensor, generator: torch.Generator) -> int:
        """One token from the logits (|V|,).

        Raises:
            Diverged: if the logits are not finite.
        """
        logits_V = logits_V.double().cpu()
        if not math.isfinite(logits_V.sum()):
            raise Diverged("the model's predictions are not finite: there is nothing to sample.")
        logits_V = logits_V / self.temperature
        if self.top_k is not None and self.top_k < len(logits_V):
            kept = torch.full_like(logits_V, -torch.inf)
            best = logits_V.topk(self.top_k)
            logits_V = kept.scatter(0, best.indices, best.values)
        # torch.multinomial of one draw, without its checks, which would take longer than the draw.
        waiting_V = torch.empty_like(logits_V).exponential_(generator=generator)
        return int((logits_V.softmax(0) / waiting_V).argmax())


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
        with torch.inference_mode():
            window_TB = torch.tensor(sequence, device=prompt_N.device)[:, None]
            hidden_TBH, _ = backbone.recur(window_TB, backbone.initial_state(1))
            token = choice.draw(backbone.readout(hidden_TBH[-1, 0]), generator)
        yield token
        sequence = [*sequence, token][-k2:]


def rolling_streams(
    backbone: Backbone, prompt_N: Tensor, k2: int, choice: Choice, num_samples: int
) -> Iterator[list[int]]:
    """Windowed sampling of several streams at once, in one step a token instead of k2.

    The distributions are those of windowed_sampling, to rounding; see charrnn.sampling.stepping.

    Args:
        backbone: the model, in evaluation mode.
        prompt_N: seed sequence (N,) of every stream, N >= 1; fewer than k2 tokens are read as
            they are.
        k2: tokens behind each new one.
        choice: how tokens are drawn; stream s draws as seed + s does alone.
        num_samples: streams.

    Yields:
        The next token of every stream.
    """
    with torch.inference_mode():
        windows = RollingWindows(backbone, k2, num_samples)
    return _streams(windows, prompt_N[-k2:], choice, num_samples)


def progressive_streams(
    backbone: Backbone, prompt_N: Tensor, k2: int, choice: Choice, num_samples: int
) -> Iterator[list[int]]:
    """Progressive sampling of several streams at once (Algorithm 5).

    Args:
        backbone: the model, in evaluation mode.
        prompt_N: seed sequence (N,) of every stream, N >= 1, read from the initial state. All of it
            is read: its length stands where the paper has k2.
        k2: not used; the argument keeps the procedures interchangeable.
        choice: how tokens are drawn; stream s draws as seed + s does alone.
        num_samples: streams.

    Yields:
        The next token of every stream.
    """
    del k2
    with torch.inference_mode():
        state = Progressive(backbone, num_samples)
    return _streams(state, prompt_N, choice, num_samples)


def _streams(
    reader: Reader, prompt_N: Tensor, choice: Choice, num_samples: int
) -> Iterator[list[int]]:
    generators = [choice.generator(stream) for stream in range(num_samples)]
    with torch.inference_mode():
        for token in prompt_N:
            reader.read(token.expand(num_samples))
    while True:
        with torch.inference_mode():
            tokens = list(map(choice.draw, reader.logits(), generators))
        yield tokens
        with torch.inference_mode():
            reader.read(torch.tensor(tokens, device=prompt_N.device))


def rolling_sampling(
    backbone: Backbone, prompt_N: Tensor, k2: int, choice: Choice
) -> Iterator[int]:
    """Windowed sampling without its price: rolling_streams of one stream."""
    return (token for (token,) in rolling_streams(backbone, prompt_N, k2, choice, 1))


def progressive_sampling(
    backbone: Backbone, prompt_N: Tensor, k2: int, choice: Choice
) -> Iterator[int]:
    """Endless new tokens, each from the token before it and the state carried along (Algorithm 5).

    See progressive_streams, of which this is one stream.
    """
    return (token for (token,) in progressive_streams(backbone, prompt_N, k2, choice, 1))


def windowed_streams(
    backbone: Backbone, prompt_N: Tensor, k2: int, choice: Choice, num_samples: int
) -> Iterator[list[int]]:
    """Windowed sampling of several streams, one after another; see windowed_sampling."""
    streams = [
        windowed_sampling(backbone, prompt_N, k2, replace(choice, seed=choice.seed + stream))
        for stream in range(num_samples)
    ]
    while True:
        yield list(map(next, streams))


Sampler = Callable[[Backbone, Tensor, int, Choice], Iterator[int]]

SAMPLERS: dict[str, Sampler] = {
    "windowed": windowed_sampling,
    "rolling": rolling_sampling,
    "progressive": progressive_sampling,
}
"""One stream each. `rolling` has the distributions of `windowed`, and k2 times fewer steps."""

STREAMS: dict[str, Callable[[Backbone, Tensor, int, Choice, int], Iterator[list[int]]]] = {
    "windowed": windowed_streams,
    "rolling": rolling_streams,
    "progressive": progressive_streams,
}
"""The same of several streams, of which stream s draws as seed + s does alone."""

FASTEST = {"windowed": "rolling", "progressive": "progressive"}
"""The quickest sampler with the distributions of a sampling procedure."""


@dataclass(frozen=True)
class Text:
    """A text that a model is to write.

    Attributes:
        prompt_N: seed sequence (N,).
        k2: tokens read for each new one, in windowed sampling.
        choice: how tokens are drawn.
        length: tokens to draw.
        vocabulary: what tokens stand for.
    """

    prompt_N: Tensor
    k2: int
    choice: Choice
    length: int
    vocabulary: Vocabulary

    def write(self, backbone: Backbone, sampler: str, with_prompt: bool = True) -> str:
        """What a model writes after the prompt.

        Args:
            backbone: the model, in evaluation mode.
            sampler: one of SAMPLERS.
            with_prompt: whether the text begins with the prompt.

        Raises:
            Diverged: if there is nothing to sample.
        """
        prompt_N = self.prompt_N.to(backbone.output.weight.device)
        drawn = SAMPLERS[sampler](backbone, prompt_N, self.k2, self.choice)
        tokens = prompt_N.tolist() if with_prompt else []
        tokens += itertools.islice(drawn, self.length)
        return self.vocabulary.decode(np.array(tokens))
