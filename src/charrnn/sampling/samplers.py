"""Drawing new tokens from a trained model: Algorithms 4 and 5."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch import Tensor

from charrnn.backbone.network import Network
from charrnn.data.vocabulary import Vocabulary
from charrnn.errors import CharRNNError
from charrnn.sampling.stepping import Progressive, Reader, RollingWindows
from charrnn.schema.fields import check_arguments


class Diverged(CharRNNError):
    """A model's predictions are not finite, so nothing can be sampled."""


@dataclass(frozen=True)
class Choice:
    """How a token is drawn from the predicted distribution.

    Args:
        temperature: divides the logits; values below 1 sharpen the distribution, values above 1
            flatten it.
        top_k: draws from the k most likely tokens only; None draws from all.
        seed: seed of the draws.

    Raises:
        BadInput: if an argument is out of its range.

    Examples:
        >>> choice = Choice(temperature=0.5, top_k=1)
        >>> choice.draw(torch.tensor([0.1, 0.7, 0.2]), choice.generator())
        1
    """

    temperature: float = 1.0
    top_k: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        check_arguments("sampling.choice.", **asdict(self))

    def generator(self, stream: int = 0) -> torch.Generator:
        """The random generator of a stream; stream s draws like a single one with seed + s."""
        return torch.Generator().manual_seed(self.seed + stream)

    def draw(self, logits_V: Tensor, generator: torch.Generator) -> int:
        """Draw one token from logits (|V|,).

        Raises:
            Diverged: if the logits are not finite.
        """
        # On the CPU, so that the same tokens are drawn on every device. A GPU is waited for then,
        # once per token, which the next step needs to know anyway.
        logits_V = logits_V.cpu().double()
        if not math.isfinite(logits_V.sum()):
            raise Diverged("the model's predictions are not finite, so nothing can be sampled.")
        logits_V = logits_V / self.temperature
        if self.top_k is not None and self.top_k < len(logits_V):
            kept = torch.full_like(logits_V, -torch.inf)
            best = logits_V.topk(self.top_k)
            logits_V = kept.scatter(0, best.indices, best.values)
        # One draw of torch.multinomial without its checks, which take longer than the draw itself.
        waiting_V = torch.empty_like(logits_V).exponential_(generator=generator)
        return int((logits_V.softmax(0) / waiting_V).argmax())


def windowed_sampling(
    backbone: Network, prompt_N: Tensor, k2: int, choice: Choice
) -> Iterator[int]:
    """Draw tokens without end, each from the last k2 tokens and the initial state (Algorithm 4).

    Args:
        backbone: the model, in evaluation mode.
        prompt_N: seed sequence (N,), N >= 1; if it is shorter than k2, all of it is read.
        k2: tokens read for each new one.
        choice: how tokens are drawn.

    Yields:
        The next token.

    Examples:
        >>> from charrnn import Backbone
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=4, dense_size=None).eval()
        >>> prompt_N = torch.tensor([0, 1, 2])
        >>> tokens = windowed_sampling(backbone, prompt_N, k2=2, choice=Choice(seed=1))
        >>> len(list(itertools.islice(tokens, 10)))
        10
    """
    generator = choice.generator()
    sequence, device = prompt_N[-k2:].tolist(), _device(backbone)
    while True:
        with torch.inference_mode():
            window_TB = torch.tensor(sequence, device=device)[:, None]
            hidden_TBH, _ = backbone.recur(window_TB, backbone.initial_state(1))
            token = choice.draw(backbone.readout(hidden_TBH[-1, 0]), generator)
        yield token
        sequence = [*sequence, token][-k2:]


def rolling_streams(
    backbone: Network, prompt_N: Tensor, k2: int, choice: Choice, num_samples: int
) -> Iterator[list[int]]:
    """Windowed sampling of several streams at once, in one step per token instead of k2.

    Up to rounding, the distributions are those of windowed_sampling; see charrnn.sampling.stepping.

    Args:
        backbone: the model, in evaluation mode.
        prompt_N: seed sequence (N,) of every stream, N >= 1; if it is shorter than k2, all of it is
            read.
        k2: number of tokens that each new one depends on.
        choice: how tokens are drawn; stream s draws like a single one with seed + s.
        num_samples: number of streams.

    Yields:
        The next token of every stream.
    """
    with torch.inference_mode():
        windows = RollingWindows(backbone, k2, num_samples)
    return _streams(windows, prompt_N[-k2:].to(_device(backbone)), choice, num_samples)


