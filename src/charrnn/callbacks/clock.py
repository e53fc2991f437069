"""How the time of a run is spent."""

from __future__ import annotations

import time

import torch


class Clock:
    """How the time of a run was spent, over all its attempts.

    Attributes:
        seconds: seconds of `training`, `evaluation` and `checkpoints`.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("training", "evaluation", "checkpoints"), 0.0)
        self.start()

    def start(self) -> None:
        """Start counting."""
        self._since = time.perf_counter()

    def lap(self, on: str) -> None:
        """Count the time since the last lap as time spent ``on`` something."""
        now = time.perf_counter()
        self.seconds[on] += now - self._since
        self._since = now


def finish_queued_work() -> None:
    """Wait until a GPU has finished its queue, to count the time as time of that work."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
