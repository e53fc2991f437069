"""How a run is named on the command line: a folder, the beginning of a name, or the best one."""

from __future__ import annotations

import argparse
import logging
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn.commands.output import add_runs_argument, path_of
from charrnn.data.corpora.labels import Text, label
from charrnn.errors import BadInput, CharRNNError, require, require_choice, shortened
from charrnn.runs.folder import RunFolder
from charrnn.runs.identity import variant

if TYPE_CHECKING:
    from charrnn.commands.trained_run import TrainedRun

log = logging.getLogger(__name__)

BEST = "best"
HELP = (
    "a run's folder; the beginning of its folder's name, or of the hash at the end of that; or "
    "'best', the lowest final perplexity of all finished runs, with fields that it has to have: "
    "best corpus=shakespeare scheme=1 k1=20 k3=null. Among the runs of a scheme, those with the "
    "fewest settings that differ from the defaults come first, whatever their perplexity"
)
FIELDS = (
    "corpus, scheme or a field of `charrnn train --help`, such as k1, scale.name, "
    "backbone.num_layers (r) or backbone.hidden_size (gamma)"
)
FIELDS_GO_WITH_BEST = (
    "after 'best', which alone takes fields; how a run is sampled is chosen by --procedure of "
    "`charrnn sample`"
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
    """Add the arguments that name a command's runs, for `find_runs`."""
    parser.add_argument("words", metavar=runs, nargs="+", help=HELP)
    add_runs_argument(parser)


def find_runs(arguments: argparse.Namespace, number: int) -> list[Reference]:
    """The runs that the words of a command line name.

    Raises:
        CharRNNError: if the words do not name ``number`` runs, or one of them cannot be found.
    """
    groups: list[list[str]] = []
    for word in arguments.words:
        if groups and groups[-1][0] == BEST and "=" in word:
            groups[-1].append(word)
        elif "=" in word and not _folders(word, arguments.runs):
            name, _, value = word.partition("=")
            raise BadInput(name, value, FIELDS_GO_WITH_BEST)
        else:
            groups.append([word])
    if len(groups) != number:
        raise BadInput("RUN", " ".join(arguments.words), f"{number}, not {len(groups)}: {HELP}")
    return [_find(word, fields, arguments.runs) for word, *fields in groups]


def _find(word: str, fields: Sequence[str], runs: Path) -> Reference:
    if word == BEST:
        return _best(fields, runs)
    require(word != "", "RUN", "''", HELP)
    found = _folders(word, runs)
    if len(found) != 1:
        names = shortened([path.name for path in found])
        matches = (
            f"{names} match" if names else f"no run in {runs} matches, {len(_all(runs))} searched"
        )
        raise BadInput("RUN", word, f"the beginning of one run's name or hash ({matches})")
    from charrnn.commands.trained_run import open_run

    run = open_run(RunFolder(found[0].resolve()))
    return Reference(run, run.scheme.sampling_procedure)


def _folders(word: str, runs: Path) -> list[Path]:
    """The folder ``word``, else those whose names, or the hashes in them, start with it."""
    if os.path.isdir(path := path_of(word)):
        return [path]
    return [
        path
        for path in _all(runs)
        if path.name.startswith(word) or path.name.rpartition("_")[2].startswith(word)
    ]


def _all(runs: Path) -> list[Path]:
    return sorted(path.parent for path in runs.glob("*/config.yaml"))


def _best(fields: Sequence[str], runs: Path) -> Reference:
    """The finished run with the lowest final perplexity of those that have all ``fields``."""
    wanted: dict[str, str] = {}
    for name, _, text in (field.partition("=") for field in fields):
        require(name not in wanted, name, text, f"given once, and is {wanted.get(name)} already")
        wanted[name] = text
    scheme = wanted.pop("scheme", None)
    finished = list(_finished(runs))
    if finished:
        _check(wanted, scheme, finished)
        _require_one_text(wanted.get("corpus"), finished)
    candidates = [
        (len(_departures(run)) if scheme else 0, perplexity, procedure, run)
        for run in finished
        if all(_has(run, name, text) for name, text in wanted.items())
        for procedure, perplexity in _perplexity(run, scheme).items()
        if math.isfinite(perplexity)
    ]
    if not candidates:
        asked = " ".join(fields) or "a finite perplexity"
        raise CharRNNError(f"no finished run in {runs} has {asked}.")
    _, _, procedure, run = min(candidates, key=lambda candidate: candidate[:2])
    if departures := _departures(run):
        log.info("%s differs from the defaults: %s", run, " ".join(departures))
    return Reference(run, procedure)


def _finished(runs: Path) -> Iterator[TrainedRun]:
    from charrnn.commands.trained_run import open_run

    for path in sorted(runs.glob("*/finished.json")):
        try:
            yield open_run(RunFolder(path.parent))
        except CharRNNError as error:
            log.warning("left out: %s", error)


def _check(wanted: Mapping[str, str], scheme: str | None, finished: Sequence[TrainedRun]) -> None:
    """Refuse a field or a scheme that no finished run knows, and a value that cannot be read."""
    if scheme is not None:
        known = {str(name).removeprefix("s") for run in finished for name in run.cfg.schemes}
        require_choice("scheme", scheme, sorted(known))
    names = sorted({name for run in finished for name in _fields(run)})
    for name, text in wanted.items():
        ends = [known for known in names if known.endswith(f".{name}")]
        near = ", ".join((ends or get_close_matches(name, names))[:3])
        require(name in names, name, text, f"{near or FIELDS}; no run has a field {name!r}")
        _read(name, text)


def _fields(run: TrainedRun) -> dict[str, Any]:
    """The run's configuration, its fields named as on the command line; and its corpus."""

    def flat(values: dict[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
        for name, value in values.items():
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value

    from omegaconf import OmegaConf

    values = OmegaConf.to_container(run.cfg)
    assert isinstance(values, dict)
    return {**dict(flat(values, "")), "corpus": run.identity["corpus"]["name"]}


def _text(run: TrainedRun) -> Text:
    corpus = run.identity["corpus"]
    return corpus["name"], corpus["sha256"]


def _require_one_text(name: str | None, runs: Sequence[TrainedRun]) -> None:
    """Refuse the name of a corpus that several texts have, whose perplexities do not compare."""
    texts = {_text(run) for run in runs if _text(run)[0] == name}
    if len(texts) > 1:
        known = " or ".join(sorted(label(*text) for text in texts))
        raise BadInput("corpus", name, f"{known}: several texts have this name")


def _has(run: TrainedRun, name: str, text: str) -> bool:
    """Whether the field of the run has the value that ``text`` stands for."""
    value, wanted = _fields(run).get(name), _read(name, text)
    if name == "corpus" and text == label(*_text(run)):
        return True
    if name == "k3":  # null is a value, too
        own = run.scheme.own_k3(run.cfg.k1, run.cfg.k2)
        value, wanted = (own if k3 is None else k3 for k3 in (value, wanted))
    return value == wanted or (isinstance(value, str) and value == text)


def _read(name: str, text: str) -> Any:
    """A value as it is read from YAML: a number, true, null, a list, else text."""
    from omegaconf import OmegaConf

    try:
        return OmegaConf.select(OmegaConf.from_dotlist([f"value={text}"]), "value")
    except Exception as error:  # of many kinds, by what is wrong with the text
        raise BadInput(name, text, "a value as in YAML, in quotes if need be") from error


def _departures(run: TrainedRun) -> list[str]:
    """The settings in which the run differs from the defaults at its scale."""
    return list(variant(run.identity, run.cfg.scale))


def _perplexity(run: TrainedRun, scheme: str | None) -> dict[str, float]:
    """That of the run, by procedures; only by that of ``scheme``, if one is asked for."""
    if scheme is None:
        return run.perplexity
    try:
        kind = run.scheme_called(scheme)
    except CharRNNError as error:
        log.warning("left out: %s", error)
        return {}
    if kind is None or kind.training_procedure != run.identity["training"]:
        return {}
    return {p: value for p, value in run.perplexity.items() if p == kind.sampling_procedure}
