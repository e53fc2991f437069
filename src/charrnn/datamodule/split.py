"""The test split: the corpus is rotated, and its last tokens are set aside (Section 4.2)."""

from __future__ import annotations

import numpy as np

from charrnn.errors import require

# Each kind of draw has a stream of random numbers of its own, so that the draws from one data seed
# do not depend on each other.
OFFSET_STREAM, ROTATION_STREAM, SHUFFLE_STREAM, LENGTH_STREAM = range(4)


def split(
    tokens: np.ndarray, test_size: int, offset: int | None, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rotate the corpus by ``offset`` tokens, then cut off its last tokens as the test split.

    The paper's test split has 11,100 tokens: 100 of context and 11,000 that are scored.

    Args:
        tokens: the corpus (N,).
        test_size: tokens in the test split.
        offset: position of the token that becomes the first; None draws it from ``seed``.
        seed: the data seed.

    Returns:
        Train split (N - test_size,) and test split (test_size,).

    Raises:
        BadInput: if the corpus has no more than ``test_size`` tokens.

    Examples:
        >>> train, test = split(np.arange(100_000), test_size=11_100, offset=5, seed=0)
        >>> train[[0, -1]].tolist(), test[[0, -1]].tolist(), len(test)
        ([5, 88904], [88905, 4], 11100)
    """
    require(
        len(tokens) > test_size,
        "datamodule.test_size",
        test_size,
        f"less than the {len(tokens)} tokens of the corpus",
    )
    if offset is None:
        offset = int(np.random.default_rng([seed, OFFSET_STREAM]).integers(len(tokens)))
    rotated = np.roll(tokens, -offset)
    return rotated[:-test_size], rotated[-test_size:]


def batches_per_epoch(train: int, k1: int, k2: int, batch_size: int) -> int:
    """Batches in an epoch of Eq. 8, see charrnn.datamodule.batches.

    Args:
        train: tokens of the train split.
        k1: tokens between the starts of successive training sequences.
        k2: tokens in a training sequence.
        batch_size: sequences in a batch.
    """
    return len(range(train // batch_size * (batch_size - 1), train - k2, k1))
