"""What the time of a run goes into."""

from __future__ import annotations

import time

import torch


class Clock:
    """What the time of a run has gone into, over all the tries that it took.

    Attributes:
        seconds: of `training`, `evaluation` and `checkpoints`.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("training", "evaluation", "checkpoints"), 0.0)
        self.start()

    def start(self) -> None:
        """Time counts from here on."""
        self._since = time.perf_counter()

    def lap(self, on: str) -> None:
        """The time since the last lap has gone into ``on``."""
        now = time.perf_counter()
        self.seconds[on] += now - self._since
        self._since = now


def finish_queued_work() -> None:
    """Wait until a GPU has done what it was told to do, so that the time counts as that work's."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
