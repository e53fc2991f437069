"""The shipped configurations, `--help`, and the refusal of what cannot be run."""

from __future__ import annotations

import re

import pytest
from hydra.errors import ConfigCompositionException
from omegaconf import DictConfig, OmegaConf

from charrnn.config import conf_folder, scale_for_this_machine
from charrnn.errors import CharRNNError
from charrnn.help import GROUPS as HELP_GROUPS
from charrnn.help import everything, overview
from charrnn.schema.explanation import explain
from charrnn.training.build import check
from charrnn.training.train_run import prepare, train

GROUPS = (
    "backbone",
    "data",
    "datamodule",
    "launcher",
    "optimizer",
    "sampling",
    "scale",
    "start",
    "suspect",
    "idiom",
)
OPTIONS = [
    (group, file.stem)
    for group in GROUPS
    for file in sorted((conf_folder() / group).glob("*.yaml"))
]
EXPERIMENTS = sorted(file.stem for file in (conf_folder() / "experiment").glob("*.yaml"))


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_of_every_group_composes_and_passes_the_check(config, group, option):
    cfg = config(f"{group}={option}", *(["data.path=x"] if option in ("textfile", "midi") else []))
    OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)
    check(cfg)


@pytest.mark.parametrize("scheme", [1, 2, 3, 4])
def test_every_scheme_composes(config, scheme):
    cfg = config(f"scheme={scheme}")
    check(cfg)
    assert cfg.model._target_.endswith(f".Scheme{scheme}")


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_trains_at_smoke_scale(config, experiment, text_file):
    settings = [f"experiment={experiment}"]
    if experiment == "authors_code":
        settings.append("datamodule.test_size=154")  # of 20,000 characters, for the test's sake
    if experiment == "post_training":  # tests/test_post_training.py has runs to begin with
        settings += ["initial_weights=null", "num_batches=3"]
    folder = train(config(*settings))
    assert folder.is_finished


def test_a_run_reads_a_resolved_configuration_and_leaves_the_callers_as_it_is(config):
    cfg = config("k2=60", "k1=${charrnn.k2_times:1/3}", "scheme=2")
    before = OmegaConf.to_container(cfg)
    resolved = OmegaConf.to_container(prepare(cfg).cfg)
    assert OmegaConf.to_container(cfg) == before
    assert resolved == OmegaConf.to_container(cfg, resolve=True)
    assert (resolved["k1"], resolved["datamodule"]["k1"]) == (20, 20)
    assert resolved["model"]["_target_"] == "charrnn.schemes.scheme_2.Scheme2"


def test_authors_code_is_their_experiment(config):
    cfg = config("experiment=authors_code")
    assert (cfg.k1, cfg.k2, cfg.precision) == (15, 25, 64)
    assert (cfg.backbone.num_layers, cfg.backbone.hidden_size) == (1, 50)
    assert cfg.backbone.dense_size is None
    assert (cfg.datamodule.batch_size, cfg.datamodule.test_size) == (50, 11154)
    assert (cfg.datamodule.offset, cfg.datamodule.rotation) == (0, 0)
    assert cfg.optimizer._target_ == "charrnn.optimizer.adam_lasagne.AdamLasagne"
    run = prepare(config("experiment=authors_code", "datamodule.test_size=154"))
    assert run.datamodule.test_tokens.shape == (154,)


def test_paper_scale_is_the_papers(config):
    cfg = config("scale=paper", "datamodule=eq8")
    assert (cfg.num_batches, cfg.k2, cfg.datamodule.batch_size) == (12800, 100, 64)
    assert (cfg.backbone.hidden_size, cfg.backbone.dense_size) == (512, 1024)
    assert cfg.datamodule.test_size == 11100
    assert cfg.scale.k1 == "20,40,60,80,100"
    assert (cfg.optimizer.lr, cfg.optimizer.betas, cfg.optimizer.eps) == (0.001, [0.9, 0.999], 1e-8)


def test_auto_scale_is_the_one_of_this_machine(config):
    assert config("scale=auto").scale.name == scale_for_this_machine()


