"""A folder that is sealed when its run is finished: checksums prove what results are read from."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Any

from charrnn.errors import CannotRead, CharRNNError, reason
from charrnn.files import write_atomically
from charrnn.runs.lease import Lease

MARK = "finished.json"
LONGER = "longer"
"""Subfolder in which a finished run is trained further; its result then replaces the folder's."""


class DamagedRun(CharRNNError):
    """A file of a run is not what was written."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is damaged, or was changed by hand: restore it, or remove {path.parent}, "
            "and the run is trained again."
        )


class CannotWrite(CharRNNError):
    """A run's folder cannot be written."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"{path} cannot be written: {reason(error)}.")


class SealedFolder:
    """A folder that can be marked as finished, with checksums of the files in it.

    The result can be replaced by a longer training's, which is written and sealed in the subfolder
    `longer` first. From that moment on it is the result: `mark` and `read` look there before they
    look in the folder itself, whatever `replace_result` has moved so far. A process that dies at
    any point leaves a complete result, the earlier one or the longer one.

    Attributes:
        path: where it is.
        lease: the lease that this process holds, checked before anything is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lease: Lease | None = None

    def seal(self, mark: dict[str, Any], names: Iterable[str]) -> None:
        """Mark the folder as finished, and the files ``names`` as complete."""
        seals = {name: sha256_of((self.path / name).read_bytes()) for name in names}
        self.write(MARK, as_json({**mark, "sha256": seals}))

    def mark(self) -> dict[str, Any] | None:
        """What `seal` has written; None if the folder is not finished, or the mark is damaged.

        Raises:
            CannotRead: if the file exists and cannot be read.
        """
        return _read_mark(self.path / LONGER / MARK) or _read_mark(self.path / MARK)

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            DamagedRun: if it is missing, or not what was sealed.
            CannotRead: if it exists and cannot be read.
        """
        mark = self.mark()
        while True:
            path = self._place(name)
            try:
                content = path.read_bytes()
            except (FileNotFoundError, NotADirectoryError) as error:
                if self._place(name) != path:  # just moved
                    continue
                raise DamagedRun(path) from error
            except OSError as error:
                raise CannotRead(path, error) from error
            seal = (mark or {}).get("sha256", {}).get(name)
            if seal is None or seal == sha256_of(content):
                return content
            before, mark = mark, self.mark()
            if mark == before:  # if not, the result was just replaced
                raise DamagedRun(path)

    def _place(self, name: str) -> Path:
        """Where a file of the result is, while or after the result is replaced."""
        longer = self.path / LONGER
        replaces = (longer / MARK).exists() and (longer / name).exists()
        return (longer if replaces else self.path) / name

    def has(self, name: str) -> bool:
        """Whether the result includes a file."""
        return self._place(name).exists() or name in (self.mark() or {}).get("sha256", {})

    @property
    def is_being_replaced(self) -> bool:
        """Whether a process died between sealing a longer training and replacing the result."""
        return _read_mark(self.path / LONGER / MARK) is not None

    def replace_result(self) -> None:
        """Make a finished longer training the folder's result, if there is one.

        Raises:
            CannotWrite: if that fails; the next call completes it.
            LeaseLost: if another process has taken over.
        """
        if not self.is_being_replaced:
            return
        longer = self.path / LONGER
        try:
            if self.lease:
                self.lease.check()
            # The mark comes last: until then it says that files are in either place.
            for path in sorted(longer.iterdir(), key=lambda path: path.name == MARK):
                if not path.name.startswith("."):  # of a killed writer
                    os.replace(path, self.path / path.name)
        except OSError as error:
            raise CannotWrite(self.path, error) from error
        shutil.rmtree(longer, ignore_errors=True)

    def write(self, name: str, content: bytes | str) -> None:
        """Write a file, whole or not at all.

        Raises:
            CannotWrite: if that fails.
            LeaseLost: if another process has taken over.
        """
        try:
            if self.lease:
                self.lease.check()
            write_atomically(self.path / name, content)
        except OSError as error:
            raise CannotWrite(self.path / name, error) from error


def as_json(content: dict[str, Any]) -> str:
    """JSON that people can read too."""
    return json.dumps(content, indent=2) + "\n"


def _read_mark(path: Path) -> dict[str, Any] | None:
    try:
        mark = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
        return None
    except OSError as error:
        raise CannotRead(path, error) from error
    return mark if _is_mark(mark) else None


def _is_mark(content: Any) -> bool:
    """Whether it has the batches trained, perplexities by name, and checksums by name."""
    return (
        isinstance(content, dict)
        and isinstance(content.get("batches"), int)
        and _maps_to(int | float, content.get("perplexity"))
        and _maps_to(str, content.get("sha256"))
    )


def _maps_to(kind: type | UnionType, content: Any) -> bool:
    return isinstance(content, dict) and all(isinstance(v, kind) for v in content.values())


def sha256_of(content: bytes) -> str:
    """The SHA-256 checksum of a file's content, in hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()
