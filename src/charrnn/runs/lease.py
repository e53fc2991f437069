"""Who trains a run: claims that hold between processes, and between machines on one file system.

A claim is a numbered file in the run's folder ``claims``. To claim a run is to create the next
number, which succeeds for one process only, on network file systems too. A number is never used
twice, and the highest one counts, so nobody can take over a claim that is younger than the one
that he has found to be dead. (filelock's SoftFileLease takes over no claim on NFS.)

A claim is dead

- on its own machine: when its process is gone, at once. A process that stands still is not dead;
- elsewhere (another machine, another container, or this one before it was started again; also on
  systems without /proc, or where users do not see each other's processes there): when its
  heartbeat has not been seen for STALE seconds. The machines' clocks are not compared. A process
  that stood still for longer finds that its claim is lost before it writes the next time, and ends.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from charrnn.errors import CharRNNError
from charrnn.files import create_atomically, write_atomically

HEARTBEAT = 15.0
"""Seconds between two signs of life."""
STALE = 180.0
"""Seconds without one after which a claim is dead; NFS may show them a minute late."""
POLL = 1.0
"""Seconds between two looks at a claim that is waited for."""

_RELEASED = ".released"


class ClaimLost(CharRNNError):
    """The run was taken over by another process."""


@dataclass(frozen=True)
class Owner:
    """The process behind a claim.

    Attributes:
        host: the machine's name.
        pid: process id.
        kernel: names the running kernel and the processes that are visible; None if not all are.
        started: when the process was started, in ticks since the kernel was.
        batches: that the process has trained so far.
    """

    host: str
    pid: int
    kernel: str | None
    started: int | None
    batches: int = 0

    def __str__(self) -> str:
        return f"{self.host}:{self.pid}"

    @property
    def is_local(self) -> bool:
        """Whether this process can tell if that one lives."""
        if self.kernel is None or self.started is None:
            return False
        return (self.host, self.kernel) == (platform.node(), _kernel())

    @property
    def is_alive(self) -> bool:
        """Whether the process is there, if it is local."""
        return _started(self.pid) == self.started


class Claim:
    """A claim of this process, kept alive by a thread until it is released."""

    def __init__(self, path: Path) -> None:
        self.path, self._batches = path, 0
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Make sure that the run is still this process's.

        Raises:
            ClaimLost: if another process has taken over, even if it has released the run since,
                or finished it, which removes all claims.
            OSError: if that cannot be seen.
        """
        # A listing may leave out a file that the heartbeat replaces at this moment, hence `exists`.
        with suppress(FileNotFoundError):
            if self.path.exists() and _latest(self.path.parent)[0] <= int(self.path.name):
                return
        raise ClaimLost(f"{self.path.parent.parent} was taken over by another process.")

    def trained(self, batches: int) -> None:
        """Tell how many batches are trained: of the first at once, of others by the heartbeat."""
        first, self._batches = self._batches == 0, batches
        if first:
            self._beat()

    def release(self) -> None:
        """End the claim. The number stays, so that it is not used again."""
        self._released.set()
        self._thread.join()
        with suppress(FileNotFoundError):  # all claims of a finished run are removed
            self.path.rename(self.path.with_name(self.path.name + _RELEASED))

    def _live(self) -> None:
        while not self._released.wait(HEARTBEAT):
            self._beat()

    def _beat(self) -> None:
        try:
            write_atomically(self.path, _this_process(self._batches))
        except OSError:  # a full disk does not end a life
            with suppress(OSError):  # a server that is away; the next beat may do
                os.utime(self.path)


class Claims:
    """The claims of one run.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: tuple[Path, int] | None = None
        self._since = 0.0

    @contextmanager
    def held(self, on_wait: Callable[[], object]) -> Iterator[Claim]:
        """Hold a claim; ``on_wait()`` is called once if another process holds one.

        Raises:
            OSError: if the folder cannot be written.
        """
        claim = self._take()
        if claim is None:
            on_wait()
        while claim is None:
            time.sleep(POLL)
            claim = self._take()
        try:
            yield claim
        finally:
            claim.release()

    def owner(self) -> Owner | None:
        """Who holds the run. Reads only; of a dead claim elsewhere it may learn a little late."""
        with suppress(OSError):
            number, path = _latest(self.folder)
            owner = _read(path) if number and path.suffix != _RELEASED else None
            if owner and owner.is_local:
                return owner if owner.is_alive else None
            if owner and time.time() - path.stat().st_mtime < STALE:
                return owner
        return None

    def _take(self) -> Claim | None:
        """A claim, unless another process has one that is alive, or is faster."""
        while True:
            with suppress(FileExistsError):
                self.folder.mkdir(parents=True)
            with suppress(FileNotFoundError):  # the run is finished just now, its claims removed
                number, path = _latest(self.folder)
                if number and path.suffix != _RELEASED and not self._is_dead(path):
                    return None
                mine = self.folder / _name(number + 1)
                return Claim(mine) if create_atomically(mine, _this_process()) else None

    def _is_dead(self, path: Path) -> bool:
        owner = _read(path)
        if owner and owner.is_local:
            return not owner.is_alive
        try:
            seen = path, path.stat().st_mtime_ns
        except FileNotFoundError:  # released just now
            return False
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        return time.monotonic() - self._since >= STALE


def _this_process(batches: int = 0) -> str:
    """What a claim of this process says."""
    pid = os.getpid()
    return json.dumps(asdict(Owner(platform.node(), pid, _kernel(), _started(pid), batches)))


def _latest(folder: Path) -> tuple[int, Path]:
    """The claim that counts, and its number; 0 if there is none."""
    claims = [path for path in folder.iterdir() if path.stem.isdigit()]
    return max(((int(path.stem), path) for path in claims), default=(0, folder))


def _name(number: int) -> str:
    return f"{number:06}"


def _read(path: Path) -> Owner | None:
    """Who wrote a claim; None if that cannot be read."""
    try:
        return Owner(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _kernel() -> str | None:
    try:
        Path("/proc/1/stat").stat()  # hidden where users do not see each other's processes
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return None


def _started(pid: int) -> int | None:
    """When a process was started, in ticks since the kernel was; None if it is no more."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else int(fields[18])
