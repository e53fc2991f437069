"""A run's folder: the only place where results are written, and from which they are read."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from charrnn.errors import BadInput, CannotWrite, CharRNNError
from charrnn.files import TEMPORARY, read_file
from charrnn.runs.checkpoints import (
    CHECKPOINTS,
    NEWEST,
    batches_in,
    batches_kept,
    newest_checkpoint,
)
from charrnn.runs.files import CONFIG, EVALUATIONS, IDENTITY, SEALED, RunFiles
from charrnn.runs.identity import Identity, run_identity, run_name
from charrnn.runs.lease import Leases
from charrnn.runs.sealed import LONGER, MARK, DamagedRun, as_json
from charrnn.runs.state import RunState, RunStatus

if TYPE_CHECKING:
    from omegaconf import DictConfig

    from charrnn.data.corpora.tokens import Tokens

log = logging.getLogger(__name__)

STOPPED_EARLY = "stopped_early"
"""In the mark of a run that a callback ended before its last batch: it is never trained longer."""
EVENTS = "tensorboard"
"""Folder of TensorBoard's events, beside the runs' folders."""
LEFT_BY_AN_ATTEMPT = (MARK, "failed.txt", TEMPORARY)
"""Glob patterns of files that say how an attempt ended."""
PROVENANCE, SAMPLES = "provenance.json", "sample-*.txt"
WRITTEN = (*LEFT_BY_AN_ATTEMPT, *SEALED, *CHECKPOINTS, PROVENANCE, SAMPLES)
"""Glob patterns of everything that a run writes. What else is in the folder is the user's."""


