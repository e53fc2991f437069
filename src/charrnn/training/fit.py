"""Lightning's part of a run: from the configuration, or a checkpoint, to the trained scheme."""

from __future__ import annotations

import logging
import warnings
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from hydra.utils import get_class
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from omegaconf import DictConfig

from charrnn.callbacks.checkpointing import KeepCheckpoint
from charrnn.callbacks.clock import Clock
from charrnn.callbacks.diagnostics import Diagnose
from charrnn.callbacks.evaluation import Evaluate
from charrnn.callbacks.progress import RunProgress
from charrnn.callbacks.tensorboard_events import Events
from charrnn.callbacks.training_log import LogTraining
from charrnn.datamodule.module import CharDataModule
from charrnn.runs.checkpoint_io import CheckpointFiles
from charrnn.runs.checkpoints import batches_in
from charrnn.runs.folder import RunFolder
from charrnn.runs.identity import Identity
from charrnn.sampling.drawing import Text
from charrnn.schemes.base import Scheme
from charrnn.training.build import build_scheme, scheme_class, scheme_names
from charrnn.training.schedule import log_spaced


@dataclass(frozen=True)
class Prepared:
    """A run whose configuration and corpus have been found to be usable.

    Attributes:
        datamodule: set up.
        text: that is written at the end.
        folder: that the run has, or will have.
        identity: what the run is.
    """

    datamodule: CharDataModule
    text: Text
    folder: RunFolder
    identity: Identity


@dataclass(frozen=True)
class Trained:
    """What training has led to.

    Attributes:
        scheme: with the trained backbone.
        seconds: that the run took, over all the tries, by what they have gone into.
    """

    scheme: Scheme
    seconds: dict[str, float]


def fit(cfg: DictConfig, run: Prepared, progress: RunProgress, checkpoint: Path | None) -> Trained:
    """Train and evaluate, from the beginning or from a checkpoint; keeps the weights.

    Args:
        cfg: the configuration.
        run: that it describes, claimed.
        progress: shows how far it is.
        checkpoint: that the run goes on from; None to begin.
    """
    _quieten_lightning()
    folder, datamodule = run.folder, run.datamodule
    scheme = build_scheme(cfg, len(datamodule.tokens.vocabulary))
    torch.manual_seed(cfg.seed)  # of dropout: the initial weights have a generator of their own
    counts = log_spaced(cfg.num_batches) if cfg.evaluate_at is None else cfg.evaluate_at
    clock = Clock()
    counts = [*counts, cfg.num_batches]
    events = Events(
        folder.path,
        datamodule.tokens.name,
        {name: _hyperparameters(cfg, run, name) for name in scheme.recorded_procedures},
        # What the earlier try wrote beyond its checkpoint is trained, and written, once more.
        purge_step=batches_in(checkpoint) * datamodule.batch_size + 1 if checkpoint else 0,
    )
    text = replace(run.text, length=cfg.sampling.log_length) if cfg.sampling.log_length else None
    evaluate = Evaluate(counts, folder, events, clock, text)
    keep = KeepCheckpoint(folder, clock, cfg.checkpoint_share)
    trainer = pl.Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=1,
        precision="64-true" if cfg.precision == 64 else "32-true",
        max_steps=cfg.num_batches,
        max_epochs=-1,
        logger=False,
        callbacks=[
            Diagnose(counts, folder),
            evaluate,
            LogTraining(cfg.log_every, events, clock),
            progress,
            keep,
        ],
        # On a cluster too a run is one process, which is started and stopped by others.
        plugins=[CheckpointFiles(), LightningEnvironment()],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    with closing(events):
        trainer.fit(scheme, datamodule=datamodule, ckpt_path=checkpoint)
        if trainer.global_step != cfg.num_batches:
            raise RuntimeError(f"training ended after {trainer.global_step} batches")
        events.finish()
    folder.write_weights(scheme.backbone.state_dict())
    return Trained(scheme, clock.seconds)


def _quieten_lightning() -> None:
    """Keep its remarks on the hardware, and torch's on its code, out of the log."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec", FutureWarning)


def _hyperparameters(cfg: DictConfig, run: Prepared, procedure: str) -> dict[str, Any]:
    """What TensorBoard's table of runs shows of one that is read by a sampling procedure.

    The columns are sorted by name there, and the first five are seen at once.
    """
    return {
        "corpus": run.datamodule.tokens.name,
        "k1": cfg.k1,
        "k2": cfg.k2,
        "r": cfg.backbone.num_layers,
        "scheme": "+".join(scheme_names(cfg, procedure)) or "none",
        "seed": cfg.seed,
        "settings/dropout": cfg.backbone.dropout,
        "settings/forget_bias": cfg.backbone.forget_bias,
        "settings/lr": cfg.optimizer.get("lr"),
        "settings/num_batches": cfg.num_batches,
        "settings/optimizer": get_class(cfg.optimizer._target_).__name__,
        "settings/sampling": procedure,
        "training": scheme_class(cfg).training_procedure,
        "training/run": run.folder.path.name,
        "γ": cfg.backbone.hidden_size,  # noqa: RUF001
    }
