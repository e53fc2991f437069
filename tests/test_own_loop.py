"""Schemes in a Trainer of the user's own: metrics, callbacks, validation, precision."""

from __future__ import annotations

import math

import pandas as pd
import pytest
import pytorch_lightning as pl
import reference
import torch
from helpers import model_and_parameters, plain_trainer
from own_loops import K2, data, scheme_of, weights
from pytorch_lightning.callbacks import EarlyStopping, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger

import charrnn
from charrnn.backbone.acceleration import eager_only
from charrnn.datamodule import parts
from charrnn.datamodule.parts import Parts
from charrnn.errors import BadInput
from charrnn.evaluation import in_parts, perplexity
from charrnn.schemes.truncated_bptt import BPTT
from charrnn.training.train_run import prepare, train

SCHEMES = (charrnn.Scheme1, charrnn.Scheme2, charrnn.Scheme3, charrnn.Scheme4, BPTT)


@pytest.fixture
def short_parts(monkeypatch):
    """Parts much shorter than the splits, and a number of windows that divides them."""
    for module in (parts, in_parts, perplexity):
        monkeypatch.setattr(module, "CHUNK", 16)
    monkeypatch.setattr(perplexity, "WINDOWS", 8)


@pytest.mark.parametrize("scheme_class", SCHEMES)
def test_both_readings_are_logged_and_are_the_whole_splits_to_the_bit(
    tmp_path, short_parts, scheme_class
):
    module, scheme = data(tmp_path, val_size=33), scheme_of(scheme_class)
    _, p = model_and_parameters()
    if scheme.hparams.start == "zero":
        p = {name: t * 0 if name.endswith(("h0", "c0")) else t for name, t in p.items()}
    trainer = plain_trainer()
    (validated,) = trainer.validate(scheme, datamodule=module, verbose=False)
    (tested,) = trainer.test(scheme, datamodule=module, verbose=False)
    assert len(Parts(module.test_tokens, K2)) == 5
    for split, found in (("val", validated), ("test", tested)):
        tokens = getattr(module, f"{split}_tokens")
        for procedure in ("windowed", "progressive"):
            value = found[f"{split}/perplexity_{procedure}"]
            arguments = {"procedure": procedure, "k2": K2}
            assert value == charrnn.perplexity(scheme.backbone, tokens, **arguments)
            with torch.no_grad():
                literal = getattr(reference, f"{procedure}_perplexity")(p, tokens.tolist(), K2)
            assert value == pytest.approx(literal, rel=1e-9)
        own = found[f"{split}/perplexity"]
        assert own == found[f"{split}/perplexity_{scheme_class.sampling_procedure}"]
        assert found[f"{split}/loss"] == pytest.approx(math.log(own), rel=1e-12)
    assert validated["val/perplexity"] != tested["test/perplexity"]


@pytest.mark.parametrize(
    ("length", "k2"),
    [(n, k2) for n in (7, 16, 17, 20, 21, 22, 37) for k2 in (1, 5, 6, 20) if n > k2],
)
def test_every_token_but_the_first_k2_is_scored_once_wherever_parts_end(short_parts, length, k2):
    tokens_N = torch.randint(7, (length,), generator=torch.Generator().manual_seed(1))
    backbone = model_and_parameters()[0].eval()
    reader = in_parts.InParts(backbone, k2)
    for _ in range(2):  # the first part starts anew
        for part in Parts(tokens_N, k2):
            reader.read(part)
    for procedure, found in reader.perplexities().items():
        whole = perplexity.PROCEDURES[procedure](backbone, tokens_N, k2)
        assert found[:2] == whole[:2]


def test_a_part_that_scores_nothing_has_no_perplexity(short_parts):
    reader = in_parts.InParts(model_and_parameters()[0].eval(), k2=20)
    reader.read(next(iter(Parts(torch.zeros(60, dtype=torch.int64), k2=20))))
    assert reader.perplexities()["windowed"].tokens_scored == 16
    assert math.isnan(reader.perplexities()["progressive"].value)


def test_the_validation_split_is_the_test_split_unless_it_is_cut_off_the_train_split(tmp_path):
    plain, cut = data(tmp_path), data(tmp_path, val_size=20)
    assert plain.val_tokens is plain.test_tokens
    assert torch.equal(plain.test_tokens, cut.test_tokens)
    assert [*cut.batches.train, *cut.val_tokens.tolist()] == [*plain.batches.train]
    for size, wanted in ((5, "k2 for context"), (80, "less than the 80"), (-1, "at least 6")):
        with pytest.raises(BadInput, match=rf"^datamodule.val_size={size} cannot .*{wanted}"):
            data(tmp_path, val_size=size)


