"""What the page shows of each run: its configuration, results, texts and origin."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from omegaconf import OmegaConf

from analysis.claims.evidence import Evidence
from analysis.results import OF_MACHINE, ORIGIN
from charrnn.data.vocabulary import TOKENIZATIONS
from charrnn.files import read_file
from charrnn.runs.identity import Identity, variant
from charrnn.runs.state import RESULTS
from charrnn.untrusted import plain_yaml

SETTINGS = {
    "corpus": "corpus",
    "num_layers": "r",
    "hidden_size": "\N{GREEK SMALL LETTER GAMMA}",
    "k1": "k1",
    "k2": "k2",
    "seed": "seed",
}
"""Columns of a grid that have one value per run, and the page's headings for them."""
PICTURES = {code: 0x2400 + code for code in range(32) if chr(code) not in "\n\t"} | {127: 0x2421}
"""Control characters, which HTML does not allow, and the characters that depict them."""


@dataclass(frozen=True)
class Result:
    """The final and the lowest perplexity of a run, by one sampling procedure."""

    procedure: str
    final: float
    lowest: float


@dataclass(frozen=True)
class Sample:
    """A text that a run wrote: its prompt, and what was sampled after it."""

    prompt: str
    drawn: str


@dataclass(frozen=True)
class Run:
    """A run as the page shows it.

    Attributes:
        name: of its folder; all numbers link to it.
        state: finished, diverged, running, ...
        cell: the first row of a grid that it is the run of.
        answers: all its cells, such as `fig9: schemes 1, 3`.
        results: one per sampling procedure.
        seconds: of training; None before the first evaluation.
        config: its whole configuration.
        identity: see charrnn.runs.identity; empty for a run that has not started.
        provenance: see charrnn.runs.provenance.
        samples: the texts that it wrote, by sampling procedure.
    """

    name: str
    state: str
    cell: Mapping[str, Any]
    answers: list[str]
    results: list[Result]
    seconds: float | None
    config: str
    identity: Identity
    provenance: Mapping[str, Any]
    samples: Mapping[str, Sample]

    @property
    def departures(self) -> str:
        """The settings that not every grid has a column for: optimizer, and variants."""
        with suppress(Exception):  # a damaged file
            cfg = OmegaConf.create(plain_yaml(self.config))
            name, rate = cfg.optimizer._target_.rpartition(".")[2], cfg.optimizer.lr
            words = [f"{name}, learning rate {rate:g}", *variant(self.identity, dict(cfg.scale))]
            return "; ".join(words)
        return ""


def read_runs(evidence: Evidence, folder: Path) -> list[Run]:
    """All runs of the experiments, in the order of the grids.

    Args:
        evidence: all results at one scale.
        folder: folder of all runs.
    """
    tables = [
        (results.cells.assign(sweep=name), results.curves)
        for name, results in evidence.sweeps.items()
    ]
    if not tables:
        return []
    cells = pd.concat([cells for cells, _ in tables], ignore_index=True)
    curves = pd.concat([curves for _, curves in tables if len(curves)] or [tables[0][1]])
    ends = {name: list(_results(group)) for name, group in curves.groupby("run", sort=False)}
    seconds = curves.groupby("run")["train_seconds"].max().to_dict()
    return [
        _run(folder / str(name), group, ends.get(name, []), seconds.get(name))
        for name, group in cells[cells["run"] != ""].groupby("run", sort=False)
    ]


def _run(path: Path, cells: pd.DataFrame, results: list[Result], seconds: float | None) -> Run:
    answers = [
        f"{sweep}: scheme{'s' if len(group) > 1 else ''} {', '.join(sorted(map(str, group)))}"
        for sweep, group in cells.groupby("sweep")["scheme"].unique().items()
    ]
    # Two cells of one run may differ: one can diverge while the other does not.
    done = [state for state in sorted(RESULTS) if state in set(cells["state"])]
    return Run(
        name=path.name,
        state=str((done or cells["state"].tolist())[0]),
        cell={str(column): value for column, value in cells.iloc[0].items()},
        answers=answers,
        results=results,
        seconds=seconds,
        config=readable(path / "config.yaml"),
        identity=_json(path / "identity.json"),
        provenance=_json(path / "provenance.json") or _reference_origin(cells.iloc[0]),
        samples={
            text.stem.removeprefix("sample-"): _sample(path, readable(text))
            for text in sorted(path.glob("sample-*.txt"))
        },
    )


def _reference_origin(cell: pd.Series) -> dict[str, Any]:
    """The provenance of a reference result, whose folder is not here; empty for any other run."""
    if not set(ORIGIN) <= set(cell.index):
        return {}
    machine = {name: cell[name] or "unknown" for name in OF_MACHINE}
    return {
        "git_commit": cell["commit"],
        "python": cell["python"] or "unknown",
        "packages": {"charrnn": cell["version"], "torch": cell["torch"]},
        "machine": machine | {"gpu": None if cell["gpu"] == "none" else cell["gpu"]},
    }


def _sample(path: Path, text: str) -> Sample:
    """The parts of a text; the prompt is empty if its length is unknown."""
    with suppress(Exception):  # files from an earlier version, or damaged
        cfg = OmegaConf.create(plain_yaml(readable(path / "config.yaml")))
        tokenization = TOKENIZATIONS[_json(path / "vocabulary.json")["tokens"]]
        given = cfg.sampling.prompt
        length = cfg.k2 if given is None else len(tokenization.split(str(given)))
        prompt = tokenization.join(tokenization.split(text)[:length])
        return Sample(prompt, text.removeprefix(prompt))
    return Sample("", text)


def _results(curves: pd.DataFrame) -> Iterable[Result]:
    for procedure, curve in curves.groupby("procedure", sort=False):
        values = curve.drop_duplicates("batches")["perplexity"].fillna(math.inf)
        yield Result(str(procedure), float(values.iloc[-1]), float(values.min()))


def readable(path: Path) -> str:
    """A file's text with its control characters depicted; empty if it cannot be read."""
    try:
        return read_file(path).decode("utf-8", "replace").translate(PICTURES)
    except OSError:
        return ""


def _json(path: Path) -> dict[str, Any]:
    with suppress(ValueError):
        content = json.loads(readable(path) or "{}")
        return content if isinstance(content, dict) else {}
    return {}
