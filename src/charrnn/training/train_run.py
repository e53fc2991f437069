"""One training run, from its configuration to its finished folder."""

from __future__ import annotations

import copy
import logging
import time
import traceback
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from charrnn import devices
from charrnn.callbacks.progress import RunProgress
from charrnn.config import build, resolve
from charrnn.console import duration
from charrnn.datamodule.announcement import UsedCorpus, announce
from charrnn.devices import Place
from charrnn.errors import CannotRead, CannotWrite, CharRNNError
from charrnn.runs.checkpoints import DamagedCheckpoint, batches_in, batches_kept
from charrnn.runs.folder import STOPPED_EARLY, RunFolder, locate_run
from charrnn.runs.identity import digest_in
from charrnn.runs.lease import LeaseLost
from charrnn.runs.provenance import provenance
from charrnn.runs.reuse import note, report_reuse
from charrnn.runs.sealed import DamagedRun
from charrnn.sampling.samplers import Diverged, Text
from charrnn.schemes.base import Scheme
from charrnn.stopping import STOP, Stopped
from charrnn.training.build import (
    build_datamodule,
    check,
    check_initial_weights,
    sampled_procedures,
    scheme_class,
)
from charrnn.training.fit import Prepared, fit

log = logging.getLogger(__name__)


OUTSIDE = (OSError, CannotRead, CannotWrite, DamagedCheckpoint, DamagedRun, LeaseLost)
"""What ends an attempt without being the run's failure, such as a full disk: it is tried again."""


class Taken(CharRNNError):
    """Another process trains the run."""


def prepare(cfg: DictConfig) -> Prepared:
    """Check everything that can be refused: reads the corpus, writes nothing.

    Raises:
        BadInput: if the configuration, or a file that it names, cannot be used.
        FetchError: if the corpus cannot be fetched.
    """
    cfg = copy.deepcopy(cfg)  # the caller's keeps its interpolations
    resolve(cfg)
    check(cfg)
    return prepare_checked(cfg)


def prepare_checked(cfg: DictConfig) -> Prepared:
    """The same, of a configuration that `check` has seen and whose interpolations are resolved.

    Raises:
        BadInput: if a file that the configuration names cannot be used.
        FetchError: if the corpus cannot be fetched.
    """
    datamodule = build_datamodule(cfg)
    datamodule.setup()
    check_initial_weights(cfg, datamodule.tokens.vocabulary)
    vocabulary = datamodule.tokens.vocabulary
    prompt_N = datamodule.test_tokens[: cfg.k2]
    if cfg.sampling.prompt is not None:
        encoded = vocabulary.encode(str(cfg.sampling.prompt), "sampling.prompt")
        prompt_N = torch.from_numpy(encoded)
    text = Text(prompt_N, cfg.k2, build(cfg.sampling.choice), cfg.sampling.length, vocabulary)
    folder, identity = locate_run(cfg, datamodule.tokens)
    return Prepared(cfg, datamodule, text, folder, identity)


def train(cfg: DictConfig) -> RunFolder:
    """Train the run that ``cfg`` describes, unless it is finished; resume where it stopped.

    A run that is finished with fewer batches is trained further.

    Returns:
        The finished run's folder.

    Raises:
        CharRNNError: see `prepare`, or if it was planned for a GPU and there is none here: nothing
            has been written then. Also if the folder cannot be written, or if the run failed
            before, in a sweep.
        Taken: if another process trains the run, and `job.wait` says not to wait for it.
        Stopped: if a signal ends the training: after the current batch, with a checkpoint.
    """
    with STOP.listening(worker=bool(cfg.job.prefix)):  # runs side by side have a prefix
        return _prepare_and_train(cfg)


