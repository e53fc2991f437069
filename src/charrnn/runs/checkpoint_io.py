"""Lightning's way to checkpoints; apart from charrnn.runs.checkpoints, which is light to import."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.plugins import CheckpointIO

from charrnn.files import write_atomically
from charrnn.runs.checkpoints import BEFORE, NEXT


class CheckpointFiles(CheckpointIO):
    """How Lightning's checkpoints are written and read; charrnn.runs.checkpoints has the format."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        """Write a checkpoint as the newest one; the newest so far becomes the one before.

        Raises:
            OSError: if it cannot be written; the others are as they were then.
        """
        newest, buffer = Path(path), io.BytesIO()
        torch.save(checkpoint, buffer)
        content = buffer.getvalue()
        header = {
            "run": newest.parent.name,
            "batches": checkpoint["global_step"],
            "sha256": hashlib.sha256(content).hexdigest(),
        }
        coming = newest.with_name(NEXT)
        write_atomically(coming, json.dumps(header).encode() + b"\n" + content)
        if newest.exists():
            os.replace(newest, newest.with_name(BEFORE))
        os.replace(coming, newest)

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint that `newest_checkpoint` has found, on the CPU."""
        with Path(path).open("rb") as file:
            file.readline()
            content = io.BytesIO(file.read())
        return torch.load(content, map_location="cpu", weights_only=True)

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)
