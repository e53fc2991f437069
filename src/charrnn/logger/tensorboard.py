"""What a run writes for TensorBoard; nothing else reads it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import TextWrapper
from typing import Any

from pytorch_lightning.loggers import Logger
from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.writer import SummaryWriter

READING_GAP = "reading_gap"
FINAL, BEST = "perplexity_final", "perplexity_best"
"""The latest and the best perplexity so far: the metrics in TensorBoard's table of runs."""

LINES = TextWrapper(100, expand_tabs=False, replace_whitespace=False, drop_whitespace=False)
"""Breaks long lines, such as those of music, and changes nothing else."""
SECONDS = 10
"""What was written can be read after this time at the latest."""


class TensorBoard(Logger):
    """The events of a run, in a folder for each sampling procedure that its schemes use.

    To TensorBoard each folder is a run, complete in itself: what both procedures share, such as
    the training loss, is in both folders. This lets schemes be compared in one chart, also those
    that share a training. The step of every value is the number of train sequences before it.

    Args:
        folders: where to write, by sampling procedure.
        corpus: the corpus's name.
        hyperparameters: columns of TensorBoard's table of runs, by sampling procedure.
        batch_size: sequences in a batch.
        resumed_at: train sequences in the checkpoint that the run resumes from; what was written
            after it is hidden. None if the run starts from the beginning: what was written for it
            before is removed.
    """

    def __init__(
        self,
        folders: Mapping[str, Path],
        corpus: str,
        hyperparameters: Mapping[str, Mapping[str, Any]],
        batch_size: int = 1,
        resumed_at: int | None = None,
    ) -> None:
        super().__init__()
        self.corpus, self.batch_size = corpus, batch_size
        self.procedures = tuple(folders)
        self._writers, self._ends = {}, {}
        for procedure, folder in folders.items():
            if resumed_at is None:
                shutil.rmtree(folder, ignore_errors=True)
            # The first attempt purges too: TensorBoard ignores the first purge step that it reads.
            purge_step = 0 if resumed_at is None else resumed_at + 1
            writer = SummaryWriter(folder, purge_step=purge_step, flush_secs=SECONDS)
            columns = dict(hyperparameters[procedure])
            experiment, start, end = hparams(columns, {FINAL: 0, BEST: 0})
            for summary in (experiment, start):
                writer._get_file_writer().add_summary(summary)
            writer.add_custom_scalars(layout(corpus))
            self._writers[procedure], self._ends[procedure] = writer, end

    @property
    def name(self) -> str:
        """The corpus's name."""
        return self.corpus

    @property
    def version(self) -> int:
        """A run has one version only."""
        return 0

    def log_hyperparams(self, *_: Any, **__: Any) -> None:
        """Nothing: the constructor has written them."""

    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Write measurements of the training.

        Args:
            metrics: values by name.
            step: batches before them.
        """
        for tag, value in metrics.items():
            self._add(tag, value, (step or 0) * self.batch_size)

    def _add(self, tag: str, value: float, step: int) -> None:
        for writer in self._writers.values():
            writer.add_scalar(tag, value, step)

    def add_reading_gap(self, gap: float, step: int) -> None:
        """Write log(progressive / windowed perplexity) of the same weights."""
        self._add(f"{READING_GAP}/{self.corpus}", gap, step)

    def add_perplexity(self, procedure: str, perplexities: Iterable[float], step: int) -> None:
        """Write the last, and the best, of the perplexities of a sampling procedure so far."""
        *_, last = perplexities = list(perplexities)
        writer = self._writers[procedure]
        writer.add_scalar(f"perplexity/{self.corpus}", last, step)
        writer.add_scalar(FINAL, last, step)
        # NaN counts only if there is nothing else.
        writer.add_scalar(BEST, min((p for p in perplexities if p == p), default=last), step)

    def add_text(self, procedure: str, text: str, step: int) -> None:
        """Write a text as it is, not as Markdown."""
        lines = (LINES.wrap(line) or [""] for line in text.splitlines())
        block = "\n".join(f"    {line}" for parts in lines for line in parts)
        self._writers[procedure].add_text("sample", block, step)

    def save(self) -> None:
        """Write what is buffered to disk."""
        for writer in self._writers.values():
            writer.flush()

    def finish(self) -> None:
        """Mark the run as finished for TensorBoard."""
        for procedure, writer in self._writers.items():
            writer._get_file_writer().add_summary(self._ends[procedure])

    def close(self) -> None:
        """Close the files."""
        for writer in self._writers.values():
            writer.close()


def layout(corpus: str) -> dict[str, dict[str, list[Any]]]:
    """TensorBoard's custom scalars: a chart per corpus, with all schemes in it.

    TensorBoard merges the charts of all runs.
    """

    def chart(*tags: str) -> list[Any]:
        return ["Multiline", [f"^{tag}$" for tag in tags]]

    return {
        "Perplexity of the schemes, by corpus": {
            corpus: chart(f"perplexity/{re.escape(corpus)}"),
            f"{corpus}, log(progressive / windowed)": chart(f"{READING_GAP}/{re.escape(corpus)}"),
        },
        "Training": {
            "loss": chart("train/loss"),
            "norm of the gradient": chart("train/gradient_norm"),
            "share of gate gradients that are clipped": chart("train/clipped_share"),
            "tokens per second": chart("train/tokens_per_second"),
        },
        "State carried by scheme 4": {
            "mean |c|": chart("state/mean_abs_cell"),
            "max |c|": chart("state/max_abs_cell"),
            "norm": chart("state/norm"),
            "share of saturated cells": chart("state/saturated_share"),
        },
    }
