"""The groups that people know from Lightning: trainer, logger, callbacks, debug; and Optuna."""

from __future__ import annotations

import csv
import importlib.util
import json
import re

import processes
import pytest
import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf
from processes import Moment
from test_resume import assert_same

from charrnn.errors import CharRNNError
from charrnn.runs.folder import RunFolder
from charrnn.runs.sealed import MARK
from charrnn.schema.lightning import DECIDED
from charrnn.training.build import check
from charrnn.training.train_run import prepare, train

EVERY_BATCH = ("evaluate_at=[1,2,3,4,5,6]", "sampling.log_length=0", "sampling.length=0")


def rows_of(path):
    with path.open() as file:
        return [*csv.DictReader(file)]


def identity(cfg):
    return prepare(cfg).identity


@pytest.mark.parametrize("name", sorted(DECIDED))
def test_what_a_run_decides_itself_is_refused_with_a_reason(config, name):
    with pytest.raises(CharRNNError, match=rf"^trainer.{name}=1 .*it has to be left out: \w+"):
        check(config(f"+trainer.{name}=1"))


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("trainer.devices=2", r"trainer.devices=2 .* 1: a run's batches follow .*jobs="),
        ("+datamodule.num_workers=4", r"datamodule.num_workers=4 .*another place in the data"),
        ("trainer.matmul_precision=low", r"trainer.matmul_precision=low .*highest, high, medium"),
        ("trainer.profiler=fast", r"trainer.profiler=fast .*simple, advanced, pytorch, or null"),
        ("+trainer.bennchmark=true", r"trainer.bennchmark is no field: .* trainer.benchmark\?"),
        ("trainer.max_epoch=5", r"trainer.max_epoch is no field: did you mean trainer.max_epochs "),
        ("+trainer.gradient_clip_algorithm=some", r"Lightning's Trainer cannot be made: "),
        ("callbacks=early", r"callbacks=early .*early_stopping"),
        ("+callbacks.x._target_=pytorch_lightning.callbacks.ModelCheckpoint", "own checkpoints"),
        ("+callbacks.x._target_=pytorch_lightning.callbacks.EarlyStopping", "every evaluation"),
        ("+callbacks.x._target_=pytorch_lightning.Trainer", "has to be a callback"),
        ("+callbacks.x._target_=test_lightning_groups.KeepsAFunction", "made of tensors and plain"),
        (
            "+callbacks.x._target_=test_lightning_groups.Unnamed",
            "callback that changes no training",
        ),
        ("+logger.x._target_=pytorch_lightning.Trainer", "a logger of Lightning's"),
        ("logger.tensorboard.x=1", "logger.tensorboard.x is no field"),
        ("callbacks.early_stopping.patience=0", "at least 1 evaluation"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(charrnn, text_file, tmp_path, word, sentence):
    words = ["scale=smoke", "data=textfile", f"data.path={text_file}", "output_dir=runs"]
    if word.startswith("callbacks.early"):
        words.append("callbacks=early_stopping")
    if word.startswith("logger.tensorboard"):
        word = f"+{word}"
    status, _, said = charrnn("train", *words, word)
    assert status == 2
    assert "Traceback" not in said
    assert re.search(sentence, said), said
    assert not (tmp_path / "runs").exists() or not [*(tmp_path / "runs").glob("*_*")]


class KeepsAFunction(pl.Callback):
    """Its state cannot be read without executing something."""

    identity_name = None

    def state_dict(self):
        return {"kept": check}


class Unnamed(pl.Callback):
    """Does not say whether it changes the training."""


class Stops(pl.Callback):
    """Ends the training after a batch of its own choice."""

    identity_name = "stops"

    def __init__(self, after: int = 4):
        self.after = after

    def on_train_batch_end(self, trainer, *_):
        trainer.should_stop = trainer.global_step == self.after


def test_usual_settings_leave_the_identity_as_it_is(config):
    usual = identity(config())
    watching = ("callbacks=learning_rate_monitor", "logger=csv", "trainer.detect_anomaly=true")
    assert identity(config(*watching, "trainer.profiler=simple")) == usual
    assert {"trainer", "callbacks"} & usual.keys() == set()


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ("trainer.matmul_precision=high", "trainer", {"matmul_precision": "high"}),
        ("+trainer.gradient_clip_val=0.5", "trainer", {"gradient_clip_val": 0.5}),
        ("precision=bf16-mixed", "precision", "bf16-mixed"),
        ("callbacks=early_stopping", "callbacks", {"early_stopping": {}}),
        (
            "+callbacks.mine={_target_: test_lightning_groups.Stops, after: 2}",
            "callbacks",
            {"stops": {"after": 2}},
        ),
    ],
)
def test_what_changes_the_training_is_part_of_the_identity(config, word, key, value):
    assert identity(config(word)) == {**identity(config()), key: value}


