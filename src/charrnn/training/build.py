"""From a configuration to the parts of a run, and the check that it can be run."""

from __future__ import annotations

from typing import Any

import torch
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig

from charrnn.backbone.lstm_autograd import prepare_cpu
from charrnn.backbone.network import Network
from charrnn.config import build
from charrnn.data.vocabulary import Vocabulary
from charrnn.datamodule.module import CharDataModule
from charrnn.errors import CharRNNError, require
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES
from charrnn.evaluation.schedule import SCHEDULES
from charrnn.logger.build import check_loggers
from charrnn.schema.check import check_arguments_of, check_fields, is_local
from charrnn.schemes.base import MakeOptimizer, Scheme
from charrnn.training.given_weights import load_given
from charrnn.training.limits import check_fits
from charrnn.training.trainer import check_trainer_and_callbacks

SHARED = ("k1", "k2", "k3", "weighting")
"""Fields that the data module (the first two) and the scheme take from the top level."""
DTYPES = {32: torch.float32, 64: torch.float64, "bf16-mixed": torch.float32}
"""What the weights are kept in, by `precision`."""


def check(cfg: DictConfig) -> None:
    """Refuse a configuration that cannot be run, without reading a corpus or drawing a weight.

    Raises:
        CharRNNError: naming the field, its value and what can be used instead.
    """
    check_fields(cfg)
    check_classes(cfg)


def check_classes(cfg: DictConfig) -> None:
    """The part of `check` that imports what the configuration names; `check_fields` comes before.

    Raises:
        CharRNNError: as `check` does.
    """
    for group in ("backbone", "data", "datamodule", "optimizer"):
        check_arguments_of(group, cfg[group])
    check_arguments_of("sampling.choice", cfg.sampling.choice)
    for name, node in cfg.schemes.items():
        check_arguments_of(f"schemes.{name}", node)
    for part, fields in (("datamodule", SHARED[:2]), ("model", SHARED)):
        for field in fields:
            value = cfg[part][field]
            require(
                value == cfg[field], f"{part}.{field}", value, f"{field}={cfg[field]}: set {field}"
            )
    counts = cfg.evaluate_at
    fits = counts in SCHEDULES or max(counts, default=0) <= cfg.num_batches
    each = f"each from 1 to num_batches={cfg.num_batches}"
    require(fits, "evaluate_at", counts, f"a list of batch counts, {each}")
    order = build_datamodule(cfg).order
    orders = scheme_class(cfg).orders
    wanted = f"{' or '.join(orders)} in scheme {cfg.scheme}"
    require(order in orders, "datamodule.order", order, wanted)
    with torch.device("meta"):  # shapes without values
        backbone = build(cfg.backbone, vocabulary_size=2)
    if is_local(cfg) or cfg.job.of:  # otherwise another machine trains it
        check_fits(cfg, backbone)
    check_trainer_and_callbacks(cfg)
    check_loggers(cfg)
    build(cfg.model, backbone=backbone, optimizer=optimizer(cfg))
    try:
        optimizer(cfg)([torch.nn.Parameter(torch.zeros(1))])
    except (TypeError, ValueError, IndexError) as error:
        raise CharRNNError(f"the optimizer cannot be set up: {error}.") from error


def check_initial_weights(cfg: DictConfig, vocabulary: Vocabulary) -> None:
    """Refuse initial weights that do not fit the configuration's backbone, or the corpus's tokens.

    Raises:
        BadInput: naming what does not fit.
    """
    if cfg.initial_weights is not None:
        with torch.device("meta"):
            backbone = build(cfg.backbone, vocabulary_size=len(vocabulary))
        load_given(backbone, cfg.initial_weights, vocabulary)


def scheme_class(cfg: DictConfig) -> type[Scheme]:
    """The class of the configuration's scheme."""
    return get_class(cfg.model._target_)


def sampled_procedures(cfg: DictConfig) -> list[str]:
    """The sampling procedures that the schemes with the configuration's training use."""
    return [procedure for procedure in SAMPLING_PROCEDURES if scheme_names(cfg, procedure)]


def scheme_names(cfg: DictConfig, procedure: str) -> list[str]:
    """The names of the schemes with the configuration's training and this sampling procedure."""
    wanted = scheme_class(cfg).training_procedure, procedure
    classes: dict[Any, type[Scheme]] = {
        name: get_class(node._target_) for name, node in cfg.schemes.items()
    }
    return [
        str(name).removeprefix("s")
        for name, scheme in classes.items()
        if (scheme.training_procedure, scheme.sampling_procedure) == wanted
    ]


def build_datamodule(cfg: DictConfig) -> CharDataModule:
    """The data module; nothing is read yet.

    Raises:
        BadInput: if an argument is out of its range or missing.
    """
    return build(cfg.datamodule, corpus=build(cfg.data))


def build_scheme(cfg: DictConfig, vocabulary_size: int) -> Scheme:
    """The scheme with its backbone, initial weights drawn or loaded.

    Raises:
        BadInput: if an argument is out of its range, or initial weights do not fit.
    """
    prepare_cpu()
    backbone: Network = build(cfg.backbone, vocabulary_size=vocabulary_size)
    backbone.to(DTYPES[cfg.precision])
    if cfg.initial_weights is not None:
        load_given(backbone, cfg.initial_weights)
    return build(cfg.model, backbone=backbone, optimizer=optimizer(cfg))


def optimizer(cfg: DictConfig) -> MakeOptimizer:
    """A function that makes the optimizer of given parameters."""
    return instantiate(cfg.optimizer, _convert_="all")
