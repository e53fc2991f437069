"""How the time of a run is spent."""

from __future__ import annotations

import time
from typing import Any

import torch


class Clock:
    """How the time of a run was spent, over all its attempts.

    Attributes:
        seconds: seconds of `training`, `evaluation` and `checkpoints`.
        cpu_seconds: the same in processor time of this process, over all its threads.
    """

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("training", "evaluation", "checkpoints"), 0.0)
        self.cpu_seconds = dict(self.seconds)
        self.start()

    def start(self) -> None:
        """Start counting."""
        self._since, self._cpu_since = time.perf_counter(), time.process_time()

    def lap(self, on: str) -> None:
        """Count the time since the last lap as time spent ``on`` something."""
        since, cpu_since = self._since, self._cpu_since
        self.start()
        self.seconds[on] += self._since - since
        self.cpu_seconds[on] += self._cpu_since - cpu_since

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"seconds": dict(self.seconds), "cpu_seconds": dict(self.cpu_seconds)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what a checkpoint kept."""
        self.seconds.update(state["seconds"])
        self.cpu_seconds.update(state["cpu_seconds"])


def finish_queued_work() -> None:
    """Wait until a GPU has finished its queue, to count the time as time of that work."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