def leaves(node: DictConfig, prefix: str = ""):
    """Full names of all values, mappings that one comment documents taken as one."""
    for name, value in OmegaConf.to_container(node).items():
        if isinstance(value, dict) and name not in ("hidden_size", "job"):
            yield from leaves(node[name], f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


@pytest.mark.parametrize("group", ["optimizer", "launcher"])
def test_help_documents_every_field(config, group):
    for option in (option for name, option in OPTIONS if name == group):
        every_field_is_documented(config(f"{group}={option}"))


def every_field_is_documented(cfg):
    shown = everything(conf_folder())
    documented = re.findall(r"^    ([\w.]+)=.*\n        \S", shown, re.MULTILINE)
    fields = set(leaves(cfg))
    # k1 and k2 are set at the top only, from where the parts take them.
    passed_on = {f for f in fields if f.startswith(("datamodule.k", "schemes.", "model."))}
    own = {f for f in fields if not f.endswith(("_target_", "_partial_", "scale.name"))} - passed_on
    assert own - set(documented) == set()
    assert len(own) > 30


def test_help_has_every_group():
    folders = {path.name for path in conf_folder().iterdir() if path.is_dir()}
    assert folders - {"hydra"} == {*HELP_GROUPS}


@pytest.mark.parametrize("option", ["suspects", "joblib", "local"])
def test_help_shows_a_comment_of_several_lines_whole(option):
    (file,) = conf_folder().rglob(f"{option}.yaml")
    lines = [line[2:] for line in file.read_text().splitlines() if line.startswith("# ")]
    text = " ".join(line for line in lines if not line.startswith("@"))
    assert len(text) > 110  # it does not fit a line
    assert text in " ".join(explain(conf_folder(), [option]).split())


@pytest.mark.parametrize("columns", [60, 80, 100])
def test_help_is_as_wide_as_the_terminal_and_breaks_no_word(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", str(columns))
    words = everything(conf_folder()).split()
    assert {"charrnn.backbone.initial_weights.load_arrays),", "linear-normalised"} <= {*words}
    for text in (overview(conf_folder()), everything(conf_folder())):
        for line in text.splitlines():
            fits = len(line) <= columns or line.startswith("  python") or " " not in line.strip()
            assert fits, line


def test_help_explains_its_words_before_the_fields():
    introduction = overview(conf_folder()).partition("Common fields")[0]
    assert {"k1:", "k2:", "windowed:", "progressive:", "scheme:"} <= {*introduction.split()}


def test_help_on_a_field_shows_its_values_by_option():
    text = " ".join(explain(conf_folder(), ["scale.num_batches"]).split())
    values = "1600 (laptop), 12800 (long, paper), 250 (quick), 6 (smoke)"
    assert text == (
        f"scale.num_batches={values} training batches per run can be: a whole number, at least 1 "
        "batch"
    )
    assert explain(conf_folder(), ["lr"]).startswith(
        "    optimizer.lr=0.001\n        learning rate\n        can be: a number, at least 0"
    )


def test_help_on_a_field_says_what_it_can_be_its_size_at_each_scale_and_where_the_paper_is():
    width = " ".join(explain(conf_folder(), ["backbone.hidden_size"]).split())
    assert width == (
        "backbone.hidden_size=${scale.hidden_size.large} units in each recurrent layer, gamma "
        "can be: a whole number, at least 1 unit default: 64 at scale=quick, 128 at scale=laptop, "
        "128 at scale=long, 512 at scale=paper "
        "in the paper: Table 3, where it is gamma; Figures 7 and 8 compare 128 and 512"
    )
    stride = explain(conf_folder(), ["k1"])
    assert stride.startswith("k1: tokens from the start of one training sequence to the start of ")
    assert "in the paper: Section 4.1, Eq. 8; Figures 9 and 10 compare values" in stride


@pytest.mark.parametrize("word", ["windowed", "progressive"])
def test_help_explains_a_word_that_is_no_field(word):
    assert explain(conf_folder(), [word]).startswith(f"{word}: ")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["k1=0"], r"^k1=0 cannot be used: it has to be a whole number, at least 1 token\.$"),
        (["k1=-3"], r"^k1=-3 "),
        (["k1=many"], r"^k1=many "),
        (["k2=0"], r"^k2=0 cannot be used: it has to be a whole number, at least 1 token\.$"),
        (["scheme=4", "k1=60", "k2=40"], r"^k1=60 cannot be used: it has to be at most k2=40 "),
        (["scheme=5"], r"^scheme=5 cannot be used: it has to be one of 1, 2, 3, 4, bptt, keras_"),
        (["scheme=0"], r"^scheme=0 "),
        (["scheme=bptt", "k1=60", "k2=40"], r"^k1=60 cannot be used: it has to be at most k2=40 "),
        (["scheme=bptt", "datamodule.order=shuffled"], r"^datamodule.order=shuffled "),
        (["k3=0"], r"^k3=0 .*at least 1 position, or null\.$"),
        (["k3=101"], r"^k3=101 .*at most k2=100\.$"),
        (["scheme=2", "k3=7"], r"^k3=7 .*1 or null in single-loss training: take scheme 1, 3 or 4"),
        (["schemes.s1.k3=7"], r"^model.k3=7 .*k3=None: set k3"),
        (["weighting=cubic"], r"^weighting=cubic .*one of uniform, linear, exponential, "),
        (["schemes.s1.start=random"], r"^model.start=random .*one of learned, zero, .*passed\.$"),
        (["scheme=4", "schemes.s4.reset=2"], r"^model.reset=2 .*a share from 0 to 1\.$"),
        (["scheme=4", "schemes.s4.recompute=maybe"], r"^model.recompute=maybe "),
        (["columns=k3"], r"^columns=k3 .*a list of names of fields\.$"),
        (["scheme=two"], r"^scheme=two "),
        (["scheme=4", "datamodule.order=shuffled"], r"^datamodule.order=shuffled .*equidistant"),
        (
            ["datamodule.order=random"],
            r"^datamodule.order=random .*shuffled, random-lengths\.$",
        ),
        (["datamodule.test_size=100"], r"^datamodule.test_size=100 .*at least 101 "),
        (["datamodule.batch_size=0"], r"^datamodule.batch_size=0 "),
        (["num_batches=0"], r"^num_batches=0 "),
        (["precision=16"], r"^precision=16 .*32, 64 or bf16-mixed"),
        (["seed=-1"], r"^seed=-1 "),
        (["threads=0"], r"^threads=0 "),
        (["checkpoint_share=-1"], r"^checkpoint_share=-1 .*a number, at least 0\.$"),
        (["retry_failed=perhaps"], r"^retry_failed=perhaps .*True, False\.$"),
        (["evaluate_at=[0]"], r"^evaluate_at=\[0\] "),
        (["evaluate_at=5"], r"^evaluate_at=5 "),
        (["backbone.peepholes=some"], r"^backbone.peepholes=some .*lasagne, paper, none"),
        (["backbone.hidden_size=0"], r"^backbone.hidden_size=0 "),
        (["backbone.num_layers=0"], r"^backbone.num_layers=0 "),
        (["backbone.grad_clip=0"], r"^backbone.grad_clip=0"),
        (["backbone.dropout=1"], r"^backbone.dropout=1 .*a number, at least 0 and below 1\.$"),
        (["sampling.choice.temperature=0"], r"^sampling.choice.temperature=0"),
        (["sampling.choice.temperature=warm"], r"^sampling.choice.temperature=warm"),
        (["datamodule.k1=40"], r"^datamodule.k1=40 .*k1=20: set k1"),
        (["schemes.s1.k2=40"], r"^model.k2=40 .*k2=100: set k2"),
        (["backbone.forget_bias=nan"], r"^backbone.forget_bias=nan "),
        (["backbone.forget_bias=abc"], r"^backbone.forget_bias=abc "),
        (["optimizer.lr=abc"], r"^optimizer.lr=abc .*it has to be a number, at least 0\.$"),
        (
            ["optimizer.betas=[0.9]"],
            r"^optimizer.betas=\[0.9\] .*two numbers, at least 0 and below 1\.$",
        ),
        (["seed=99999999999999999999999"], r"^seed=9+ "),
        (["sampling.log_length=-1"], r"^sampling.log_length=-1 .*a whole number, at least 0 token"),
        (["sampling.prompt=''"], r"^sampling.prompt='' "),
        (["optimizer.lr=-1"], r"^optimizer.lr=-1 "),
        (
            ["+backbone.layers=3"],
            r"^backbone.layers is no field: .* backbone.num_layers\?$",
        ),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_read(config, overrides, message):
    with pytest.raises(CharRNNError, match=message):
        check(config(*overrides))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["data.path=nowhere.txt"], r"^data.path=nowhere.txt .*readable text file \(no such file"),
        (
            ["datamodule.test_size=20000"],
            r"^datamodule.test_size=20000 .*less than the 20000 tokens",
        ),
        (
            ["datamodule.test_size=19990"],
            r"^k2=100 .*less than the 10 train tokens; or take a longer corpus",
        ),
        (
            ["datamodule.batch_size=985"],
            r"^datamodule.batch_size=985 .*holds k2 \+ 1 = 101 tokens, not 20",
        ),
        (
            ["datamodule.order=shuffled", "k1=1000"],
            r"^k1=1000 .*64 sequences in 19700 train tokens",
        ),
        (["initial_weights=nowhere.npz"], r"^initial_weights=nowhere.npz .*readable .npz"),
        (["data.path=null"], r"^data.path=null "),
        (["data.path=1984"], r"^data.path=1984 .*no such file"),
        (["sampling.prompt=xyz"], r"^sampling.prompt='xyz' .* without 'x', 'y', 'z'\.$"),
    ],
)
def test_what_does_not_fit_the_corpus_is_refused_before_anything_is_written(
    config, tmp_path, overrides, message
):
    with pytest.raises(CharRNNError, match=message):
        train(config(*overrides))
    assert not (tmp_path / "runs").exists()


def test_a_text_file_without_a_path_is_refused(config):
    with pytest.raises(CharRNNError, match=r"^data.path=\?\?\? cannot be used: it has to be given"):
        check(config("data.path=???"))


def test_a_misspelt_field_is_refused(config):
    with pytest.raises(ConfigCompositionException, match="k4"):
        config("k4=1")
