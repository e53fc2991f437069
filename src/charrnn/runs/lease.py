"""Who may write to a run: a lease that holds between processes, and between machines.

A lease is a numbered file in the run's folder ``lease``. A process takes the lease by creating the
file with the next number, which only one process can do, on network file systems too. Numbers are
never reused and the highest one counts, so a process that judged an old lease dead cannot steal a
newer one. (filelock's SoftFileLease takes over no lease on NFS.)

A lease is dead

- on its own machine: as soon as its process is gone. A suspended process still counts as alive;
- anywhere else (another machine, another container, this machine before it was rebooted; also on
  systems without /proc, or where users cannot see each other's processes there): when its
  heartbeat has not been seen for STALE seconds. The clocks of different machines are not compared.
  A process that was suspended for longer finds that it has lost its lease before it writes the next
  time, and ends.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from charrnn.errors import CharRNNError
from charrnn.files import create_atomically, read_file, write_atomically
from charrnn.seals import Damaged, sealed, unsealed
from charrnn.stopping import STOP

HEARTBEAT = 15.0
"""Seconds between two heartbeats."""
STALE = 180.0
"""Seconds without a heartbeat after which a lease is dead; NFS may show one a minute late."""
POLL = 1.0
"""Seconds between two looks at a lease that another process holds."""

_RELEASED = ".released"


class LeaseLost(CharRNNError):
    """Another process has taken the lease."""


@dataclass(frozen=True)
class Owner:
    """The process that holds a lease.

    Attributes:
        host: the machine's name.
        pid: process id.
        kernel: identifies the running kernel and the namespaces of processes and of time, on
            which ids and starting times depend; None if some processes are hidden.
        started: when the process started, in clock ticks since boot.
        batches: batches that the process has trained so far.
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
        """Whether this process can see if the owner is alive."""
        if self.kernel is None or self.started is None:
            return False
        return (self.host, self.kernel) == (platform.node(), _kernel())

    @property
    def is_alive(self) -> bool:
        """Whether the owner's process exists; only meaningful if it is local."""
        return _started(self.pid) == self.started


SOMEBODY = Owner("unknown", 0, None, None)
"""The owner of a lease whose file is damaged. It counts as one elsewhere: its heartbeat decides."""


class Lease:
    """A lease that this process holds; a thread keeps it alive until it is released."""

    def __init__(self, path: Path) -> None:
        self.path, self._batches = path, 0
        self._released = threading.Event()
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Make sure that this process still holds the lease.

        Raises:
            LeaseLost: if another process has taken it, even if that process has released it since,
                or if the folder was removed.
            OSError: if the folder cannot be read.
        """
        # A listing can miss a file while the heartbeat replaces it, hence `exists`.
        with suppress(FileNotFoundError):
            if self.path.exists() and _latest(self.path.parent)[0] <= int(self.path.name):
                return
        run = self.path.parent.parent
        how = "taken over by another process" if self.path.parent.exists() else "removed"
        raise LeaseLost(f"{run} was {how} while it was being trained.")

    def trained(self, batches: int) -> None:
        """Note how many batches are trained: written at once for the first, else by heartbeat."""
        first, self._batches = self._batches == 0, batches
        if first:
            self._beat()

    def release(self) -> None:
        """End the lease. Its number stays in the folder, which keeps it from being reused."""
        self._released.set()
        self._thread.join()
        # The folder was removed, or cannot be written any more: a lease of a process that is gone.
        with suppress(OSError):
            self.path.rename(self.path.with_name(self.path.name + _RELEASED))

    def _live(self) -> None:
        while not self._released.wait(HEARTBEAT):
            self._beat()

    def _beat(self) -> None:
        try:
            write_atomically(self.path, _this_process(self._batches))
        except OSError:  # keep the lease alive even if the disk is full
            with suppress(OSError):  # the server is away; the next heartbeat may succeed
                os.utime(self.path)


class Leases:
    """The leases of one run.

    Args:
        folder: where they are.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: tuple[Path, int] | None = None
        self._since = 0.0

    @contextmanager
    def held(self, on_wait: Callable[[], object]) -> Iterator[Lease]:
        """Hold the lease; ``on_wait()`` is called once if another process holds it.

        Raises:
            OSError: if the folder cannot be written.
            Stopped: if a signal was remembered while it waits.
        """
        lease = self._take()
        if lease is None:
            on_wait()
        while lease is None:
            time.sleep(POLL)
            STOP.check()
            lease = self._take()
        try:
            yield lease
        finally:
            lease.release()

    def owner(self) -> Owner | None:
        """Who holds the lease. Only reads; may notice late that a lease elsewhere is dead."""
        with suppress(OSError):
            number, path = _latest(self.folder)
            owner = _read(path) if number and path.suffix != _RELEASED else None
            if owner and owner.is_local:
                return owner if owner.is_alive else None
            if owner and time.time() - path.stat().st_mtime < STALE:
                return owner
        return None

    def _take(self) -> Lease | None:
        """The lease, unless another process holds it or is faster."""
        while True:
            with suppress(FileExistsError):
                self.folder.mkdir(parents=True)
            with suppress(FileNotFoundError):  # the folder was just removed
                number, path = _latest(self.folder)
                if number and path.suffix != _RELEASED and not self._is_dead(path):
                    return None
                mine = self.folder / _name(number + 1)
                return Lease(mine) if create_atomically(mine, _this_process()) else None

    def _is_dead(self, path: Path) -> bool:
        owner = _read(path)
        if owner and owner.is_local:
            return not owner.is_alive
        try:
            seen = path, path.stat().st_mtime_ns
        except FileNotFoundError:  # just released
            return False
        if seen != self._seen:
            self._seen, self._since = seen, time.monotonic()
        return time.monotonic() - self._since >= STALE


def _this_process(batches: int = 0) -> str:
    """The content of this process's lease file."""
    pid = os.getpid()
    owner = Owner(platform.node(), pid, _kernel(), _started(pid), batches)
    return json.dumps(sealed(asdict(owner)))


def _latest(folder: Path) -> tuple[int, Path]:
    """The lease with the highest number, and that number; 0 if there is none."""
    numbered = [path for path in folder.iterdir() if path.stem.isdigit()]
    return max(((int(path.stem), path) for path in numbered), default=(0, folder))


def _name(number: int) -> str:
    return f"{number:06}"


def _read(path: Path) -> Owner | None:
    """The owner named in a lease file; SOMEBODY if it is damaged, None if it cannot be read."""
    names = [field.name for field in fields(Owner)]
    try:
        found = unsealed(read_file(path), names)
    except OSError:
        return None
    except Damaged:
        return SOMEBODY
    match found:
        case {"host": str(), "pid": int(), "batches": int()} if found.keys() == {*names}:
            return Owner(**found)
    return SOMEBODY


def _kernel() -> str | None:
    try:
        Path("/proc/1/stat").stat()  # hidden where users cannot see each other's processes
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespaces = [os.readlink("/proc/self/ns/pid")]
        with suppress(OSError):  # a kernel that has none
            namespaces.append(os.readlink("/proc/self/ns/time"))
        return " ".join([boot, *namespaces])
    except OSError:
        return None


def _started(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if it is gone."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else int(fields[18])
