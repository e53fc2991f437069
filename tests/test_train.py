"""Whole runs: what they leave, that they repeat to the bit, and that nothing is trained twice."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers import random_arrays
from omegaconf import OmegaConf

from charrnn.backbone import compiled
from charrnn.backbone.network import Backbone
from charrnn.callbacks import evaluation
from charrnn.data.corpora.base import TextFile
from charrnn.data.vocabulary import NOTES
from charrnn.errors import BadInput
from charrnn.evaluation.perplexity import PROCEDURES
from charrnn.evaluation.schedule import dense, log_spaced
from charrnn.runs.identity import run_identity
from charrnn.runs.sealed import DamagedRun
from charrnn.schemes.schemes_1_and_3 import Scheme1
from charrnn.training.train_run import prepare, train


def weights(folder) -> dict[str, torch.Tensor]:
    return torch.load(folder.path / "weights.pt", weights_only=True)


def test_log_spaced_counts_are_those_of_the_authors_code():
    expected = [1, 3, 6, 13, 26, 51, 101, 201, 401, 801, 1601, 3201, 6401, 12800]
    assert log_spaced(12800) == expected
    assert log_spaced(5) == [1, 3, 5]
    assert log_spaced(1) == [1]
    assert log_spaced(51) == [1, 3, 6, 13, 26, 51]


def test_dense_counts_hold_the_log_spaced_ones_and_leave_no_large_gap():
    counts = dense(12800)
    assert set(log_spaced(12800)) <= set(counts)
    # Counts lie anywhere in their spans, so two spans of 50 batches or 5 % are the largest gap.
    assert all(b - a <= max(100, 0.11 * a) for a, b in pairwise(counts))
    assert len(counts) < 100


def test_dense_counts_of_a_shorter_training_are_the_first_of_a_longer_one():
    assert set(dense(430)) - {430} == {count for count in dense(12800) if count < 430}


@pytest.mark.parametrize("epoch", [7, 16, 25, 37, 50])
def test_dense_counts_keep_no_step_with_epochs(epoch):
    # Positions within an epoch of any length spread over all of it.
    positions = {count % epoch for count in set(dense(3000)) - set(log_spaced(3000))}
    thirds = {position * 3 // epoch for position in positions}
    assert thirds == {0, 1, 2}


def test_a_run_leaves_its_table_configuration_provenance_and_weights(config):
    cfg = config("scheme=1", "num_batches=7", "k1=100", "backbone.dropout=0.5")
    folder = train(cfg)
    table = folder.read_table()
    assert table["batches"].tolist() == [1, 1, 3, 3, 6, 6, 7, 7]
    assert table["train_sequences"].tolist() == [64 * b for b in table["batches"]]
    assert table["procedure"].tolist() == ["windowed", "progressive"] * 4
    assert (table["tokens_scored"] == 300 - 100).all()
    assert table["train_seconds"].is_monotonic_increasing
    # 19,700 train tokens are 64 lanes of 307: with k1 = 100 an epoch has 3 batches.
    assert (table["epoch"] == (table["batches"] - 1) // 3).all()

    # The last row is the perplexity of the weights that were kept, on the split of that seed,
    # without dropout, which training goes on with.
    run = prepare(cfg)
    backbone = Backbone(len(run.datamodule.tokens.vocabulary), 1, 16, 16).eval()
    backbone.load_state_dict(weights(folder))
    for procedure, row in table.tail(2).set_index("procedure").iterrows():
        value = PROCEDURES[procedure](backbone, run.datamodule.test_tokens, 100).value
        assert row["perplexity"] == pytest.approx(value, rel=1e-6)

    assert OmegaConf.load(folder.path / "config.yaml").backbone.hidden_size == 16
    provenance = json.loads((folder.path / "provenance.json").read_text())
    assert provenance["packages"]["torch"] == torch.__version__
    assert provenance["machine"]["threads"] == 1
    assert provenance["recurrence"] == ("fused" if compiled.is_available() else "torch")
    for procedure in ("windowed", "progressive"):
        sample = (folder.path / f"sample-{procedure}.txt").read_text()
        assert len(sample) == 100 + 5
    assert folder.is_finished


def test_the_mean_loss_of_the_last_batches_stands_beside_an_evaluation(config, monkeypatch):
    monkeypatch.setattr(evaluation, "RECENT", 3)
    losses = []
    step = Scheme1.training_step

    def spy(self, batch):
        losses.append(step(self, batch))
        return losses[-1]

    monkeypatch.setattr(Scheme1, "training_step", spy)
    table = train(config("evaluate_at=[2,6]")).read_table()
    values = [loss.item() for loss in losses]
    expected = [sum(values[:2]) / 2] * 2 + [sum(values[3:6]) / 3] * 2
    assert table["train_loss"].tolist() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("scheme", ["2", "4", "bptt"])
def test_every_run_records_both_readings_of_the_same_tokens(config, scheme):
    table = train(config(f"scheme={scheme}", "num_batches=2", "evaluate_at=[1]")).read_table()
    assert table["procedure"].tolist() == ["windowed", "progressive"] * 2
    assert table["tokens_scored"].nunique() == 1


def test_training_goes_on_with_dropout_after_an_evaluation(config, monkeypatch):
    modes = []
    step = Scheme1.training_step

    def spy(self, batch):
        modes.append((self.training, self.backbone.dropout.training))
        return step(self, batch)

    monkeypatch.setattr(Scheme1, "training_step", spy)
    train(config("evaluate_at=[1,2]"))
    assert modes == [(True, True)] * 6


def test_a_finished_run_says_what_it_did_not_measure(config, caplog):
    train(config("evaluate_at=[2]"))
    train(config("evaluate_at=[2,4]"))
    assert "it was not evaluated at batches [4] then." in caplog.text


def test_the_evaluations_can_be_none_but_the_last(config):
    assert set(train(config("evaluate_at=[]")).read_table()["batches"]) == {6}


def test_music_and_text_of_one_file_are_two_corpora(config, tmp_path):
    (tmp_path / "tune.txt").write_text("60 61 62 64\n" * 2000)
    as_text = prepare(config("data=textfile", f"data.path={tmp_path / 'tune.txt'}"))

    @dataclass(frozen=True)
    class Tune(TextFile):
        tokenization = NOTES

    as_music = Tune(str(tmp_path / "tune.txt")).load()
    assert as_music.sha256 == as_text.datamodule.tokens.sha256
    cfg = config("data=textfile", f"data.path={tmp_path / 'tune.txt'}")
    assert run_identity(cfg, as_music) != as_text.identity


@pytest.mark.parametrize("scheme", [1, 2, 4])
def test_two_runs_with_the_same_seed_are_identical_to_the_bit(config, tmp_path, scheme):
    # 3 batches are an epoch here; dropout draws random numbers.
    settings = (f"scheme={scheme}", "num_batches=20", "k1=100", "backbone.dropout=0.25")
    one = train(config(*settings))
    two = train(config(*settings, f"output_dir={tmp_path / 'again'}"))
    other = train(config(*settings, "seed=1"))
    assert one.path.name == two.path.name != other.path.name
    assert one.read_table()["epoch"].iloc[-1] == 19 // 3
    columns = ["batches", "procedure", "perplexity"]
    assert one.read_table()[columns].equals(two.read_table()[columns])
    first, second, third = weights(one), weights(two), weights(other)
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["output.weight"], third["output.weight"])


def test_schemes_1_and_3_are_one_run(config, caplog):
    caplog.set_level("INFO")
    one = train(config("scheme=1"))
    written = (one.path / "finished.json").stat().st_mtime_ns
    three = train(config("scheme=3"))
    assert three.path == one.path
    assert (one.path / "finished.json").stat().st_mtime_ns == written
    assert "reused" in caplog.text


@pytest.mark.parametrize(
    ("override", "same"),
    [
        ("log_every=7", True),
        ("evaluate_at=[2]", True),
        ("sampling.length=3", True),
        ("scheme=3", True),
        ("optimizer.lr=0.0010", True),
        ("k3=100", True),
        ("columns=[k3]", True),
        ("schemes.s4.reset=0.1", True),
        ("k3=99", False),
        ("weighting=linear", False),
        ("schemes.s1.start=zero", False),
        ("scheme=2", False),
        ("scheme=4", False),
        ("scheme=bptt", False),
        ("k1=30", False),
        ("k2=90", False),
        ("seed=1", False),
        ("datamodule.seed=1", False),
        ("datamodule.order=shuffled", False),
        ("datamodule.rotation=0", False),
        ("datamodule.batch_size=32", False),
        ("backbone.forget_bias=1", False),
        ("backbone.peepholes=none", False),
        ("optimizer=rmsprop", False),
        ("optimizer.lr=0.01", False),
        ("num_batches=5", True),
        ("keep_last=false", True),
        ("backbone.seed=1", False),
        ("precision=64", False),
    ],
)
def test_the_identity_is_what_changes_the_training(config, override, same):
    base, other = prepare(config("scheme=1")), prepare(config("scheme=1", override))
    assert (base.folder.path == other.folder.path) is same


def test_the_identity_tells_corpora_of_one_name_apart(config, text_file):
    before = prepare(config()).folder.path
    text_file.write_text(text_file.read_text()[1:])
    from charrnn.data.corpora.base import load_once

    load_once.cache_clear()
    assert prepare(config()).folder.path != before


def test_a_run_that_was_cut_short_starts_from_the_beginning(config):
    cfg = config("keep_last=false")
    folder = train(cfg)
    expected = folder.read_table()[["batches", "procedure", "perplexity"]]
    (folder.path / "finished.json").unlink()
    (folder.path / "evaluations.csv").write_text("half a li")
    (folder.path / "failed.txt").write_text("of the earlier try")
    train(cfg)
    assert folder.read_table()[["batches", "procedure", "perplexity"]].equals(expected)
    assert not (folder.path / "failed.txt").exists()


def test_a_diverged_run_is_a_result(config, caplog):
    folder = train(config("optimizer=adam", "optimizer.lr=1e30", "num_batches=6"))
    assert folder.is_finished
    table = folder.read_table()
    assert table["batches"].max() == 6
    assert not np.isfinite(table["perplexity"]).all()
    assert not any(folder.path.glob("sample-*"))
    assert "nothing can be sampled" in caplog.text


def test_a_failed_run_keeps_its_traceback_and_is_no_result(config, monkeypatch):
    def fail(self, batch):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(Scheme1, "training_step", fail)
    cfg = config()
    with pytest.raises(RuntimeError, match="out of luck"):
        train(cfg)
    folder = prepare(cfg).folder
    assert not folder.is_finished
    assert "out of luck" in (folder.path / "failed.txt").read_text()


def test_k1_above_k2_is_allowed_with_one_warning(config, caplog):
    train(config("scheme=1", "k1=150", "k2=100"))
    warnings = [r.getMessage() for r in caplog.records if r.levelname == "WARNING"]
    assert [w for w in warnings if "k1" in w] == [
        "k1=150 is greater than k2=100: tokens are skipped."
    ]


def test_training_time_leaves_evaluation_out(config, monkeypatch):
    import time

    def slow(*_):
        time.sleep(0.5)
        from charrnn.evaluation.perplexity import Perplexity

        return Perplexity(2.0, 200, 0.1)

    monkeypatch.setitem(PROCEDURES, "windowed", slow)
    started = time.perf_counter()
    table = train(config("scheme=2", "evaluate_at=[1,2,3,4,5,6]")).read_table()
    passed = time.perf_counter() - started
    # Whatever the machine's speed: six sleeps of half a second are in one and not in the other.
    assert table["train_seconds"].iloc[-1] < passed - 6 * 0.5


def test_initial_weights_come_from_an_npz_file_and_count_for_the_identity(config, tmp_path):
    arrays = random_arrays(vocabulary=9, layers=1, hidden=16, dense=16, peepholes="lasagne")
    path = tmp_path / "weights.npz"
    np.savez(path, **arrays)
    settings = (f"initial_weights={path}", "optimizer.lr=0", "precision=64")
    cfg = config(*settings)
    symbols = prepare(cfg).datamodule.tokens.vocabulary.symbols
    assert len(symbols) == 9
    folder = train(cfg)
    np.testing.assert_array_equal(weights(folder)["layers.0.W_in_IG"], arrays["lstm0.W_in"])
    np.testing.assert_array_equal(weights(folder)["output.weight"], arrays["output.W"].T)
    arrays["output.b"] = arrays["output.b"] + 1
    np.savez(path, **arrays)
    assert prepare(cfg).folder.path != folder.path
    path.write_bytes(b"not a zip")
    with pytest.raises(BadInput, match=r"^initial_weights=.*readable .npz file"):
        prepare(cfg)


def test_a_run_starts_from_what_another_one_has_learned(config, tmp_path):
    learned = train(config("num_batches=3", "scheme=1"))
    path = learned.path / "weights.pt"
    words = (f"initial_weights={path}", "num_batches=1", "scheme=3", "schemes.s3.start=passed")
    started = train(config(*words, "optimizer.lr=0"))
    before, after = learned.read_weights(), started.read_weights()
    assert before["layers.0.h0_H"].any()
    assert all(torch.equal(after[name], before[name]) for name in before)
    moved = train(config(*words)).read_weights()
    assert not torch.equal(moved["output.weight"], before["output.weight"])
    assert torch.equal(moved["layers.0.h0_H"], before["layers.0.h0_H"])  # not learned any more
    with pytest.raises(BadInput, match=r"a run with this network: they differ in dense.weight"):
        prepare(config(*words, "backbone.hidden_size=7"))
    other = tmp_path / "other.txt"
    other.write_text((tmp_path / "text.txt").read_text().replace("a", "z"))
    with pytest.raises(BadInput, match=rf"^initial_weights={learned.path.name} .*with the tokens"):
        prepare(config(*words, f"data.path={other}"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DamagedRun, match=r"weights\.pt"):
        prepare(config(*words, "backbone.forget_bias=1.0"))
    with pytest.raises(BadInput, match=r"has to be the weights\.pt of a finished run"):
        prepare(config(f"initial_weights={tmp_path / 'weights.pt'}"))


def test_perplexity_of_an_untrained_model_is_near_v(config):
    table = train(config("optimizer.lr=0")).read_table()
    assert table["perplexity"].iloc[-1] == pytest.approx(9, rel=0.2)
    assert math.isclose(*table["perplexity"].iloc[[0, -2]], rel_tol=1e-9)
