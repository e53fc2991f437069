"""Lightning's Trainer as a run has it: what the group `trainer` says, and what the run decides."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import get_class, instantiate
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.utilities.exceptions import MisconfigurationException
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning import callbacks as lightnings
from pytorch_lightning.loggers import Logger
from pytorch_lightning.profilers import (
    AdvancedProfiler,
    Profiler,
    PyTorchProfiler,
    SimpleProfiler,
)

from charrnn.callbacks.checkpointing import CheckpointFiles, loadable
from charrnn.callbacks.early_stopping import EarlyStopping
from charrnn.config import build
from charrnn.devices import Place
from charrnn.errors import BadInput, CharRNNError, require
from charrnn.schema.check import check_arguments_of

log = logging.getLogger(__name__)

PROFILES = "profiles"
"""Folder of what profilers measure, in the folder of all runs."""
PROFILERS = {"simple": SimpleProfiler, "advanced": AdvancedProfiler, "pytorch": PyTorchProfiler}
DOCUMENTED = {
    *("_target_", "accelerator", "devices", "matmul_precision", "detect_anomaly", "profiler"),
}
"""What the files of the group `trainer` have, and the table of fields judges."""
PRECISIONS = {32: "32-true", 64: "64-true", "bf16-mixed": "bf16-mixed"}
"""Lightning's names of `precision`."""
UNUSABLE: dict[type[pl.Callback], str] = {
    lightnings.Checkpoint: "left out: a run keeps its own checkpoints, see checkpoint_share",
    lightnings.ProgressBar: "left out: a run has a progress bar of its own",
    lightnings.GradientAccumulationScheduler: "left out: every batch of Eq. 8 is one update of "
    "the weights, by which runs are compared; datamodule.batch_size= makes batches larger",
    lightnings.StochasticWeightAveraging: "left out: it averages at the ends of epochs, and a run "
    "is one endless epoch, so that it resumes to the same bits",
    lightnings.Timer: "left out: what the clock ends does not end at the same batch again; "
    "num_batches= says how long a run is trained",
    lightnings.BatchSizeFinder: "left out: it tries batches that belong to no run",
    lightnings.LearningRateFinder: "left out: it tries batches that belong to no run; "
    "hparams_search=optuna looks for a learning rate",
}
"""Callbacks that cannot be part of a run, and why."""


def check_trainer_and_callbacks(cfg: DictConfig) -> None:
    """Refuse arguments that the Trainer does not take, and callbacks that a run cannot have.

    Raises:
        CharRNNError: naming the field, and what would do.
    """
    check_arguments_of("trainer", cfg.trainer)
    profiler = cfg.trainer.get("profiler")
    known = profiler is None or profiler in PROFILERS or OmegaConf.is_dict(profiler)
    require(known, "trainer.profiler", profiler, f"one of {', '.join(PROFILERS)}, or null")
    for name, node in cfg.callbacks.items():
        field = f"callbacks.{name}"
        require(OmegaConf.is_dict(node), field, node, "a group of fields with a _target_")
        check_arguments_of(field, node)
        callback = get_class(node._target_)
        require(issubclass(callback, pl.Callback), f"{field}._target_", node._target_, "a callback")
        for unusable, why in UNUSABLE.items():
            require(not issubclass(callback, unusable), field, node._target_, why)
        only_epochs = callback is lightnings.EarlyStopping
        why = f"{EarlyStopping.__module__}.EarlyStopping, which looks at every evaluation: a run "
        require(not only_epochs, field, node._target_, f"{why}is one endless epoch")
    make_callbacks(cfg)
    if not set(cfg.trainer) <= DOCUMENTED:
        quiet = OmegaConf.merge(cfg, {"trainer": {"profiler": None}})
        assert isinstance(quiet, DictConfig)
        make_trainer(quiet, Place(), "", (), ())  # it judges its arguments itself
    if any(get_class(node._target_).__name__ == "LearningRateMonitor" for node in _nodes(cfg)):
        require(len(cfg.logger) > 0, "callbacks", "learning_rate_monitor", "used with a logger")


def make_callbacks(cfg: DictConfig) -> list[pl.Callback]:
    """The callbacks that `callbacks=` chooses.

    Raises:
        CharRNNError: if one cannot be made, or a checkpoint cannot hold its state.
    """
    made = []
    for name, node in cfg.callbacks.items():
        callback: pl.Callback = build(node)
        if not loadable(callback.state_dict()):
            wanted = "a callback whose state is made of tensors and plain values, for checkpoints"
            raise BadInput(f"callbacks.{name}", node._target_, wanted)
        made.append(callback)
    return made


def make_trainer(
    cfg: DictConfig,
    place: Place,
    run: str,
    callbacks: Sequence[pl.Callback],
    loggers: Sequence[Logger],
) -> pl.Trainer:
    """The Trainer of a run.

    Args:
        cfg: the configuration.
        place: the processor to train on.
        run: the run's name.
        callbacks: in their order.
        loggers: all of them; none if it is empty.

    Raises:
        CharRNNError: if the Trainer refuses an argument.
    """
    given = instantiate(cfg.trainer, _partial_=True, _convert_="all").keywords
    del given["matmul_precision"]
    summary = any(isinstance(each, lightnings.ModelSummary) for each in callbacks)
    own: dict[str, Any] = {
        **place.for_trainer(),
        "precision": PRECISIONS[cfg.precision],
        "max_steps": cfg.num_batches,
        "max_epochs": -1,
        "logger": list(loggers) or False,
        "callbacks": list(callbacks),
        # On a cluster, too, a run is a single process; the launcher starts and stops it.
        "plugins": [CheckpointFiles(), LightningEnvironment()],
        "profiler": _profiler(given.pop("profiler", None), Path(cfg.output_dir), run),
        "log_every_n_steps": cfg.log_every,
        "limit_val_batches": 0,  # `Evaluate` measures
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": summary or given.pop("enable_model_summary", False),
    }
    try:
        return pl.Trainer(**{**given, **own})
    except (TypeError, ValueError, MisconfigurationException) as error:
        raise CharRNNError(f"Lightning's Trainer cannot be made: {error}.") from error


def _nodes(cfg: DictConfig) -> list[DictConfig]:
    return list(cfg.callbacks.values())


def _profiler(given: Any, output_dir: Path, run: str) -> Profiler | None:
    """The profiler of a name; one that was made already is returned."""
    if given not in PROFILERS:
        return given
    folder = output_dir / PROFILES
    log.info("profile: %s", folder / f"fit-{run}.txt")
    return PROFILERS[given](dirpath=folder, filename=run)


@contextmanager
def matmul_precision(wanted: str) -> Iterator[None]:
    """Compute matrix products of 32-bit numbers in a precision: `highest`, `high` or `medium`."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(wanted)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
