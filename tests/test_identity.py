"""What names a run: declared names and settings, never the place of a class."""

from __future__ import annotations

import sys
import types

import pytest
import torch

from charrnn.backbone.network import Backbone
from charrnn.datamodule.module import CharDataModule
from charrnn.errors import CharRNNError
from charrnn.optimizer.adam_lasagne import AdamLasagne
from charrnn.runs.identity import declared_name, variant
from charrnn.schemes.scheme_4 import Scheme4
from charrnn.training.train_run import prepare, train


@pytest.fixture
def elsewhere(monkeypatch):
    """A module to which the classes that a configuration names have been moved."""
    module = types.ModuleType("elsewhere")
    for moved in (Backbone, CharDataModule, AdamLasagne, Scheme4):
        setattr(module, moved.__name__, moved)
    monkeypatch.setitem(sys.modules, "elsewhere", module)
    return module


def test_moving_a_class_does_not_rename_a_run(config, elsewhere):
    words = ("scheme=4", "optimizer=adam_lasagne")
    moved = (
        "backbone._target_=elsewhere.Backbone",
        "datamodule._target_=elsewhere.CharDataModule",
        "optimizer._target_=elsewhere.AdamLasagne",
        "schemes.s4._target_=elsewhere.Scheme4",
    )
    before, after = prepare(config(*words)), prepare(config(*words, *moved))
    assert after.identity == before.identity
    assert after.folder.path == before.folder.path
    assert "charrnn." not in str(before.identity)
    assert "elsewhere" not in str(after.identity)


def test_an_identity_holds_its_format_and_names_that_the_code_declares(config):
    identity = prepare(config("scheme=2", "backbone.forget_bias=1")).identity
    assert identity["format"] == 1
    assert identity["training"] == "single-loss"
    assert identity["backbone"] == {
        "name": "lstm",
        "hidden_size": 16,
        "dense_size": 16,
        "forget_bias": 1,
    }
    assert identity["datamodule"] == {"name": "eq8", "test_size": 300}
    assert identity["optimizer"]["name"] == "adam"


@pytest.mark.parametrize("base", [Backbone, AdamLasagne])
def test_a_class_of_ones_own_declares_its_own_name(elsewhere, base):
    elsewhere.Mine = type("Mine", (base,), {"__module__": "elsewhere"})
    with pytest.raises(CharRNNError, match=r"^elsewhere\.Mine has no name .* = 'mine"):
        declared_name("elsewhere.Mine")
    elsewhere.Mine.identity_name = "my own"
    assert declared_name("elsewhere.Mine") == "my own"


def test_a_variant_is_all_that_departs_from_the_standard_run(config):
    words = ("scheme=4", "optimizer=rmsprop", "optimizer.lr=0.0001", "datamodule.batch_size=32")
    cfg = config(*words, "seed=1", "datamodule.seed=0", "precision=64", "k3=10")
    found = set(variant(prepare(cfg).identity, dict(cfg.scale), num_batches=9))
    assert found == {
        *("optimizer=rmsprop", "lr=0.0001", "alpha=0.9", "batch_size=32", "k3=10"),
        *("datamodule.seed=0", "precision=64", "num_batches=9"),
    }
    standard = config("scheme=4", "seed=1")
    assert not [*variant(prepare(standard).identity, dict(standard.scale), num_batches=6)]


def test_a_replicate_varies_weights_and_data_and_each_can_be_fixed(config):
    def parts(*words: str) -> tuple[torch.Tensor, torch.Tensor]:
        """The test split, which the data seed decides, and the weights of an untrained model."""
        cfg = config(*words, "num_batches=1", "optimizer.lr=0")
        run = prepare(cfg)
        return run.datamodule.test_tokens, train(cfg).read_weights()["output.weight"]

    tokens, weights = parts("seed=0")
    for words, same_tokens, same_weights in (
        (("seed=1",), False, False),
        (("seed=1", "datamodule.seed=0"), True, False),
        (("seed=1", "backbone.seed=0"), False, True),
        (("seed=0", "scheme=4", "k1=40"), True, True),
    ):
        other_tokens, other_weights = parts(*words)
        assert torch.equal(tokens, other_tokens) is same_tokens
        assert torch.equal(weights, other_weights) is same_weights
