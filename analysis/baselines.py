"""The perplexity that needs no network, on exactly the tokens that a run is scored on."""

from __future__ import annotations

from pathlib import Path

from analysis.computed import Computed
from analysis.results import BASELINES, Results
from analysis.statistics.ngrams import ORDER, NGramModel, perplexity, unigram_log_probabilities
from charrnn.commands.trained_run import TrainedRun
from charrnn.data.fetching.packages import no_fetching

CACHE = "baselines.csv"
"""Name of the table in the folder of all runs."""


def with_baselines(results: Results, runs: Path) -> Results:
    """The results, with the perplexities of a unigram and of an n-gram model beside the networks'.

    Both models are fitted to a run's train split, and scored on its test split without the first k2
    tokens. What is computed is kept in RUNS/baselines.csv by everything that it depends on.

    Args:
        results: see analysis.computed.Computed.beside.
        runs: folder of all runs.
    """
    return _COMPUTED.beside(results, runs)


def _scored(run: TrainedRun) -> dict[str, object]:
    """Which tokens a run is scored on, and what a model of them may be fitted to."""
    data = run.cfg.datamodule
    return {
        "sha256": run.identity["corpus"]["sha256"],
        "seed": data.seed,
        "offset": "" if data.get("offset") is None else data.offset,  # the seed draws it
        "test_size": data.test_size,
        "k2": run.k2,
        "order": ORDER,
    }


def _perplexities(run: TrainedRun) -> tuple[float, ...]:
    """In the order of BASELINES."""
    with no_fetching():
        data = run.datamodule()
    train, test, size = data.batches.train, data.test_tokens.numpy(), len(data.tokens.vocabulary)
    models = (
        unigram_log_probabilities(train, size)[test],
        NGramModel(train, size).log_probabilities(test),
    )
    return tuple(perplexity(each[run.k2 :]) for each in models)


_COMPUTED = Computed(BASELINES, _scored, _perplexities, CACHE, "no unigram and n-gram models")
