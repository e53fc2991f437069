"""What a scheme's checkpoint holds, and that the scheme is built again from it alone."""

from __future__ import annotations

import re
from functools import partial

import numpy as np
import pytest
import torch
from helpers import model_and_parameters, plain_trainer
from pytorch_lightning.tuner import Tuner
from torch import nn

import charrnn
from charrnn.backbone.network import Backbone
from charrnn.errors import CharRNNError
from charrnn.optimizer.adam_lasagne import AdamLasagne
from charrnn.schemes.truncated_bptt import BPTT
from charrnn.training.train_run import train


def data(tmp_path, letters=400, **settings) -> charrnn.CharDataModule:
    path = tmp_path / "random.txt"
    path.write_text("".join(np.random.default_rng(0).choice(list("abcdefg"), letters)))
    module = charrnn.CharDataModule(
        charrnn.corpus("textfile", path=str(path)), k1=3, k2=5, batch_size=4, test_size=50
    )
    module.setup()
    return module


def saved(tmp_path, scheme, **trainer):
    """A checkpoint of Lightning's, after a step."""
    trainer = plain_trainer(max_steps=1, limit_val_batches=0, **trainer)
    trainer.fit(scheme, datamodule=data(tmp_path))
    path = tmp_path / "one.ckpt"
    trainer.save_checkpoint(path)
    return path


def assert_same_weights(found: nn.Module, expected: nn.Module) -> None:
    assert found.state_dict().keys() == expected.state_dict().keys()
    for name, value in expected.state_dict().items():
        assert found.state_dict()[name].dtype == value.dtype
        assert torch.equal(found.state_dict()[name], value), name


def test_hyperparameters_are_plain_values():
    backbone = Backbone(7, 2, 5, None, peepholes="none", dropout=0.5)
    optimizer = partial(AdamLasagne, lr=0.02, betas=(0.8, 0.9))
    scheme = charrnn.Scheme4(backbone, optimizer, 3, 5, 2, "linear", reset=0.25, restart=False)
    assert dict(scheme.hparams) == {
        "k1": 3,
        "k2": 5,
        "k3": 2,
        "weighting": "linear",
        "start": "zero",
        "lr": 0.02,
        "reset": 0.25,
        "recompute": False,
        "restart": False,
        "backbone": {
            "_target_": "charrnn.backbone.network.Backbone",
            "vocabulary_size": 7,
            "num_layers": 2,
            "hidden_size": 5,
            "dense_size": None,
            "peepholes": "none",
            "forget_bias": 5.0,
            "grad_clip": 50.0,
            "layer_norm": False,
            "dropout": 0.5,
            "seed": 0,
        },
        "optimizer": {
            "_target_": "charrnn.optimizer.adam_lasagne.AdamLasagne",
            "lr": 0.02,
            "betas": (0.8, 0.9),
        },
    }


@pytest.mark.parametrize("double", [False, True])
@pytest.mark.parametrize(
    ("scheme_class", "settings"),
    [
        (charrnn.Scheme1, {"k3": 2, "weighting": "exponential"}),
        (charrnn.Scheme2, {}),
        (charrnn.Scheme3, {"start": "zero"}),
        (charrnn.Scheme4, {"reset": 0.5, "recompute": True, "start": "learned"}),
        (BPTT, {"restart": False}),
    ],
)
def test_a_scheme_is_loaded_from_a_checkpoint_alone(tmp_path, scheme_class, settings, double):
    backbone = Backbone(7, num_layers=2, hidden_size=5, dense_size=6, grad_clip=0.01)
    backbone.to(torch.float64 if double else torch.float32)
    scheme = scheme_class(backbone, partial(torch.optim.SGD, lr=0.5), 3, 5, **settings)
    weights_at_first = scheme.weights_N.tolist()  # in bptt they depend on the batch
    loaded = scheme_class.load_from_checkpoint(saved(tmp_path, scheme), weights_only=True)
    assert_same_weights(loaded, scheme)
    assert dict(loaded.hparams) == dict(scheme.hparams)
    assert loaded.weights_N.tolist() == weights_at_first
    assert [layer.grad_clip for layer in loaded.backbone.recurrent_layers()] == [0.01, 0.01]
    groups = loaded.configure_optimizers().param_groups, scheme.configure_optimizers().param_groups
    assert [len(each["params"]) for each in groups[0]] == [len(g["params"]) for g in groups[1]]
    assert type(loaded.configure_optimizers()) is torch.optim.SGD
    assert groups[0][0]["lr"] == 0.5


@pytest.mark.parametrize("precision", [32, 64])
@pytest.mark.parametrize("scheme", [1, 2, 4])
def test_a_scheme_is_loaded_from_the_checkpoint_of_a_run(config, scheme, precision):
    words = (f"scheme={scheme}", f"precision={precision}", "optimizer.lr=0.03", "backbone.seed=5")
    folder = train(config(*words, "num_batches=3", "backbone.num_layers=2"))
    scheme_class = (charrnn.Scheme1, charrnn.Scheme2, charrnn.Scheme3, charrnn.Scheme4)[scheme - 1]
    loaded = scheme_class.load_from_checkpoint(folder.path / "checkpoint.pt")
    kept = folder.read_weights()
    assert kept.keys() == loaded.backbone.state_dict().keys()
    for name, value in loaded.backbone.state_dict().items():
        assert value.dtype == kept[name].dtype
        assert torch.equal(value, kept[name]), name
    assert (loaded.k1, loaded.k2, loaded.hparams.lr) == (20, 100, 0.03)
    (folder.path / "vocabulary.json").unlink()
    with pytest.raises(CharRNNError, match=r"lacks a part of the run: .*vocabulary\.json"):
        scheme_class.load_from_checkpoint(folder.path / "checkpoint.pt")


