"""What `import charrnn` offers: the docstrings' examples run, and the numbers are the runs'."""

from __future__ import annotations

import contextlib
import doctest
import json
import math
import shutil
from pathlib import Path

import pandas as pd
import pytest
import torch

import charrnn
from charrnn import CharDataModule, load_run, perplexity, results, sample
from charrnn.errors import CharRNNError
from charrnn.evaluation.perplexity import PROCEDURES
from charrnn.training.train_run import train

SMALL = ("k2=100", "backbone.hidden_size=4", "backbone.dense_size=4", "data.path=text.txt")
DOCUMENTED = ("corpus", "load_run", "perplexity", "results", "sample")
"""tests/test_docstrings.py runs the examples of the classes."""


@pytest.fixture(scope="module")
def example(shared_config):
    """A trained run, on a text in the working folder."""
    cfg = shared_config("data=textfile", *SMALL)
    with contextlib.chdir(Path(cfg.output_dir).parent):
        return train(cfg).path


@pytest.fixture
def notebook(example, text_file, monkeypatch):
    """A working folder with a text and a trained run, in runs/ and again in multirun/example."""
    folder = text_file.parent
    monkeypatch.chdir(folder)
    for copy in (folder / "runs" / example.name, folder / "multirun" / "example"):
        shutil.copytree(example, copy)
    return folder


@pytest.mark.parametrize("name", [None, *DOCUMENTED])
def test_the_example_in_each_docstring_runs(notebook, name):
    documented = getattr(charrnn, name) if name else charrnn
    test = doctest.DocTestParser().get_doctest(documented.__doc__, {}, name or "charrnn", None, 0)
    assert test.examples, f"{name} has no example"
    assert doctest.DocTestRunner(verbose=False).run(test).failed == 0


def test_every_public_name_is_found_and_no_other():
    assert {*charrnn.__all__} <= {*dir(charrnn)}
    for name in charrnn.__all__:
        assert getattr(charrnn, name) is not None
    with pytest.raises(AttributeError, match=r"module 'charrnn' has no attribute 'Scheme9'"):
        _ = charrnn.Scheme9


def test_a_run_is_loaded_from_a_path_or_its_name(notebook):
    by_name, by_path = (
        load_run(p) for p in ("multirun/example", notebook / "multirun" / "example")
    )
    assert by_name.identity == by_path.identity
    assert by_name.backbone is by_name.backbone
    assert not by_name.backbone.training
    assert list(by_name.evaluations["batches"].unique()) == [1, 3, 6]
    with pytest.raises(CharRNNError, match=r"multirun/nowhere is not a run's folder"):
        load_run("multirun/nowhere")


@pytest.mark.parametrize("procedure", PROCEDURES)
def test_perplexity_is_what_the_run_measured(notebook, procedure):
    run = load_run("multirun/example")
    mark = json.loads((notebook / "multirun" / "example" / "finished.json").read_text())
    measured = mark["perplexity"][procedure]
    assert perplexity(run, procedure=procedure) == pytest.approx(measured, rel=1e-6)
    tokens = run.datamodule().test_tokens
    text = run.vocabulary.decode(tokens.numpy())
    for given in (text, tokens, tokens.numpy()):
        assert perplexity(run, given, procedure=procedure) == pytest.approx(measured, rel=1e-6)
    found = perplexity(run.backbone, tokens, procedure=procedure, k2=100)
    assert found == pytest.approx(measured, rel=1e-6)
    assert perplexity(run, k2=3, procedure=procedure) != pytest.approx(measured, rel=1e-6)


def test_the_procedure_is_the_schemes_own_unless_named(notebook):
    run = load_run("multirun/example")
    assert perplexity(run) == perplexity(run, procedure="windowed")
    assert perplexity(run) != perplexity(run, procedure="progressive")
    assert sample(run, "the", length=9) == sample(run, "the", length=9, procedure="rolling")


