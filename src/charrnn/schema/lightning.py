"""Arguments of Lightning's Trainer that a run decides itself, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from omegaconf import DictConfig

from charrnn.devices import AUTO
from charrnn.errors import require

ONE_DEVICE = (
    "a run's batches follow each other (Eq. 8) on one device, so that it resumes to the same bits; "
    "jobs= and launcher= train several runs at once"
)
LENGTH = "num_batches= says how long a run is trained"
EVALUATIONS = "evaluate_at= says when perplexity is measured, on the whole test split"
PART_OF_THE_DATA = "debug=fdr trains one batch, and debug=overfit the same few batches"

DECIDED: Mapping[str, str] = {
    "strategy": ONE_DEVICE,
    "num_nodes": ONE_DEVICE,
    "sync_batchnorm": ONE_DEVICE,
    "use_distributed_sampler": ONE_DEVICE,
    "accumulate_grad_batches": "every batch of Eq. 8 is one update of the weights, by which runs "
    "are compared; datamodule.batch_size= makes batches larger",
    "reload_dataloaders_every_n_epochs": "a checkpoint keeps the place in one endless loader",
    "precision": "precision= at the top chooses it: 32, 64 or bf16-mixed",
    "max_steps": LENGTH,
    "min_steps": LENGTH,
    "max_epochs": LENGTH,
    "min_epochs": LENGTH,
    "max_time": LENGTH,
    "fast_dev_run": PART_OF_THE_DATA,
    "overfit_batches": PART_OF_THE_DATA,
    "limit_train_batches": PART_OF_THE_DATA,
    "limit_val_batches": EVALUATIONS,
    "limit_test_batches": EVALUATIONS,
    "limit_predict_batches": EVALUATIONS,
    "val_check_interval": EVALUATIONS,
    "check_val_every_n_epoch": EVALUATIONS,
    "num_sanity_val_steps": EVALUATIONS,
    "log_every_n_steps": "log_every= says how often the training is measured",
    "logger": "the group logger= chooses loggers",
    "callbacks": "the group callbacks= chooses callbacks",
    "enable_checkpointing": "a run keeps its own checkpoints; checkpoint_share= says how often",
    "enable_progress_bar": "a run has a progress bar of its own",
    "barebones": "a run needs its callbacks; logger=none and log_every= save time",
    "plugins": "a run has its own, which write checkpoints and read them",
}
"""Arguments that have to be left out of the group `trainer`, and what to do instead."""
READ_AHEAD = ("num_workers", "persistent_workers", "pin_memory", "prefetch_factor")
"""Arguments of torch's DataLoader that people give a data module."""
WHY_NOT_AHEAD = (
    "left out: batches are cut from one array in memory, in the order of Eq. 8, which costs almost "
    "nothing; a loader that reads ahead is at another place in the data than the checkpoint"
)


def check_trainer(cfg: DictConfig) -> None:
    """Refuse what a run decides itself, and what cannot go together with bit-exact resume.

    Raises:
        BadInput: naming the field, and why.
    """
    for name, value, why in _refused(cfg):
        require(False, name, value, why)
    wanted = cfg.trainer.accelerator
    fits = wanted in (AUTO, cfg.device)
    require(fits, "device", cfg.device, f"{wanted}, which trainer.accelerator is, or left out")


def _refused(cfg: DictConfig) -> Iterator[tuple[str, object, str]]:
    for name, value in cfg.trainer.items():
        if name in DECIDED:
            yield f"trainer.{name}", value, f"left out: {DECIDED[str(name)]}"
    if cfg.trainer.devices not in (1, AUTO):
        yield "trainer.devices", cfg.trainer.devices, f"1: {ONE_DEVICE}"
    for name, value in cfg.datamodule.items():
        if name in READ_AHEAD:
            yield f"datamodule.{name}", value, WHY_NOT_AHEAD
