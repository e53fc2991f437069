"""Where a result comes from: versions, commit, machine."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from charrnn import __version__
from charrnn.backbone import compiled
from charrnn.backbone.acceleration import triton_works
from charrnn.devices import Place

PACKAGES = (
    "torch",
    "pytorch-lightning",
    "hydra-core",
    "omegaconf",
    "numpy",
    "pandas",
    "tensorboard",
)


def provenance(corpus: dict[str, Any], place: Place) -> dict[str, Any]:
    """Versions of the packages, git commit of the code, machine and corpus, as JSON takes them.

    Args:
        corpus: what to record about the corpus.
        place: the processor that the run is trained on.

    Returns:
        With `recurrence`: what computes the recurrent layers, `fused` passes on a CPU, `triton` on
        a GPU, or `torch`.
    """
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "git_commit": _git_commit(),
        "corpus": corpus,
        "python": platform.python_version(),
        # This code, which need not be installed.
        "packages": {"charrnn": __version__, **{name: _version(name) for name in PACKAGES}},
        "machine": machine() | place.describe(),
        "recurrence": _recurrence(place),
    }


def _recurrence(place: Place) -> str:
    if place.gpu is not None:
        return "triton" if triton_works() else "torch"
    return "fused" if compiled.is_available() else "torch"


def machine() -> dict[str, Any]:
    """The machine without its GPUs, as JSON takes it."""
    return {
        "name": platform.node(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _git_commit() -> str | None:
    """The commit of this checkout, with `-dirty` for local changes; None outside of one."""
    root = Path(__file__).parents[3]
    if not (root / "conf" / "train.yaml").exists():
        return None  # an installed package: a repository around it would be another project's
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--match="],
            cwd=root,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return described.stdout.strip()


def _processor() -> str:
    """The processor's name; Linux knows more than the standard library does."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(
            line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")
        )
    except (OSError, StopIteration):
        return platform.processor()
