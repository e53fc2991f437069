"""Checkpoints on disk: written whole, proven by a checksum, the last two kept while training.

A file is a line of JSON and then what torch.save writes. The line has `run`, the run that the
checkpoint belongs to, `batches`, the batches trained so far, `sha256`, of the rest, and a seal.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
from pathlib import Path
from typing import Any

from charrnn.errors import CannotRead, CharRNNError
from charrnn.files import open_file, write_atomically
from charrnn.runs.sealed import LONGER
from charrnn.seals import Damaged, sealed, unsealed

log = logging.getLogger(__name__)

HEADER = ("run", "batches", "sha256")
"""Fields of the line, beside its seal."""

CHECKPOINTS = NEWEST, BEFORE, NEXT = (
    "checkpoint.pt",
    "checkpoint-before.pt",
    "checkpoint-next.pt",
)


class DamagedCheckpoint(CharRNNError):
    """A checkpoint whose checksum is right, and that is none of this project's."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} is not a checkpoint of a training: remove it, and give the same command again."
        )


def write_checkpoint(path: Path, batches: int, content: bytes) -> None:
    """Write a checkpoint as the newest one; the newest so far becomes the one before.

    Args:
        path: of the newest checkpoint.
        batches: batches trained so far.
        content: what torch.save has written.

    Raises:
        OSError: if it cannot be written; the other checkpoints are as they were then.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    header = sealed(dict(zip(HEADER, (_run_of(path), batches, sha256), strict=True)))
    following = path.with_name(NEXT)
    write_atomically(following, json.dumps(header).encode() + b"\n" + content)
    if path.exists():
        os.replace(path, path.with_name(BEFORE))
    os.replace(following, path)


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest intact checkpoint in a run's folder; a damaged one gets a line in the log.

    Raises:
        CannotRead: if a checkpoint exists and cannot be read.
    """
    for path in (folder / NEWEST, folder / BEFORE):
        header = read_header(path)
        try:
            with open_file(path) if header else io.BytesIO() as file:
                file.readline()
                if header and hashlib.file_digest(file, "sha256").hexdigest() == header["sha256"]:
                    return path
        except OSError as error:
            raise CannotRead(path, error) from error
        if path.exists():
            log.warning("%s is damaged and is ignored.", path)
    return None


def batches_kept(folder: Path) -> int:
    """Batches in the newest checkpoint; 0 if there is none. Reads only one line."""
    return next(filter(None, (batches_in(folder / name) for name in (NEWEST, BEFORE))), 0)


def batches_in(checkpoint: Path) -> int:
    """Batches in a checkpoint; 0 if it is none. Reads only one line."""
    header = read_header(checkpoint)
    return header["batches"] if header else 0


def read_header(path: Path) -> dict[str, Any] | None:
    """The first line of a checkpoint; None if it is none, or another run's.

    Raises:
        CannotRead: if the file exists and cannot be read.
    """
    try:
        with open_file(path) as file:
            header = unsealed(file.readline(1024), HEADER)
    except (FileNotFoundError, NotADirectoryError, Damaged):
        return None
    except OSError as error:
        raise CannotRead(path, error) from error
    match header:
        case {"run": str(run), "batches": int(), "sha256": str()} if run == _run_of(path):
            return header
    return None


def _run_of(path: Path) -> str:
    """The name of the run that a checkpoint at ``path`` belongs to."""
    folder = path.parent
    return (folder.parent if folder.name == LONGER else folder).name
