"""Callbacks whose process is lost, for `+callbacks.lost._target_=lost_gpu.LosesGPU`."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch

ERROR = "CUDA error: an illegal memory access was encountered"


class LosesGPU(pl.Callback):
    """After three batches, kernels fail and the process cannot use the GPU any more.

    Args:
        file: every process adds a line to it, and those after the first ``times`` keep their GPU.
        times: how many lose theirs.
    """

    identity_name = None

    def __init__(self, file: str, times: int) -> None:
        self.file, self.times = Path(file), times

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step != 3:
            return
        with self.file.open("a+") as lines:
            lines.write("lost\n")
            lines.seek(0)
            if len(lines.readlines()) > self.times:
                return
        self.lose()

    def lose(self) -> None:
        """Let this process lose its GPU, and the run fail."""

        def fails() -> None:
            raise RuntimeError(ERROR)

        torch.cuda.is_initialized = lambda: True
        torch.cuda.synchronize = fails
        fails()


class Crashes(LosesGPU):
    """After three batches, the process reads memory that is not its own."""

    identity_name = None

    def lose(self) -> None:
        """End this process as a bad pointer does."""
        os.kill(os.getpid(), signal.SIGSEGV)
