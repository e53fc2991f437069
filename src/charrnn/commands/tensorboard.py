"""TensorBoard on everything that has been trained, and is being trained."""

from __future__ import annotations

import argparse
import logging
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from charrnn.commands.output import add_runs_argument
from charrnn.errors import CharRNNError
from charrnn.runs.folder import EVENTS

REFRESH = 5
"""Seconds between two looks for new events."""
TEXTS = 50
"""Texts per run that can be browsed; TensorBoard's own default is 10."""
SELECTED = 40
"""TensorBoard shows none of the runs when there are more than this, until they are selected."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_runs_argument(parser)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (127.0.0.1)")
    parser.add_argument("--port", default=6006, type=int, help="port; 0: any free one (6006)")
    parser.set_defaults(command=tensorboard)


def tensorboard(arguments: argparse.Namespace) -> None:
    """Serve until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        serve(arguments.runs, arguments.host, arguments.port)


def serve(runs: Path, host: str, port: int) -> NoReturn:
    """Serve TensorBoard until the process is ended.

    Runs write their events under readable names, so `tensorboard --logdir multirun/tensorboard`
    shows the same.

    Args:
        runs: folder of all runs.
        host: name or address to listen on; 127.0.0.1 answers this machine only.
        port: port to listen on; 0 for any free one.

    Raises:
        CharRNNError: if there are no events, or host and port cannot be used.
    """
    events = runs / EVENTS
    if not events.is_dir():
        raise CharRNNError(f"{events} is not a directory: train a run first, or name its folder.")
    # Slow to import.
    from tensorboard.program import TensorBoard, TensorBoardServerException
    from tensorboard.util import tb_logging

    tb_logging.get_logger().setLevel(logging.ERROR)
    board = TensorBoard()
    board.configure(
        logdir=str(events),
        host=host,
        port=port,
        reload_interval=REFRESH,
        samples_per_plugin={"text": TEXTS},
    )
    try:
        url = board.launch()
    except TensorBoardServerException as error:
        raise CharRNNError(str(error)) from error
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # it logs every request
    if sum(1 for _ in events.iterdir()) > SELECTED:
        print(f"More than {SELECTED} runs: select them with the checkbox above their list.")
    print(f"TensorBoard: {url} (Ctrl+C ends it)", flush=True)
    while True:
        time.sleep(REFRESH)
