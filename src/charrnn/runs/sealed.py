"""A folder that is sealed when its run is finished: checksums prove what results are read from."""

from __future__ import annotations

import functools
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from charrnn.errors import LARGEST, CannotRead, CannotWrite, CharRNNError
from charrnn.files import read_file, write_atomically
from charrnn.runs.lease import Lease
from charrnn.seals import Damaged, sealed, sha256_of, unsealed

MARK = "finished.json"
MARKS = ("batches", "perplexity", "seconds", "sha256")
"""Fields of the mark, beside its seal."""
LONGER = "longer"
"""Subfolder in which a finished run is trained further; its result then replaces the folder's."""


class DamagedRun(CharRNNError):
    """A file of a run is not what was written."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is damaged, or was changed by hand: restore it, or remove {path.parent}, "
            "and the run is trained again."
        )


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
        seals = {name: sha256_of(read_file(self.path / name)) for name in names}
        self.write(MARK, as_json(sealed({**mark, "sha256": seals})))

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
                content = read_file(path)
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

    def prove(self) -> None:
        """Check the mark, and every file of a finished result against its seal.

        Raises:
            DamagedRun: naming the first that is missing, or not what was sealed.
            CannotRead: if one exists and cannot be read.
        """
        mark = self.mark()
        if mark is None and (self.path / MARK).exists():
            raise DamagedRun(self.path / MARK)
        for name, seal in (mark or {}).get("sha256", {}).items():
            if _checksum(self._place(name)) != seal:
                self.read(name)  # which knows if the result was just replaced

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
        mark = unsealed(read_file(path), MARKS)
    except (FileNotFoundError, NotADirectoryError, Damaged):
        return None
    except OSError as error:
        raise CannotRead(path, error) from error
    return mark if _is_mark(mark) else None


def _is_mark(content: dict[str, Any]) -> bool:
    """Whether it has the batches trained, perplexities by name, and checksums by file."""
    match content:
        case {"batches": int(batches), "perplexity": dict(values), "sha256": dict(seals)}:
            return (
                1 <= batches <= LARGEST
                and all(map(_is_perplexity, values.values()))
                and all(isinstance(seal, str) for seal in seals.values())
                and all(name == Path(name).name for name in seals)
            )
    return False


def _is_perplexity(value: Any) -> bool:
    """Whether it is a float, or a whole number that has one; JSON's may have any size."""
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST
    return isinstance(value, float) or whole


def _checksum(path: Path) -> str | None:
    """The checksum of a file; None if it cannot be read."""
    try:
        found = path.stat()
        return _known_checksum(path, found.st_ino, found.st_size, found.st_mtime_ns)
    except OSError:
        return None


@functools.lru_cache(maxsize=10_000)
def _known_checksum(path: Path, *identity: int) -> str:
    """The same, read again only if the file was written since: a sweep asks many times."""
    del identity
    return sha256_of(read_file(path))
