"""The files of a run that hold results: what is in them, and how they are written and read."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import pandas as pd

from charrnn.data.vocabulary import Vocabulary, tokenization_called
from charrnn.runs.sealed import DamagedRun, SealedFolder, as_json

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Evaluation:
    """One row of a run's table.

    Attributes:
        batches: training batches before this evaluation.
        train_sequences: training sequences in them, the figures' x axis.
        epoch: epoch of the last of these batches, from 0.
        train_seconds: time spent on training so far, evaluation excluded.
        train_cpu_seconds: processor time spent on it, over all threads of the process: what else
            the machine does adds little to it.
        train_loss: mean loss of the last 50 batches, or of all if they are fewer.
        procedure: `windowed` or `progressive`.
        perplexity: of the test split; infinite or NaN after divergence.
        standard_error: how far its logarithm may be from that of a far longer test split, see
            charrnn.evaluation.perplexity; NaN for fewer than 200 tokens.
        tokens_scored: number of test tokens in it.
    """

    batches: int
    train_sequences: int
    epoch: int
    train_seconds: float
    train_cpu_seconds: float
    train_loss: float
    procedure: str
    perplexity: float
    standard_error: float
    tokens_scored: int


EARLIEST = (
    *("batches", "train_sequences", "epoch", "train_seconds"),
    *("procedure", "perplexity", "tokens_scored"),
)
"""The columns that the tables of every version have."""
SEALED = VOCABULARY, WEIGHTS, DIAGNOSTICS, CONFIG, IDENTITY, EVALUATIONS = (
    "vocabulary.json",
    "weights.pt",
    "diagnostics.csv",
    "config.yaml",
    "identity.json",
    "evaluations.csv",
)
"""The files that results are read from."""


class RunFiles(SealedFolder):
    """Writes and reads the files that results are read from, see charrnn.runs.folder."""

    def write_table(self, evaluations: list[Evaluation]) -> None:
        """Replace the table with these rows."""
        table = pd.DataFrame([asdict(evaluation) for evaluation in evaluations])
        self.write(EVALUATIONS, table.to_csv(index=False, na_rep="nan"))

    def read_table(self, num_batches: int | None = None) -> pd.DataFrame:
        """The table, columns as in Evaluation; without rows if nothing was evaluated yet.

        What version 0.1 did not measure is NaN in its runs.

        Args:
            num_batches: leaves out what comes after so many batches; None leaves out nothing.

        Raises:
            DamagedRun: if it cannot be read, or is not what it was when the run was finished.
        """
        columns = [field.name for field in fields(Evaluation)]
        if not self.has(EVALUATIONS):
            return pd.DataFrame(columns=columns)
        try:
            # The Python engine reads a float back to the bit in every version of pandas.
            table = pd.read_csv(io.BytesIO(self.read(EVALUATIONS)), engine="python")
        except ValueError as error:
            raise DamagedRun(self.path / EVALUATIONS) from error
        known = [name for name in columns if name in table]
        if known != list(table) or not {*EARLIEST} <= {*known}:
            raise DamagedRun(self.path / EVALUATIONS)
        table = table.reindex(columns=columns)
        return table if num_batches is None else table[table["batches"] <= num_batches]

    def write_diagnostics(self, rows: Iterable[dict[str, Any]]) -> None:
        """Replace the table of charrnn.callbacks.diagnostics with these rows."""
        self.write(DIAGNOSTICS, pd.DataFrame(rows).to_csv(index=False, na_rep="nan"))

    def read_diagnostics(self) -> pd.DataFrame | None:
        """That table; None if the run has none.

        Raises:
            DamagedRun: if it is missing, or not what it was when the run was finished.
        """
        if not self.has(DIAGNOSTICS):
            return None
        return pd.read_csv(io.BytesIO(self.read(DIAGNOSTICS)), engine="python")

    def write_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Keep the tokens, without which the weights are useless."""
        tokens = vocabulary.tokenization.name
        self.write(VOCABULARY, as_json({"tokens": tokens, "symbols": vocabulary.symbols}))

    def read_vocabulary(self) -> Vocabulary:
        """What `write_vocabulary` kept.

        Raises:
            DamagedRun: if it cannot be read, or is not what it was when the run was finished.
        """
        try:
            kept = json.loads(self.read(VOCABULARY))
            return Vocabulary(tuple(kept["symbols"]), tokenization_called(str(kept["tokens"])))
        except (ValueError, TypeError, KeyError) as error:
            raise DamagedRun(self.path / VOCABULARY) from error

    def write_weights(self, state: dict[str, Tensor]) -> None:
        """Keep the backbone's parameters, to be loaded with ``weights_only=True``."""
        import torch  # slow to import: status and the reuse of a finished run do without

        buffer = io.BytesIO()
        torch.save(state, buffer)
        self.write(WEIGHTS, buffer.getvalue())

    def read_weights(self) -> dict[str, Tensor]:
        """The trained parameters, on the CPU.

        Raises:
            DamagedRun: if they cannot be read, or are not what they were when the run was finished.
        """
        import torch

        content = io.BytesIO(self.read(WEIGHTS))
        try:
            return torch.load(content, map_location="cpu", weights_only=True)
        except Exception as error:  # which one depends on what is wrong with the file
            raise DamagedRun(self.path / WEIGHTS) from error

    def write_sample(self, procedure: str, text: str) -> None:
        """Keep a text that the trained model has written."""
        self.write(f"sample-{procedure}.txt", text)
