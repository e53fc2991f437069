"""Whether a run fits this machine: its memory, and its cores."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import torch
from omegaconf import DictConfig
from torch import nn

from charrnn.errors import BadInput, require
from charrnn.files import MEMORY

COPIES = 4
"""Numbers kept for every weight: itself, its gradient and Adam's two averages."""
THREADS_PER_CORE = 4
"""More threads on a core only wait for each other."""
MOST_THREADS = 16
"""Threads that a machine of few cores takes as well."""
CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Where Linux says how much memory a container, or a job of a cluster, may use."""


def check_fits(cfg: DictConfig, backbone: nn.Module) -> None:
    """Refuse a run that this machine cannot hold, before anything is allocated.

    Args:
        cfg: its configuration.
        backbone: its network, on the device `meta`.

    Raises:
        BadInput: naming the size that departs furthest from the scale's.
    """
    most = max(MOST_THREADS, THREADS_PER_CORE * (os.cpu_count() or 1))
    threads = f"at most {most} on this machine's {os.cpu_count()} cores, or null"
    require(cfg.threads is None or cfg.threads <= most, "threads", cfg.threads, threads)
    need, have = bytes_needed(cfg, backbone), memory()
    if need > have:
        field, value = _largest(cfg)
        gigabytes = f"training takes about {need / 1e9:,.1f} GB, and there are {have / 1e9:,.1f}"
        raise BadInput(field, value, f"smaller on this machine: {gigabytes}")


def bytes_needed(cfg: DictConfig, backbone: nn.Module) -> int:
    """About how much memory training takes: the weights' and, of a batch, the gates'."""
    weights = sum(each.numel() for each in backbone.parameters())
    size = cfg.backbone
    gates = cfg.k2 * cfg.datamodule.batch_size * size.num_layers * 4 * size.hidden_size
    return (COPIES * weights + gates) * (8 if cfg.precision == 64 else 4)


def memory() -> int:
    """The bytes that this process can have at most: of the GPU that trains, or of the machine."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_properties(0).total_memory
    limits = [MEMORY]
    for path in map(Path, CGROUPS):
        with suppress(OSError, ValueError):  # not there, or "max"
            limits.append(int(path.read_text()))
    return min(limits)


def _largest(cfg: DictConfig) -> tuple[str, int]:
    """The size that is the largest multiple of the scale's, or of the usual one."""
    size, scale = cfg.backbone, cfg.scale
    usual = {
        "backbone.hidden_size": (size.hidden_size, scale.hidden_size.large),
        "backbone.dense_size": (size.get("dense_size") or 0, scale.dense_size),
        "backbone.num_layers": (size.num_layers, 1),
        "datamodule.batch_size": (cfg.datamodule.batch_size, 64),
        "k2": (cfg.k2, 100),
    }
    field = max(usual, key=lambda name: usual[name][0] / usual[name][1])
    return field, usual[field][0]