class RunFolder(RunFiles):
    """The folder of one run.

    ==========================  =================================================================
    ``config.yaml``             the resolved configuration that trained it
    ``identity.json``           what the run is, see charrnn.runs.identity
    ``provenance.json``         package versions, git commit, machine; of earlier attempts too
    ``evaluations.csv``         the results, one row per evaluation and sampling procedure
    ``diagnostics.csv``         gradients and cell states at the same times, see
                                charrnn.callbacks.diagnostics
    ``weights.pt``              the trained parameters
    ``vocabulary.json``         what their inputs and outputs stand for
    ``sample-*.txt``            text written by the trained model
    ``finished.json``           written last, with the checksums of what results are read from
    ``failed.txt``              traceback of an attempt that ended with an error
    ``checkpoint*.pt``          where training resumes, see charrnn.runs.checkpoints; the last one
                                of a finished run is where longer training starts from
    ``longer``                  the same files of a longer training that is under way
    ``lease``                   who may write here, see charrnn.runs.lease
    ==========================  =================================================================
    """

    @property
    def name(self) -> str:
        """The run's name."""
        return (self.path.parent if self.path.name == LONGER else self.path).name

    @property
    def is_finished(self) -> bool:
        """Whether there is a finished result, for whatever number of batches."""
        return self.mark() is not None

    def covers(self, num_batches: int) -> bool:
        """Whether the finished result includes a run of ``num_batches`` batches."""
        mark = self.mark()
        return mark is not None and (mark["batches"] >= num_batches or STOPPED_EARLY in mark)

    def evaluated_at(self) -> set[int]:
        """The batch counts at which the finished result was evaluated; none if it is damaged."""
        try:
            return {*self.read_table()["batches"]} if self.is_finished else set()
        except DamagedRun:
            return set()

    def status(self, num_batches: int | None = None) -> RunStatus:
        """How far the run is. Only reads, and waits for nobody.

        Args:
            num_batches: training batches asked for; None for those of the finished result.

        Raises:
            DamagedRun: if it is finished, and a file of it was changed since.
            CannotRead: if a file exists and cannot be read.
        """
        mark = self.mark()
        if mark:  # a damaged one is none: the run is trained again
            self.prove()
        if mark and (num_batches is None or self.covers(num_batches)):
            return self._result(mark, min(num_batches or mark["batches"], mark["batches"]))
        kept = max(batches_kept(self.path / LONGER), batches_kept(self.path))
        if owner := Leases(self.path / "lease").owner():
            batches = max(owner.batches, kept)
            state = RunState.RUNNING if batches else RunState.STARTING
            return RunStatus(state, batches, owner=str(owner))
        error = self.error()
        return RunStatus(RunState.FAILED if error else RunState.PLANNED, kept, error)

    def _result(self, mark: Mapping[str, Any], num_batches: int) -> RunStatus:
        perplexities = list(mark["perplexity"].values())
        if num_batches < mark["batches"]:
            table = self.read_table()
            perplexities = list(table.loc[table["batches"] == num_batches, "perplexity"])
        if not perplexities:
            return RunStatus(RunState.NOT_EVALUATED, num_batches)
        finite = all(map(math.isfinite, perplexities))
        return RunStatus(RunState.FINISHED if finite else RunState.DIVERGED, num_batches)

    def require_evaluated(self, num_batches: int) -> None:
        """Refuse a number of batches at which a longer result was not evaluated.

        Raises:
            BadInput: naming the numbers that would do.
        """
        if self.covers(num_batches) and self.status(num_batches).state is RunState.NOT_EVALUATED:
            known = sorted(set(self.read_table()["batches"]))
            raise BadInput(
                "num_batches",
                num_batches,
                f"one at which the longer run {self.path} was evaluated "
                f"({', '.join(map(str, known))}) or a larger one; to train it separately, choose "
                "another output_dir",
            )

    def error(self) -> str | None:
        """Last line of the traceback that the last attempt ended with; None if there is none."""
        work = self._longer() if self.is_finished else self
        try:
            traceback = read_file(work.path / "failed.txt").decode(errors="replace")
        except OSError:
            return None
        return traceback.rstrip().rpartition("\n")[2]

    def seconds_per_batch(self) -> float | None:
        """Measured training seconds per batch; None before the first evaluation."""
        table = self.read_table()
        if not len(table):
            return None
        last = table.iloc[-1]
        return float(last["train_seconds"] / last["batches"])

    @contextmanager
    def leased(self, on_wait: Callable[[], object]) -> Iterator[None]:
        """Hold the run's lease; ``on_wait()`` is called first if another process holds it.

        Raises:
            CannotWrite: if the folder cannot be written.
        """
        with ExitStack() as stack:
            try:
                lease = stack.enter_context(Leases(self.path / "lease").held(on_wait))
            except OSError as error:
                raise CannotWrite(self.path, error) from error
            self.lease = lease
            stack.callback(setattr, self, "lease", None)
            yield

    def verify(self, identity: Identity) -> None:
        """Refuse a finished run whose files are not what was written when it was finished.

        Raises:
            DamagedRun: naming the file.
        """
        self.prove()
        for name in (CONFIG, IDENTITY, EVALUATIONS):
            self.read(name)
        with suppress(ValueError):
            if json.loads(self.read(IDENTITY)) == json.loads(as_json(identity)):
                return
        raise DamagedRun(self.path / IDENTITY)

    def start(
        self, num_batches: int, config: str, identity: Identity, provenance: dict[str, Any]
    ) -> tuple[RunFolder, Path | None]:
        """Clear the folder of what an earlier attempt left, and describe the run in it.

        A finished result stays as it is: a longer training writes to the subfolder `longer`, and
        starts from the last checkpoint that the result has kept.

        Args:
            num_batches: batches to train.
            config: the configuration, as YAML.
            identity: what the run is.
            provenance: of this attempt.

        Returns:
            The folder to write to, and the checkpoint to resume from; None to start from the
            beginning.

        Raises:
            BadInput: if the checkpoint has more batches already.
            CannotRead: if there is a checkpoint that cannot be read; nothing is cleared then.
            CannotWrite: if the folder cannot be written.
        """
        if (self.path / MARK).exists() and not self.is_finished:
            log.warning("%s is damaged; treating the run as unfinished.", self.path / MARK)
        work = self._longer() if self.is_finished else self
        newest = newest_checkpoint(work.path)
        checkpoint = newest or (newest_checkpoint(self.path) if work is not self else None)
        if checkpoint and (kept := batches_in(checkpoint)) > num_batches:
            remedy = f"at least {kept}: {self.path} has been trained for that many batches already"
            raise BadInput("num_batches", num_batches, f"{remedy}; or choose another output_dir")
        if work is not self and checkpoint is None:
            log.warning("no checkpoint of it was kept: training starts from the beginning.")
        earlier = RunFolder(checkpoint.parent)._provenance() if checkpoint else []
        try:
            work.path.mkdir(parents=True, exist_ok=True)
            for pattern in LEFT_BY_AN_ATTEMPT if newest else WRITTEN:
                for path in work.path.glob(pattern):
                    path.unlink()
        except OSError as error:
            raise CannotWrite(work.path, error) from error
        work.write(CONFIG, config)
        work.write(IDENTITY, as_json(identity))
        work.write(PROVENANCE, as_json({**provenance, "earlier": earlier}))
        return work, checkpoint

    def _longer(self) -> RunFolder:
        """The subfolder of a longer training, under this folder's lease."""
        longer = RunFolder(self.path / LONGER)
        longer.lease = self.lease
        return longer

    def _provenance(self) -> list[dict[str, Any]]:
        """The provenance of every attempt so far, first to last, as far as it can be read."""
        try:
            last = json.loads(read_file(self.path / PROVENANCE))
            return [*last.pop("earlier"), last]
        except (OSError, ValueError, AttributeError, KeyError):
            return []

    def finish(self, summary: dict[str, Any]) -> None:
        """Mark the run as finished. Everything that belongs to it has been written before.

        Args:
            summary: what the mark holds beside the batches and the final perplexities.
        """
        table = self.read_table()
        final = dict(zip(table["procedure"], table["perplexity"], strict=True))
        batches = int(table["batches"].max())
        written = [name for name in (*SEALED, PROVENANCE) if (self.path / name).exists()]
        written += [path.name for path in sorted(self.path.glob(SAMPLES))]
        self.seal({"batches": batches, "perplexity": final, **summary}, written)

    def tidy(self, keep_last: bool) -> None:
        """Remove what a finished run no longer needs, as far as the folder can be written.

        Args:
            keep_last: whether to keep the last checkpoint, which longer training starts from.
        """
        for name in CHECKPOINTS:
            if name != NEWEST or not keep_last:
                with suppress(OSError):
                    (self.path / name).unlink()

    def fail(self, traceback: str) -> None:
        """Keep the traceback of an error that ended the attempt, if it can be written."""
        with suppress(CharRNNError):
            self.write("failed.txt", traceback)


def locate_run(cfg: DictConfig, corpus: Tokens) -> tuple[RunFolder, Identity]:
    """The folder that the configuration's run has, or would have, and what the run is.

    Raises:
        DamagedRun: if the run is finished, and was changed since.
        BadInput: if the run was trained for longer and not evaluated at `num_batches`.
    """
    identity = run_identity(cfg, corpus)
    folder = RunFolder(Path(cfg.output_dir) / run_name(identity, cfg))
    if folder.is_finished:
        folder.verify(identity)
        folder.require_evaluated(cfg.num_batches)
    return folder, identity
