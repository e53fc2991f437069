"""A split in parts that follow each other, as validation and test loops of Lightning read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import Tensor

CHUNK = 2048
"""Tokens of a progressive pass whose hidden states are in memory at a time."""


class Part(NamedTuple):
    """Tokens that follow each other, and that both sampling procedures can be evaluated on.

    Attributes:
        tokens_N: up to `CHUNK` tokens to read, and the k2 that follow, which are the targets of
            windows that start among the former; (N,).
        start: place of the first token in the split.
    """

    tokens_N: Tensor
    start: int


class Parts:
    """A split as parts, in order: a sized iterable that any Trainer takes as a loader.

    Each token but the first k2 is scored once by each sampling procedure, see
    charrnn.evaluation.in_parts.

    Args:
        tokens_N: the split (N,), N > k2.
        k2: tokens that windowed sampling reads.

    Examples:
        >>> import torch
        >>> parts = Parts(torch.arange(5000), k2=100)
        >>> [(part.start, len(part.tokens_N)) for part in parts], len(parts)
        ([(0, 2148), (2048, 2148), (4096, 904)], 3)
    """

    def __init__(self, tokens_N: Tensor, k2: int) -> None:
        self.tokens_N, self.k2 = tokens_N, k2

    def __len__(self) -> int:
        return len(self._starts())

    def __iter__(self) -> Iterator[Part]:
        for start in self._starts():
            yield Part(self.tokens_N[start : start + CHUNK + self.k2], start)

    def _starts(self) -> range:
        return range(0, len(self.tokens_N) - 1, CHUNK)
