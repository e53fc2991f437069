"""Runs with other recurrent cells: every scheme trains them; runs resume, have names, are read."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from processes import ROOT

from charrnn.commands.trained_run import open_run
from charrnn.runs.folder import RunFolder
from charrnn.runs.identity import run_name, variant
from charrnn.schemes.scheme_4 import Scheme4
from charrnn.sweeps.cells import compose_cells
from charrnn.sweeps.seconds_per_batch import step_of
from charrnn.training.tensorboard_names import readable_name
from charrnn.training.train_run import prepare, train

OTHERS = ("gru", "rnn", "mingru", "minlstm")


@pytest.mark.parametrize(
    "name",
    [n if n in ("gru", "minlstm") else pytest.param(n, marks=pytest.mark.long) for n in OTHERS],
)
def test_every_scheme_trains_every_cell(config, name):
    for scheme in (1, 2, 4, "bptt"):  # 1 is the run of scheme 3, too
        cfg = config(f"scheme={scheme}", f"backbone={name}", "backbone.num_layers=2")
        run = open_run(train(cfg))
        assert {*run.perplexity} == {"windowed", "progressive"}
        assert all(1 < value < 20 for value in run.perplexity.values())
        for layer in run.backbone.layers:
            assert layer.name == name
            learned = scheme in (1, 2)
            assert bool(layer.h0_H.any()) is learned  # the zero start is not learned
        diagnostics = pd.read_csv(run.folder.path / "diagnostics.csv")
        assert diagnostics.notna().all(axis=None)
        assert (diagnostics["mean_abs_cell"] <= diagnostics["max_abs_cell"]).all()


def test_a_resumed_run_of_another_cell_ends_with_the_same_bits(config, tmp_path):
    words = ("backbone=gru", "scheme=4", "backbone.dropout=0.25", "schemes.s4.reset=0.3", "k1=20")
    whole = train(config(*words, "num_batches=6", f"output_dir={tmp_path / 'whole'}"))
    train(config(*words, "num_batches=3"))
    resumed = train(config(*words, "num_batches=6"))
    assert resumed.path.name == whole.path.name
    assert resumed.path != whole.path
    expected, found = whole.read_weights(), resumed.read_weights()
    assert expected.keys() == found.keys()
    for name, weights in expected.items():
        assert torch.equal(weights, found[name]), name


def test_a_run_of_another_cell_has_a_name_of_its_own(config):
    lstm, gru = config(), config("backbone=gru", "backbone.forget_bias=1")
    identity = prepare(gru).identity
    assert identity["backbone"] == {
        "name": "gru",
        "hidden_size": 16,
        "dense_size": 16,
        "forget_bias": 1,
    }
    assert "_multi-loss_r1_" in prepare(lstm).folder.path.name
    assert "_multi-loss_gru_r1_" in prepare(gru).folder.path.name
    assert [*variant(identity, dict(gru.scale))] == ["backbone=gru", "forget_bias=1"]
    elsewhere = identity | {"backbone": {"name": "my/own cell"}}
    assert "_multi-loss_my-own-cell_r1_" in run_name(elsewhere, gru)
    assert " backbone=gru " in readable_name(gru, identity, "windowed")
    assert step_of(lstm, threads=1) != step_of(gru, threads=1)


def test_an_lstms_settings_are_refused_for_another_cell(charrnn, text_file):
    given = ("data=textfile", f"data.path={text_file}", "scale=smoke", "backbone=rnn")
    status, _, complaint = charrnn("train", *given, "+backbone.forget_bias=1")
    assert status == 2
    assert "backbone.forget_bias is no field" in complaint


def test_initial_weights_of_another_cell(config, tmp_path):
    path, rng = tmp_path / "weights.npz", np.random.default_rng(0)
    cfg = config("backbone=mingru", f"initial_weights={path}", "num_batches=1", "optimizer.lr=0")
    shapes = {
        "mingru0.W_in": (9, 32),
        "mingru0.b": (32,),
        "mingru0.h0": (16,),
        "dense.W": (16, 16),
        "dense.b": (16,),
        "output.W": (16, 9),
        "output.b": (9,),
    }
    arrays = {name: rng.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    np.savez(path, **arrays)
    found = open_run(train(cfg)).backbone.layers[0]
    assert torch.equal(found.W_in_IG, torch.from_numpy(arrays["mingru0.W_in"]))
    assert torch.equal(found.h0_H, torch.from_numpy(arrays["mingru0.h0"]))


def test_the_experiment_compares_every_cell_in_every_scheme():
    cells = compose_cells("cells", ["scale=smoke", "corpora=shakespeare"])
    grid = [(cfg.hydra.runtime.choices.backbone, cfg.scheme, cfg.k1) for cfg in cells]
    names = ("lstm", *OTHERS)
    assert {*grid} == {(name, s, k1) for name in names for s in (1, 2, 3, 4) for k1 in (20, 100)}
    assert len(grid) == 40


@pytest.mark.slow
def test_a_sweep_over_cells_has_a_column_and_a_figure_of_them(command, tmp_path):
    words = ("-m", "experiment=cells", "data=textfile", "scheme=1,4", "k1=20", "backbone=lstm,gru")
    done = command(*words)
    assert done.returncode == 0, done.stderr
    grid = pd.read_csv(tmp_path / "runs" / "grids" / "cells-smoke.csv")
    assert sorted(zip(grid["backbone"], grid["scheme"], strict=True)) == [
        *(("gru", 1), ("gru", 4), ("lstm", 1), ("lstm", 4))
    ]
    assert grid["run"].nunique() == 4
    ranking = re.findall(r"^ *([14]) +(lstm|gru) ", done.stdout, re.MULTILINE)
    assert sorted(ranking) == [("1", "gru"), ("1", "lstm"), ("4", "gru"), ("4", "lstm")]
    assert (tmp_path / "runs" / "figures" / "cells-smoke.png").stat().st_size > 0


def page() -> str:
    return (ROOT / "docs" / "how-to" / "own-recurrent-cell.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page(), re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_a_cell_of_ones_own_needs_a_module_and_a_file(text_file, tmp_path, monkeypatch):
    """The files of the how-to guide, in folders of the user's."""
    (tmp_path / "leaky.py").write_text(blocks("python")[0])
    (tmp_path / "mine" / "backbone").mkdir(parents=True)
    (tmp_path / "mine" / "backbone" / "leaky.yaml").write_text(blocks("yaml")[0])
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    words = [f"--config-dir={tmp_path / 'mine'}", "-m", "backbone=lstm,leaky", "scheme=1,2,3,4"]
    words += ["data=textfile", f"data.path={text_file}", "scale=smoke", "backbone.num_layers=2"]
    words += [f"output_dir={tmp_path / 'runs'}", "jobs=1", "draw=false", "sampling.length=0"]
    done = subprocess.run(
        [sys.executable, ROOT / "src" / "train.py", *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    runs = [path.parent for path in (tmp_path / "runs").glob("*/finished.json")]
    assert sum("_leaky_" in run.name for run in runs) == 3
    assert len(runs) == 6
    monkeypatch.syspath_prepend(str(tmp_path))
    run = next(run for run in runs if "conditional" in run.name and "_leaky_" in run.name)
    layers = open_run(RunFolder(run)).backbone.layers
    assert [type(layer).__module__ for layer in layers] == ["leaky", "leaky"]
    loaded = Scheme4.load_from_checkpoint(run / "checkpoint.pt")
    assert torch.equal(loaded.backbone.layers[1].W_hid_HG, layers[1].W_hid_HG)
