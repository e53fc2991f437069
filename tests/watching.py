"""Looking at sweeps from outside: their logs, and the folders of their runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from processes import DEADLINE, Command

from charrnn.runs.folder import RunFolder


def end(process: Command) -> str:
    """What a sweep has written to its log, when it is over."""
    return process.communicate()[1]


def wait_until(condition: Callable[[], object], process: Command | None = None) -> None:
    """Wait for a condition; not any longer than the process runs that is to bring it about."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert process is None or process.poll() is None, f"ended too early: {end(process)}"
        assert time.monotonic() < deadline, "what a test waits for has not come"
        time.sleep(0.02)


def finished(tmp_path: Path) -> dict[str, int]:
    """The finished runs, each with the moment of its end."""
    marks = (tmp_path / "runs").glob("*/finished.json")
    return {mark.parent.name: mark.stat().st_mtime_ns for mark in marks}


def training(tmp_path: Path) -> dict[int, RunFolder]:
    """The runs that are being trained, by the process that does."""
    found = {}
    for lease in (tmp_path / "runs").glob("*/lease"):
        folder = RunFolder(lease.parent)
        if owner := folder.status().owner:
            found[int(owner.rpartition(":")[2])] = folder
    return found
