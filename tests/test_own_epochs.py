"""Epochs of the training batches in a Trainer of the user's own, and resuming in them."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from helpers import plain_trainer
from own_loops import data, scheme_of, weights
from pytorch_lightning.callbacks import ModelCheckpoint

import charrnn
from charrnn.datamodule.epochs import Epochs
from charrnn.training.build import build_datamodule, build_scheme
from charrnn.training.train_run import train


@pytest.mark.parametrize(
    "words",
    [
        ["scheme=1"],
        ["scheme=2", "datamodule.order=shuffled"],
        ["scheme=4", "backbone.dropout=0.5", "backbone.num_layers=2"],
        ["scheme=bptt"],
    ],
    ids=" ".join,
)
def test_epochs_of_a_plain_trainer_train_as_the_projects_own_runs_do(config, words):
    cfg = config(*words, "k1=100", "num_batches=9")  # an epoch has 3 batches
    own = train(cfg).read_weights()
    module = build_datamodule(cfg)
    scheme = build_scheme(cfg, vocabulary_size=9)
    torch.manual_seed(cfg.seed)
    trainer = plain_trainer(max_epochs=3)
    trainer.fit(scheme, datamodule=module)
    assert module.batches.per_epoch == 3
    assert trainer.global_step == 9
    for name, value in scheme.backbone.state_dict().items():
        assert torch.equal(value, own[name]), name


@pytest.mark.filterwarnings("ignore:The dirpath has changed")
@pytest.mark.parametrize("steps", [2, 5, 7, 10])
@pytest.mark.parametrize("scheme_class", [charrnn.Scheme1, charrnn.Scheme4])
def test_a_plain_trainer_resumes_in_the_middle_and_at_the_end_of_an_epoch(
    tmp_path, scheme_class, steps
):
    def trainer(folder):
        every = {"every_n_train_steps": steps, "save_top_k": -1}
        keep = ModelCheckpoint(tmp_path / folder, "{step}", **every)
        return plain_trainer(max_epochs=3, callbacks=[keep], enable_checkpointing=True)

    whole, resumed, other = scheme_of(scheme_class), scheme_of(scheme_class), trainer("other")
    trainer("kept").fit(whole, datamodule=data(tmp_path))
    checkpoint = tmp_path / "kept" / f"step={steps}.ckpt"
    other.fit(resumed, datamodule=data(tmp_path), ckpt_path=checkpoint)
    assert other.global_step == 15
    assert torch.equal(weights(resumed), weights(whole))


@pytest.mark.parametrize(
    "settings",
    [
        {"max_epochs": 5, "limit_train_batches": 3},
        {"max_epochs": 3, "reload_dataloaders_every_n_epochs": 1},
        {"max_epochs": 3, "val_check_interval": 2},
        {"max_steps": 15, "max_epochs": -1},
    ],
    ids=str,
)
def test_batches_follow_each_other_however_epochs_are_cut(tmp_path, settings):
    module, seen = data(tmp_path), []

    class Spy(charrnn.Scheme1):
        def on_train_batch_start(self, batch, batch_idx):
            seen.append((batch.number, batch.inputs_TB.tolist()))

    plain_trainer(**settings).fit(scheme_of(Spy), datamodule=module)
    expected = zip(range(15), module.batches, strict=False)
    assert seen == [(batch.number, batch.inputs_TB.tolist()) for _, batch in expected]


def test_a_second_fit_goes_on_with_the_next_epoch_and_a_look_takes_nothing(tmp_path):
    module, once, twice = data(tmp_path), scheme_of(), scheme_of()
    for scheme in once, twice:  # every fit begins with a new optimizer
        scheme.make_optimizer = partial(torch.optim.SGD, lr=0.5)
    plain_trainer(max_epochs=2).fit(once, datamodule=module)
    trainer = plain_trainer(max_epochs=1)
    trainer.fit(twice, datamodule=module)
    next(iter(module.train_dataloader()))
    trainer.fit_loop.max_epochs = 2
    trainer.fit(twice, datamodule=module)
    assert torch.equal(weights(once), weights(twice))


def test_epochs_without_lightning(tmp_path):
    batches = data(tmp_path).batches
    epochs = Epochs(batches)
    assert [[b.number for b in epochs] for _ in range(2)] == [[0, 1, 2, 3, 4]] * 2
    assert [next(iter(epochs)).number for _ in range(2)] == [0, 1]
    assert [batch.number for batch in epochs] == [2, 3, 4, 0, 1]
    epochs.load_state_dict({"position": 10})
    third = [batch.inputs_TB.tolist() for batch in epochs]
    assert third == [batch.inputs_TB.tolist() for batch in batches.epoch(2)]
    assert epochs.state_dict() == {"position": 15}
