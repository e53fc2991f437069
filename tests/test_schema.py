"""The table of fields, and the check of a whole configuration against it."""

from __future__ import annotations

import itertools
import re

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict

from charrnn.backbone.network import Backbone
from charrnn.config import build, conf_folder, register_resolvers
from charrnn.data.corpora.base import TextFile
from charrnn.errors import CharRNNError
from charrnn.help import field_names
from charrnn.schema.check import check_alone, check_fields, check_same, check_sweep, read_once
from charrnn.schema.fields import FIELDS, kind_of
from charrnn.schema.refusals import in_one_sentence
from charrnn.training import limits
from charrnn.training.build import check

NUMBER = "it has to be a whole number, at least 1 token."
FOLDER = "cannot be used: it has to be the path of a folder, such as ./runs."


def said(function, *arguments) -> str:
    with pytest.raises(CharRNNError) as refused:
        function(*arguments)
    text = str(refused.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("k1=many", f"k1=many cannot be used: {NUMBER}"),
        ("k1=2.5", f"k1=2.5 cannot be used: {NUMBER}"),
        ("k1=true", f"k1=True cannot be used: {NUMBER}"),
        ("k1=null", f"k1=null cannot be used: {NUMBER}"),
        ("k1=[20]", f"k1=[20] cannot be used: {NUMBER}"),
        ("k1=???", "k1=??? cannot be used: it has to be given: there is no default."),
        ("k1=${k9}", "k1=${k9} cannot be used, because k9 is no field: did you mean k3 or k2 or "),
        ("~k1", "k1 is missing: every run needs it, so it cannot be removed."),
        ("~datamodule.k1", "datamodule.k1 is missing: every run needs it"),
        ("~backbone.hidden_size", "backbone.hidden_size is missing: every run needs it"),
        ("~scale.dense_size", "backbone.dense_size=${scale.dense_size} cannot be used, because "),
        ("+num_batchs=5", "num_batchs is no field: did you mean num_batches?"),
        ("+lr=0.1", "lr is no field: did you mean optimizer.lr?"),
        ("+cell=5", "cell is no field: charrnn help all lists the fields; names of your own, for "),
        ("own=5", "own=5 cannot be used: it has to be a group of names of your own."),
        ("+sampling.lenght=4", "sampling.lenght is no field: did you mean sampling.length?"),
        ("+job.nummer=4", "job.nummer is no field"),
        ("+scale.hidden_size.medium=4", "scale.hidden_size.medium is no field"),
        ("model=5", "model=5 cannot be used: it has to be left as it is"),
        ("scheme_key=s9", "scheme_key=s9 cannot be used: it has to be left as it is"),
        ("schemes.s1=5", "schemes.s1=5 cannot be used: it has to be a group of fields"),
        ("schemes.s4.reset=2", "schemes.s4.reset=2 cannot be used: it has to be a share from 0 "),
        ("schemes.s4.recompute=1", "schemes.s4.recompute=1 cannot be used: it has to be one of "),
        ("keep_last=1", "keep_last=1 cannot be used: it has to be one of True, False."),
        ("plan=maybe", "plan=maybe cannot be used: it has to be one of True, False."),
        ("fail_fast=maybe", "fail_fast=maybe cannot be used: it has to be one of True, False."),
        ("output_dir=null", f"output_dir=null {FOLDER}"),
        ("output_dir=''", f"output_dir='' {FOLDER}"),
        ("output_dir=[a]", f"output_dir=['a'] {FOLDER}"),
        ("output_dir=2018", f"output_dir=2018 {FOLDER}"),
        ("data.path=[a]", "data.path=['a'] cannot be used: it has to be the path of "),
        ("initial_weights=[a]", "initial_weights=['a'] cannot be used: it has to be the path of "),
        ("evaluate_at=[true]", "evaluate_at=[True] cannot be used: it has to be log or dense, or "),
        ("optimizer.lr=abc", "optimizer.lr=abc cannot be used: it has to be a number, at least 0."),
        ("optimizer.lr=inf", "optimizer.lr=inf cannot be used: it has to be a number, at least 0."),
        ("optimizer.betas=[.9,.99,.999]", "optimizer.betas=[0.9, 0.99, 0.999] cannot be used: it "),
        ("optimizer.betas=[.9,1]", "optimizer.betas=[0.9, 1] cannot be used: it has to be two num"),
        ("optimizer.eps=-1", "optimizer.eps=-1 cannot be used: it has to be a number, at least 0."),
        ("optimizer.fused=2", "optimizer.fused=2 cannot be used: it has to be one of True, False."),
        (
            "backbone.num_layers=1000000",
            "backbone.num_layers=1000000 cannot be used: it ",
        ),
        (
            "sampling.length=1000000000",
            "sampling.length=1000000000 cannot be used: it ",
        ),
        ("columns=[nothing]", "nothing is no field"),
        ("seed=9223372036854775808", "seed=9223372036854775808 cannot be used: it has to be a who"),
    ],
)
def test_a_field_that_cannot_be_used_is_one_sentence(config, override, sentence):
    assert said(check_fields, config(override)).startswith(sentence)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("evaluate_at=[1000000]", "evaluate_at=[1000000] cannot be used: it has to be a list of b"),
        ("+optimizer.weight_deca=1", "optimizer.weight_deca is no field: did you mean optimizer.w"),
        ("+backbone.layers=3", "backbone.layers is no field: did you mean backbone.num_layers?"),
        ("+schemes.s4.rest=4", "schemes.s4.rest is no field: did you mean schemes.s4.reset or sch"),
        ("+data.pth=x", "data.pth is no field: did you mean data.path?"),
        ("+datamodule.batchsize=4", "datamodule.batchsize is no field: did you mean datamodule.ba"),
        ("+sampling.choice.topk=4", "sampling.choice.topk is no field: did you mean sampling.choi"),
        ("optimizer._target_=nowhere.Adam", "optimizer._target_=nowhere.Adam cannot be used: it h"),
        (
            "backbone.hidden_size=100000",
            "backbone.hidden_size=100000 cannot be used: it has ",
        ),
        ("backbone.hidden_size=99999999", "backbone.hidden_size=99999999 cannot be used: it has t"),
        ("backbone.dense_size=1000000000", "backbone.dense_size=1000000000 cannot be used: it has"),
        ("backbone.dense_size=99999999999", "backbone.dense_size=99999999999 cannot be used: it h"),
        ("datamodule.batch_size=1000000000", "datamodule.batch_size=1000000000 cannot be used: it"),
        ("threads=100000", "threads=100000 cannot be used: it has to be at most "),
    ],
)
def test_a_run_that_cannot_be_built_is_one_sentence(config, monkeypatch, override, sentence):
    monkeypatch.setattr(limits, "memory", lambda: 16 * 10**9)
    assert said(check, config(override)).startswith(sentence)


