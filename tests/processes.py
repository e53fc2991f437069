"""Runs in processes of their own that can be killed: forked off a server that has imported all."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["charrnn.train", "tensorboard.compat.tensorflow_stub"])


def start(cfg: DictConfig, log: Path | None = None) -> multiprocessing.Process:
    """Train a run, like `python src/train.py`, without the seconds that imports take."""
    plain = OmegaConf.to_container(cfg, resolve=True)
    process = FORKS.Process(target=_train, args=(plain, log))
    process.start()
    return process


def run(cfg: DictConfig, log: Path | None = None) -> int:
    """Train a run; the process's exit status."""
    process = start(cfg, log)
    process.join(120)
    return process.exitcode


def _train(plain: dict, log: Path | None) -> None:
    import logging

    from charrnn.train import train

    file = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    train(OmegaConf.create(plain))
