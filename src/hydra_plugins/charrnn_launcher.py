"""The project's Hydra launcher: runs on this machine, one after another or several at once.

Joblib's launcher would do, except that its pool (loky) ends all workers when one of them dies,
together with the hours of training in them. Here a worker that dies loses its own run only. And
where one crashes, or can no longer use its GPU, another one goes on with its run.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus, configure_log, run_job, setup_globals
from omegaconf import open_dict

from charrnn.callbacks.reports import REPORTER, Report, in_words
from charrnn.console import console, refuse
from charrnn.devices import has_lost_gpu
from charrnn.errors import CharRNNError
from charrnn.stopping import STOP
from charrnn.sweeps.resources import workers
from charrnn.sweeps.workers import CRASHES, NO_GPU, Job, Lost

log = logging.getLogger(__name__)

SAID_EVERY = 20.0
"""Seconds between two lines on a terminal that say how far a sweep is."""


class LocalLauncher(BasicLauncher):
    """Trains runs one after another in this process, or several at once in worker processes.

    The configuration's `jobs` is the number of workers. With `fail_fast`, the first run that fails
    ends the runs in progress, and no other run is started.
    """

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> list[JobReturn]:
        """How every job ended; a job that was not started has status UNKNOWN."""
        assert self.config is not None
        try:
            jobs = min(workers(self.config), len(job_overrides))
        except CharRNNError as error:
            refuse(error)
        returns = [JobReturn() for _ in job_overrides]
        waiting = deque(Job(number, overrides) for number, overrides in enumerate(job_overrides))
        while jobs == 1 and waiting and not self._gives_up(returns):
            job = waiting.popleft()
            (end,) = super().launch([job.overrides], initial_job_idx + job.number)
            lost = end.status is JobStatus.FAILED and has_lost_gpu()
            if lost and (again := job.once_more(NO_GPU)):
                # This process can train no other run either.
                waiting.appendleft(again)
                break
            returns[job.number] = end
        if waiting:
            self._launch_in_workers(waiting, returns, jobs)
        return returns

    def _gives_up(self, returns: Sequence[JobReturn]) -> bool:
        assert self.config is not None
        return self.config.fail_fast and any(job.status is JobStatus.FAILED for job in returns)

    def _launch_in_workers(self, waiting: deque[Job], returns: list[JobReturn], jobs: int) -> None:
        assert self.config is not None
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        idle: list[Worker] = []
        busy: dict[Connection, tuple[Worker, Job]] = {}
        reports: dict[int, Report] = {}
        started = said = time.monotonic()
        try:
            while (waiting or busy) and not self._gives_up(returns):
                STOP.check()
                while waiting and len(busy) < jobs:
                    job = waiting.popleft()
                    worker = idle.pop() if idle else Worker(self)
                    busy[worker.connection] = worker, job
                    with suppress(BrokenPipeError):  # if it has just died, which `receive` says
                        worker.connection.send((job.number, list(job.overrides)))
                for connection in wait(list(busy)):
                    assert isinstance(connection, Connection)
                    worker, job = busy[connection]
                    result = worker.receive()
                    if isinstance(result, Report):
                        reports[job.number] = result
                        continue
                    del busy[connection]
                    reports.pop(job.number, None)
                    if isinstance(result, Lost):
                        worker.process.join()
                        if again := job.once_more(result.why):
                            waiting.appendleft(again)
                            continue
                        result = result.end
                    elif worker.process.is_alive():
                        idle.append(worker)
                    returns[job.number] = result
                    log.info("%d of %d runs finished", *_progress(returns))
                now = time.monotonic()
                if reports and now - said >= SAID_EVERY:
                    said = now
                    log.info(in_words(*_progress(returns), now - started, reports.values()))
        finally:
            # Runs in progress keep their checkpoints; the same command resumes from there.
            everyone = [*idle, *(worker for worker, _ in busy.values())]
            for worker in everyone:
                worker.process.terminate()
            for worker in everyone:
                worker.process.join()


def _progress(returns: Sequence[JobReturn]) -> tuple[int, int]:
    return sum(job.status is not JobStatus.UNKNOWN for job in returns), len(returns)


class Worker:
    """A process that trains one run after another, and ends with the process that started it."""

    def __init__(self, launcher: LocalLauncher) -> None:
        context = multiprocessing.get_context("spawn")  # threads and GPUs do not survive a fork
        self.connection, theirs = context.Pipe()
        reports = console.is_terminal  # in a log the evaluations are enough
        described = (launcher.hydra_context, launcher.config, launcher.task_function, reports)
        self.process = context.Process(target=_work, args=(theirs, *described), daemon=True)
        # It inherits that SIGINT waits, which would else end its imports with a traceback.
        waiting = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, waiting)
        theirs.close()

    def receive(self) -> JobReturn | Report | Lost:
        """How far the worker's run is, or how it ended; a failure if the worker was killed."""
        try:
            return self.connection.recv()
        except (EOFError, ConnectionResetError):  # the latter if it has not read what was sent
            self.process.join()
            code = self.process.exitcode or 0
            how = signal.Signals(-code).name if code < 0 else f"exit status {code}"
            job = JobReturn(status=JobStatus.FAILED)
            job.return_value = RuntimeError(f"its process ended ({how})")
            return Lost(job, f"ended ({how})") if -code in CRASHES else job


def _work(
    connection: Connection, hydra_context: Any, config: Any, task_function: Any, reports: bool
) -> None:
    """A worker's main loop: receive a job over ``connection``, train it, send how it ended.

    If asked for ``reports``, it sends how far it is, too.
    """
    REPORTER.send = connection.send if reports else None
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent gets it too, and ends its workers
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    os.environ["TTY_COMPATIBLE"] = "0"  # progress bars of several runs would overwrite each other
    setup_globals()
    Plugins.instance()  # imports all plugins, which registers their options and resolvers
    with STOP.listening(worker=True), suppress(EOFError):
        while True:
            number, overrides = connection.recv()
            cfg = hydra_context.config_loader.load_sweep_config(config, overrides)
            with open_dict(cfg):
                cfg.hydra.job.id = cfg.hydra.job.num = number
            HydraConfig.instance().set_config(cfg)
            job = run_job(
                hydra_context=hydra_context,
                config=cfg,
                task_function=task_function,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
            )
            # Nobody reads them, and what a sweeper other than the project's adds cannot be sent.
            job.cfg = job.hydra_cfg = None
            if job.status is JobStatus.FAILED and has_lost_gpu():
                connection.send(Lost(job, NO_GPU))
                return
            connection.send(job)


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
