"""A run's folder: the only place where results are written, and from which they are read."""

from __future__ import annotations

import io
import json
import logging
import math
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from charrnn.data.vocabulary import TOKENIZATIONS, Vocabulary
from charrnn.errors import CharRNNError
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES
from charrnn.files import TEMPORARY
from charrnn.runs.checkpoints import CHECKPOINTS, batches_kept, newest_checkpoint
from charrnn.runs.identity import Identity, run_identity, run_name
from charrnn.runs.lease import Claims
from charrnn.runs.sealed import MARK, CannotWrite, DamagedRun, SealedFolder, as_json

if TYPE_CHECKING:
    from omegaconf import DictConfig
    from torch import Tensor

    from charrnn.data.corpora import Tokens

log = logging.getLogger(__name__)


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


class RunState(StrEnum):
    """The life of a run. Finished and diverged ones are results."""

    PLANNED = "planned"
    """Nobody trains it; it may have been interrupted, and goes on from its checkpoint then."""
    CLAIMED = "claimed"
    """A process has it, and has not trained a batch yet."""
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    """The last try ended with an error."""
    DIVERGED = "diverged"
    """Finished, with a perplexity that is infinite or NaN."""


RESULTS = frozenset({RunState.FINISHED, RunState.DIVERGED})
"""The states of a run that has been trained to its end."""


@dataclass(frozen=True)
class RunStatus:
    """How far a run is.

    Attributes:
        state: see RunState.
        batches: that are trained, as far as the folder tells.
        error: last line of a failed run's traceback.
        owner: `host:pid` of the process that has claimed the run.
    """

    state: RunState
    batches: int = 0
    error: str | None = None
    owner: str | None = None


SEALED = ("config.yaml", "identity.json", "evaluations.csv")
"""What results are read from."""
SEALED_IF_THERE = VOCABULARY, WEIGHTS, DIAGNOSTICS = (
    "vocabulary.json",
    "weights.pt",
    "diagnostics.csv",
)
"""What else is read; runs of an earlier time have not all of it."""
OF_A_TRY = (MARK, "failed.txt", TEMPORARY)
"""Glob patterns of what says how a try has ended."""
WRITTEN = (
    *(*OF_A_TRY, *SEALED, *SEALED_IF_THERE, *CHECKPOINTS, "provenance.json"),
    *(*SAMPLING_PROCEDURES, *(f"sample-{procedure}.txt" for procedure in SAMPLING_PROCEDURES)),
)
"""The same of all that a try may leave. What else is in the folder is the user's."""


