"""Perplexities that need no network: n-grams by hand, and on the tokens that runs are scored on."""

from __future__ import annotations

import logging
import math
from collections import Counter

import analysis.baselines
import numpy as np
import pandas as pd
import pytest
from analysis.baselines import CACHE, with_baselines
from analysis.results import BASELINES, Results
from analysis.statistics.ngrams import NGramModel, perplexity, unigram_log_probabilities

from charrnn.data.corpora.base import load_once
from charrnn.training.train_run import train

SMALL = ("scheme=1", "num_batches=2", "evaluate_at=[2]")


def kneser_ney(train: list[int], V: int, order: int, context: tuple[int, ...], token: int) -> float:
    """The formula once more, plainly: with dictionaries of tuples, and by recursion."""

    def grams(n: int) -> list[tuple[int, ...]]:
        return [tuple(train[i : i + n]) for i in range(len(train) - n + 1)]

    def counts(n: int) -> Counter:
        return Counter(grams(n)) if n == order else Counter(gram[1:] for gram in set(grams(n + 1)))

    def chance(n: int, h: tuple[int, ...]) -> float:
        if n == 0:
            return 1 / V
        found = counts(n)
        once, twice = (sum(c == k for c in found.values()) for k in (1, 2))
        D = once / (once + 2 * twice) if once else 0.5
        after = {gram[-1]: c for gram, c in found.items() if gram[:-1] == h}
        if not after:
            return chance(n - 1, h[1:])
        total = sum(after.values())
        rest = D * len(after) / total * chance(n - 1, h[1:])
        return max(after.get(token, 0) - D, 0) / total + rest

    return chance(len(context) + 1, context)


def test_a_bigram_model_by_hand():
    """0 1 0 1 2: D = 2 / (2 + 2 * 1) for the bigrams 01 (twice), 10 and 12; below them D = 1."""
    model = NGramModel(np.array([0, 1, 0, 1, 2]), vocabulary_size=3, order=2)
    found = {
        (before, token): math.exp(model.log_probabilities(np.array([before, token]))[1])
        for before in range(3)
        for token in range(3)
    }
    # Each token has one predecessor: a count of 1, all of which the discount takes.
    third = 1 / 3
    expected = {
        (0, 0): 0.5 * 1 / 2 * third,
        (0, 1): 1.5 / 2 + 0.5 * 1 / 2 * third,
        (0, 2): 0.5 * 1 / 2 * third,
        (1, 0): 0.5 / 2 + 0.5 * 2 / 2 * third,
        (1, 1): 0.5 * 2 / 2 * third,
        (1, 2): 0.5 / 2 + 0.5 * 2 / 2 * third,
        (2, 0): third,  # nothing ever came after 2
        (2, 1): third,
        (2, 2): third,
    }
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_every_order_follows_the_formula_and_sums_to_1(order):
    rng = np.random.default_rng(order)
    V, text = 4, rng.choice(4, size=60, p=[0.5, 0.3, 0.15, 0.05]).tolist()
    model = NGramModel(np.array(text, np.uint8), V, order)
    contexts = [tuple(rng.integers(V, size=order - 1).tolist()) for _ in range(20)]
    for context in contexts:
        found = [
            math.exp(model.log_probabilities(np.array([*context, token]))[-1]) for token in range(V)
        ]
        assert sum(found) == pytest.approx(1, rel=1e-12)
        assert all(chance > 0 for chance in found)
        expected = [kneser_ney(text, V, order, context, token) for token in range(V)]
        assert found == pytest.approx(expected, rel=1e-12)


def test_a_token_is_predicted_from_as_many_tokens_as_there_are():
    text = np.random.default_rng(0).integers(3, size=50).tolist()
    model = NGramModel(np.array(text), 3, order=3)
    found = np.exp(model.log_probabilities(np.array([2, 0, 1])))
    contexts = [((), 2), ((2,), 0), ((2, 0), 1)]
    expected = [kneser_ney(text, 3, 3, context, token) for context, token in contexts]
    assert found == pytest.approx(expected, rel=1e-12)