class OwnOptimizer(torch.optim.SGD):
    """An optimizer of a user's, which takes what no field of the project is called."""

    def __init__(self, params, lr, warmth=1):
        super().__init__(params, lr)


class OwnText(TextFile):
    """A corpus of a user's."""


def test_a_class_of_the_users_takes_its_own_arguments(config):
    cfg = config()
    cfg.optimizer = OmegaConf.create(
        {"_target_": f"{__name__}.OwnOptimizer", "_partial_": True, "lr": 1, "warmth": 2}
    )
    check(cfg)
    cfg.optimizer = {**cfg.optimizer, "warmht": 3}
    assert said(check, cfg) == "optimizer.warmht is no field: did you mean optimizer.warmth?"
    check(config(f"data._target_={__name__}.OwnText"))
    check(config("+optimizer.weight_decay=0.1"))


def test_every_documented_field_is_in_the_table_and_the_other_way_round():
    documented = {name for name in field_names(conf_folder()) if name != "job"}
    of_packages = {name for name in documented if name.startswith("launcher.")}
    unknown = {name for name in documented - of_packages if kind_of(name) is None}
    assert unknown == {"scale.hidden_size"}  # its two values stand in one line
    schemes = {re.sub(r"^schemes\.\w+", "model", name) for name in documented}
    inherited = {f"model.{name}" for name in ("k1", "k2", "k3", "weighting")}
    inherited |= {"datamodule.k1", "datamodule.k2", "scale.name", "suspect", "start", "k1_share"}
    inherited |= {"idiom", "before"}
    inherited |= {"scale.hidden_size.large", "scale.hidden_size.small"}
    jobs = {name for name in FIELDS if name.startswith("job.")}
    assert FIELDS.keys() - schemes - inherited - jobs == set()


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("k4=1", "k4 is no field: did you mean k3 or k2 or k1?"),
        ("num_batchs=1", "num_batchs is no field: did you mean num_batches?"),
        ("k1.x=4", "k1.x is no field: did you mean k1?"),
        ("~k9", "k9 is no field: did you mean k3 or k2 or k1?"),
        ("hydra.foo=1", "hydra.foo is no field: --hydra-help shows what Hydra has."),
        ("launcher.qos=x", "launcher.qos is no field here: only launcher=slurm has it."),
        ("=5", "=5 is no setting: write field=value, such as k1=20."),
        ("k1", "k1 is no setting: write field=value, such as k1=20."),
        ("a b=3", "a b=3 is no setting: write field=value, such as k1=20."),
        (
            "k1=choice(1,",
            "k1=choice(1, cannot be read by Hydra: no viable alternative at input 'choice(1,' (its "
            "grammar: https://hydra.cc/docs/1.2/advanced/override_grammar/basic).",
        ),
        (
            "k1='abc",
            "k1='abc cannot be read by Hydra (its grammar: "
            "https://hydra.cc/docs/1.2/advanced/override_grammar/basic).",
        ),
        ("k1=1,2", "k1=1,2 has several values: -m trains all of them."),
        ("+k1=5", "+k1 is a field already: leave out the +."),
        (
            "backbone=5",
            "backbone=5 cannot be used: it has to be one of gru, lstm, mingru, minlstm, rnn.",
        ),
        (
            "scale=lptop",
            "scale=lptop cannot be used: it has to be one of auto, laptop, ",
        ),
    ],
)
def test_what_hydra_refuses_is_one_sentence(word, sentence):
    def composed():
        with initialize_config_dir(str(conf_folder()), version_base="1.3"), in_one_sentence([word]):
            compose("train", [word])

    register_resolvers()
    assert said(composed).startswith(sentence)


