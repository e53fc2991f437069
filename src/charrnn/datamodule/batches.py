"""Training batches: the order in which training sequences are read (Section 4.1, Eq. 8)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from charrnn.datamodule.split import (
    LENGTH_STREAM,
    ROTATION_STREAM,
    SHUFFLE_STREAM,
    batches_per_epoch,
)
from charrnn.errors import require
from charrnn.schema.fields import Order

LONG, DEVIATION, SHORTEST = 0.95, 5, 5
"""Of random lengths: the share of the long ones, the standard deviation, and the least."""


class Batch(NamedTuple):
    """One training batch of B sequences, time-major.

    Attributes:
        inputs_TB: tokens (k2, B); with random lengths as many as were drawn.
        targets_TB: the token after each input token, of the same shape.
        number: index of the batch in its epoch, i in Eq. 8.
    """

    inputs_TB: Tensor
    targets_TB: Tensor
    number: int


class TrainBatches:
    """The training batches of a run, epoch after epoch, without end.

    ``equidistant`` is Eq. 8: batch i = 0, 1, 2, ... has B sequences out of N train tokens::

        |<--- floor(N / B) --->|<--- floor(N / B) --->|                      |
        |  i=0 [== k2 + 1 ==]  |  i=0 [== k2 + 1 ==]  |  ...  for j = B - 1  | N mod B
        |  i=1   [== k2 + 1 ==]|  i=1   [== k2 + 1 ==]|                      |
             ->k1<-

    An epoch ends when the last sequence would leave the train split: batch i exists if
    ``floor(N / B) * (B - 1) + i * k1 + k2 < N``, as in the authors' code. ``shuffled`` takes the
    sequences that start at 0, k1, 2 k1, ... in random order, and drops the last ones if they do not
    fill a batch.

    ``random-lengths`` is AWD-LSTM's order (Merity et al. 2018, Section 5): each lane is cut into
    sequences that follow each other, and whose lengths are drawn for every batch, the same for all
    lanes, see `random_lengths`. Epochs differ in their number of batches then.

    Args:
        train: the train split (N,).
        k1: tokens between the starts of successive sequences.
        k2: tokens in a sequence.
        batch_size: sequences in a batch, B.
        order: `equidistant`, `shuffled` or `random-lengths`.
        rotation: number of tokens by which the train split rotates after each epoch; None draws
            a rotation for each epoch from ``seed``. The first epoch is not rotated.
        seed: the data seed.

    Attributes:
        start: number of batches, counted from the start of the run, that an iterator skips because
            they have been trained already.

    Raises:
        BadInput: if the train split is too short for one batch, or has fewer than B tokens.

    Examples:
        Two lanes of five tokens each, the second of which ends with the train split:

        >>> batches = TrainBatches(np.arange(10), k1=1, k2=3, batch_size=2, rotation=0)
        >>> for batch in batches.epoch(0):
        ...     print(batch.inputs_TB.t().tolist(), "->", batch.targets_TB.t().tolist())
        [[0, 1, 2], [5, 6, 7]] -> [[1, 2, 3], [6, 7, 8]]
        [[1, 2, 3], [6, 7, 8]] -> [[2, 3, 4], [7, 8, 9]]
    """

    def __init__(
        self,
        train: np.ndarray,
        k1: int,
        k2: int,
        batch_size: int = 64,
        order: Order = "equidistant",
        rotation: int | None = None,
        seed: int = 0,
    ) -> None:
        N, B = len(train), batch_size
        require(k2 < N, "k2", k2, f"less than the {N} train tokens; or take a longer corpus")
        few = f"at most {N}, the number of train tokens; or take a longer corpus"
        require(B <= N, "datamodule.batch_size", B, few)
        self.train, self.k1, self.k2, self.batch_size = train, k1, k2, batch_size
        self.order, self.rotation, self.seed = order, rotation, seed
        self.start = 0
        if order == "shuffled":
            remedy = f"small enough for {B} sequences in {N} train tokens; or take a smaller batch"
            require(self.per_epoch >= 1, "k1", k1, remedy)
        else:
            last_lane = N - N // B * (B - 1)
            small = f"small enough that the last lane of {N} train tokens holds k2 + 1 = {k2 + 1}"
            remedy = f"{small} tokens, not {last_lane}; or take a smaller k2, or a longer corpus"
            require(self.per_epoch >= 1, "datamodule.batch_size", B, remedy)

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch; with random lengths, in the first one."""
        N, B = len(self.train), self.batch_size
        if self.order == "random-lengths":
            return len(self._lengths(0))
        if self.order == "shuffled":
            return len(range(0, N - self.k2, self.k1)) // B
        return batches_per_epoch(N, self.k1, self.k2, B)

    def place(self, batch: int) -> tuple[int, int]:
        """The epoch of a batch, which is counted from the start of the run, and its index there."""
        if self.order != "random-lengths":
            return divmod(batch, self.per_epoch)
        for epoch in itertools.count():
            if batch < (size := len(self._lengths(epoch))):
                return epoch, batch
            batch -= size
        raise AssertionError("there is no last epoch")

    def __iter__(self) -> Iterator[Batch]:
        return self.after(self.start)

    def after(self, read: int) -> Iterator[Batch]:
        """The batches that follow the first ``read`` ones of the run, without end."""
        epoch, first = self.place(read)
        yield from self.epoch(epoch, first)
        for following in itertools.count(epoch + 1):
            yield from self.epoch(following)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, starting with batch ``first``."""
        rotated = np.roll(self.train, -self.rotation_of(epoch))
        sequences = enumerate(self._sequences(epoch))
        for number, (starts_B, length) in itertools.islice(sequences, first, None):
            places_TB = starts_B + np.arange(length + 1)[:, None]
            tokens_TB = torch.from_numpy(rotated[places_TB].astype(np.int64))
            yield Batch(tokens_TB[:-1], tokens_TB[1:], number)

    def rotation_of(self, epoch: int) -> int:
        """Number of tokens by which the train split is rotated in ``epoch``."""
        if self.rotation is not None or epoch == 0:
            return epoch * (self.rotation or 0) % len(self.train)
        generator = np.random.default_rng([self.seed, ROTATION_STREAM, epoch])
        return int(generator.integers(len(self.train)))

    def _sequences(self, epoch: int) -> Iterator[tuple[np.ndarray, int]]:
        """For each batch, where its sequences start in the train split, (B,), and their length."""
        lanes_B = np.arange(self.batch_size) * (len(self.train) // self.batch_size)
        if self.order == "random-lengths":
            lengths = self._lengths(epoch)
            for end, length in zip(np.cumsum(lengths), lengths, strict=True):
                yield lanes_B + end - length, int(length)
        elif self.order == "shuffled":
            starts = np.arange(0, len(self.train) - self.k2, self.k1)
            np.random.default_rng([self.seed, SHUFFLE_STREAM, epoch]).shuffle(starts)
            kept = starts[: self.per_epoch * self.batch_size]
            yield from ((starts_B, self.k2) for starts_B in kept.reshape(-1, self.batch_size))
        else:
            for i in range(self.per_epoch):
                yield lanes_B + i * self.k1, self.k2

    def _lengths(self, epoch: int) -> np.ndarray:
        """The random lengths of an epoch's sequences, which all but fill the last lane."""
        N, B = len(self.train), self.batch_size
        room = N - N // B * (B - 1) - 1  # the last target takes one
        generator = np.random.default_rng([self.seed, LENGTH_STREAM, epoch])
        lengths = random_lengths(self.k2, room // SHORTEST + 1, generator)
        return lengths[np.cumsum(lengths) <= room]


def random_lengths(k2: int, number: int, generator: np.random.Generator) -> np.ndarray:
    """Lengths of sequences as AWD-LSTM draws them (Merity et al. 2018, Section 5), (number,).

    Around k2 with probability 0.95, otherwise around k2 / 2, normal with a standard deviation of 5,
    rounded towards zero; at least SHORTEST.

    Examples:
        >>> lengths = random_lengths(100, 10_000, np.random.default_rng(0))
        >>> around_half = lengths < 75
        >>> f"{around_half.mean():.2f}, {lengths[~around_half].mean():.0f}"
        '0.05, 100'
    """
    means = np.where(generator.random(number) < LONG, k2, k2 / 2)
    return np.maximum(generator.normal(means, DEVIATION).astype(int), SHORTEST)