def test_the_trainer_is_given_what_was_asked_for(config):
    clipped, usual = (
        train(config(*EVERY_BATCH, *words)).read_weights()["output.weight"]
        for words in (["+trainer.gradient_clip_val=1e-6"], [])
    )
    assert not torch.equal(clipped, usual)
    before = torch.get_float32_matmul_precision()
    seen = "+callbacks.see._target_=test_lightning_groups.SeesPrecision"
    train(config(*EVERY_BATCH, "trainer.matmul_precision=medium", "precision=bf16-mixed", seen))
    assert SeesPrecision.seen == ("medium", "bf16-mixed", torch.float32)
    assert torch.get_float32_matmul_precision() == before


class SeesPrecision(pl.Callback):
    """Notes what the training computes in."""

    identity_name = None
    seen: tuple

    def on_train_start(self, trainer, pl_module):
        kept = pl_module.backbone.output.weight.dtype
        type(self).seen = torch.get_float32_matmul_precision(), trainer.precision, kept


def test_accelerator_says_the_same_as_device(config):
    assert config("trainer=cpu").device == config("trainer.accelerator=cpu").device == "cpu"
    assert config("trainer=gpu").device == config("trainer.accelerator=gpu").device == "gpu"
    with pytest.raises(CharRNNError, match=r"^device=cpu .*gpu, which trainer.accelerator is"):
        check(config("trainer=gpu", "device=cpu"))


def test_early_stopping_ends_a_run_which_is_then_finished(config):
    words = (*EVERY_BATCH, "callbacks=early_stopping", "callbacks.early_stopping.patience=2")
    cfg = config(*words, "optimizer.lr=0")
    folder = train(cfg)
    # The first evaluation is the best one, and two more are no better.
    table = folder.read_table()
    assert list(table["batches"]) == [1, 1, 2, 2, 3, 3]
    assert folder.covers(6)
    assert folder.status(6).batches == 3
    assert train(config(*words, "optimizer.lr=0", "num_batches=900")).read_table().equals(table)
    # A run that was killed between the last checkpoint and its end does not train on.
    weights = folder.read_weights()
    (folder.path / MARK).unlink()
    again = train(cfg)
    assert again.read_table().equals(table)
    assert all(torch.equal(weights[name], w) for name, w in again.read_weights().items())


def test_early_stopping_goes_on_waiting_after_a_kill(config, tmp_path):
    words = (*EVERY_BATCH, "callbacks=early_stopping", "callbacks.early_stopping.patience=3")
    words += ("optimizer.lr=0", "checkpoint_share=1000")
    whole = config(*words, f"output_dir={tmp_path / 'whole'}")
    assert processes.run(whole) == 0
    cfg = config(*words)
    killed = processes.start(cfg, killed_at=Moment("os.replace", "/.evaluations.csv.", call=3))
    killed.join()
    assert killed.exitcode == -9
    assert processes.run(cfg, tmp_path / "log") == 0
    assert "resuming from batch 2." in (tmp_path / "log").read_text()
    folder = prepare(cfg).folder
    assert folder.status(6).batches == 4  # from the beginning it would have waited until 6
    assert_same(folder, prepare(whole).folder)


def test_a_run_that_a_callback_ends_between_evaluations_is_evaluated(config):
    mine = "+callbacks.mine._target_=test_lightning_groups.Stops"
    table = train(config("evaluate_at=[2]", mine)).read_table()
    assert list(table["batches"]) == [2, 2, 4, 4]


def test_several_loggers_have_the_evaluations_and_the_learning_rate(config):
    folder = train(
        config(*EVERY_BATCH, "logger=[csv,tensorboard]", "callbacks=learning_rate_monitor",
               "log_every=2", "scheme=2")
    )  # fmt: skip
    runs = folder.path.parent
    (path,) = (runs / "csv" / folder.name).glob("version_0/metrics.csv")
    rows = rows_of(path)
    table = folder.read_table()
    for procedure in ("windowed", "progressive"):
        logged = [float(row[f"test/perplexity_{procedure}"]) for row in rows
                  if row[f"test/perplexity_{procedure}"]]  # fmt: skip
        assert logged == list(table.loc[table["procedure"] == procedure, "perplexity"])
    own = [row["val/perplexity"] for row in rows if row["val/perplexity"]]
    assert own == [row["test/perplexity_windowed"] for row in rows if row["test/perplexity"]]
    assert {row["lr-Adam"] for row in rows} - {""} == {"0.001"}
    assert len([row for row in rows if row["train/loss"]]) == 3
    assert [*(runs / "tensorboard").glob("*/events.*")]


