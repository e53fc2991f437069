"""The device that a run is trained on, and how the GPUs of a machine are handed out.

What `device=auto` stands for is decided once, where a run or a sweep is planned. Every job of a
sweep is told the outcome, and trains there or not at all.
"""

from __future__ import annotations

import itertools
import logging
import os
import platform
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from charrnn.errors import CharRNNError, require_choice

log = logging.getLogger(__name__)

CHOICES = AUTO, CPU, GPU = "auto", "cpu", "gpu"
GPU_FILES = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/kfd", "/dev/dxg")
"""What Linux has if there is a GPU that torch can use: NVIDIA's driver, AMD's, Windows' (WSL)."""
SLOTS = ".gpus"
"""Folder of the locks by which GPUs are handed out, in the folder of all runs."""


@dataclass(frozen=True)
class Place:
    """The processor that a run is trained on.

    Attributes:
        gpu: the name of the GPU; None for the CPU.
        index: its number among those that this process may use.
    """

    gpu: str | None = None
    index: int = 0

    def __str__(self) -> str:
        return "the CPU" if self.gpu is None else f"GPU {self.index} ({self.gpu})"

    def describe(self) -> dict[str, Any]:
        """The place as a run's provenance has it."""
        device = CPU if self.gpu is None else f"cuda:{self.index}"
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        return {"device": device, "gpu": self.gpu, "cuda_visible_devices": visible}

    def for_trainer(self) -> dict[str, Any]:
        """Arguments with which Lightning's Trainer trains there."""
        if self.gpu is None:
            return {"accelerator": "cpu", "devices": 1}
        return {"accelerator": "gpu", "devices": [self.index]}


def has_gpu() -> bool:
    """Whether torch can train on a GPU here."""
    # Importing torch takes seconds: without a driver the answer is known before.
    if sys.platform == "linux" and not any(map(os.path.exists, GPU_FILES)):
        return False
    import torch

    return torch.cuda.is_available()


def num_gpus() -> int:
    """How many GPUs this process may use."""
    if not has_gpu():
        return 0
    import torch

    return torch.cuda.device_count()


def has_lost_gpu() -> bool:
    """Whether this process can no longer use a GPU, as after a kernel's access to foreign memory.

    Nothing but a new process helps then.
    """
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True
    return False


def shares_gpus() -> bool:
    """Whether NVIDIA's multi-process service (MPS) runs here.

    With it, kernels of several processes run on a GPU at the same time; without it, in turn.
    """
    folder = Path(os.environ.get("CUDA_MPS_PIPE_DIRECTORY", "/tmp/nvidia-mps"))
    try:
        process = int((folder / "nvidia-cuda-mps-control.pid").read_text())
        os.kill(process, 0)  # asks only whether there is such a process
    except PermissionError:
        return True  # there is, and it is another user's
    except (OSError, ValueError):
        return False
    return True


def gpu_name(index: int = 0) -> str:
    """The name of a GPU, which this process must have."""
    import torch

    return torch.cuda.get_device_name(index)


def decide(choice: str) -> str:
    """The device that `device=` stands for on this machine: `cpu` or `gpu`.

    Raises:
        BadInput: if it is neither `auto` nor one of these.
    """
    require_choice("device", choice, CHOICES)
    if choice != AUTO:
        return choice
    return GPU if has_gpu() else CPU


def require_here(device: str) -> None:
    """Refuse to train on the CPU what was planned for a GPU.

    Raises:
        CharRNNError: if there is no GPU here.
    """
    if device == GPU and not has_gpu():
        raise CharRNNError(
            f"device=gpu was asked for, or decided where the sweep was planned, but torch finds no "
            f"GPU on {platform.node()}: device=cpu allows training on a CPU, which may take far "
            "longer."
        )


@contextmanager
def taken(device: str, output_dir: Path) -> Iterator[Place]:
    """The place that a run is trained on, which is its own, or shared evenly, for as long.

    A run takes the first slot that no other run on this machine has, and slot n is on GPU n, or,
    if there are fewer GPUs, starts over with the first. So it does not matter which launcher, or
    how many commands, started the runs: as many runs as GPUs have one each, and more share them.

    Args:
        device: `cpu` or `gpu`.
        output_dir: the folder of all runs.

    Raises:
        CharRNNError: see `require_here`.
    """
    if device == CPU:
        yield Place()
        return
    require_here(device)
    # Processes that may use different GPUs count them differently: each such set has slots.
    visible = re.sub(r"[^\w,-]", "-", os.environ.get("CUDA_VISIBLE_DEVICES", "all"))
    with _first_free(output_dir / SLOTS / f"{platform.node()}-{visible}"[:200]) as slot:
        index = slot % num_gpus()
        _use(index)
        yield Place(gpu_name(index), index)


@contextmanager
def _first_free(folder: Path) -> Iterator[int]:
    """The lowest number that no other process has; a process that dies gives its number back."""
    folder.mkdir(parents=True, exist_ok=True)
    for slot in itertools.count():
        lock = FileLock(folder / f"{slot}.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout:
            continue
        except (OSError, NotImplementedError) as error:  # not every shared disk has locks
            log.warning("GPUs cannot be handed out one by one, all runs take the first: %s", error)
            yield 0
            return
        try:
            yield slot
        finally:
            lock.release()
        return


def _use(index: int) -> None:
    """Make a GPU the one that this process computes on."""
    import torch

    torch.cuda.set_device(index)
    torch.cuda.init()  # from here on `torch.cuda.is_initialized` says that training is on a GPU
