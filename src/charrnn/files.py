"""Files that are written completely or not at all, and files that are safe to read."""

from __future__ import annotations

import errno
import os
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

from charrnn.errors import BadInput, reason, require

TEMPORARY = ".*." + 32 * "[0-9a-f]"
"""Glob pattern of the temporary files that a killed writer leaves behind."""
MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
"""Bytes of memory of this machine."""


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write ``content`` to a temporary file, then rename it to ``path`` in one step."""
    with _written(path, content) as temporary:
        os.replace(temporary, path)


def create_atomically(path: Path, content: bytes | str) -> bool:
    """Like write_atomically, but only one competing process, on any machine, succeeds.

    Returns:
        Whether it was this one.
    """
    with _written(path, content) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            # If its first answer was lost, NFS reports this for a link that it has made itself.
            return temporary.stat().st_nlink == 2
        except FileNotFoundError:
            raise
        except OSError:  # no hard links on this file system: the file is empty for a moment
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                return False
            os.replace(temporary, path)
    return True


@contextmanager
def _written(path: Path, content: bytes | str) -> Iterator[Path]:
    """A temporary file with ``content`` next to ``path``, removed at the end if it still exists."""
    data = content.encode() if isinstance(content, str) else content
    # A name that TEMPORARY matches. Files made by mkstemp would be unreadable for other users.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    except OSError as error:  # which names the temporary file, or none
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def require_writable(path: Path, field: str) -> None:
    """Refuse an output file that cannot be written, before any work is done for it.

    Args:
        path: the file.
        field: how the user named it.

    Raises:
        BadInput: if its folder does not exist or cannot be written to, or if ``path`` is something
            other than a file, such as a folder or a device.
    """
    folder = path.parent
    require(
        os.path.isdir(folder), field, path, f"a file in an existing folder, which {folder} is not"
    )
    writable = os.access(folder, os.W_OK | os.X_OK)
    require(writable, field, path, f"a file in a folder that you can write to, not in {folder}")
    replaceable = os.path.isfile(path) or not os.path.exists(path)
    require(replaceable, field, path, "a file or a new name, not a folder or a device")


def write_output(path: Path, content: bytes | str, field: str) -> None:
    """Write a file that the user asked for, completely or not at all.

    Raises:
        BadInput: naming ``field``, if it cannot be written.
    """
    try:
        write_atomically(path, content)
    except OSError as error:
        raise BadInput(field, path, f"a file that can be written ({reason(error)})") from error


def open_file(path: Path) -> BufferedReader:
    """Open a file for reading. Devices, pipes and the kernel's own files are an OSError."""
    # Look first: opening a pipe waits for someone to write to it.
    found = path.stat()
    plain = stat.S_ISREG(found.st_mode) and not _is_kernels(found)
    if not plain and not stat.S_ISDIR(found.st_mode):
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return path.open("rb")


def _is_kernels(found: os.stat_result) -> bool:
    """Whether a file is in /proc, where some, such as kmsg, never end."""
    with suppress(OSError):
        return found.st_dev == os.stat("/proc/self").st_dev
    return False


def read_file(path: Path) -> bytes:
    """The content of a file.

    What may never end is an OSError, see `open_file`, as is what does not fit in memory.
    """
    with open_file(path) as file:
        if os.fstat(file.fileno()).st_size > MEMORY:
            raise OSError(errno.EFBIG, "Larger than this machine's memory", str(path))
        return file.read()