def test_a_sample_depends_on_its_arguments_alone(notebook):
    run = load_run("multirun/example")
    text = sample(run, "the", length=40, seed=1)
    assert text == sample(run, "the", length=40, seed=1)
    assert text != sample(run, "the", length=40, seed=2)
    assert len(text) == 43
    assert set(text) <= set(run.vocabulary.symbols)
    ones = sample(run, "the", length=40, top_k=1)
    assert ones == sample(run, "the", length=40, temperature=0.001)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda run: perplexity(run, "xyz"), r"^text='xyz' .*without 'x', 'y', 'z'\.$"),
        (lambda run: perplexity(run, "the"), r"^text=3 tokens .*longer than k2=100 tokens\.$"),
        (lambda run: perplexity(run, procedure="rolling"), r"^procedure=rolling .*one of windowed"),
        (lambda run: perplexity(run, k2=-1), r"^k2=-1 "),
        (lambda run: perplexity(run.backbone), r"^procedure=None .*one of windowed, progressive"),
        (lambda run: perplexity(run.backbone, procedure="windowed"), r"^k2=None .*whole number"),
        (lambda run: perplexity(run.backbone, procedure="windowed", k2=9), r"^text=None .*given"),
        (
            lambda run: perplexity(run.backbone, "the", procedure="windowed", k2=1),
            r"^text=a string .*token indices",
        ),
        (lambda run: sample(run, ""), r"^prompt='' .*at least 1 token\.$"),
        (lambda run: sample(run, "the", length=0), r"^length=0 "),
        (lambda run: sample(run, "the", procedure="best"), r"^procedure=best .*rolling"),
        (lambda _: charrnn.corpus("hamlet"), r"^data=hamlet .*one of .*shakespeare, stdlib"),
        (lambda _: charrnn.corpus("textfile"), r"^path=\?\?\? .*given"),
        (lambda _: charrnn.corpus("stdlib", path="x"), r"unexpected keyword argument 'path'"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(notebook, call, message):
    with pytest.raises(CharRNNError, match=message):
        call(load_run("multirun/example"))


def test_a_corpus_is_the_one_of_the_command_line(config):
    from charrnn.config import build

    assert charrnn.corpus("stdlib") == build(config("data=stdlib").data)
    assert charrnn.corpus("shakespeare") == build(config("data=shakespeare").data)


def test_results_has_a_row_per_evaluation_of_every_run_below_the_folder(notebook, config, caplog):
    train(config("data=textfile", "scheme=2", "optimizer.lr=0.5", *SMALL))
    table = results(notebook)  # multirun/example is a copy of one of the two in runs/
    assert table["run"].nunique() == 3
    own = pd.read_csv(notebook / "multirun" / "example" / "evaluations.csv")
    rows = table[table["run"] == "example"].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows[own.columns], own)
    single = table[table["training"] == "single-loss"]
    assert set(single["scheme"]) == {2}
    assert set(single["settings"]) == {"dense_size=4 lr=0.5"}
    assert set(single["corpus"]) == {"text"}
    assert results("multirun")["run"].unique().tolist() == ["example"]
    (notebook / "multirun" / "example" / "evaluations.csv").write_text("batches\n")
    assert results(str(notebook))["run"].nunique() == 2
    assert "left out: " in caplog.text
    with pytest.raises(CharRNNError, match=r"nowhere has no runs"):
        results("nowhere")


def test_a_module_of_the_users_own_trains_with_the_parts(notebook):
    """The parts fit together without a configuration."""
    data = CharDataModule(
        charrnn.corpus("textfile", path="text.txt"), k1=5, k2=10, batch_size=4, test_size=50
    )
    data.setup()
    backbone = charrnn.Backbone(len(data.tokens.vocabulary), hidden_size=8, dense_size=None)
    scheme = charrnn.Scheme2(backbone, lambda p: torch.optim.Adam(p, lr=0.05), k1=5, k2=10)
    update = scheme.configure_optimizers()
    before = perplexity(backbone, data.test_tokens, procedure="windowed", k2=10)
    for _, batch in zip(range(60), data.batches, strict=False):
        update.zero_grad()
        scheme.training_step(batch).backward()
        update.step()
    after = perplexity(backbone.eval(), data.test_tokens, procedure="windowed", k2=10)
    assert math.isfinite(after)
    assert after < before / 1.5