def _prepare_and_train(cfg: DictConfig) -> RunFolder:
    run = prepare(cfg)
    cfg = run.cfg
    _require_the_same(run)
    if cfg.threads is not None:
        torch.set_num_threads(cfg.threads)
    title = f"scheme {cfg.scheme}, {run.datamodule.corpus.title}, k1={cfg.k1}"
    if run.folder.covers(cfg.num_batches) and not run.folder.is_being_replaced:
        note(cfg, scheme_class(cfg).sampling_procedure, run.folder)
        report_reuse(cfg, run.folder, title)
        return run.folder
    cfg.device = devices.decide(cfg.device)
    devices.require_here(cfg.device)

    def wait() -> None:
        if not cfg.job.wait:
            raise Taken(f"{title}: already being trained by another process; deferred.")
        log.info("%s: already being trained by another process; waiting.", title)

    with run.folder.leased(wait):
        run.folder.replace_result()
        if run.folder.covers(cfg.num_batches):
            run.folder.require_evaluated(cfg.num_batches)
            report_reuse(cfg, run.folder, title)
            return run.folder
        error = run.folder.error()
        if error and cfg.job.of and not cfg.retry_failed:
            raise CharRNNError(f"failed before: {error} (retry_failed=true tries it again)")
        with STOP.remembering(), devices.taken(cfg.device, Path(cfg.output_dir)) as place:
            _train(run, title, place)
        run.folder.tidy(cfg.keep_last)
    note(cfg, scheme_class(cfg).sampling_procedure, run.folder)
    return run.folder


def _require_the_same(run: Prepared) -> None:
    """Refuse a sweep's run if a file that it is made of was changed since the sweep started.

    Raises:
        CharRNNError: saying which.
    """
    job, tokens = run.cfg.job, run.datamodule.tokens
    again = "start the sweep again once it stops changing"
    if job.corpus not in (None, tokens.sha256):
        what = f"the text of {tokens.name} ({tokens.source.path})"
        raise CharRNNError(f"{what} was changed after the sweep had started; {again}.")
    if job.run not in (None, digest_in(run.folder.name)):
        what = f"a file that {run.folder.name} is made of, such as initial_weights,"
        raise CharRNNError(f"{what} was changed after the sweep had started; {again}.")


def _train(run: Prepared, title: str, place: Place) -> None:
    """Train a leased run, from its beginning or a checkpoint, until it is marked as finished."""
    cfg, started = run.cfg, time.perf_counter()
    number = f"run {cfg.job.number} of {cfg.job.of}: " if cfg.job.of > 1 else ""
    log.info("%s%s, on %s: %s", number, title, place, run.folder.path)
    if cfg.job.of == 0:  # a sweep has said so for all of its runs
        announce([UsedCorpus.of(run.datamodule)])
    if cfg.k1 > cfg.k2:
        log.warning("k1=%d is greater than k2=%d: tokens are skipped.", cfg.k1, cfg.k2)
    folder, checkpoint = run.folder.start(
        cfg.num_batches,
        OmegaConf.to_yaml(cfg, resolve=True),
        run.identity,
        provenance(run.datamodule.tokens.describe(), place),
    )
    folder.write_vocabulary(run.datamodule.tokens.vocabulary)
    if checkpoint:
        log.info("resuming from batch %d.", batches_in(checkpoint))
    progress = RunProgress(title, cfg.num_batches, cfg.job.number, cfg.job.of)
    try:
        trained = fit(run, folder, checkpoint, progress, place)
        _write_samples(run, folder, trained.scheme)
        seconds = {name: round(value, 3) for name, value in trained.seconds.items()}
        stopped = {STOPPED_EARLY: True} if trained.stopped_early else {}
        folder.finish({"seconds": seconds, **stopped})
        run.folder.replace_result()
    except OUTSIDE:
        raise
    except Exception:
        folder.fail(traceback.format_exc())
        raise
    except Stopped as stopped:
        kept = max(batches_kept(folder.path), batches_kept(run.folder.path))
        how = f"resumes from batch {kept}" if kept else "starts from the beginning"
        log.warning("%s: ended by %s; the same command %s.", title, stopped.name, how)
        STOP.said = True
        raise
    spent = time.perf_counter() - started
    remaining = 0 if cfg.job.prefix else cfg.job.of - cfg.job.number
    left = f"; about {duration(spent * remaining)} left for the sweep" if remaining else ""
    log.info("%s: finished in %s%s", title, duration(spent), left)


def _write_samples(run: Prepared, folder: RunFolder, scheme: Scheme) -> None:
    """Let the trained model write a text by every sampling procedure of its schemes.

    Raises:
        Stopped: if a signal has come. The text is written again when the run goes on.
    """
    if run.text.length == 0:
        return
    backbone = scheme.backbone.eval()
    for procedure in sampled_procedures(run.cfg):
        try:
            written = run.text.write(backbone, procedure, after_each=STOP.check)
            folder.write_sample(procedure, written)
        except Diverged as diverged:
            log.warning("no sample: %s", diverged)
            return
