"""The processes of this machine that train a sweep: their jobs, and how they are stopped."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hydra.core.utils import JobReturn

from charrnn.runs.lease import Leases
from charrnn.sweeps.cells import Cell

log = logging.getLogger(__name__)

POLL = 0.05
"""Seconds between two looks at the leases."""
ATTEMPTS = 3
"""How often a run is tried whose process loses its GPU, or crashes. It may not be its fault: where
processes share a GPU by MPS, an error of one ends the others.
"""
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT}
"""What ends a process that reads or writes foreign memory. What a user or a machine without enough
memory sends is not among them.
"""
NO_GPU = "cannot use its GPU any more"
"""What has happened to a process, see Lost."""


@dataclass(frozen=True)
class Job:
    """A run of a sweep that waits to be trained.

    Attributes:
        number: among the sweep's jobs.
        overrides: what sets it apart from the others.
        attempts: how often it was tried.
    """

    number: int
    overrides: Sequence[str]
    attempts: int = 0

    def once_more(self, why: str) -> Job | None:
        """The job again, after its process was lost; None if that was the last attempt.

        Args:
            why: what has happened to the process.
        """
        attempts = self.attempts + 1
        if attempts == ATTEMPTS:
            return None
        log.warning(
            "That process %s: a new one goes on with the run (attempt %d of %d).",
            why,
            attempts + 1,
            ATTEMPTS,
        )
        return Job(self.number, [*self.overrides, "retry_failed=true"], attempts)


@dataclass(frozen=True)
class Lost:
    """A worker has ended in the middle of a run, with which another one can go on.

    Attributes:
        end: how the run ended.
        why: what has happened to the worker.
    """

    end: JobReturn
    why: str


def stop_workers(cells: Sequence[Cell]) -> None:
    """Tell every process that this one has started and that trains a run to stop; wait for them.

    Their launchers might otherwise kill them, or lose sight of them, before a checkpoint is
    written. Workers on other machines are left alone: what started them ends them.

    Args:
        cells: the cells whose runs are being trained.
    """
    leases = [Leases(cell.folder.path / "lease") for cell in cells if cell.folder]
    told: set[int] = set()
    while training := {pid for lease in leases if (pid := _worker(lease))}:
        for pid in training - told:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        told |= training
        time.sleep(POLL)


def _worker(lease: Leases) -> int | None:
    """The process that holds the lease, if this process or one of its own has started it."""
    owner = lease.owner()
    if owner is None or not owner.is_local or owner.pid == os.getpid():
        return None
    return owner.pid if os.getpid() in _ancestors(owner.pid) else None


def _ancestors(pid: int) -> list[int]:
    """The processes above one, as far as they can be seen."""
    found = []
    with suppress(OSError):
        while pid > 1:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2]
            pid = int(state.split()[1])
            found.append(pid)
    return found
