"""A run's folder: the only place where results are written, and from which they are read."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from filelock import FileLock, Timeout
from omegaconf import DictConfig
from torch import Tensor

from charrnn.data.corpora import Tokens
from charrnn.errors import BadInput
from charrnn.files import write_atomically
from charrnn.identity import Identity, run_identity, run_name


@dataclass(frozen=True)
class Evaluation:
    """One row of a run's table.

    Attributes:
        batches: training batches before this evaluation.
        train_sequences: training sequences in them, the figures' x axis.
        epoch: epoch of the last of these batches, from 0.
        train_seconds: time spent on training so far, evaluation excluded.
        procedure: `windowed` or `progressive`.
        perplexity: of the test split; infinite or NaN after divergence.
        tokens_scored: test tokens in it.
    """

    batches: int
    train_sequences: int
    epoch: int
    train_seconds: float
    procedure: str
    perplexity: float
    tokens_scored: int


class RunFolder:
    """The folder of one run.

    ==========================  =================================================================
    ``config.yaml``             the resolved configuration that trained it
    ``identity.json``           what the run is, see charrnn.identity
    ``provenance.json``         package versions, git commit, machine
    ``evaluations.csv``         the results, one row an evaluation and sampling procedure
    ``events.out.tfevents.*``   the same for TensorBoard; nothing else reads them
    ``weights.pt``              the trained parameters
    ``sample-*.txt``            text written by the trained model
    ``finished.json``           there when all of the above is complete
    ``failed.txt``              traceback of a run that ended with an error
    ==========================  =================================================================
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def is_finished(self) -> bool:
        """Whether the run has been trained to its end."""
        return (self.path / "finished.json").exists()

    @contextmanager
    def claimed(self, on_wait: Callable[[], object]) -> Iterator[None]:
        """Hold the run for this process; ``on_wait()`` is called first if another one holds it.

        The lock goes with its process, however that ends.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            wanted = f"a folder that can be written ({(error.strerror or str(error)).lower()})"
            raise BadInput("output_dir", self.path.parent, wanted) from error
        lock = FileLock(self.path.with_name(f".{self.path.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            on_wait()
            lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def start(self, config: str, identity: Identity, provenance: dict[str, Any]) -> None:
        """Empty the folder of an earlier, unfinished try, and describe the run in it."""
        if self.path.exists():
            shutil.rmtree(self.path)
        self.path.mkdir(parents=True)
        self._write("config.yaml", config)
        self._write("identity.json", _json(identity))
        self._write("provenance.json", _json(provenance))

    def write_table(self, evaluations: list[Evaluation]) -> None:
        """Replace the table by these rows."""
        table = pd.DataFrame([asdict(evaluation) for evaluation in evaluations])
        self._write("evaluations.csv", table.to_csv(index=False, na_rep="nan"))

    def read_table(self) -> pd.DataFrame:
        """The table, columns as in Evaluation; without rows if nothing was evaluated yet."""
        try:
            # The Python engine reads a float back to the bit in every version of pandas.
            return pd.read_csv(self.path / "evaluations.csv", engine="python")
        except FileNotFoundError:
            return pd.DataFrame(columns=[field.name for field in fields(Evaluation)])

    def write_weights(self, state: dict[str, Tensor]) -> None:
        """Keep the backbone's parameters, to be loaded with ``weights_only=True``."""
        buffer = io.BytesIO()
        torch.save(state, buffer)
        self._write("weights.pt", buffer.getvalue())

    def write_sample(self, procedure: str, text: str) -> None:
        """Keep a text that the trained model wrote."""
        self._write(f"sample-{procedure}.txt", text)

    def finish(self, summary: dict[str, Any]) -> None:
        """Mark the run as finished. Whatever belongs to it has been written before."""
        self._write("finished.json", _json(summary))

    def fail(self, traceback: str) -> None:
        """Keep the traceback of an error that ended the run."""
        self._write("failed.txt", traceback)

    def _write(self, name: str, content: bytes | str) -> None:
        write_atomically(self.path / name, content)


def locate_run(cfg: DictConfig, corpus: Tokens) -> tuple[RunFolder, Identity]:
    """The folder that the configuration's run has, or would have, and what the run is."""
    identity = run_identity(cfg, corpus)
    return RunFolder(Path(cfg.output_dir) / run_name(identity, cfg)), identity


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"
