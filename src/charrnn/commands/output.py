"""The files that `--out` names."""

from __future__ import annotations

from pathlib import Path

from charrnn.errors import BadInput, require
from charrnn.files import write_atomically


def require_name(out: Path | None) -> None:
    """Refuse what names no file.

    Raises:
        BadInput: naming ``--out``.
    """
    require(out is None or out.name != "", "--out", out, "the name of a file")


def write_out(path: Path, content: bytes | str) -> None:
    """Write a file, whole or not at all.

    Raises:
        BadInput: if it cannot be written.
    """
    try:
        write_atomically(path, content)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadInput("--out", path, f"a file that can be written ({reason})") from error
