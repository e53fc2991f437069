"""Hydra's launchers for submitit, which say what was submitted, where it logs and how far it is."""

from __future__ import annotations

import importlib.util
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from hydra.core.singleton import Singleton
from hydra.core.utils import JobReturn

from charrnn.errors import shortened

if TYPE_CHECKING or importlib.util.find_spec("hydra_plugins.hydra_submitit_launcher"):
    from hydra_plugins.hydra_submitit_launcher.submitit_launcher import BaseSubmititLauncher
else:  # Hydra imports this module wherever it looks for plugins; the sweeper refuses the launcher
    BaseSubmititLauncher = object

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
AT_THE_START = ("max_num_timeout",)
"""Settings that submitit takes when an executor is made, and not later."""
VISIBLE = "CUDA_VISIBLE_DEVICES"


class SlurmLauncher(BaseSubmititLauncher):  # type: ignore[misc]
    """Submits a SLURM job for every run, and waits for all of them."""

    _EXECUTOR = "slurm"

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """How every job ended; a job that left no result has status UNKNOWN."""
        jobs = self._submit(job_overrides, initial_job_idx)
        ids = shortened([job.job_id for job in jobs])
        log.info("jobs submitted: %s; the log of the first: %s", ids, jobs[0].paths.stderr)
        returns = [JobReturn() for _ in jobs]
        waiting = dict(enumerate(jobs))
        while waiting:
            for number in [number for number, job in waiting.items() if job.done()]:
                returns[number] = _result(waiting.pop(number))
                log.info("%d of %d jobs ended", len(jobs) - len(waiting), len(jobs))
            time.sleep(POLL_SECONDS)
        return returns

    def _submit(self, job_overrides: Sequence[Sequence[str]], first: int) -> list[Any]:
        """Submitit's handles of the jobs."""
        import submitit
        from hydra_plugins.hydra_submitit_launcher.config import BaseQueueConf

        kind, given = self._EXECUTOR, dict(self.params)
        start = {f"{kind}_{name}": given.pop(name) for name in AT_THE_START if name in given}
        folder = given.pop("submitit_folder")
        executor = submitit.AutoExecutor(cluster=kind, folder=folder, **start)
        common = {field.name for field in fields(BaseQueueConf)}
        executor.update_parameters(
            **{name if name in common else f"{kind}_{name}": given[name] for name in given}
        )
        state = Singleton.get_state()
        calls = [
            (list(overrides), "hydra.sweep.dir", number, f"job_id_for_{number}", state)
            for number, overrides in enumerate(job_overrides, start=first)
        ]
        return executor.map_array(self, *zip(*calls, strict=True))


class LocalLauncher(SlurmLauncher):
    """Starts a process for every run, all at once, as SLURM would on a machine of its own."""

    _EXECUTOR = "local"
    visible: str | None = None

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """The same."""
        self.visible = os.environ.get(VISIBLE)
        return super().launch(job_overrides, initial_job_idx)

    def __call__(self, *arguments: Any) -> JobReturn:
        """Train a run, in its own process, which may use the GPUs that the sweep may use."""
        # Submitit hides them all; charrnn.devices hands them out.
        os.environ.pop(VISIBLE, None)
        if self.visible is not None:
            os.environ[VISIBLE] = self.visible
        return super().__call__(*arguments)


def _result(job: Any) -> JobReturn:
    """How a job ended; one that left no result may go on elsewhere, from its checkpoint."""
    import submitit

    try:
        result: JobReturn = job.results()[0]
    except submitit.core.utils.UncompletedJobError as error:
        reason = str(error).splitlines()[0]
        log.warning("job %s left no result (%s): see %s", job.job_id, reason, job.paths.stderr)
        return JobReturn()
    return result
