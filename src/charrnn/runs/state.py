"""How far a run is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class RunState(StrEnum):
    """How far a run is, for a given number of batches. Finished and diverged runs are results."""

    PLANNED = "planned"
    """No process trains it. If it was interrupted, it resumes from its checkpoint."""
    STARTING = "starting"
    """A process holds the lease and has not trained a batch yet."""
    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"
    """The last attempt ended with an error."""
    DIVERGED = "diverged"
    """Finished, with a perplexity that is infinite or NaN."""
    NOT_EVALUATED = "not evaluated"
    """Trained for more batches, and not evaluated at this number of them."""


RESULTS = frozenset({RunState.FINISHED, RunState.DIVERGED})
"""The states of a run that has a result."""


@dataclass(frozen=True)
class RunStatus:
    """How far a run is.

    Attributes:
        state: see RunState.
        batches: batches trained, as far as the folder shows.
        error: last line of a failed run's traceback.
        owner: `host:pid` of the process that holds the lease.
    """

    state: RunState
    batches: int = 0
    error: str | None = None
    owner: str | None = None
