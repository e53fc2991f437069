"""The commands: `python src/train.py` and, installed, `charrnn train`."""

from __future__ import annotations

import logging
import sys
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from charrnn.config import conf_folder, register_resolvers
from charrnn.errors import CharRNNError
from charrnn.sweep import describe
from charrnn.train import train as train_run

log = logging.getLogger(__name__)


def main() -> None:
    """The console script `charrnn`."""
    if sys.argv[1:2] != ["train"]:
        sys.exit("usage: charrnn train [--help] [-m] [name=value ...]")
    del sys.argv[1]
    train()


def train() -> None:
    """Train what the command line asks for: one run, or with -m a sweep."""
    register_resolvers()
    hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="train")(_job)()


def _job(cfg: DictConfig) -> None:
    """One run. Alone it ends the program on an error; in a sweep Hydra goes on with the others."""
    alone = HydraConfig.get().mode == RunMode.RUN
    if alone:
        announce_scale(cfg.scale.name, HydraConfig.get().runtime.choices["scale"])
    try:
        train_run(cfg)
    except Exception as error:
        if alone and isinstance(error, CharRNNError):
            refuse(error)
        log.error("failed: %s", describe(error))
        raise


def announce_scale(name: str, choice: str) -> None:
    """Say which scale is used, why, and how to take another one.

    Args:
        name: of the scale.
        choice: what was chosen, which may be `auto`.
    """
    reason = "as asked for"
    if choice == "auto":
        reason = "a GPU was found" if name == "paper" else "no GPU was found"
    log.info("scale=%s (%s); to change it: scale=paper, laptop, quick or smoke", name, reason)


def refuse(error: CharRNNError) -> NoReturn:
    """End the program with one sentence."""
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)
