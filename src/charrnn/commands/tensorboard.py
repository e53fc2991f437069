"""TensorBoard on what has been trained, under names that a reader can tell apart."""

from __future__ import annotations

import argparse
import base64
import json
import logging
import signal
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import quote

from omegaconf import DictConfig, OmegaConf

from charrnn.commands.output import add_runs_argument
from charrnn.errors import CharRNNError
from charrnn.evaluation.perplexity import PROCEDURES
from charrnn.runs.identity import Identity, variant
from charrnn.training.build import scheme_class, scheme_names

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

REFRESH = 5
"""Seconds between two looks for new runs and new events."""
TEXTS = 50
"""Texts of a run that can be leafed through; left to itself TensorBoard keeps 10."""


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
    """Serve what has been trained, and what is being trained, until the process is ended.

    Args:
        runs: folder of all runs.
        host: name or address to listen on; at 127.0.0.1 only this machine is answered.
        port: the same; 0 for any that is free.

    Raises:
        CharRNNError: if there is no such folder, or host and port cannot be had.
    """
    if not runs.is_dir():
        raise CharRNNError(f"{runs} is no folder: train a run first, or name the folder of runs.")
    # Slow to import, and needed here alone.
    from tensorboard.program import (
        TensorBoard,
        TensorBoardServerException,
        create_port_scanning_werkzeug_server,
    )
    from tensorboard.util import tb_logging

    tb_logging.get_logger().setLevel(logging.ERROR)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line a request
    with tempfile.TemporaryDirectory(prefix="charrnn-tensorboard-") as links:
        link(runs, Path(links))
        board = TensorBoard(
            server_class=lambda app, flags: create_port_scanning_werkzeug_server(
                _selecting_all(app, Path(links)), flags
            )
        )
        board.configure(
            logdir=links,
            host=host,
            port=port,
            reload_interval=REFRESH,
            samples_per_plugin={"text": TEXTS},
        )
        try:
            url = board.launch()
        except TensorBoardServerException as error:
            raise CharRNNError(str(error)) from error
        print(f"TensorBoard: {url} (Ctrl+C ends it)", flush=True)
        while True:
            time.sleep(REFRESH)
            link(runs, Path(links))


def _selecting_all(app: WSGIApplication, links: Path) -> WSGIApplication:
    """TensorBoard, whose bare address leads to one with all that is there now selected.

    Of more than 40 runs its dashboards would show none. What is selected stands in the fragment.
    """
    from werkzeug.utils import redirect

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/" or environ.get("QUERY_STRING"):
            return app(environ, start_response)
        selected = json.dumps({path.name: True for path in links.iterdir()})
        state = base64.b64encode(selected.encode()).decode()
        fragment = f"timeseries&_smoothingWeight=0&runSelectionState={quote(state, safe='')}"
        return redirect(f"/?smoothing=0#{fragment}")(environ, start_response)

    return answer


def link(runs: Path, links: Path) -> None:
    """Make ``links`` a folder of links to all events below ``runs``, under readable names."""
    wanted = _named(runs)
    for path in links.iterdir():
        if path.name not in wanted:
            path.unlink()
    for name, folder in wanted.items():
        if not (links / name).is_symlink():
            (links / name).symlink_to(folder.resolve(), target_is_directory=True)


def _named(runs: Path) -> dict[str, Path]:
    """The folders of events by their names; to those of one name their run's digest is added."""
    found: dict[str, dict[str, Path]] = defaultdict(dict)
    for config in runs.glob("*/config.yaml"):
        run = config.parent
        digest = run.name.rpartition("_")[2]
        with suppress(OSError):  # a run that is just being started anew
            cfg = OmegaConf.load(config)
            identity = json.loads((run / "identity.json").read_text())
            assert isinstance(cfg, DictConfig)
            for procedure in PROCEDURES:
                if (run / procedure).is_dir():
                    found[readable_name(cfg, identity, [procedure])][digest] = run / procedure
            if any(run.glob("events.out.*")):  # of a version that kept all in one place
                found[readable_name(cfg, identity, list(PROCEDURES))][digest] = run
    return {
        name if len(folders) == 1 else f"{name} {digest}": folder
        for name, folders in found.items()
        for digest, folder in folders.items()
    }


def readable_name(cfg: DictConfig, identity: Identity, procedures: list[str]) -> str:
    """What TensorBoard calls a run that is read by some sampling procedures.

    Args:
        cfg: the run's configuration.
        identity: the run's.
        procedures: `windowed`, `progressive` or both.
    """
    own, others = (
        [s for p in PROCEDURES if (p in procedures) is read for s in scheme_names(cfg, p)]
        for read in (True, False)
    )
    training = f"{scheme_class(cfg).training_procedure} {' '.join(procedures)}"
    # TensorBoard keeps what is selected by btoa, which knows no characters but these 256.
    corpus = identity["corpus"]["name"]
    escaped = "".join(c if c < "\u0100" else f"U+{ord(c):04X}" for c in corpus)
    words = [
        escaped.replace("/", "-"),
        f"scheme {'+'.join(own)}" if own else training,
        f"k1={cfg.k1}",
        f"k2={cfg.k2}",
        f"r={cfg.backbone.num_layers}",
        f"gamma={cfg.backbone.hidden_size}",
        f"seed={cfg.seed}",
        *variant(identity, dict(cfg.scale)),
    ]
    if others:
        words.append(f"(run shared with {'+'.join(others)})")
    return " ".join(words)
