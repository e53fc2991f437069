"""Training with Lightning: from a configuration, or a checkpoint, to a trained scheme."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from hydra.utils import get_class
from omegaconf import DictConfig

from charrnn.callbacks.checkpointing import KeepCheckpoint
from charrnn.callbacks.clock import Clock
from charrnn.callbacks.diagnostics import Diagnose
from charrnn.callbacks.evaluation import Evaluate
from charrnn.callbacks.progress import RunProgress
from charrnn.callbacks.training_log import LogTraining
from charrnn.data.corpora.labels import label
from charrnn.datamodule.module import CharDataModule
from charrnn.devices import Place
from charrnn.evaluation.schedule import evaluation_counts
from charrnn.logger.build import loggers_of
from charrnn.logger.tensorboard import TensorBoard
from charrnn.runs.checkpoints import batches_in
from charrnn.runs.folder import RunFolder
from charrnn.runs.identity import Identity
from charrnn.sampling.samplers import Text
from charrnn.schemes.base import Scheme
from charrnn.training.build import build_scheme, sampled_procedures, scheme_class, scheme_names
from charrnn.training.tensorboard_names import event_folders
from charrnn.training.trainer import make_callbacks, make_trainer, matmul_precision


@dataclass(frozen=True)
class Prepared:
    """A run whose configuration and corpus have been checked.

    Attributes:
        cfg: the configuration, with its interpolations resolved.
        datamodule: set up.
        text: how the model writes at the end.
        folder: the run's folder, which may not exist yet.
        identity: what the run is.
    """

    cfg: DictConfig
    datamodule: CharDataModule
    text: Text
    folder: RunFolder
    identity: Identity


@dataclass(frozen=True)
class Trained:
    """The result of training.

    Attributes:
        scheme: with the trained backbone.
        seconds: seconds that the run took, over all attempts, by what they were spent on.
        stopped_early: whether a callback ended the training before the last batch.
    """

    scheme: Scheme
    seconds: dict[str, float]
    stopped_early: bool


def fit(
    run: Prepared,
    folder: RunFolder,
    checkpoint: Path | None,
    progress: RunProgress,
    place: Place,
) -> Trained:
    """Train and evaluate, from the beginning or from a checkpoint, and write the weights.

    Args:
        run: what is trained.
        folder: the folder to write to, under this process's lease.
        checkpoint: the checkpoint to resume from; None to start from the beginning.
        progress: shows how far the run is.
        place: the processor to train on.

    Raises:
        Stopped: if a signal has come, and what was trained is kept.
    """
    _quieten_lightning()
    cfg, datamodule = run.cfg, run.datamodule
    datamodule.endless = True  # Lightning sees one epoch, and a run resumes in the middle of it
    scheme = build_scheme(cfg, len(datamodule.tokens.vocabulary))
    scheme.logs_loss = False  # `LogTraining` does: Lightning would take 0.7 ms at every batch
    torch.manual_seed(cfg.seed)  # for dropout: initial weights have a generator of their own
    # Training longer from the beginning, without a last checkpoint, leaves no shorter result out.
    counts = {*evaluation_counts(cfg), *run.folder.evaluated_at()}
    clock, procedures = Clock(), sampled_procedures(cfg)
    text = replace(run.text, length=cfg.sampling.log_length) if cfg.sampling.log_length else None
    callbacks = [
        Diagnose(counts, folder),
        Evaluate(counts, folder, clock, text),
        LogTraining(cfg.log_every, clock),
        progress,
        *make_callbacks(cfg),
        KeepCheckpoint(folder, clock, cfg.checkpoint_share),  # after all that have a state
    ]
    of_a_run = {
        "folders": event_folders(cfg, run.identity, run.folder.name, procedures),
        "corpus": _chart_name(run),
        "hyperparameters": {name: _hyperparameters(run, name) for name in procedures},
        "batch_size": datamodule.batch_size,
        "resumed_at": batches_in(checkpoint) * datamodule.batch_size if checkpoint else None,
    }
    with (
        loggers_of(cfg, run.folder.name, **of_a_run) as loggers,
        matmul_precision(cfg.trainer.matmul_precision),
    ):
        trainer = make_trainer(cfg, place, run.folder.name, callbacks, loggers)
        trainer.fit(scheme, datamodule=datamodule, ckpt_path=checkpoint)
        stopped_early = trainer.global_step != cfg.num_batches
        if stopped_early and not trainer.should_stop:
            raise RuntimeError(f"training ended after {trainer.global_step} batches")
        for logger in loggers:
            if isinstance(logger, TensorBoard):
                logger.finish()
    folder.write_weights(scheme.backbone.state_dict())
    return Trained(scheme, clock.seconds, stopped_early)


def _quieten_lightning() -> None:
    """Keep Lightning's remarks on the hardware, and torch's on its code, out of the log."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "GPU available but not used")  # as device=cpu says
    warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec", FutureWarning)


def _chart_name(run: Prepared) -> str:
    """The corpus's name; a file of the user's may change, or have the name of another one."""
    tokens, is_users = run.datamodule.tokens, run.datamodule.corpus.is_users
    return label(tokens.name, tokens.sha256) if is_users else tokens.name


def _hyperparameters(run: Prepared, procedure: str) -> dict[str, Any]:
    """The columns of TensorBoard's table of runs, for a run read by one sampling procedure.

    TensorBoard sorts them by name, and shows the first five without scrolling.
    """
    cfg = run.cfg
    return {
        "corpus": _chart_name(run),
        "k1": cfg.k1,
        "k2": cfg.k2,
        "r": cfg.backbone.num_layers,
        "scheme": "+".join(scheme_names(cfg, procedure)) or "none",
        "seed": cfg.seed,
        "settings/backbone": run.identity["backbone"]["name"],
        "settings/dropout": cfg.backbone.get("dropout"),
        "settings/forget_bias": cfg.backbone.get("forget_bias"),
        "settings/lr": cfg.optimizer.get("lr"),
        "settings/num_batches": cfg.num_batches,
        "settings/optimizer": get_class(cfg.optimizer._target_).__name__,
        "settings/sampling": procedure,
        "training": scheme_class(cfg).training_procedure,
        "training/run": run.folder.name,
        "γ": cfg.backbone.hidden_size,  # noqa: RUF001
    }