class RunFolder(SealedFolder):
    """The folder of one run.

    ==========================  =================================================================
    ``config.yaml``             the resolved configuration that trained it
    ``identity.json``           what the run is, see charrnn.runs.identity
    ``provenance.json``         package versions, git commit, machine; of earlier tries too
    ``evaluations.csv``         the results, one row an evaluation and sampling procedure
    ``windowed``                TensorBoard's events, a folder a sampling procedure; also
                                ``progressive``; see charrnn.callbacks.tensorboard_events
    ``diagnostics.csv``         gradients and cell states at the same times, see
                                charrnn.callbacks.diagnostics
    ``weights.pt``              the trained parameters
    ``vocabulary.json``         what their inputs and outputs stand for
    ``sample-*.txt``            text written by the trained model
    ``finished.json``           there when all of the above is complete, with the checksums of
                                what results are read from
    ``failed.txt``              traceback of a run that ended with an error
    ``checkpoint*.pt``          from where an unfinished run goes on, see charrnn.runs.checkpoints
    ``claims``                  who trains it, see charrnn.runs.lease
    ==========================  =================================================================
    """

    @property
    def is_finished(self) -> bool:
        """Whether the run has been trained to its end."""
        return self.mark() is not None

    def status(self) -> RunStatus:
        """How far the run is. Reads only, and waits for nobody."""
        if mark := self.mark():
            finite = all(map(math.isfinite, mark["perplexity"].values()))
            batches = mark.get("batches") or int(self.read_table()["batches"].max())
            return RunStatus(RunState.FINISHED if finite else RunState.DIVERGED, batches)
        if owner := Claims(self.path / "claims").owner():
            batches = max(owner.batches, batches_kept(self.path))
            state = RunState.RUNNING if batches else RunState.CLAIMED
            return RunStatus(state, batches, owner=str(owner))
        batches, error = batches_kept(self.path), self.error()
        return RunStatus(RunState.FAILED if error else RunState.PLANNED, batches, error)

    def error(self) -> str | None:
        """Last line of the traceback that the last try ended with; None if it did not."""
        try:
            return (self.path / "failed.txt").read_text().rstrip().rpartition("\n")[2]
        except OSError:
            return None

    def seconds_per_batch(self) -> float | None:
        """Measured training seconds a batch; None before the first evaluation."""
        table = self.read_table()
        if not len(table):
            return None
        last = table.iloc[-1]
        return float(last["train_seconds"] / last["batches"])

    @contextmanager
    def claimed(self, on_wait: Callable[[], object]) -> Iterator[None]:
        """Hold the run for this process; ``on_wait()`` is called first if another one holds it.

        Raises:
            CannotWrite: if the folder cannot be written.
        """
        with ExitStack() as stack:
            try:
                claim = stack.enter_context(Claims(self.path / "claims").held(on_wait))
            except OSError as error:
                raise CannotWrite(self.path, error) from error
            self.claim = claim
            stack.callback(setattr, self, "claim", None)
            yield

    def verify(self, identity: Identity) -> None:
        """Refuse a finished run whose files are not what was written when it was finished.

        Raises:
            DamagedRun: naming the file.
        """
        for name in SEALED:
            self.read(name)
        with suppress(ValueError):
            if json.loads(self.read("identity.json")) == json.loads(as_json(identity)):
                return
        raise DamagedRun(self.path / "identity.json")

    def start(self, config: str, identity: Identity, provenance: dict[str, Any]) -> Path | None:
        """Clear the folder of what an earlier try left, and describe the run in it.

        Returns:
            The checkpoint from which the run goes on; None if there is none, and it starts anew.

        Raises:
            CannotRead: if there is one that cannot be read; nothing is cleared then.
            CannotWrite: if the folder cannot be written.
        """
        if (self.path / MARK).exists():
            log.warning("%s is damaged: the run is not taken for finished.", self.path / MARK)
        self.path.mkdir(parents=True, exist_ok=True)
        checkpoint = newest_checkpoint(self.path)
        earlier = self._provenance() if checkpoint else []
        for pattern in OF_A_TRY if checkpoint else WRITTEN:
            for path in self.path.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.write("config.yaml", config)
        self.write("identity.json", as_json(identity))
        self.write("provenance.json", as_json({**provenance, "earlier": earlier}))
        return checkpoint

    def _provenance(self) -> list[dict[str, Any]]:
        """Of all tries so far, from the first on, as far as that can be read."""
        try:
            last = json.loads((self.path / "provenance.json").read_text())
            return [*last.pop("earlier"), last]
        except (OSError, ValueError, AttributeError, KeyError):
            return []

    def write_table(self, evaluations: list[Evaluation]) -> None:
        """Replace the table by these rows."""
        table = pd.DataFrame([asdict(evaluation) for evaluation in evaluations])
        self.write("evaluations.csv", table.to_csv(index=False, na_rep="nan"))

    def read_table(self) -> pd.DataFrame:
        """The table, columns as in Evaluation; without rows if nothing was evaluated yet.

        Raises:
            DamagedRun: if it cannot be read, or is not what it was when the run was finished.
        """
        columns = [field.name for field in fields(Evaluation)]
        if not self.is_finished and not (self.path / "evaluations.csv").exists():
            return pd.DataFrame(columns=columns)
        try:
            # The Python engine reads a float back to the bit in every version of pandas.
            table = pd.read_csv(io.BytesIO(self.read("evaluations.csv")), engine="python")
        except ValueError as error:
            raise DamagedRun(self.path / "evaluations.csv") from error
        if list(table.columns) != columns:
            raise DamagedRun(self.path / "evaluations.csv")
        return table

    def write_diagnostics(self, rows: Iterable[dict[str, Any]]) -> None:
        """Replace the table of charrnn.callbacks.diagnostics by these rows."""
        self.write(DIAGNOSTICS, pd.DataFrame(rows).to_csv(index=False, na_rep="nan"))

    def read_diagnostics(self) -> pd.DataFrame | None:
        """That table; None in a folder of a time when it was not kept.

        Raises:
            DamagedRun: if it is not what it was when the run was finished.
        """
        if not (self.path / DIAGNOSTICS).exists() and DIAGNOSTICS not in self.sealed():
            return None
        return pd.read_csv(io.BytesIO(self.read(DIAGNOSTICS)), engine="python")

    def write_vocabulary(self, vocabulary: Vocabulary) -> None:
        """Keep the tokens, without which the weights are of no use."""
        tokens = vocabulary.tokenization.name
        self.write(VOCABULARY, as_json({"tokens": tokens, "symbols": vocabulary.symbols}))

    def read_vocabulary(self) -> Vocabulary | None:
        """What `write_vocabulary` kept; None in a folder of a time when it was not kept.

        Raises:
            DamagedRun: if it cannot be read, or is not what it was when the run was finished.
        """
        if not (self.path / VOCABULARY).exists() and VOCABULARY not in self.sealed():
            return None
        try:
            kept = json.loads(self.read(VOCABULARY))
            return Vocabulary(tuple(kept["symbols"]), TOKENIZATIONS[kept["tokens"]])
        except (ValueError, TypeError, KeyError) as error:
            raise DamagedRun(self.path / VOCABULARY) from error

    def write_weights(self, state: dict[str, Tensor]) -> None:
        """Keep the backbone's parameters, to be loaded with ``weights_only=True``."""
        import torch  # takes seconds, which a command that computes nothing does not have to wait

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
        except Exception as error:  # of many kinds, by what is wrong with the file
            raise DamagedRun(self.path / WEIGHTS) from error

    def write_sample(self, procedure: str, text: str) -> None:
        """Keep a text that the trained model wrote."""
        self.write(f"sample-{procedure}.txt", text)

    def finish(self, summary: dict[str, Any]) -> None:
        """Mark the run as finished. Whatever belongs to it has been written before.

        Args:
            summary: what the mark tells beside the final perplexity of each sampling procedure.
        """
        table = self.read_table()
        final = dict(zip(table["procedure"], table["perplexity"], strict=True))
        batches = int(table["batches"].max())
        there = [name for name in SEALED_IF_THERE if (self.path / name).exists()]
        self.seal({"batches": batches, "perplexity": final, **summary}, [*SEALED, *there])

    def tidy(self) -> None:
        """Remove what a finished run needs no more, as far as the folder can be written."""
        for name in CHECKPOINTS:
            with suppress(OSError):
                (self.path / name).unlink()
        shutil.rmtree(self.path / "claims", ignore_errors=True)

    def fail(self, traceback: str) -> None:
        """Keep the traceback of an error that ended the run, if it can be written."""
        with suppress(CharRNNError):
            self.write("failed.txt", traceback)


def locate_run(cfg: DictConfig, corpus: Tokens) -> tuple[RunFolder, Identity]:
    """The folder that the configuration's run has, or would have, and what the run is.

    Raises:
        DamagedRun: if the run is finished, and was changed since.
    """
    identity = run_identity(cfg, corpus)
    folder = RunFolder(Path(cfg.output_dir) / run_name(identity, cfg))
    if folder.is_finished:
        folder.verify(identity)
    return folder, identity