def progressive_streams(
    backbone: Network, prompt_N: Tensor, k2: int, choice: Choice, num_samples: int
) -> Iterator[list[int]]:
    """Progressive sampling of several streams at once (Algorithm 5).

    Args:
        backbone: the model, in evaluation mode.
        prompt_N: seed sequence (N,) of every stream, N >= 1. All of it is read, starting from the
            initial state; in the paper its length is k2.
        k2: unused; it makes the procedures interchangeable.
        choice: how tokens are drawn; stream s draws like a single one with seed + s.
        num_samples: number of streams.

    Yields:
        The next token of every stream.
    """
    del k2
    with torch.inference_mode():
        state = Progressive(backbone, num_samples)
    return _streams(state, prompt_N.to(_device(backbone)), choice, num_samples)


def _device(backbone: Network) -> torch.device:
    return backbone.output.weight.device


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


def rolling_sampling(backbone: Network, prompt_N: Tensor, k2: int, choice: Choice) -> Iterator[int]:
    """Windowed sampling k2 times as fast: rolling_streams with one stream.

    Examples:
        >>> from charrnn import Backbone
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=4, dense_size=None).eval()
        >>> prompt_N, choice = torch.tensor([0, 1, 2]), Choice(seed=1)
        >>> rolling = itertools.islice(rolling_sampling(backbone, prompt_N, 2, choice), 10)
        >>> windowed = itertools.islice(windowed_sampling(backbone, prompt_N, 2, choice), 10)
        >>> list(rolling) == list(windowed)
        True
    """
    return (token for (token,) in rolling_streams(backbone, prompt_N, k2, choice, 1))


def progressive_sampling(
    backbone: Network, prompt_N: Tensor, k2: int, choice: Choice
) -> Iterator[int]:
    """Draw tokens without end, each from the token before it and the carried state (Algorithm 5).

    This is progressive_streams with one stream.

    Examples:
        >>> from charrnn import Backbone
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=4, dense_size=None).eval()
        >>> tokens = progressive_sampling(backbone, torch.tensor([0, 1, 2]), k2=3, choice=Choice())
        >>> len(list(itertools.islice(tokens, 10)))
        10
    """
    return (token for (token,) in progressive_streams(backbone, prompt_N, k2, choice, 1))


def windowed_streams(
    backbone: Network, prompt_N: Tensor, k2: int, choice: Choice, num_samples: int
) -> Iterator[list[int]]:
    """Windowed sampling of several streams, one after another; see windowed_sampling."""
    streams = [
        windowed_sampling(backbone, prompt_N, k2, replace(choice, seed=choice.seed + stream))
        for stream in range(num_samples)
    ]
    while True:
        yield list(map(next, streams))


Sampler = Callable[[Network, Tensor, int, Choice], Iterator[int]]

SAMPLERS: dict[str, Sampler] = {
    "windowed": windowed_sampling,
    "rolling": rolling_sampling,
    "progressive": progressive_sampling,
}
"""The samplers of one stream. `rolling` is `windowed` with k2 times fewer steps."""

STREAMS: dict[str, Callable[[Network, Tensor, int, Choice, int], Iterator[list[int]]]] = {
    "windowed": windowed_streams,
    "rolling": rolling_streams,
    "progressive": progressive_streams,
}
"""The same for several streams; stream s draws like a single one with seed + s."""

FASTEST = {"windowed": "rolling", "progressive": "progressive"}
"""The fastest sampler for each sampling procedure."""


@dataclass(frozen=True)
class Text:
    """A text for a model to write.

    Attributes:
        prompt_N: seed sequence (N,).
        k2: tokens read for each new one in windowed sampling.
        choice: how tokens are drawn.
        length: number of tokens to draw.
        vocabulary: turns tokens into text.

    Examples:
        >>> from charrnn import Backbone
        >>> from charrnn.data.vocabulary import CHARACTERS
        >>> tokens, vocabulary = CHARACTERS.tokenize("to be or not to be")
        >>> text = Text(torch.from_numpy(tokens[:5]), 5, Choice(), length=7, vocabulary=vocabulary)
        >>> written = text.write(Backbone(len(vocabulary), hidden_size=4).eval(), "progressive")
        >>> written[:5], len(written)
        ('to be', 12)
    """

    prompt_N: Tensor
    k2: int
    choice: Choice
    length: int
    vocabulary: Vocabulary

    def write(
        self,
        backbone: Network,
        sampler: str,
        with_prompt: bool = True,
        after_each: Callable[[], object] | None = None,
    ) -> str:
        """Let a model write the text.

        Args:
            backbone: the model, in evaluation mode.
            sampler: a name in SAMPLERS.
            with_prompt: whether the text begins with the prompt.
            after_each: called after every token; an exception that it raises ends the text.

        Raises:
            Diverged: if the model's predictions are not finite.
        """
        drawn = SAMPLERS[sampler](backbone, self.prompt_N, self.k2, self.choice)
        tokens = self.prompt_N.tolist() if with_prompt else []
        for token in itertools.islice(drawn, self.length):
            tokens.append(token)
            if after_each is not None:
                after_each()
        return self.vocabulary.decode(np.array(tokens))
