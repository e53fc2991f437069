"""What a run writes for TensorBoard, which nothing else reads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from textwrap import TextWrapper
from typing import Any

from torch.utils.tensorboard.summary import hparams
from torch.utils.tensorboard.writer import SummaryWriter

FINAL, BEST = "perplexity_final", "perplexity_best"
"""Of the latest evaluation, and of the best so far: the metrics in TensorBoard's table of runs."""

LINES = TextWrapper(100, expand_tabs=False, replace_whitespace=False, drop_whitespace=False)
"""Breaks the long lines of texts, such as music's, and leaves them as they are otherwise."""
SECONDS = 10
"""After this time at the latest what was written can be read."""


class Events:
    """The events of a run: for every sampling procedure that it records, a folder of that name.

    To TensorBoard each folder is a run, complete in itself: what is the same for both procedures,
    such as the training loss, is in both. Schemes can be laid over each other then, also those that
    share a training. Every value's step is the number of train sequences before it.

    Args:
        folder: of the run.
        corpus: its name.
        hyperparameters: columns of TensorBoard's table of runs, for every procedure.
        purge_step: the step from which on what an earlier try wrote counts no more. The first try
            has one too: TensorBoard does not take the first that it finds for a restart.
    """

    def __init__(
        self,
        folder: Path,
        corpus: str,
        hyperparameters: Mapping[str, Mapping[str, Any]],
        purge_step: int = 0,
    ) -> None:
        self.corpus = corpus
        self._writers, self._ends = {}, {}
        for procedure, columns in hyperparameters.items():
            writer = SummaryWriter(folder / procedure, purge_step=purge_step, flush_secs=SECONDS)
            experiment, start, end = hparams(dict(columns), {FINAL: 0, BEST: 0})
            for summary in (experiment, start):
                writer._get_file_writer().add_summary(summary)
            writer.add_custom_scalars(layout(corpus))
            self._writers[procedure], self._ends[procedure] = writer, end

    def add_training(self, values: Mapping[str, float], step: int) -> None:
        """Write what was measured of the training."""
        for writer in self._writers.values():
            for tag, value in values.items():
                writer.add_scalar(tag, value, step)

    def add_perplexity(self, procedure: str, perplexities: Iterable[float], step: int) -> None:
        """Write the last of the perplexities that a procedure has led to so far, and the best."""
        *_, last = perplexities = list(perplexities)
        writer = self._writers[procedure]
        writer.add_scalar(f"perplexity/{self.corpus}", last, step)
        writer.add_scalar(FINAL, last, step)
        # NaN is less than nothing.
        writer.add_scalar(BEST, min((p for p in perplexities if p == p), default=last), step)

    def add_text(self, procedure: str, text: str, step: int) -> None:
        """Write a text as it is, not as Markdown."""
        lines = (LINES.wrap(line) or [""] for line in text.splitlines())
        block = "\n".join(f"    {line}" for parts in lines for line in parts)
        self._writers[procedure].add_text("sample", block, step)

    def flush(self) -> None:
        """Bring on disk what was written so far."""
        for writer in self._writers.values():
            writer.flush()

    def finish(self) -> None:
        """Tell TensorBoard that the run has come to its end."""
        for procedure, writer in self._writers.items():
            writer._get_file_writer().add_summary(self._ends[procedure])

    def close(self) -> None:
        """Write no more."""
        for writer in self._writers.values():
            writer.close()


def layout(corpus: str) -> dict[str, dict[str, list[Any]]]:
    """TensorBoard's custom scalars: a panel a corpus, in which the schemes lie over each other.

    TensorBoard puts the panels of all runs together.
    """

    def chart(*tags: str) -> list[Any]:
        return ["Multiline", [f"^{tag}$" for tag in tags]]

    return {
        "Perplexity of the schemes, a corpus each": {
            corpus: chart(f"perplexity/{re.escape(corpus)}")
        },
        "Training": {
            "loss": chart("train/loss"),
            "norm of the gradient": chart("train/gradient_norm"),
            "share of the gates' gradients that are clipped": chart("train/clipped_share"),
            "tokens a second": chart("train/tokens_per_second"),
        },
        "State that scheme 4 carries": {
            "mean |c|": chart("state/mean_abs_cell"),
            "max |c|": chart("state/max_abs_cell"),
            "norm": chart("state/norm"),
            "share of saturated cells": chart("state/saturated_share"),
        },
    }
