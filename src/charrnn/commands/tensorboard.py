"""TensorBoard on everything that has been trained, and is being trained."""

from __future__ import annotations

import argparse
import logging
import re
import signal
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from charrnn.commands.output import add_runs_argument
from charrnn.errors import BadInput, CharRNNError, reason, require
from charrnn.runs.folder import EVENTS

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

MOST = 65_535
"""The largest number of a port."""
THIS_MACHINE = ("127.0.0.1", "localhost", "[::1]")
"""Names by which a browser on this machine asks for a page of this machine."""
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
    require(0 <= port <= MOST, "--port", port, f"a port, from 0 to {MOST}")
    try:
        socket.getaddrinfo(host, port)
    except OSError as error:
        raise BadInput("--host", host, f"a name or an address ({reason(error)})") from error
    # Slow to import.
    from tensorboard.program import TensorBoard, TensorBoardServerException, WerkzeugServer
    from tensorboard.util import tb_logging

    tb_logging.get_logger().setLevel(logging.ERROR)
    board = TensorBoard(
        server_class=lambda app, flags: WerkzeugServer(
            for_this_machine(app) if {host, f"[{host}]"} & {*THIS_MACHINE} else app, flags
        )
    )
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


def for_this_machine(app: WSGIApplication) -> WSGIApplication:
    """Refuse requests that name another host.

    A page from elsewhere can have its own name lead to 127.0.0.1, and would then read the runs.
    """

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        named = re.sub(r":\d*$", "", environ.get("HTTP_HOST", ""))
        if named in THIS_MACHINE:
            return app(environ, start_response)
        start_response("403 Forbidden", [("Content-Type", "text/plain")])
        said = (
            f"This page answers to {', '.join(THIS_MACHINE)} only; --host chooses another address."
        )
        return [said.encode()]

    return answer
