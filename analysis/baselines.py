"""The perplexity that needs no network, on exactly the tokens that a run is scored on."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import pandas as pd

from analysis.results import BASELINES, Results
from analysis.statistics.ngrams import ORDER, NGramModel, perplexity, unigram_log_probabilities
from charrnn.commands.trained_run import TrainedRun, open_run
from charrnn.data.fetching.packages import no_fetching
from charrnn.errors import CharRNNError
from charrnn.files import write_atomically
from charrnn.runs.folder import RunFolder

log = logging.getLogger(__name__)

CACHE = "baselines.csv"
"""Name of the table in the folder of all runs."""


@dataclass(frozen=True)
class Scored:
    """Which tokens a run is scored on, and what a model of them may be fitted to.

    Attributes:
        sha256: of the corpus.
        seed: the data seed.
        offset: tokens by which the corpus is rotated before the split; empty if the seed draws it.
        test_size: tokens in the test split.
        k2: how many of them are read only, from the first one on.
        order: tokens in an n-gram.
    """

    sha256: str
    seed: str
    offset: str
    test_size: str
    k2: str
    order: str

    @classmethod
    def by(cls, run: TrainedRun) -> Scored:
        """What a run was scored on, by its configuration and its identity."""
        data = run.cfg.datamodule
        offset = "" if data.get("offset") is None else data.offset
        values = (data.seed, offset, data.test_size, run.k2, ORDER)
        return cls(run.identity["corpus"]["sha256"], *map(str, values))


Known = dict[Scored, tuple[float, ...]]
"""Perplexities in the order of BASELINES."""
KEY = [field.name for field in fields(Scored)]


def with_baselines(results: Results, runs: Path) -> Results:
    """The results, with the perplexities of a unigram and of an n-gram model beside the networks'.

    Both models are fitted to a run's train split, and scored on its test split without the first k2
    tokens. What is computed is kept in RUNS/baselines.csv by everything that it depends on. Nothing
    is fetched: a run gets NaN if its corpus is not on this machine, or is another text here, or if
    its folder is missing or damaged, and a line in the log says so.

    Args:
        results: those that have the columns already, such as reference results, are returned as
            they are.
        runs: folder of all runs.
    """
    if set(BASELINES) <= {*results.curves.columns}:
        return results
    known = _read(runs / CACHE)
    before, found = len(known), dict[str, tuple[float, ...]]()
    problems: dict[str, str] = {}
    for corpus, run in results.curves[["corpus", "run"]].drop_duplicates().itertuples(index=False):
        try:
            found[run] = _of_run(open_run(RunFolder(runs / run)), known)
        except CharRNNError as error:
            problems.setdefault(corpus, str(error))
    for corpus, problem in problems.items():
        log.warning("no unigram and n-gram models for runs on %s: %s", corpus, problem)
    if len(known) > before:
        _write(known, runs / CACHE)
    unknown = (float("nan"),) * len(BASELINES)
    values = [found.get(run, unknown) for run in results.curves["run"]]
    columns = pd.DataFrame(values, results.curves.index, columns=[*BASELINES], dtype=float)
    return Results(results.cells, results.curves.join(columns))


def _of_run(run: TrainedRun, known: Known) -> tuple[float, ...]:
    """The perplexities for one run; new ones are added to ``known``."""
    scored = Scored.by(run)
    if scored not in known:
        with no_fetching():
            data = run.datamodule()
        train, test, size = (
            data.batches.train,
            data.test_tokens.numpy(),
            len(data.tokens.vocabulary),
        )
        models = (
            unigram_log_probabilities(train, size)[test],
            NGramModel(train, size).log_probabilities(test),
        )
        known[scored] = tuple(perplexity(each[run.k2 :]) for each in models)
    return known[scored]


def _read(path: Path) -> Known:
    """What was computed before; nothing if the table is missing or cannot be read."""
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        values = zip(*(table[name].astype(float) for name in BASELINES), strict=True)
        keys = table[KEY].itertuples(index=False)
        return {Scored(*key): value for key, value in zip(keys, values, strict=True)}
    except (OSError, ValueError, KeyError):
        return {}


def _write(known: Mapping[Scored, tuple[float, ...]], path: Path) -> None:
    """Keep what is known. Of two processes the later one wins; the other's is computed again."""
    rows = [(*astuple(scored), *values) for scored, values in known.items()]
    file = io.StringIO()
    pd.DataFrame(rows, columns=[*KEY, *BASELINES]).to_csv(file, index=False)
    try:
        write_atomically(path, file.getvalue())
    except OSError as error:
        log.warning("%s cannot be written (%s)", path, error)
