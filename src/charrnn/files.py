"""Files that are either whole or not there."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY = ".*." + 32 * "[0-9a-f]"
"""Glob pattern of what is left of a file whose writer was killed."""


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write ``content`` under a temporary name, then give it ``path`` in one step."""
    with _written(path, content) as temporary:
        os.replace(temporary, path)


def create_atomically(path: Path, content: bytes | str) -> bool:
    """The same for one process only of all that try, on any machine: whether it is this one."""
    with _written(path, content) as temporary:
        try:
            os.link(temporary, path)
        except FileExistsError:
            # NFS may say so of a link that it has made, if its first answer was lost.
            return temporary.stat().st_nlink == 2
        except FileNotFoundError:
            raise
        except OSError:  # a file system without hard links: there is a moment without the content
            try:
                path.touch(exist_ok=False)
            except FileExistsError:
                return False
            os.replace(temporary, path)
    return True


@contextmanager
def _written(path: Path, content: bytes | str) -> Iterator[Path]:
    """A file with ``content`` beside ``path``, which is removed if it is left there."""
    data = content.encode() if isinstance(content, str) else content
    # As TEMPORARY says. Not mkstemp, whose files nobody else may read.
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)
