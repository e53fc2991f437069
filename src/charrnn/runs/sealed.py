"""A folder whose files are proven by the mark that it is finished, and written whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Any

from charrnn.errors import CannotRead, CharRNNError, reason
from charrnn.files import write_atomically
from charrnn.runs.lease import Claim

MARK = "finished.json"


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
    """A folder that can be marked as finished, with the checksums of files in it.

    Attributes:
        path: where it is.
        claim: of this process, which is checked before anything is written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.claim: Claim | None = None

    def seal(self, mark: dict[str, Any], names: Iterable[str]) -> None:
        """Mark the folder as finished, and the files ``names`` as complete."""
        seals = {name: _sha256((self.path / name).read_bytes()) for name in names}
        self.write(MARK, as_json({**mark, "sha256": seals}))

    def mark(self) -> dict[str, Any] | None:
        """What `seal` has written; None if the folder is not finished, or if that is damaged.

        Raises:
            CannotRead: if it is there, and what it says cannot be known.
        """
        try:
            mark = json.loads((self.path / MARK).read_text())
        except (FileNotFoundError, NotADirectoryError, ValueError, RecursionError):
            return None
        except OSError as error:
            raise CannotRead(self.path / MARK, error) from error
        return mark if _is_mark(mark) else None

    def sealed(self) -> dict[str, str]:
        """The files that `seal` has sealed, and their checksums; none before that."""
        return (self.mark() or {}).get("sha256", {})

    def read(self, name: str) -> bytes:
        """The content of a file.

        Raises:
            DamagedRun: if it is gone, or is not what was sealed.
            CannotRead: if it is there, and cannot be read.
        """
        seals = self.sealed()
        try:
            content = (self.path / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise DamagedRun(self.path / name) from error
        except OSError as error:
            raise CannotRead(self.path / name, error) from error
        if name in seals and seals[name] != _sha256(content):
            raise DamagedRun(self.path / name)
        return content

    def write(self, name: str, content: bytes | str) -> None:
        """Write a file, whole or not at all.

        Raises:
            CannotWrite: if that fails.
            ClaimLost: if another process has taken over.
        """
        try:
            if self.claim:
                self.claim.check()
            write_atomically(self.path / name, content)
        except OSError as error:
            raise CannotWrite(self.path / name, error) from error


def as_json(content: dict[str, Any]) -> str:
    """JSON that people can read too."""
    return json.dumps(content, indent=2) + "\n"


def _is_mark(content: Any) -> bool:
    """Whether it has perplexities by name, and checksums by name, which an early run has not."""
    return (
        isinstance(content, dict)
        and _maps_to(int | float, content.get("perplexity"))
        and _maps_to(str, content.get("sha256", {}))
    )


def _maps_to(kind: type | UnionType, content: Any) -> bool:
    return isinstance(content, dict) and all(isinstance(v, kind) for v in content.values())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
