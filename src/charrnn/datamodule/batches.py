"""The train/test split and the order in which training sequences are read (Section 4.1, Eq. 8)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from charrnn.errors import require

Order = Literal["equidistant", "shuffled"]

# What a random number is drawn for; keeps the draws from one seed independent of each other.
_SPLIT, _ROTATION, _SHUFFLE = range(3)


class Batch(NamedTuple):
    """One training batch of B sequences, time-major.

    Attributes:
        inputs_TB: tokens (k2, B).
        targets_TB: the token after each input token, (k2, B).
        number: of the batch in its epoch, i of Eq. 8.
    """

    inputs_TB: Tensor
    targets_TB: Tensor
    number: int


def split(
    tokens: np.ndarray, test_size: int, offset: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rotate the corpus by ``offset`` tokens, and cut off the last ``test_size`` as the test split.

    Args:
        tokens: the corpus (N,).
        test_size: tokens in the test split.
        offset: the corpus is read from this token on, cyclically; None draws it from ``seed``.
        seed: the data seed.

    Returns:
        Train split (N - test_size,) and test split (test_size,).
    """
    require(
        len(tokens) > test_size,
        "datamodule.test_size",
        test_size,
        f"less than the {len(tokens)} tokens of the corpus",
    )
    if offset is None:
        offset = int(np.random.default_rng([seed, _SPLIT]).integers(len(tokens)))
    rotated = np.roll(tokens, -offset)
    return rotated[:-test_size], rotated[-test_size:]


class TrainBatches:
    """The batches of a run, one epoch after another without an end.

    Attributes:
        start: batches of the run that an iterator leaves out, since they have been trained.

    ``equidistant`` is Eq. 8, for batch i = 0, 1, 2, ... of B sequences from N train tokens::

        |<--- floor(N / B) --->|<--- floor(N / B) --->|                      |
        |  i=0 [== k2 + 1 ==]  |  i=0 [== k2 + 1 ==]  |  ...  for j = B - 1  | N mod B
        |  i=1   [== k2 + 1 ==]|  i=1   [== k2 + 1 ==]|                      |
             ->k1<-

    until the last sequence would leave the train split. ``shuffled`` takes the sequences that
    start at 0, k1, 2 k1, ... in random order, and drops those that do not fill a batch.

    Args:
        train: the train split (N,).
        k1: tokens between the starts of successive sequences.
        k2: tokens in a sequence.
        batch_size: B, sequences in a batch.
        order: `equidistant` or `shuffled`.
        rotation: tokens by which the train split is rotated after each epoch; None draws the
            rotation of every epoch from ``seed``. The first epoch is never rotated.
        seed: the data seed.

    Raises:
        BadInput: if the train split is too short for one batch.
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
        N = len(train)
        lane = f"lanes of k2 + 1 = {k2 + 1} tokens out of {N} train tokens"
        require(k2 < N, "k2", k2, f"less than the {N} train tokens; or take a longer corpus")
        most = N // (k2 + 1)
        remedy = f"at most {most} for {lane}; or take a smaller k2, or a longer corpus"
        require(batch_size <= most, "datamodule.batch_size", batch_size, remedy)
        self.train, self.k1, self.k2, self.batch_size = train, k1, k2, batch_size
        self.order, self.rotation, self.seed = order, rotation, seed
        self.start = 0
        remedy = f"small enough for {batch_size} sequences in {N} train tokens"
        require(self.per_epoch >= 1, "k1", k1, remedy)

    @property
    def per_epoch(self) -> int:
        """Batches in an epoch."""
        N, B = len(self.train), self.batch_size
        if self.order == "shuffled":
            return len(range(0, N - self.k2, self.k1)) // B
        return len(range(N // B * (B - 1), N - self.k2, self.k1))

    def __iter__(self) -> Iterator[Batch]:
        epoch, first = divmod(self.start, self.per_epoch)
        yield from self.epoch(epoch, first)
        for following in itertools.count(epoch + 1):
            yield from self.epoch(following)

    def epoch(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of an epoch, from number ``first`` on."""
        rotated = np.roll(self.train, -self.rotation_of(epoch))
        windows = np.lib.stride_tricks.sliding_window_view(rotated, self.k2 + 1)
        for number, starts in itertools.islice(enumerate(self.starts(epoch)), first, None):
            tokens_TB = torch.from_numpy(windows[starts].T.astype(np.int64, order="C"))
            yield Batch(tokens_TB[:-1], tokens_TB[1:], number)

    def rotation_of(self, epoch: int) -> int:
        """Tokens by which the train split is rotated in ``epoch``."""
        if self.rotation is not None or epoch == 0:
            return epoch * (self.rotation or 0) % len(self.train)
        return int(np.random.default_rng([self.seed, _ROTATION, epoch]).integers(len(self.train)))

    def starts(self, epoch: int) -> Iterator[np.ndarray]:
        """For every batch of ``epoch``, where its sequences start in the train split, (B,)."""
        if self.order == "shuffled":
            starts = np.arange(0, len(self.train) - self.k2, self.k1)
            np.random.default_rng([self.seed, _SHUFFLE, epoch]).shuffle(starts)
            yield from starts[: self.per_epoch * self.batch_size].reshape(-1, self.batch_size)
        else:
            lanes = np.arange(self.batch_size) * (len(self.train) // self.batch_size)
            for i in range(self.per_epoch):
                yield lanes + i * self.k1