def test_a_checkpoint_of_a_run_holds_what_it_did_before_schemes_had_hyperparameters(config):
    path = train(config("scheme=4", "num_batches=2")).path / "checkpoint.pt"
    with path.open("rb") as file:
        file.readline()
        kept = torch.load(file, weights_only=True)
    assert not [name for name in kept if name.startswith(("hyper", "hparams"))]


def test_an_optimizer_made_by_a_function_is_described_when_it_is_made(tmp_path):
    backbone = Backbone(7, hidden_size=5, dense_size=None)
    scheme = charrnn.Scheme1(backbone, lambda p: torch.optim.AdamW(p, lr=0.25), 3, 5)
    assert scheme.hparams.optimizer is scheme.hparams.lr is None
    loaded = charrnn.Scheme1.load_from_checkpoint(saved(tmp_path, scheme), weights_only=True)
    optimizer = loaded.configure_optimizers()
    assert type(optimizer) is torch.optim.AdamW
    assert optimizer.param_groups[0]["lr"] == 0.25


class Other(Backbone):
    """A network of the user's own, with an argument that the original does not have."""

    def __init__(self, vocabulary_size: int, hidden_size: int, scale: float) -> None:
        super().__init__(vocabulary_size, hidden_size=hidden_size, dense_size=None)
        self.arguments["scale"] = self.scale = scale


class Halved(charrnn.Scheme1):
    """A scheme of the user's own, with an argument of its own."""

    training_procedure = "halved"

    def __init__(self, *args, factor: float = 0.5, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.save_hyperparameters("factor")

    def training_step(self, batch):
        return self.hparams.factor * super().training_step(batch)


def test_classes_of_the_users_own_are_loaded_too(tmp_path):
    scheme = Halved(Other(7, 5, 2.0), torch.optim.Adam, 3, 5, factor=0.25, lr=0.125)
    path = saved(tmp_path, scheme)
    loaded = Halved.load_from_checkpoint(path, weights_only=True)
    assert isinstance(loaded.backbone, Other)
    assert (loaded.backbone.scale, loaded.hparams.factor, loaded.lr) == (2.0, 0.25, 0.125)
    assert_same_weights(loaded, scheme)
    given = Halved.load_from_checkpoint(path, backbone=Other(7, 5, 3.0), lr=0.5)
    assert (given.backbone.scale, given.lr) == (3.0, 0.5)
    assert_same_weights(given, scheme)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("os.system", "os.system, which the checkpoint names, is no Module."),
        ("torch.optim.Adam", "torch.optim.Adam, which the checkpoint names, is no Module."),
        ("nowhere.Net", "nowhere.Net cannot be imported, which the checkpoint names: give"),
        ("Net", "Net cannot be imported"),
    ],
)
def test_a_checkpoint_calls_nothing_but_a_network(target, message):
    with pytest.raises(CharRNNError, match="^" + re.escape(message)):
        charrnn.Scheme1({"_target_": target}, torch.optim.Adam, 3, 5)


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, lambda p: torch.optim.Adam(p, lr=0.001)])
def test_lr_is_that_of_the_optimizer_unless_given(optimizer):
    def rate(**settings):
        scheme = charrnn.Scheme1(Backbone(7, hidden_size=5), optimizer, 3, 5, **settings)
        return scheme.configure_optimizers().param_groups[0]["lr"]

    assert rate() == 0.001
    assert rate(lr=0.125) == 0.125
    with pytest.raises(CharRNNError, match=r"^lr=-1 cannot be used: .*at least 0"):
        rate(lr=-1)


@pytest.mark.filterwarnings("ignore")  # what the tuner says of loaders and of its own checkpoint
def test_the_tuner_finds_a_learning_rate_and_training_starts_from_the_beginning(tmp_path):
    backbone, _ = model_and_parameters()
    scheme = charrnn.Scheme1(backbone, torch.optim.SGD, 3, 5, lr=0.001)
    before, module, seen = backbone.output.bias.clone(), data(tmp_path, letters=2000), []
    trainer = plain_trainer(max_epochs=1, limit_val_batches=0, default_root_dir=tmp_path)
    found = Tuner(trainer).lr_find(scheme, datamodule=module, num_training=50, max_lr=10.0)
    assert scheme.lr == scheme.hparams.lr == found.suggestion() != 0.001
    assert scheme.configure_optimizers().param_groups[0]["lr"] == scheme.lr
    assert torch.equal(backbone.output.bias, before)
    scheme.on_train_batch_start = lambda batch, _: seen.append(batch.number)
    trainer.fit(scheme, datamodule=module)
    assert seen == list(range(module.batches.per_epoch))


def test_forward_gives_the_logits_after_every_token_and_reads_on():
    backbone, _ = model_and_parameters(layers=2)
    scheme = charrnn.Scheme3(backbone, torch.optim.SGD, 3, 5)
    tokens_TB = torch.randint(7, (9, 4), generator=torch.Generator().manual_seed(0))
    logits, state = scheme(tokens_TB)
    assert logits.shape == (9, 4, 7)
    hidden_TBH, _ = backbone.recur(tokens_TB, backbone.initial_state(4))
    assert torch.equal(logits, backbone.readout(hidden_TBH))
    first, between = scheme(tokens_TB[:6])
    second, after = scheme(tokens_TB[6:], between)
    torch.testing.assert_close(torch.cat([first, second]), logits, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(after, state, rtol=1e-12, atol=1e-12)
