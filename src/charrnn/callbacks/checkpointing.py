"""When a checkpoint is written, what it holds, and how Lightning reads it."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins import CheckpointIO

from charrnn.backbone import compiled
from charrnn.backbone.acceleration import triton_works
from charrnn.callbacks.clock import Clock, finish_queued_work
from charrnn.errors import CannotRead
from charrnn.files import open_file
from charrnn.runs.checkpoints import NEWEST, DamagedCheckpoint, write_checkpoint
from charrnn.runs.folder import RunFolder
from charrnn.stopping import STOP

log = logging.getLogger(__name__)

HYPERPARAMETERS = ("hyper_parameters", "hparams_name")
"""What Lightning adds to a checkpoint of a module with hyperparameters."""


class CheckpointFiles(CheckpointIO):
    """Writes and reads Lightning's checkpoints in the format of charrnn.runs.checkpoints."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None
    ) -> None:
        # The run's configuration, in the same folder, says it all.
        kept = {name: value for name, value in checkpoint.items() if name not in HYPERPARAMETERS}
        buffer = io.BytesIO()
        torch.save(kept, buffer)
        write_checkpoint(Path(path), checkpoint["global_step"], buffer.getvalue())

    def load_checkpoint(
        self, path: str | Path, map_location: Any = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Read a checkpoint that `newest_checkpoint` has found, on the CPU.

        Raises:
            CannotRead: if the file cannot be read.
            DamagedCheckpoint: if it is intact, and not what a training has written.
        """
        path = Path(path)
        try:
            with open_file(path) as file:
                file.readline()
                content = io.BytesIO(file.read())
        except OSError as error:
            raise CannotRead(path, error) from error
        try:
            found = torch.load(content, map_location="cpu", weights_only=True)
        except Exception as error:  # which one depends on what is wrong with the file
            raise DamagedCheckpoint(path) from error
        if not isinstance(found, dict) or not {"state_dict", "callbacks", "loops"} <= found.keys():
            raise DamagedCheckpoint(path)
        return found

    def remove_checkpoint(self, path: str | Path) -> None:
        Path(path).unlink(missing_ok=True)


def loadable(state: dict[str, Any]) -> bool:
    """Whether a state can be read back from a checkpoint, from which nothing is executed."""
    buffer = io.BytesIO()
    try:
        torch.save(state, buffer)
        buffer.seek(0)
        torch.load(buffer, weights_only=True)
    except Exception:  # which one depends on what is in the state
        return False
    return True


class KeepCheckpoint(pl.Callback):
    """Writes checkpoints as often as a share of the time allows, when stopped, and at the end.

    It comes after all callbacks that have a state: it keeps the state between two batches. It is
    also what ends the training when a signal has come.

    Args:
        folder: the folder that the training writes to.
        clock: of the run.
        share: share of the time for training and evaluation that checkpoints may take.
    """

    def __init__(self, folder: RunFolder, clock: Clock, share: float) -> None:
        self.folder, self.clock, self.share = folder, clock, share
        self.ends = False
        self.was_ended = False
        """Whether the checkpoint that the run resumes from is that of a training that had ended."""
        self.cost = 0.1
        """Seconds that the last checkpoint took; a guess before the first."""

    def state_dict(self) -> dict[str, Any]:
        cuda = torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None
        return {
            "clock": self.clock.state_dict(),
            "cost": self.cost,
            "ended": self.ends,
            "computed_on": computed_on(),
            "random": {"cpu": torch.get_rng_state(), "cuda": cuda},
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.clock.load_state_dict(state_dict["clock"])
        self.cost = state_dict["cost"]
        self.was_ended = state_dict.get("ended", False)
        torch.set_rng_state(state_dict["random"]["cpu"])
        if torch.cuda.is_initialized() and state_dict["random"]["cuda"] is not None:
            torch.cuda.set_rng_state(state_dict["random"]["cuda"])
        before, now = state_dict["computed_on"], computed_on()
        if before != now:
            log.warning("the checkpoint was made on %s, this is %s: bits may differ.", before, now)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        STOP.take_back()  # Lightning has installed handlers of its own
        trainer.should_stop = trainer.should_stop or self.was_ended
        self.clock.start()
        STOP.check()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any
    ) -> None:
        assert self.folder.lease is not None
        self.folder.lease.trained(trainer.global_step)
        self.clock.lap("training")
        seconds = self.clock.seconds
        work = seconds["training"] + seconds["evaluation"]
        affordable = self.share * work >= seconds["checkpoints"] + self.cost
        # The last one is kept while the trained model writes, which takes a while too.
        self.ends = trainer.should_stop  # another callback says so
        last = trainer.global_step == trainer.max_steps or self.ends
        stopping = bool(STOP.received)  # one that comes while it is saved waits for the next batch
        if affordable or last or stopping:
            self._save(trainer)
        if stopping:
            STOP.check()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        STOP.check()  # the last batch is kept

    def _save(self, trainer: pl.Trainer) -> None:
        assert self.folder.lease is not None
        finish_queued_work()
        self.clock.lap("training")
        before = self.clock.seconds["checkpoints"]
        try:
            self.folder.lease.check()
            trainer.save_checkpoint(self.folder.path / NEWEST)
        except OSError as error:
            log.warning("no checkpoint at batch %d: %s", trainer.global_step, error)
        self.clock.lap("checkpoints")
        self.cost = self.clock.seconds["checkpoints"] - before


def computed_on() -> str:
    """What the last bits of a result depend on, beside the software."""
    if torch.cuda.is_initialized():
        kernels = "Triton's" if triton_works() else "torch's"
        return f"{torch.cuda.get_device_name()}, {kernels} kernels"
    passes = "fused" if compiled.is_available() else "eager"
    return f"a CPU with threads={torch.get_num_threads()}, {passes} passes"
