"""The processes of this machine that train a sweep's runs, and how they are told to stop."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from charrnn.runs.lease import Leases
from charrnn.sweeps.cells import Cell

POLL = 0.05
"""Seconds between two looks at the leases."""


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