def test_a_cycle_is_predicted_almost_surely_and_unigrams_only_count():
    cycle = np.tile(np.arange(7, dtype=np.uint8), 500)
    assert 1 < perplexity(NGramModel(cycle, 7).log_probabilities(cycle)[4:]) < 1.01
    assert perplexity(unigram_log_probabilities(cycle, 7)) == pytest.approx(7)


def test_unigrams_by_hand():
    """Counts 3, 1 and 0 become 4, 2 and 1 of 7."""
    found = unigram_log_probabilities(np.array([0, 0, 1, 0]), 3)
    assert np.exp(found) == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    entropy = -(2 * math.log(4 / 7) + math.log(1 / 7)) / 3
    assert perplexity(found[[0, 2, 0]]) == pytest.approx(math.exp(entropy))


def test_many_different_tokens_lower_the_order():
    """10,000 ** 5 exceeds 63 bits, 10,000 ** 4 does not."""
    model = NGramModel(np.arange(10_000), 10_000)
    assert [grams.size for grams in model.orders] == [1, 2, 3, 4]
    assert np.isfinite(model.log_probabilities(np.arange(9_990, 10_000))).all()


@pytest.fixture
def trained(config):
    """A finished run of k2 = 100 on seven different characters, and its results."""
    folder = train(config(*SMALL))
    row = {"corpus": "text", "run": folder.path.name, "perplexity": 5.0}
    return folder, Results(pd.DataFrame([row]), pd.DataFrame([row, row]))


def test_a_run_is_compared_on_the_tokens_that_it_is_scored_on(trained, text_file):
    folder, results = trained
    found = with_baselines(results, folder.path.parent).curves
    text = text_file.read_text()
    # Smoke scale: 300 test tokens after the rotation that data seed 0 draws; k2 of them are read.
    offset = int(np.random.default_rng([0, 0]).integers(len(text)))
    rotated = text[offset:] + text[:offset]
    train_text, scored = rotated[:-300], rotated[-200:]
    counts, V = Counter(train_text), len(set(text))
    entropy = -sum(math.log((counts[c] + 1) / (len(train_text) + V)) for c in scored) / 200
    assert found["unigram"].tolist() == pytest.approx([math.exp(entropy)] * 2)
    # Four characters leave it open in one place of 20 only what follows: "e " before s or h, ...
    assert 1 < found["ngram"].iloc[0] < 1.5


def test_what_was_computed_is_kept_and_reference_results_stay(trained, monkeypatch):
    folder, results = trained
    runs = folder.path.parent
    first = with_baselines(results, runs)
    assert (runs / CACHE).exists()
    assert with_baselines(first, runs) is first
    monkeypatch.setattr(analysis.baselines, "NGramModel", None)  # would fail if it were called
    again = with_baselines(results, runs)
    pd.testing.assert_frame_equal(again.curves, first.curves)
    (runs / CACHE).write_text("damaged")
    with pytest.raises(TypeError):
        with_baselines(results, runs)


def test_another_text_or_a_missing_run_is_unknown_and_said_so(trained, text_file, caplog):
    folder, results = trained
    gone = results.curves.assign(run="gone", corpus="elsewhere")
    both = Results(results.cells, pd.concat([results.curves, gone], ignore_index=True))
    text_file.write_text(text_file.read_text()[1:])
    load_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        found = with_baselines(both, folder.path.parent)
    assert found.curves[[*BASELINES]].isna().all(axis=None)
    assert not (folder.path.parent / CACHE).exists()
    text, elsewhere = caplog.messages
    assert "runs on text: " in text
    assert "a different text" in text
    assert "runs on elsewhere: " in elsewhere


def test_a_corpus_that_was_never_fetched_stays_away(trained, monkeypatch, caplog):
    from charrnn.data.corpora.base import TextFile
    from charrnn.data.fetching.packages import require_fetching

    folder, results = trained
    load_once.cache_clear()
    monkeypatch.setattr(TextFile, "source", lambda self: require_fetching(self.path))
    with caplog.at_level(logging.WARNING):
        found = with_baselines(results, folder.path.parent)
    assert found.curves[[*BASELINES]].isna().all(axis=None)
    assert "has not been fetched yet" in caplog.text
