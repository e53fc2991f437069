"""The commands: `python src/train.py` and, installed, `charrnn`. Each imports only what it uses."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module

from charrnn import __version__
from charrnn.config import conf_folder
from charrnn.errors import CharRNNError
from charrnn.stopping import AGAIN, STOP, Stopped

INCOMPLETE, FAULT, INTERRUPTED = 1, 3, 130
"""Exit statuses, see STATUSES; `charrnn.console.refuse` has the one between."""
STATUSES = """\
exit status: 0 when all went well; 1 when runs failed, and the rest is done; 2 when the command was
refused or could not go on, in one sentence; 3 after a fault of this program; 128 plus the number of
a signal that ended it. docs/glossary.md explains the words of this project."""

COMMANDS = {
    "train": "train a run or a sweep: charrnn train --help",
    "plan": "how long experiments would take; trains nothing",
    "status": "the state of every run",
    "sample": "text or music by a trained model",
    "eval": "perplexity of a text under a trained model",
    "compare": "where in the window two runs differ",
    "tensorboard": "show the runs in a browser",
    "data": "list, inspect, fetch or build corpora",
    "help": "explain a field, a group of fields or an option",
}
"""Each is a module of charrnn.commands, except `train`."""
MODULES = {"eval": "evaluate", "help": "explain"}
"""Modules that do not have their command's name, which Python uses for something else."""

HYDRA_ONLY = frozenset(
    ("--hydra-help", "--version", "--cfg", "-c", "--info", "-i", "--shell-completion", "-sc")
)
"""Flags with which Hydra answers a question and trains nothing."""


@contextmanager
def interruptible() -> Iterator[None]:
    """End the program on Ctrl-C with one line and its status."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:  # see charrnn.__main__
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        with suppress(OSError):  # the terminal may be gone
            print("ended by SIGINT.", file=sys.stderr, flush=True)
        sys.exit(INTERRUPTED)


def main() -> None:
    """The console script `charrnn`."""
    words = sys.argv[1:]
    if words[:1] == ["train"]:
        del sys.argv[1]  # the rest is Hydra's
        train()
    else:
        _other_command(words)


@interruptible()
def _other_command(words: Sequence[str]) -> None:
    arguments = _parser(words).parse_args()
    _log_plainly()
    with refusing():
        arguments.command(arguments)


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser of all commands; only the chosen one's module is imported for its arguments."""
    parser = argparse.ArgumentParser(prog="charrnn", epilog=STATUSES)
    parser.add_argument("--version", action="version", version=f"charrnn {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    chosen = next((word for word in words if not word.startswith("-")), None)
    for name, summary in COMMANDS.items():
        command = commands.add_parser(name, help=summary)
        if name == chosen:
            module = import_module(f"charrnn.commands.{MODULES.get(name, name)}")
            module.add_arguments(command)
    return parser


def _log_plainly() -> None:
    import logging

    from charrnn.console import ConsoleHandler

    logging.basicConfig(level=logging.INFO, format="%(message)s", handlers=[ConsoleHandler()])


@contextmanager
def refusing() -> Iterator[None]:
    """How every command ends: see STATUSES. If its reader is gone, it ends quietly."""
    from charrnn.console import refuse

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal may not have a model's characters
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:  # the reader closed the pipe
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (CharRNNError, OSError) as error:
        refuse(error)
    except Exception as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            # An extension module that Ctrl-C meets while it is imported makes an ImportError of it.
            raise error.__cause__ from None
        import traceback

        traceback.print_exc()
        print("error: this is a fault of charrnn: please report it.", file=sys.stderr)
        sys.exit(FAULT)


def train() -> None:
    """Train what the command line asks for: one run, or with -m a sweep.

    Raises:
        Stopped: if a signal has ended it; the last line says so.
    """
    try:
        with STOP.listening(to_the_end=True):
            _train()
    except Stopped as stopped:
        if not STOP.said:
            with suppress(OSError):  # the terminal may be gone
                print(f"ended by {stopped.name}; {AGAIN}.", file=sys.stderr, flush=True)
        raise


def _train() -> None:
    words = sys.argv[1:]
    if {"-h", "--help"} & {*words}:  # answered before Hydra is imported, which takes a second
        from charrnn.schema.explanation import explain

        with refusing():
            topics = [word for word in words if "=" not in word and not word.startswith("-")]
            print(explain(conf_folder(), topics))
        return
    if HYDRA_ONLY.isdisjoint(word.partition("=")[0] for word in words):
        starting = "starting; loading PyTorch takes a few seconds"
        print(f"charrnn {__version__}: {starting}", file=sys.stderr, flush=True)
    from charrnn.commands.train import train as train_with_hydra

    with refusing():
        train_with_hydra()
