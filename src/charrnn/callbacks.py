"""What happens beside training: evaluation at chosen batch counts, and checkpoints."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

import pytorch_lightning as pl
import torch

from charrnn import fused
from charrnn.checkpoints import NEWEST
from charrnn.clock import Clock, finish_queued_work
from charrnn.data.module import CharDataModule
from charrnn.events import Events
from charrnn.perplexity import PROCEDURES
from charrnn.runs import Evaluation, RunFolder
from charrnn.sampling import FASTEST, Diverged, Text
from charrnn.schemes import Scheme

log = logging.getLogger(__name__)


def log_spaced(num_batches: int) -> list[int]:
    """The batch counts of the authors' code: 1, 3, 6, 13, 26, 51, 101, 201, 401, ..., the last."""
    counts = [1, 3, 6, 13]
    while (following := 25 * 2 ** (len(counts) - 4) + 1) < num_batches:
        counts.append(following)
    return [count for count in counts if count < num_batches] + [num_batches]


class Evaluate(pl.Callback):
    """Measures perplexity at given batch counts, outside of the training time.

    Every result goes to the run's table and to TensorBoard, there with a text of the model's.

    Args:
        counts: batch counts after which to evaluate.
        folder: where the table is written.
        events: for TensorBoard.
        clock: of the run.
        text: that is to be written; None for none.
    """

    def __init__(
        self,
        counts: Iterable[int],
        folder: RunFolder,
        events: Events,
        clock: Clock,
        text: Text | None = None,
    ) -> None:
        self.counts = frozenset(counts)
        self.folder, self.events, self.clock, self.text = folder, events, clock, text
        self.evaluations: list[Evaluation] = []

    def state_dict(self) -> dict[str, Any]:
        return {"evaluations": [asdict(row) for row in self.evaluations]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.evaluations = [Evaluation(**row) for row in state_dict["evaluations"]]
        self.folder.write_table(self.evaluations)

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any
    ) -> None:
        if trainer.global_step in self.counts:
            finish_queued_work()
            self.clock.lap("training")
            self._evaluate(trainer, pl_module)
            self.clock.lap("evaluation")

    def _evaluate(self, trainer: pl.Trainer, scheme: pl.LightningModule) -> None:
        assert isinstance(scheme, Scheme)
        datamodule: CharDataModule = trainer.datamodule  # type: ignore[attr-defined]
        tokens_N = datamodule.test_tokens.to(scheme.device)
        batches = trainer.global_step
        scheme.eval()
        for procedure in scheme.recorded_procedures:
            perplexity = PROCEDURES[procedure](scheme.backbone, tokens_N, scheme.k2)
            row = Evaluation(
                batches=batches,
                train_sequences=batches * datamodule.batch_size,
                epoch=(batches - 1) // datamodule.batches.per_epoch,
                train_seconds=self.clock.seconds["training"],
                procedure=procedure,
                perplexity=perplexity.value,
                tokens_scored=perplexity.tokens_scored,
            )
            self.evaluations.append(row)
            self._show(row, scheme)
        scheme.train()
        self.folder.write_table(self.evaluations)
        values = (f"{name} {value:8.2f}" for name, value in self.final().items())
        log.info("  batch %6d   perplexity: %s", batches, "   ".join(values))

    def _show(self, row: Evaluation, scheme: Scheme) -> None:
        """Write an evaluation, and the text, for TensorBoard."""
        procedure, step = row.procedure, row.train_sequences
        so_far = (r.perplexity for r in self.evaluations if r.procedure == procedure)
        self.events.add_perplexity(procedure, so_far, step)
        if self.text is not None:
            try:
                text = self.text.write(scheme.backbone, FASTEST[procedure], with_prompt=False)
            except Diverged as diverged:
                text = str(diverged)
            self.events.add_text(procedure, text, step)

    def final(self) -> dict[str, float]:
        """The latest perplexity of each sampling procedure."""
        return {row.procedure: row.perplexity for row in self.evaluations}


class KeepCheckpoint(pl.Callback):
    """Writes checkpoints, as often as a share of the run's time allows, and when it is stopped.

    It comes after all callbacks that have a state: what it keeps is the state between two batches.

    Args:
        folder: of the run.
        clock: of the run.
        share: of the time for training and evaluation that checkpoints may take, together.
    """

    def __init__(self, folder: RunFolder, clock: Clock, share: float) -> None:
        self.folder, self.clock, self.share = folder, clock, share
        self.cost = 0.1
        """Seconds that the last checkpoint took; before the first, a guess."""
        self.between_batches = False

    def state_dict(self) -> dict[str, Any]:
        cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
        return {
            "seconds": dict(self.clock.seconds),
            "cost": self.cost,
            "computed_on": computed_on(),
            "random": {"cpu": torch.get_rng_state(), "cuda": cuda},
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.clock.seconds.update(state_dict["seconds"])
        self.cost = state_dict["cost"]
        torch.set_rng_state(state_dict["random"]["cpu"])
        if torch.cuda.is_available() and state_dict["random"]["cuda"] is not None:
            torch.cuda.set_rng_state(state_dict["random"]["cuda"])
        before, now = state_dict["computed_on"], computed_on()
        if before != now:
            log.warning("the checkpoint was made on %s, this is %s: bits may differ.", before, now)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.clock.start()

    def on_train_batch_start(self, *_: Any) -> None:
        self.between_batches = False

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any
    ) -> None:
        assert self.folder.claim is not None
        self.folder.claim.trained(trainer.global_step)
        self.between_batches = True
        self.clock.lap("training")
        seconds = self.clock.seconds
        work = seconds["training"] + seconds["evaluation"]
        if self.share * work >= seconds["checkpoints"] + self.cost:
            self._save(trainer)

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        if self.between_batches and isinstance(exception, KeyboardInterrupt | SystemExit):
            self._save(trainer)

    def _save(self, trainer: pl.Trainer) -> None:
        assert self.folder.claim is not None
        finish_queued_work()
        self.clock.lap("training")
        before = self.clock.seconds["checkpoints"]
        try:
            self.folder.claim.check()
            trainer.save_checkpoint(self.folder.path / NEWEST)
        except OSError as error:
            log.warning("no checkpoint at batch %d: %s", trainer.global_step, error)
        self.clock.lap("checkpoints")
        self.cost = self.clock.seconds["checkpoints"] - before


def computed_on() -> str:
    """What decides on the last bits of a result, beside the software."""
    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    passes = "fused" if fused.is_available() else "eager"
    return f"a CPU with threads={torch.get_num_threads()}, {passes} passes"
