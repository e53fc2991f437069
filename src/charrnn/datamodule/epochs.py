"""The training batches for Trainers other than a run's: an epoch at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from charrnn.datamodule.batches import Batch, TrainBatches


class Epochs:
    """The training batches in pieces of an epoch: each iteration goes on where the last one ended.

    The batches are those of TrainBatches, which has no end. Whoever stops in the middle of an epoch
    goes on there, from a checkpoint of Lightning's too.

    Args:
        batches: the training batches; its own `start` plays no role.
        position: number of batches, counted from the first epoch, that have been read.

    Attributes:
        position: the same, counted on by every iteration.

    Examples:
        >>> import numpy as np
        >>> batches = TrainBatches(np.arange(10), k1=1, k2=3, batch_size=2, rotation=5)
        >>> epochs = Epochs(batches)
        >>> len(epochs)
        2
        >>> for epoch in range(2):
        ...     print([batch.inputs_TB[0].tolist() for batch in epochs])
        [[0, 5], [1, 6]]
        [[5, 0], [6, 1]]
    """

    def __init__(self, batches: TrainBatches, position: int = 0) -> None:
        self.batches, self.position = batches, position

    def __len__(self) -> int:
        return self.batches.per_epoch

    def __iter__(self) -> Iterator[Batch]:
        for batch in itertools.islice(self.batches.after(self.position), len(self)):
            self.position += 1
            yield batch

    def state_dict(self) -> dict[str, int]:
        """What Lightning keeps in its checkpoints."""
        return {"position": self.position}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        """Go on from what a checkpoint kept."""
        self.position = state_dict["position"]
