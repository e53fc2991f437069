"""The commands: `python src/train.py` and, installed, `charrnn train`."""

from __future__ import annotations

import argparse
import io
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import hydra
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from charrnn.commands import compare, evaluate, sample
from charrnn.commands.tensorboard import serve
from charrnn.config import announce_scale, conf_folder, register_resolvers
from charrnn.console import ConsoleHandler, refuse
from charrnn.data.catalogue import overview
from charrnn.data.fetching.packages import no_fetching
from charrnn.data.gutenberg import build_gutenberg
from charrnn.data.music.midi import build as build_midi
from charrnn.errors import CharRNNError
from charrnn.sweeps.cells import Cell, check_all, expand
from charrnn.sweeps.jobs import describe
from charrnn.sweeps.plan import print_plan
from charrnn.sweeps.status import print_status
from charrnn.training.lifecycle import Taken
from charrnn.training.lifecycle import train as train_run

log = logging.getLogger(__name__)


INTERRUPTED = 130
"""The status of a command that Ctrl-C has ended."""


@contextmanager
def interruptible() -> Iterator[None]:
    """End the program on Ctrl-C with nothing but its status."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


@interruptible()
def main() -> None:
    """The console script `charrnn`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may not have a model's characters
    if sys.argv[1:2] == ["train"]:
        del sys.argv[1]  # the rest is Hydra's
        train()
        return
    parser = argparse.ArgumentParser(prog="charrnn")
    commands = parser.add_subparsers(required=True)
    commands.add_parser("train", help="train a run or a sweep: charrnn train --help")
    plan = commands.add_parser("plan", help="what experiments would cost; trains nothing")
    plan.add_argument("words", metavar="EXPERIMENT | FIELD=VALUE", nargs="+")
    plan.set_defaults(command=_plan)
    status = commands.add_parser("status", help="how far every cell of every grid is")
    status.add_argument("--runs", default="multirun", type=Path, help="folder of all runs")
    status.set_defaults(command=_status)
    board = commands.add_parser("tensorboard", help="look at what has been trained, in a browser")
    board.add_argument("--runs", default="multirun", type=Path, help="folder of all runs")
    board.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    board.add_argument("--port", default=6006, type=int, help="port; 0: any that is free (6006)")
    board.set_defaults(command=_tensorboard)
    for command in (sample, evaluate, compare):
        command.add_to(commands)
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
        sys.stdout.flush()
    except CharRNNError as error:
        refuse(error)
    except BrokenPipeError:  # whoever read the output has had enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _plan(arguments: argparse.Namespace) -> None:
    """The plan of several experiments together, whose shared runs count once."""
    overrides = [word for word in arguments.words if "=" in word]
    register_resolvers()
    experiments = {}
    with initialize_config_dir(str(conf_folder()), version_base="1.3"), no_fetching():
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        for name in (word for word in arguments.words if "=" not in word):
            words = [f"experiment={name}", *overrides]
            try:
                cfg = hydra.compose_config("train", words, RunMode.MULTIRUN)
                cells = expand(hydra.config_loader, cfg, cfg.hydra.overrides.task)
            except HydraException as error:
                raise CharRNNError(str(error)) from error
            check_all(cells)
            experiments[name] = cells
        print_plan(experiments, cfg)


def _status(arguments: argparse.Namespace) -> None:
    print_status(arguments.runs)


def _tensorboard(arguments: argparse.Namespace) -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        serve(arguments.runs, arguments.host, arguments.port)


def _list(_: argparse.Namespace) -> None:
    print(overview())


def _build_midi(arguments: argparse.Namespace) -> None:
    print(build_midi(arguments.folder, arguments.out))


def _build_gutenberg(arguments: argparse.Namespace) -> None:
    print(f"{build_gutenberg(arguments.files, arguments.out):,} characters: {arguments.out}")


@interruptible()
def train() -> None:
    """Train what the command line asks for: one run, or with -m a sweep."""
    register_resolvers()
    hydra.main(version_base="1.3", config_path=str(conf_folder()), config_name="train")(_job)()


def _job(cfg: DictConfig) -> None:
    """One run. Alone it ends the program on an error; in a sweep Hydra goes on with the others."""
    os.chdir(HydraConfig.get().runtime.cwd)  # a worker on another machine starts elsewhere
    alone = HydraConfig.get().mode == RunMode.RUN
    if alone:
        announce_scale(cfg.scale.name, HydraConfig.get().runtime.choices["scale"])
    try:
        if cfg.plan:
            cells = [Cell([], cfg, "the run")]
            check_all(cells)
            print_plan({"": cells}, cfg)
        else:
            train_run(cfg)
    except Taken as taken:
        log.info("%s", taken)
    except Exception as error:
        if alone and isinstance(error, CharRNNError):
            refuse(error)
        log.error("failed: %s", describe(error))
        if alone:
            raise
        # The error may have to travel between machines, which not every class survives.
        raise CharRNNError(describe(error)) from error
