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
    try:
        if alone:
            announce_scale(cfg)
        train_run(cfg)
    except CharRNNError as error:
        if alone:
            refuse(error)
        raise
    except Exception as error:
        log.error("failed: %s", describe(error))
        raise


def announce_scale(cfg: DictConfig) -> None:
    """Say which scale is used, why, and how to take another one."""
    name = cfg.scale.name
    chosen = HydraConfig.get().runtime.choices.scale if HydraConfig.initialized() else name
    why = {"paper": "a GPU was found", "quick": "no GPU was found"}[name] if chosen == "auto" else "as asked for"  # fmt: skip
    log.info("scale=%s (%s); to change it: scale=paper, laptop, quick or smoke", name, why)


def refuse(error: CharRNNError) -> NoReturn:
    """End the program with one sentence."""
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)
