"""Every field of the configuration, and what it can be.

This table is the only place that says so: constructors check their arguments against it, a
command's configuration is checked against it before any work starts, and the documentation shows
it. The names are those of the command line, except that a scheme's own fields stand under `model`.
What depends on other fields or on the corpus, such as k3 on k2, is checked where it is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, get_args

from charrnn.devices import CHOICES as DEVICES
from charrnn.schema.kinds import Kind, choice, either, number, several, text, whole

Peepholes = Literal["lasagne", "paper", "none"]
ResetGate = Literal["after", "before"]
Candidate = Literal["linear", "positive"]
Order = Literal["equidistant", "shuffled", "random-lengths"]
Start = Literal["learned", "zero", "noise", "fitted-noise", "passed"]

MIN_TEMPERATURE = 1e-3
"""Lowest temperature: it makes the most likely token almost certain without overflow."""
MOST_LAYERS = 1000
"""More recurrent layers than anybody trains; a million take gigabytes before there is a weight."""
MOST_UNITS = 10**8
"""More units than any memory holds, and few enough for the size of a matrix to be computed."""
MOST_WRITTEN = 10**7
"""Tokens that a model writes at the end of its run: more take longer than the training."""

METRICS = tuple(
    f"{split}/perplexity{reading}"
    for split in ("val", "test")
    for reading in ("", "_windowed", "_progressive")
)
"""What is measured at every evaluation of a run, by the names that Lightning's people use."""

flag = choice(True, False)
anything = Kind("anything", lambda _: True)
at_least_0 = number("a number, at least 0", lambda x: x >= 0)
seed = whole(0)
count = whole(0)
share = number("a number, at least 0 and below 1", lambda x: 0 <= x < 1)
auto = choice("auto", words="auto")
at_once = either(auto, whole(1, "run"))
counts = several("a list of batch counts", whole(1).fits)

