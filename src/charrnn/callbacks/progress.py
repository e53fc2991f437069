"""The progress bar of a run, with the time left for the run and for its sweep."""

from __future__ import annotations

import time
from typing import Any

import pytorch_lightning as pl
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from charrnn.callbacks.reports import REPORTER, Report
from charrnn.console import console, duration


class RunProgress(pl.Callback):
    """A bar over the batches of a run; nothing without a terminal, where the log is enough.

    In a worker, which has no terminal of its own, it reports to the process that prints.

    The estimate for the sweep assumes that every remaining run takes as long as this one.

    Args:
        label: what is being trained.
        num_batches: batches in the run.
        number: number of the run among those that the sweep trains, from 1.
        of: number of runs that the sweep trains.
    """

    def __init__(self, label: str, num_batches: int, number: int = 1, of: int = 1) -> None:
        self.label, self.num_batches, self.number, self.of = label, num_batches, number, of
        columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), "{task.fields[left]}")
        self.progress = Progress(
            *(TextColumn(c) if isinstance(c, str) else c for c in columns),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            refresh_per_second=4,
        )
        place = f"run {number} of {of}: " if of > 1 else ""
        self.task = self.progress.add_task(place + label, total=num_batches, left="")

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started, self.first = time.perf_counter(), trainer.global_step
        self.progress.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, *_: Any
    ) -> None:
        batches = trainer.global_step
        if REPORTER.is_due:
            loss = float(outputs["loss"])
            REPORTER.report(Report(self.label, batches, self.num_batches, loss))
        elapsed = time.perf_counter() - self.started
        self.progress.update(self.task, completed=batches, left=self._time_left(batches, elapsed))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.progress.stop()

    def on_exception(self, *_: Any) -> None:
        self.progress.stop()

    def _time_left(self, batches: int, elapsed: float) -> str:
        seconds = elapsed / (batches - self.first)  # per batch
        rest, whole = (self.num_batches - batches) * seconds, self.num_batches * seconds
        left = f"{duration(rest)} left"
        if self.of > 1:
            left += f"; sweep: {duration(rest + whole * (self.of - self.number))}"
        return left
