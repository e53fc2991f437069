"""Runs in processes of their own that can be killed: forked off a server that has imported all."""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import signal
import sys
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from omegaconf import DictConfig, OmegaConf

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["charrnn.training.lifecycle", "tensorboard.compat.tensorflow_stub"])


class Moment(NamedTuple):
    """Before the ``call``-th call of a function that has ``text`` in its arguments."""

    function: str
    text: str = ""
    call: int = 2


def start(
    cfg: DictConfig, log: Path | None = None, killed_at: Moment | None = None
) -> multiprocessing.Process:
    """Train a run, like `python src/train.py`, without the seconds that imports take.

    Args:
        cfg: of the run.
        log: where its lines go.
        killed_at: when the process gets a SIGKILL.
    """
    plain = OmegaConf.to_container(cfg, resolve=True)
    process = FORKS.Process(target=_train, args=(plain, log, killed_at))
    process.start()
    return process


def run(cfg: DictConfig, log: Path | None = None) -> int:
    """Train a run; the process's exit status."""
    process = start(cfg, log)
    process.join(120)
    return process.exitcode


def _train(plain: dict, log: Path | None, killed_at: Moment | None) -> None:
    import logging

    from charrnn.training.lifecycle import train

    file = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    if killed_at:
        _kill_at(killed_at)
    train(OmegaConf.create(plain))


def _kill_at(moment: Moment) -> None:
    function, calls = pkgutil.resolve_name(moment.function), []

    def called(*arguments):
        if moment.text in str(arguments):
            calls.append(True)
        if len(calls) == moment.call:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments)

    mock.patch(moment.function, called).start()
