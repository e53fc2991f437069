"""One training run, from its configuration to its finished folder."""

from __future__ import annotations

import itertools
import logging
import time
import traceback
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor

from charrnn.callbacks import Evaluate, LogLoss, log_spaced
from charrnn.console import duration
from charrnn.data.module import CharDataModule
from charrnn.experiment import build, build_datamodule, build_scheme, check, check_initial_weights
from charrnn.identity import Identity
from charrnn.progress import RunProgress
from charrnn.provenance import provenance
from charrnn.runs import RunFolder, locate_run
from charrnn.sampling import SAMPLERS, Diverged
from charrnn.schemes import Scheme

log = logging.getLogger(__name__)

INTERRUPTED = 143
"""Exit status after SIGTERM, as a shell has it."""


@dataclass(frozen=True)
class Prepared:
    """A run whose configuration and corpus have been found to be usable.

    Attributes:
        datamodule: set up.
        prompt_N: seed sequence (N,) of the text that is written at the end.
        folder: that the run has, or will have.
        identity: what the run is.
    """

    datamodule: CharDataModule
    prompt_N: Tensor
    folder: RunFolder
    identity: Identity


def prepare(cfg: DictConfig) -> Prepared:
    """Everything that can be refused is refused here: reads the corpus, writes nothing.

    Raises:
        BadInput: if the configuration, or the file that it names, cannot be used.
        FetchError: if the corpus cannot be fetched.
    """
    check(cfg)
    datamodule = build_datamodule(cfg)
    datamodule.setup()
    check_initial_weights(cfg, len(datamodule.tokens.vocabulary))
    prompt_N = datamodule.test_tokens[: cfg.k2]
    if cfg.sampling.prompt is not None:
        encoded = datamodule.tokens.vocabulary.encode(str(cfg.sampling.prompt), "sampling.prompt")
        prompt_N = torch.from_numpy(encoded)
    folder, identity = locate_run(cfg, datamodule.tokens)
    return Prepared(datamodule, prompt_N, folder, identity)


def train(cfg: DictConfig) -> RunFolder:
    """Train the run that ``cfg`` describes, unless it is there already.

    Returns:
        The finished run's folder.

    Raises:
        CharRNNError: see `prepare`; nothing has been written then.
    """
    run = prepare(cfg)
    if cfg.threads is not None:
        torch.set_num_threads(cfg.threads)
    title = f"scheme {cfg.scheme}, {run.datamodule.tokens.name}, k1={cfg.k1}"
    folder = run.folder
    with folder.claimed(lambda: log.info("%s: another process trains it; waiting.", title)):
        if folder.is_finished:
            log.info("%s: trained before, reused: %s", title, folder.path)
            not_measured = set(cfg.evaluate_at or []) - set(folder.read_table()["batches"])
            if not_measured:
                log.warning("it was not evaluated at batches %s then.", sorted(not_measured))
            return folder
        place = f"run {cfg.cell.number} of {cfg.cell.of}: " if cfg.cell.of > 1 else ""
        log.info("%s%s: %s", place, title, folder.path)
        if cfg.k1 > cfg.k2:
            log.warning("k1=%d is greater than k2=%d: tokens are skipped.", cfg.k1, cfg.k2)
        folder.start(
            OmegaConf.to_yaml(cfg, resolve=True),
            run.identity,
            provenance(run.datamodule.tokens.describe()),
        )
        try:
            started = time.perf_counter()
            progress = RunProgress(title, cfg.num_batches, cfg.cell.number, cfg.cell.of)
            scheme, final = _fit(cfg, run, progress)
            _write_samples(cfg, run, scheme)
        except Exception:
            folder.fail(traceback.format_exc())
            raise
        except (KeyboardInterrupt, SystemExit) as stop:
            log.warning("%s: interrupted; the same command starts it anew.", title)
            # Lightning ends a run on SIGTERM without a status, which would look like success.
            raise SystemExit(getattr(stop, "code", None) or INTERRUPTED) from stop
        seconds = time.perf_counter() - started
        folder.finish({"perplexity": final, "seconds": round(seconds, 3)})
        to_come = cfg.cell.of - cfg.cell.number
        left = f"; about {duration(seconds * to_come)} left for the sweep" if to_come else ""
        log.info("%s: finished in %s%s", title, duration(seconds), left)
    return folder


def _fit(cfg: DictConfig, run: Prepared, progress: RunProgress) -> tuple[Scheme, dict[str, float]]:
    """Train and evaluate: the trained scheme, the final perplexity of each sampling procedure."""
    _quieten_lightning()
    scheme = build_scheme(cfg, len(run.datamodule.tokens.vocabulary))
    torch.manual_seed(cfg.seed)  # of dropout: the initial weights have a generator of their own
    counts = log_spaced(cfg.num_batches) if cfg.evaluate_at is None else cfg.evaluate_at
    evaluate = Evaluate([*counts, cfg.num_batches], run.folder)
    logger = TensorBoardLogger(run.folder.path, name="", version="", default_hp_metric=False)
    trainer = pl.Trainer(
        accelerator="gpu" if torch.cuda.is_available() else "cpu",
        devices=1,
        precision="64-true" if cfg.precision == 64 else "32-true",
        max_steps=cfg.num_batches,
        max_epochs=-1,
        logger=logger,
        callbacks=[evaluate, LogLoss(cfg.log_every), progress],
        log_every_n_steps=1,  # of self.log, which is not used: silences a warning in short epochs
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(scheme, datamodule=run.datamodule)
    if trainer.global_step != cfg.num_batches:
        raise RuntimeError(f"training ended after {trainer.global_step} batches")
    metrics = {f"final_perplexity/{name}": value for name, value in evaluate.final().items()}
    logger.log_hyperparams(_hyperparameters(run.identity), metrics)
    logger.finalize("success")
    run.folder.write_weights(scheme.backbone.state_dict())
    return scheme, evaluate.final()


def _quieten_lightning() -> None:
    """Keep its remarks on the hardware, and torch's on its code, out of the log."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "`isinstance.treespec, LeafSpec", FutureWarning)


def _hyperparameters(identity: Identity) -> dict[str, Any]:
    """What TensorBoard's table of runs shows: the identity, a column a field."""
    flat: dict[str, Any] = {}
    for name, value in identity.items():
        if isinstance(value, dict):
            flat |= {
                f"{name}/{key}": str(v) if isinstance(v, list) else v for key, v in value.items()
            }
        elif value is not None:
            flat[name] = value
    return flat


def _write_samples(cfg: DictConfig, run: Prepared, scheme: Scheme) -> None:
    """Let the trained model write a text by each sampling procedure that the run records."""
    if cfg.sampling.length == 0:
        return
    vocabulary = run.datamodule.tokens.vocabulary
    choice = build(cfg.sampling.choice)
    backbone = scheme.backbone.eval()
    for procedure in scheme.recorded_procedures:
        sampler = SAMPLERS[procedure](backbone, run.prompt_N.to(scheme.device), cfg.k2, choice)
        try:
            tokens = list(itertools.islice(sampler, cfg.sampling.length))
        except Diverged as diverged:
            log.warning("no sample: %s", diverged)
            return
        text = vocabulary.decode(np.array([*run.prompt_N.tolist(), *tokens]))
        run.folder.write_sample(procedure, text)
