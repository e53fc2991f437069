"""How a run is named on the command line: a folder, the beginning of a name, or the best one."""

from __future__ import annotations

import argparse
import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from omegaconf import OmegaConf

from charrnn.errors import BadInput, CharRNNError
from charrnn.runs import RunFolder
from charrnn.trained import TrainedRun, open_run

log = logging.getLogger(__name__)

BEST = "best"
HELP = (
    "a run's folder; the beginning of its folder's name, or of the hash at the end of that; or "
    "'best', the lowest final perplexity of all finished runs, with fields that it has to have: "
    "best corpus=shakespeare scheme=1 k1=20 scale.name=laptop"
)


@dataclass(frozen=True)
class Reference:
    """A run that the command line has named.

    Attributes:
        run: it.
        procedure: `windowed` or `progressive`: of the scheme that was asked for, else of the
            scheme that the run was configured with.
    """

    run: TrainedRun
    procedure: str


def add_run_arguments(parser: argparse.ArgumentParser, runs: str = "RUN") -> None:
    """The arguments by which a command is told its runs, for `find_runs`."""
    parser.add_argument("words", metavar=runs, nargs="+", help=HELP)
    parser.add_argument(
        "--runs", type=Path, default="multirun", help="folder of all runs (default: multirun)"
    )


def find_runs(arguments: argparse.Namespace, number: int) -> list[Reference]:
    """The runs that the words of a command line name.

    Raises:
        CharRNNError: if they are not ``number`` runs, or one of them is not to be found.
    """
    groups: list[list[str]] = []
    for word in arguments.words:
        if groups and groups[-1][0] == BEST and "=" in word:
            groups[-1].append(word)
        else:
            groups.append([word])
    if len(groups) != number:
        raise BadInput("RUN", " ".join(arguments.words), f"{number}, not {len(groups)}: {HELP}")
    return [_find(word, fields, arguments.runs) for word, *fields in groups]


def _find(word: str, fields: Sequence[str], runs: Path) -> Reference:
    if word == BEST:
        return _best(fields, runs)
    if not (path := Path(word).expanduser()).is_dir():
        path = _by_prefix(word, runs)
    run = open_run(RunFolder(path.resolve()))
    return Reference(run, run.scheme.sampling_procedure)


def _by_prefix(prefix: str, runs: Path) -> Path:
    """The only folder whose name, or the hash in it, starts with ``prefix``."""
    folders = sorted(path.parent for path in runs.glob("*/config.yaml"))
    found = [
        path
        for path in folders
        if path.name.startswith(prefix) or path.name.rpartition("_")[2].startswith(prefix)
    ]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or f"none of the {len(folders)} in {runs}"
        raise BadInput("RUN", prefix, f"the beginning of one run's name or hash (it is of {names})")
    return found[0]


def _best(fields: Sequence[str], runs: Path) -> Reference:
    """The finished run with the lowest final perplexity of those that have all ``fields``."""
    wanted = dict(field.split("=", 1) for field in fields)
    scheme = wanted.pop("scheme", None)
    candidates: list[tuple[float, str, TrainedRun]] = []
    for path in sorted(runs.glob("*/finished.json")):
        folder = RunFolder(path.parent)
        mark = folder.mark()
        if mark is None:
            continue
        try:
            run = open_run(folder)
        except CharRNNError as error:
            log.warning("left out: %s", error)
            continue
        if any(_value(run, name) != value for name, value in wanted.items()):
            continue
        for procedure, perplexity in mark["perplexity"].items():
            fits = scheme is None or procedure == _procedure(run, scheme)
            if fits and math.isfinite(perplexity):
                candidates.append((perplexity, procedure, run))
    if not candidates:
        asked = " ".join(fields) or "a finite perplexity"
        raise CharRNNError(f"no finished run in {runs} has {asked}.")
    _, procedure, run = min(candidates, key=lambda candidate: candidate[0])
    return Reference(run, procedure)


def _value(run: TrainedRun, name: str) -> str | None:
    """A field of the run's configuration as the command line would have it."""
    if name == "corpus":
        return run.identity["corpus"]["name"]
    value = OmegaConf.select(run.cfg, name)
    return None if value is None else str(value)


def _procedure(run: TrainedRun, scheme: str) -> str | None:
    """By what ``scheme`` reads the run; None if it trains otherwise."""
    kind = run.scheme_called(scheme)
    if kind is None or kind.training_procedure != run.identity["training"]:
        return None
    return kind.sampling_procedure
