"""The commands: `python src/train.py` and, installed, `charrnn train`."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from charrnn.config import conf_folder, register_resolvers
from charrnn.console import ConsoleHandler
from charrnn.data.build import build_gutenberg
from charrnn.data.catalogue import overview
from charrnn.data.midi import build as build_midi
from charrnn.errors import CharRNNError
from charrnn.sweep import describe
from charrnn.train import train as train_run

log = logging.getLogger(__name__)


def main() -> None:
    """The console script `charrnn`."""
    if sys.argv[1:2] == ["train"]:
        del sys.argv[1]  # the rest is Hydra's
        train()
        return
    parser = argparse.ArgumentParser(prog="charrnn")
    commands = parser.add_subparsers(required=True)
    commands.add_parser("train", help="train a run or a sweep: charrnn train --help")
    data = commands.add_parser("data", help="the corpora").add_subparsers(required=True)
    listing = data.add_parser("list", help="fetch what this machine can reach, and say what it is")
    listing.set_defaults(command=_list)
    build = data.add_parser("build", help="make a corpus from its sources")
    kinds = build.add_subparsers(required=True)
    midi = kinds.add_parser("midi", help="notes of all MIDI files in a folder, as the paper did")
    midi.add_argument("folder", metavar="FOLDER", type=Path)
    midi.set_defaults(command=_build_midi)
    gutenberg = kinds.add_parser("gutenberg", help="texts of Project Gutenberg, without licences")
    gutenberg.add_argument("files", metavar="FILES", type=Path, nargs="+")
    gutenberg.set_defaults(command=_build_gutenberg)
    for kind in (midi, gutenberg):
        kind.add_argument("out", metavar="OUT", type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[ConsoleHandler()])
    try:
        arguments.command(arguments)
    except CharRNNError as error:
        refuse(error)


def _list(_: argparse.Namespace) -> None:
    print(overview())


def _build_midi(arguments: argparse.Namespace) -> None:
    print(build_midi(arguments.folder, arguments.out))


def _build_gutenberg(arguments: argparse.Namespace) -> None:
    print(f"{build_gutenberg(arguments.files, arguments.out):,} characters: {arguments.out}")


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
