"""The shortcut to finished runs: it leads to the right run, or is not taken."""

from __future__ import annotations

import pytest

from charrnn.runs.reuse import NOTES, recall
from charrnn.training.train_run import train

ASKED = ("scheme=1", "evaluate_at=[1,2]", "num_batches=3")


@pytest.fixture
def finished(config):
    """A finished run of scheme 1, and what it was asked for with."""
    return train(config(*ASKED)), ASKED


@pytest.fixture(scope="module")
def shared(shared_config):
    """The same, for tests that change nothing."""
    return train(shared_config(*ASKED)), ASKED


@pytest.mark.parametrize("word", ["jobs=3", "fail_fast=true", "launcher=slurm", "corpora=stdlib"])
def test_how_runs_are_trained_has_no_part_in_the_question(shared_config, shared, word):
    folder, words = shared
    found, procedure = recall(shared_config(*words, word))
    assert (found.path, procedure) == (folder.path, "windowed")


@pytest.mark.parametrize(
    "word",
    ["scheme=3", "k1=30", "seed=1", "num_batches=4", "num_batches=2", "log_every=0", "threads=0"],
)
def test_another_question_is_answered_in_the_long_way(shared_config, shared, word):
    _, words = shared
    assert recall(shared_config(*words, word)) is None


@pytest.mark.parametrize("name", ["evaluations.csv", "config.yaml", "identity.json"])
def test_a_run_that_was_changed_is_not_taken(config, finished, name):
    folder, words = finished
    (folder.path / name).write_text((folder.path / name).read_text().replace("1", "2"))
    assert recall(config(*words)) is None


def test_a_note_that_names_another_run_is_not_taken(config, finished):
    folder, words = finished
    (note,) = (folder.path.parent / NOTES).iterdir()
    for content in ("", "{", "[]", '{"run": "elsewhere", "procedure": "windowed"}'):
        note.write_text(content)
        assert recall(config(*words)) is None
    # A copy under another name has another run's digest, or none.
    folder.path.rename(folder.path.with_name("copy"))
    note.write_text('{"run": "copy", "procedure": "windowed"}')
    assert recall(config(*words)) is None


def test_another_text_is_another_question(config, finished, text_file):
    from charrnn.data.corpora.base import load_once

    _, words = finished
    text_file.write_text(text_file.read_text()[1:])
    load_once.cache_clear()
    assert recall(config(*words)) is None


def test_other_code_is_another_question(config, finished, monkeypatch):
    _, words = finished
    assert recall(config(*words)) is not None
    monkeypatch.setattr("charrnn.runs.reuse._code", lambda: ["changed"])
    assert recall(config(*words)) is None


def test_a_class_from_elsewhere_is_never_noted(config):
    words = ("optimizer._target_=elsewhere.Adam",)
    assert recall(config(*words)) is None