def test_a_validation_split_names_a_run_only_if_there_is_one(config):
    without, with_none, with_one = (
        prepare(config(*words)).identity
        for words in ([], ["datamodule.val_size=0"], ["datamodule.val_size=200"])
    )
    assert without == with_none
    assert "val_size" not in without["datamodule"]
    assert with_one["datamodule"]["val_size"] == 200


@pytest.mark.parametrize("scheme_class", SCHEMES)
def test_what_the_usual_callbacks_and_loggers_see(tmp_path, scheme_class):
    module, scheme = data(tmp_path), scheme_of(scheme_class)
    stop = EarlyStopping(monitor="val/perplexity", patience=2)
    best = ModelCheckpoint(tmp_path / "best", monitor="val/perplexity", save_top_k=1)
    logger = CSVLogger(tmp_path, name="logs")
    trainer = plain_trainer(
        max_epochs=4, logger=logger, log_every_n_steps=2, callbacks=[stop, best],
        enable_checkpointing=True,
    )  # fmt: skip
    trainer.fit(scheme, datamodule=module)
    table = pd.read_csv(f"{logger.log_dir}/metrics.csv", engine="python")
    assert table["step"][table["train/loss"].notna()].tolist() == [
        1,
        3,
        5,
        7,
        9,
        11,
        13,
        15,
        17,
        19,
    ]
    validated = table["val/perplexity"].dropna()
    assert len(validated) == 4
    assert best.best_model_score.item() == stop.best_score.item() == validated.min()
    loaded = scheme_class.load_from_checkpoint(best.best_model_path, weights_only=True).eval()
    arguments = {"procedure": scheme_class.sampling_procedure, "k2": K2}
    found = charrnn.perplexity(loaded.backbone, module.test_tokens, **arguments)
    assert found == best.best_model_score.item()


def test_the_logged_loss_is_the_batchs(tmp_path):
    class Spy(charrnn.Scheme1):
        losses: list[float] = []  # noqa: RUF012

        def on_train_batch_end(self, outputs, batch, batch_idx):
            super().on_train_batch_end(outputs, batch, batch_idx)
            self.losses.append(outputs["loss"].item())

    logger = CSVLogger(tmp_path, name="logs")
    trainer = plain_trainer(max_epochs=2, logger=logger, log_every_n_steps=1)
    trainer.fit(scheme_of(Spy), datamodule=data(tmp_path))
    table = pd.read_csv(f"{logger.log_dir}/metrics.csv", engine="python")
    assert table["train/loss"].dropna().tolist() == pytest.approx(Spy.losses, rel=1e-6)
    assert len(Spy.losses) == 10


def test_a_run_of_the_projects_own_logs_nothing_through_lightning(config, monkeypatch):
    monkeypatch.setattr(pl.LightningModule, "log", lambda *_, **__: pytest.fail("logged"))
    monkeypatch.setattr(charrnn.Scheme1, "validation_step", lambda *_: pytest.fail("validated"))
    assert train(config("num_batches=4")).is_finished


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "64-true"])
@pytest.mark.parametrize("layers", [1, 2])
def test_a_fast_dev_run_in_each_precision(tmp_path, precision, layers):
    scheme = scheme_of(charrnn.Scheme4, layers=layers).float()
    before = weights(scheme).clone()
    with eager_only():
        trainer = plain_trainer(fast_dev_run=True, precision=precision)
        trainer.fit(scheme, datamodule=data(tmp_path))
    assert trainer.global_step == 1
    assert 1 < trainer.callback_metrics["val/perplexity"] < 100
    change = (weights(scheme) - before).abs()
    assert 0.005 < change.max() < 0.02  # Adam's first step is the learning rate


def test_gradients_that_are_scaled_before_they_are_clipped_give_a_warning(tmp_path, monkeypatch):
    monkeypatch.setattr(pl.Trainer, "precision", "16-mixed")
    trainer = plain_trainer(fast_dev_run=True)
    clipping = scheme_of(grad_clip=50.0)
    with pytest.warns(UserWarning, match=r"take 'bf16-mixed', or a backbone with grad_clip=None"):
        trainer.fit(clipping, datamodule=data(tmp_path))
    trainer.fit(scheme_of(), datamodule=data(tmp_path))