FIELDS: Mapping[str, Kind] = {
    # conf/train.yaml
    "scheme": text("the name of a scheme"),
    "k1": whole(1, "token"),
    "k2": whole(1, "token"),
    "k3": whole(1, "position", null=True),
    "before": text("the name of a finished sweep"),
    "k1_share": text("a share of k2, such as 2/3"),
    "weighting": text("the name of a weighting"),
    "seed": seed,
    "num_batches": whole(1, "batch"),
    "precision": choice(32, 64, "bf16-mixed", words="32, 64 or bf16-mixed"),
    "initial_weights": text("the path of an .npz file or of a run's weights.pt", null=True),
    "evaluate_at": either(choice("log", "dense", words="log or dense"), counts),
    "log_every": whole(1, "batch"),
    "keep_last": flag,
    "checkpoint_share": at_least_0,
    "retry_failed": flag,
    "threads": whole(1, "thread", null=True),
    "name": text("made of letters, digits, - and _", null=True),
    "draw": flag,
    "corpora": text("authors, substitutes, auto or names of corpora"),
    "columns": several("a list of names of fields", lambda name: isinstance(name, str)),
    "jobs": at_once,
    "device": choice(*DEVICES),
    "fail_fast": flag,
    "plan": flag,
    "output_dir": Kind(
        "the path of a folder, such as ./runs",
        lambda path: isinstance(path, str) and path != "",
    ),
    "suspect": text("the name of a file in conf/suspect"),
    "start": text("the name of a file in conf/start"),
    "idiom": text("the name of a file in conf/idiom"),
    "own": Kind("a group of names of your own", lambda group: isinstance(group, dict)),
    # set by a sweep
    "job.number": count,
    "job.of": count,
    "job.prefix": anything,
    "job.wait": flag,
    "job.evaluate_also": counts,
    "job.corpus": anything,
    "job.run": anything,
    # conf/backbone
    "backbone.num_layers": whole(1, "recurrent layer", MOST_LAYERS),
    "backbone.hidden_size": whole(1, "unit", MOST_UNITS),
    "backbone.dense_size": whole(1, "unit", MOST_UNITS, null=True),
    "backbone.peepholes": choice(*get_args(Peepholes)),
    "backbone.reset_gate": choice(*get_args(ResetGate)),
    "backbone.candidate": choice(*get_args(Candidate)),
    "backbone.layer_norm": flag,
    "backbone.forget_bias": number("a number", lambda _: True),
    "backbone.grad_clip": number("a number above 0", lambda x: x > 0, null=True),
    "backbone.dropout": share,
    "backbone.seed": seed,
    # conf/data
    "data.path": text("the path of the corpus", null=True),
    "data.tokens": text("the name of a tokenization"),
    "data.encoding": text("the name of an encoding"),
    "data.newlines": choice("keep", "normalize"),
    "data.first": replace(whole(1, "token", null=True), wanted=whole(1, "token").wanted),
    # conf/datamodule
    "datamodule.k1": whole(1, "token"),
    "datamodule.k2": whole(1, "token"),
    "datamodule.batch_size": whole(1, "sequence"),
    "datamodule.order": choice(*get_args(Order)),
    "datamodule.rotation": whole(0, "token", null=True),
    "datamodule.test_size": whole(1, "token"),
    "datamodule.offset": whole(0, "token", null=True),
    "datamodule.seed": seed,
    "datamodule.val_size": whole(0, "token"),
    # conf/optimizer
    "optimizer.lr": at_least_0,
    "optimizer.betas": several("two numbers, at least 0 and below 1", share.fits, 2),
    "optimizer.eps": at_least_0,
    "optimizer.alpha": at_least_0,
    "optimizer.fused": flag,
    # conf/sampling
    "sampling.prompt": text("at least 1 token", null=True),
    "sampling.length": whole(0, "token", MOST_WRITTEN),
    "sampling.log_length": whole(0, "token", MOST_WRITTEN),
    "sampling.choice.temperature": number(
        f"a number, at least {MIN_TEMPERATURE}", lambda x: x >= MIN_TEMPERATURE
    ),
    "sampling.choice.top_k": whole(1, "token", null=True),
    "sampling.choice.seed": seed,
    # conf/trainer; what else the Trainer takes, it judges itself
    "trainer.accelerator": choice(*DEVICES),
    "trainer.devices": anything,  # charrnn.schema.lightning says why it is 1
    "trainer.matmul_precision": choice("highest", "high", "medium"),
    "trainer.detect_anomaly": flag,
    "trainer.profiler": anything,
    # conf/logger and conf/callbacks
    "logger.csv.save_dir": text("the path of a folder"),
    "logger.csv.name": text("the name of a folder", null=True),
    "logger.wandb.save_dir": text("the path of a folder"),
    "logger.wandb.project": text("the name of a project"),
    "logger.wandb.name": text("the name of a run", null=True),
    "logger.wandb.id": text("an identifier", null=True),
    "logger.wandb.offline": flag,
    "logger.wandb.log_model": choice(False, words="false: runs keep their own checkpoints"),
    "callbacks.early_stopping.monitor": choice(*METRICS),
    "callbacks.early_stopping.patience": whole(1, "evaluation"),
    "callbacks.early_stopping.min_delta": at_least_0,
    "callbacks.early_stopping.mode": choice("min", "max"),
    # conf/scale
    "scale.name": text("the name of the scale"),
    "scale.num_batches": whole(1, "batch"),
    "scale.hidden_size.large": whole(1, "unit"),
    "scale.hidden_size.small": whole(1, "unit"),
    "scale.dense_size": whole(1, "unit"),
    "scale.test_size": whole(1, "token"),
    "scale.k1": text("numbers of tokens, separated by commas"),
    "scale.k2": text("numbers of tokens, separated by commas"),
    "scale.threads": whole(1, "thread", null=True),
    # conf/schemes
    "model.k1": whole(1, "token"),
    "model.k2": whole(1, "token"),
    "model.k3": whole(1, "position", null=True),
    "model.weighting": text("the name of a weighting"),
    "model.start": choice(*get_args(Start)),
    "model.noise": at_least_0,
    "model.reset": number("a share from 0 to 1", lambda x: 0 <= x <= 1),
    "model.recompute": flag,
    "model.restart": flag,
    "model.clip_norm": number("a number above 0", lambda x: x > 0),
    # conf/launcher; a launcher's own declaration of its fields is in its package
    "launcher.n_jobs": at_once,
    "launcher.ray.remote.num_cpus": at_least_0,
    "launcher.ray.remote.num_gpus": either(auto, number(at_least_0.wanted, at_least_0.fits, True)),
    "launcher.ray.remote.max_retries": whole(-1),
    "launcher.timeout_min": whole(1, "minute"),
    "launcher.max_num_timeout": whole(0),
    "launcher.array_parallelism": whole(1, "job"),
    "launcher.cpus_per_task": whole(1, "core"),
    "launcher.gpus_per_node": either(auto, whole(0, "GPU", null=True)),
    "launcher.mem_gb": number("a number above 0", lambda x: x > 0),
}

OPTIONAL = {"before", "k1_share", "suspect", "start", "idiom"}
"""Fields of the top level that files of the groups `experiment`, `suspect` and so on add."""
WHOLE_SWEEP = {"jobs", "fail_fast", "plan", "draw", "output_dir", "corpora", "launcher", "name"}
"""Fields, or groups, that are read once for a sweep, and mean nothing in one of its runs."""


def kind_of(field: str) -> Kind | None:
    """What a field can be, by its full name; None if the table does not have it.

    Examples:
        >>> kind_of("schemes.s4.reset") is kind_of("model.reset")
        True
    """
    group, _, rest = field.partition(".")
    if group == "schemes":
        return FIELDS.get(f"model.{rest.partition('.')[2]}")
    return FIELDS.get(field)


def check_arguments(prefix: str, **values: Any) -> None:
    """Refuse arguments of a constructor that the fields of their names cannot be.

    Args:
        prefix: what stands before the names on the command line: `backbone.`, or nothing.
        **values: the arguments.

    Raises:
        BadInput: naming the first one.
    """
    for name, value in values.items():
        FIELDS[prefix + name].check(prefix + name, value)
