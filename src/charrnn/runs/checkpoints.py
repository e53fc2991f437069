"""Checkpoints on disk: the last two are kept, each proven by a checksum.

A file is a line of JSON (`run`: the folder that it belongs to, `batches`: trained so far,
`sha256`: of the rest), and then what torch.save writes; see charrnn.runs.checkpoint_io.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
from pathlib import Path
from typing import Any

from charrnn.errors import CannotRead

log = logging.getLogger(__name__)

CHECKPOINTS = NEWEST, BEFORE, NEXT = (
    "checkpoint.pt",
    "checkpoint-before.pt",
    "checkpoint-next.pt",
)


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest intact checkpoint in a run's folder; a line in the log tells of a damaged one.

    Raises:
        CannotRead: if there is one, and it cannot be known whether it is intact.
    """
    for path in (folder / NEWEST, folder / BEFORE):
        header = read_header(path)
        try:
            with open(path, "rb") if header else io.BytesIO() as file:
                file.readline()
                if header and hashlib.file_digest(file, "sha256").hexdigest() == header["sha256"]:
                    return path
        except OSError as error:
            raise CannotRead(path, error) from error
        if path.exists():
            log.warning("%s is damaged, and is left out.", path)
    return None


def batches_kept(folder: Path) -> int:
    """Batches in the newest checkpoint; 0 if there is none. Reads no more than a line."""
    return next(filter(None, (batches_in(folder / name) for name in (NEWEST, BEFORE))), 0)


def batches_in(checkpoint: Path) -> int:
    """Batches in a checkpoint; 0 if it is none. Reads no more than a line."""
    header = read_header(checkpoint)
    return header["batches"] if header else 0


def read_header(path: Path) -> dict[str, Any] | None:
    """What a checkpoint says of itself; None if it is none of its folder's run.

    Raises:
        CannotRead: if it is there, and what it says cannot be known.
    """
    try:
        with path.open("rb") as file:
            header = json.loads(file.readline(1024))
        return header if header["run"] == path.parent.name else None
    except (FileNotFoundError, NotADirectoryError, ValueError, TypeError, KeyError):
        return None
    except OSError as error:
        raise CannotRead(path, error) from error
