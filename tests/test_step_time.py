"""The time of a training batch: which steps are told apart, and which batch is measured."""

from __future__ import annotations

import pytest
import torch

from charrnn.devices import Place
from charrnn.schemes.base import Scheme
from charrnn.sweeps.seconds_per_batch import measure, seconds_of_runs, step_of
from charrnn.training.train_run import train


def test_k3_is_part_of_a_step_and_resolved(config):
    def k3(*overrides):
        return step_of(config("k1=20", *overrides), threads=1).k3

    assert (k3("k3=1"), k3("k3=7"), k3()) == (1, 7, 100)
    assert k3("scheme=2") == 1
    assert k3("scheme=4") == 100
    assert k3("scheme=bptt") == 20
    # Only in truncated BPTT does the loss depend on k1.
    of_k1 = {
        scheme: {step_of(config(f"scheme={scheme}", f"k1={k1}"), 1) for k1 in (20, 100)}
        for scheme in (1, "bptt")
    }
    assert [len(steps) for steps in of_k1.values()] == [1, 2]


def test_runs_with_different_k3_have_a_time_each(config, tmp_path):
    cfgs = [config(k3, "num_batches=1", "sampling.length=0") for k3 in ("k3=1", "k3=100")]
    for cfg in cfgs:
        train(cfg)
    found = seconds_of_runs(tmp_path / "runs", Place())
    assert {step.k3: len(seconds) for step, seconds in found.items()} == {1: 1, 100: 1}
    assert {step_of(cfg, torch.get_num_threads()) for cfg in cfgs} == set(found)


@pytest.mark.parametrize(
    ("overrides", "positions"),
    [(["scheme=bptt"], 20), (["scheme=4"], 100), (["scheme=1", "k3=7"], 7), (["scheme=2"], 1)],
)
def test_the_measured_batch_is_not_the_first_of_an_epoch(config, monkeypatch, overrides, positions):
    seen = []
    loss = Scheme.loss

    def spy(self, hidden_TBH, targets_TB):
        if torch.is_grad_enabled():
            seen.append((len(self.weights_N), targets_TB.shape[1]))
        return loss(self, hidden_TBH, targets_TB)

    monkeypatch.setattr(Scheme, "loss", spy)
    cfg = config("k1=20", *overrides)
    assert measure(cfg, 9, threads=1, place=Place()) > 0
    (_, narrow), *measured = seen
    assert narrow < cfg.datamodule.batch_size
    assert set(measured) == {(positions, cfg.datamodule.batch_size)}
