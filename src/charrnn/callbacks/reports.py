"""How far runs that are trained side by side are, as their workers report it. Light to import."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass

from charrnn.console import duration

ENOUGH = 0.05
"""Runs that have to be done for an estimate of the time that the others take."""
EVERY = 2.0
"""Seconds between two reports of a run, at least."""


@dataclass(frozen=True)
class Report:
    """How far a run is.

    Attributes:
        title: what is being trained.
        batches: that it has been trained on, of `num_batches`.
        num_batches: that it will be trained on.
        loss: of the last of them.
    """

    title: str
    batches: int
    num_batches: int
    loss: float

    def __str__(self) -> str:
        return f"{self.title}: batch {self.batches} of {self.num_batches}, loss {self.loss:.3f}"


class Reporter:
    """Sends reports of one process's runs, not too many.

    Attributes:
        send: takes a report; None where nobody asks for them.
    """

    def __init__(self) -> None:
        self.send: Callable[[Report], object] | None = None
        self._last = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time for another report."""
        return self.send is not None and time.monotonic() - self._last >= EVERY

    def report(self, report: Report) -> None:
        """Send a report, if anybody is there to take it."""
        if self.send is not None:
            with suppress(OSError):
                self.send(report)
            self._last = time.monotonic()


REPORTER = Reporter()
"""This process's."""


def in_words(finished: int, of: int, seconds: float, running: Collection[Report]) -> str:
    """How far a sweep is, and about how long the rest takes if all runs are as long as those known.

    Args:
        finished: runs that are over.
        of: runs in all.
        seconds: since the sweep started.
        running: the last report of each run in progress.

    Examples:
        >>> in_words(1, 4, 60.0, [Report("scheme 1", 50, 100, 2.5)])
        '1 of 4 runs finished, about 0:01:40 left; scheme 1: batch 50 of 100, loss 2.500'
    """
    done = finished + sum(run.batches / run.num_batches for run in running)
    left = f", about {duration(seconds / done * (of - done))} left" if done >= ENOUGH else ""
    return "; ".join([f"{finished} of {of} runs finished{left}", *map(str, running)])