def test_without_a_logger_nothing_is_logged(config):
    folder = train(config("logger=none"))
    assert not (folder.path.parent / "tensorboard").exists()


def test_validation_reads_its_own_split(config):
    words = ("datamodule.val_size=307", "logger=csv", *EVERY_BATCH)
    folder = train(config(*words))
    (path,) = folder.path.parent.glob("csv/*/version_0/metrics.csv")
    rows = [row for row in rows_of(path) if row["test/perplexity"]]
    assert len(rows) == 6
    assert all(row["val/perplexity"] != row["test/perplexity"] for row in rows)


@pytest.mark.slow
@pytest.mark.skipif(not importlib.util.find_spec("wandb"), reason="needs charrnn[wandb]")
def test_weights_and_biases_offline(config, monkeypatch):
    monkeypatch.setenv("WANDB_SILENT", "true")
    folder = train(config("logger=wandb", "logger.wandb.offline=true", *EVERY_BATCH))
    (run,) = (folder.path.parent / "wandb").glob("offline-run-*")
    assert run.name.endswith(folder.name.rpartition("_")[2])
    assert [*run.glob("run-*.wandb")][0].stat().st_size > 1000


def test_the_profiler_writes_beside_the_runs(config):
    folder = train(config("trainer.profiler=simple", "trainer.detect_anomaly=true"))
    (profile,) = (folder.path.parent / "profiles").glob("*.txt")
    assert "run_training_batch" in profile.read_text()


def test_a_debug_run_is_one_batch_in_a_folder_of_its_own(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = OmegaConf.merge(config("debug=fdr"), {"output_dir": str(tmp_path / "debug")})
    assert (cfg.num_batches, cfg.trainer.detect_anomaly) == (1, True)
    assert set(train(cfg).read_table()["batches"]) == {1}


@pytest.mark.parametrize("words", [[], ["k1=7", "k2=30", "datamodule.batch_size=5"]])
def test_overfit_trains_the_same_three_batches(config, words):
    batches = prepare(config("debug=overfit", *words)).datamodule.batches
    assert batches.per_epoch == 3
    one, two = ([batch.inputs_TB for batch in batches.epoch(number)] for number in (0, 1))
    assert all(map(torch.equal, one, two))


@pytest.mark.slow
@pytest.mark.skipif(
    not importlib.util.find_spec("hydra_plugins.hydra_optuna_sweeper"),
    reason="needs charrnn[optuna]",
)
@pytest.mark.filterwarnings("ignore")
def test_optuna_finds_the_settings_with_the_lowest_perplexity(charrnn, text_file, tmp_path):
    status, _, said = charrnn(
        "train", "hparams_search=optuna", "scale=smoke", "data=textfile", f"data.path={text_file}",
        "output_dir=runs", "hydra.sweeper.n_trials=6", "sampling.length=0", "k1=choice(20,40)",
        "optimizer.lr=interval(0.0001,0.1)",
    )  # fmt: skip
    assert status == 0, said
    runs = [RunFolder(path.parent) for path in (tmp_path / "runs").glob("*/finished.json")]
    final = {run.mark()["perplexity"]["windowed"] for run in runs}
    assert len(final) == 6
    found = OmegaConf.load(tmp_path / "runs" / "optimization_results.yaml")
    assert found.best_value == min(final)
    (best,) = [run for run in runs if run.mark()["perplexity"]["windowed"] == min(final)]
    assert json.loads(best.read("identity.json"))["optimizer"]["lr"] == pytest.approx(
        found.best_params["optimizer.lr"]
    )


def test_hydras_basic_sweeper_trains_every_job(charrnn, text_file, tmp_path):
    status, _, said = charrnn(
        "train", "-m", "hydra/sweeper=basic", "scale=smoke", "data=textfile",
        f"data.path={text_file}", "output_dir=runs", "sampling.length=0", "jobs=auto",
        "k1=20,40", "threads=null",
    )  # fmt: skip
    assert status == 0, said
    assert len([*(tmp_path / "runs").glob("*/finished.json")]) == 2