HYDRA = {"runtime": {"choices": {"launcher": "local"}}, "sweeper": {"params": None}}


@pytest.mark.parametrize(
    ("override", "hydra", "sentence"),
    [
        ("jobs=4", {}, "jobs=4 cannot be used: it has to be auto in a single run; -m makes it a "),
        ("fail_fast=true", {}, "fail_fast=True cannot be used: it has to be False in a single run"),
        ("corpora=stdlib", {}, "corpora=stdlib cannot be used: it has to be auto in a single run"),
        (
            "k1=20",
            {"runtime": {"choices": {"launcher": "slurm"}}},
            "launcher=slurm cannot be used: it has to be local in a single run; -m makes it a ",
        ),
        ("k1=20", {"sweeper": {"params": {"k1": "20,40"}}}, "hydra.sweeper.params={'k1': '20,40'}"),
        (
            "k1=20",
            {"run": {"dir": "a"}},
            "hydra.run.dir=a cannot be used: it has to be left as ",
        ),
        (
            "k1=20",
            {"output_subdir": "a"},
            "hydra.output_subdir=a cannot be used: ",
        ),
    ],
)
def test_what_has_no_effect_in_a_single_run_is_refused(config, override, hydra, sentence):
    check_alone(config("jobs=1"), OmegaConf.create(HYDRA))
    part = OmegaConf.create(HYDRA | hydra)
    assert said(check_alone, config(override), part).startswith(sentence)


@pytest.mark.parametrize(
    "override",
    [
        *("jobs=2", "plan=true", "fail_fast=true", "draw=false", "output_dir=a", "corpora=stdlib"),
        *("name=a", "launcher=slurm", "launcher=joblib"),
    ],
)
def test_what_a_sweep_reads_once_cannot_be_swept(config, override):
    def cell(*words, params=None):
        cfg = config(*words)
        with open_dict(cfg):
            cfg.hydra = {"sweeper": {"params": params}}
        return cfg

    sweep = read_once(cell())
    check_same([cell(), cell("k1=40")], sweep)
    same = "it has to be the same in all cells of a sweep, which reads it once: give a command "
    assert same in said(check_same, [cell(), cell(override)], sweep)
    swept = said(check_same, [cell(), cell(params={"k1": "20,40"})], sweep)
    assert swept.startswith("hydra.sweeper.params.k1=20,40 cannot be used: it has to be the same")


def test_names_of_ones_own_are_for_interpolations(config):
    cfg = config("+own.width=8", "backbone.hidden_size=${own.width}", "columns=[own.width]")
    check_fields(cfg)
    assert cfg.backbone.hidden_size == 8
    assert "own.heigth" in said(check_fields, config("k1=${own.heigth}"))


def test_a_sweeps_own_fields_are_checked_before_its_cells(config):
    check_sweep(config("k1=${later}"))
    assert said(check_sweep, config("plan=maybe")).startswith("plan=maybe cannot be used")
    assert said(check_sweep, config("~jobs")).startswith("jobs is missing")
    slurm = config("launcher=slurm", "launcher.timeout_min=abc")
    assert said(check_sweep, slurm).startswith("launcher.timeout_min=abc cannot be used")


def test_the_memory_of_a_run_is_counted(config):
    """Four numbers a weight, of which there are 4 h (v + h + 1) + 5 h + ..., and the gates."""
    cfg = config("backbone.hidden_size=8", "backbone.dense_size=4", "backbone.peepholes=none")
    with torch.device("meta"):
        backbone = build(cfg.backbone, vocabulary_size=2)
    layer = 4 * 8 * (2 + 8 + 1) + 2 * 8
    dense, output = 4 * (8 + 1), 2 * (4 + 1)
    gates = 100 * 64 * 4 * 8
    need = 4 * (4 * (layer + dense + output) + gates)
    assert limits.bytes_needed(cfg, backbone) == need
    assert isinstance(backbone, Backbone)
    assert limits.memory() > 10**8


def test_every_kind_says_what_it_wants():
    for field, kind in FIELDS.items():
        words = kind.wanted.split()
        assert words, field
        assert not any(one == two for one, two in itertools.pairwise(words)), field
