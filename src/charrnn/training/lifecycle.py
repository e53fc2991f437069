"""One training run, from its configuration to its finished folder."""

from __future__ import annotations

import logging
import time
import traceback

import torch
from omegaconf import DictConfig, OmegaConf

from charrnn.callbacks.progress import RunProgress
from charrnn.console import duration
from charrnn.errors import CharRNNError
from charrnn.runs.checkpoints import batches_in, batches_kept
from charrnn.runs.folder import RunFolder, locate_run
from charrnn.runs.provenance import provenance
from charrnn.sampling.drawing import Diverged, Text
from charrnn.schemes.base import Scheme
from charrnn.training.build import build, build_datamodule, check, check_initial_weights
from charrnn.training.fit import Prepared, fit

log = logging.getLogger(__name__)

INTERRUPTED, TERMINATED = 130, 143
"""Exit status after SIGTERM, as a shell has it."""


class Taken(CharRNNError):
    """Another process trains the run."""


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
    vocabulary = datamodule.tokens.vocabulary
    prompt_N = datamodule.test_tokens[: cfg.k2]
    if cfg.sampling.prompt is not None:
        encoded = vocabulary.encode(str(cfg.sampling.prompt), "sampling.prompt")
        prompt_N = torch.from_numpy(encoded)
    text = Text(prompt_N, cfg.k2, build(cfg.sampling.choice), cfg.sampling.length, vocabulary)
    folder, identity = locate_run(cfg, datamodule.tokens)
    return Prepared(datamodule, text, folder, identity)


def train(cfg: DictConfig) -> RunFolder:
    """Train the run that ``cfg`` describes, unless it is there already; go on where it stopped.

    Returns:
        The finished run's folder.

    Raises:
        CharRNNError: see `prepare`, nothing has been written then; or if the folder cannot be
            written; or if it failed before, in a sweep.
        Taken: if another process trains the run, and `cell.wait` says not to wait for it.
    """
    run = prepare(cfg)
    if cfg.threads is not None:
        torch.set_num_threads(cfg.threads)
    title = f"scheme {cfg.scheme}, {run.datamodule.tokens.name}, k1={cfg.k1}"
    if run.folder.is_finished:
        return _reuse(cfg, run.folder, title)

    def wait() -> None:
        if not cfg.cell.wait:
            raise Taken(f"{title}: another process trains it; first come the others.")
        log.info("%s: another process trains it; waiting.", title)

    with run.folder.claimed(wait):
        if run.folder.is_finished:
            return _reuse(cfg, run.folder, title)
        error = run.folder.error()
        if error and cfg.cell.of and not cfg.retry_failed:
            raise CharRNNError(f"failed before: {error} (retry_failed=true tries it again)")
        _train(cfg, run, title)
    run.folder.tidy()
    return run.folder


def _reuse(cfg: DictConfig, folder: RunFolder, title: str) -> RunFolder:
    """Say that a run is there already, and what it did not measure."""
    log.info("%s: trained before, reused: %s", title, folder.path)
    not_measured = set(cfg.evaluate_at or []) - set(folder.read_table()["batches"])
    if not_measured:
        log.warning("it was not evaluated at batches %s then.", sorted(not_measured))
    folder.tidy()
    return folder


def _train(cfg: DictConfig, run: Prepared, title: str) -> None:
    """Train a run that is claimed, from its beginning or its checkpoint to the mark of its end."""
    folder, started = run.folder, time.perf_counter()
    place = f"run {cfg.cell.number} of {cfg.cell.of}: " if cfg.cell.of > 1 else ""
    log.info("%s%s: %s", place, title, folder.path)
    if cfg.k1 > cfg.k2:
        log.warning("k1=%d is greater than k2=%d: tokens are skipped.", cfg.k1, cfg.k2)
    checkpoint = folder.start(
        OmegaConf.to_yaml(cfg, resolve=True),
        run.identity,
        provenance(run.datamodule.tokens.describe()),
    )
    folder.write_vocabulary(run.datamodule.tokens.vocabulary)
    if checkpoint:
        log.info("goes on from batch %d.", batches_in(checkpoint))
    progress = RunProgress(title, cfg.num_batches, cfg.cell.number, cfg.cell.of)
    try:
        trained = fit(cfg, run, progress, checkpoint)
        _write_samples(run, trained.scheme)
        seconds = {name: round(value, 3) for name, value in trained.seconds.items()}
        folder.finish({"seconds": seconds})
    except Exception:
        folder.fail(traceback.format_exc())
        raise
    except (KeyboardInterrupt, SystemExit) as stop:
        kept = batches_kept(folder.path)
        how = f"goes on from batch {kept}" if kept else "starts it anew"
        log.warning("%s: interrupted; the same command %s.", title, how)
        # Lightning ends a run on SIGTERM without a status, which would look like success, and on
        # SIGINT with 1, which would look like a failed run, after which others go on.
        code = getattr(stop, "code", INTERRUPTED)
        raise SystemExit({None: TERMINATED, 1: INTERRUPTED}.get(code, code)) from stop
    spent = time.perf_counter() - started
    to_come = 0 if cfg.cell.prefix else cfg.cell.of - cfg.cell.number
    left = f"; about {duration(spent * to_come)} left for the sweep" if to_come else ""
    log.info("%s: finished in %s%s", title, duration(spent), left)


def _write_samples(run: Prepared, scheme: Scheme) -> None:
    """Let the trained model write a text by each sampling procedure that the run records."""
    if run.text.length == 0:
        return
    backbone = scheme.backbone.eval()
    for procedure in scheme.recorded_procedures:
        try:
            run.folder.write_sample(procedure, run.text.write(backbone, procedure))
        except Diverged as diverged:
            log.warning("no sample: %s", diverged)
            return
