"""What a sweep trains on: decided once, where it is planned, and the same for all of its jobs."""

from __future__ import annotations

import logging
import os

from omegaconf import DictConfig, OmegaConf

from charrnn import devices
from charrnn.devices import AUTO, GPU
from charrnn.errors import require
from charrnn.schema.check import is_local

log = logging.getLogger(__name__)

JOBS_PER_CORE = 4
"""Runs at once on a core, at most: each takes the memory of a process of its own."""
MOST_JOBS = 16
"""Runs at once that a machine of few cores takes as well."""
RUNS_ON_A_SHARED_GPU = 8
"""Runs at once on a GPU; on an H100, 14 of the paper's size made 6 % more steps together than 8."""
ASK_FOR_GPUS = ("launcher.gpus_per_node", "launcher.ray.remote.num_gpus")
"""Fields with which a launcher asks a cluster for the GPUs of a job."""
OF_A_NEW_RAY = {
    "address": "local",
    "_node_ip_address": "127.0.0.1",  # else Ray listens on all of the machine's addresses
    "include_dashboard": False,
}
"""How Ray is started on this machine."""


def settle(cfg: DictConfig) -> None:
    """Decide, in place, what `auto` stands for in a sweep: device, runs at once, GPUs per job.

    Args:
        cfg: the configuration of the whole sweep, of which its launcher has not been made yet.

    Raises:
        BadInput: if a field cannot be used.
        CharRNNError: if the runs need a GPU of this machine, which has none.
    """
    cfg.device = device_of(cfg)
    if is_local(cfg) or _starts_ray(cfg):
        devices.require_here(cfg.device)
    cfg.jobs = workers(cfg)
    for field in ASK_FOR_GPUS:
        if OmegaConf.select(cfg, field) == AUTO:
            OmegaConf.update(cfg, field, 1 if cfg.device == GPU else None)
    if _starts_ray(cfg):
        given = cfg.launcher.ray.init
        cfg.launcher.ray.init = {**given, **OF_A_NEW_RAY}


def device_of(cfg: DictConfig) -> str:
    """What all runs of a sweep are trained on: `cpu` or `gpu`.

    `auto` is a GPU if the launcher is told to ask for one: the machine where a sweep for a cluster
    is planned often has none.

    Raises:
        BadInput: if `device` is none of its values.
    """
    asked = [OmegaConf.select(cfg, field) for field in ASK_FOR_GPUS]
    if cfg.device == AUTO and any(isinstance(n, int | float) and n > 0 for n in asked):
        return GPU
    return devices.decide(cfg.device)


def workers(cfg: DictConfig) -> int:
    """How many runs this machine trains at once, as `jobs` says.

    `auto` is one run per GPU: more would take turns, and finish no sooner. Where NVIDIA's
    multi-process service lets them compute at the same time, it is `RUNS_ON_A_SHARED_GPU`, if there
    are as many cores. On CPUs it is one per core if a run takes one thread, and otherwise
    1: a run that uses all cores does not share them.

    Raises:
        BadInput: if they are more than this machine's cores can train.
    """
    if cfg.jobs == AUTO:
        if device_of(cfg) == GPU:
            on_each = RUNS_ON_A_SHARED_GPU if devices.shares_gpus() else 1
            return max(1, devices.num_gpus(), min(on_each * devices.num_gpus(), cores()))
        return cores() if cfg.threads == 1 else 1
    most = max(MOST_JOBS, JOBS_PER_CORE * cores())
    require(cfg.jobs <= most, "jobs", cfg.jobs, f"at most {most} on {cores()} cores, or auto")
    return cfg.jobs


def cores() -> int:
    """The cores that this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def announce_jobs(cfg: DictConfig) -> None:
    """Say what the runs of a settled sweep are trained on, and how many at once."""
    log.info("device=%s for all runs; to change it: device=cpu or gpu", cfg.device)
    if cfg.device == GPU and is_local(cfg):
        log.info("GPUs here: %d, runs at once: jobs=%d", devices.num_gpus(), cfg.jobs)


def _starts_ray(cfg: DictConfig) -> bool:
    init = OmegaConf.select(cfg, "launcher.ray.init")
    return init is not None and init.address in (None, OF_A_NEW_RAY["address"])
