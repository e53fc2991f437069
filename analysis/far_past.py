"""What the far past is good for, measured on the weights of finished runs."""

from __future__ import annotations

import math
from pathlib import Path

from analysis.computed import Computed, at_the_end
from analysis.results import FAR_PAST, Results
from charrnn.commands.trained_run import TrainedRun
from charrnn.data.fetching.packages import no_fetching
from charrnn.evaluation.far_past import NEAR, gain_from_far_past
from charrnn.runs.files import WEIGHTS


def with_far_past(results: Results, runs: Path) -> Results:
    """The results, with what each run's predictions gain from the far past, at its end.

    See charrnn.evaluation.far_past. NaN where k2 leaves no far past, and for a cell whose run was
    trained for longer. It takes about as long as two evaluations of a run, and is kept in
    RUNS/far-past.csv.

    Args:
        results: see analysis.computed.Computed.beside.
        runs: folder of all runs.
    """
    found = _COMPUTED.beside(results, runs)
    return found if found is results else at_the_end(found, (FAR_PAST,), runs)


def _weights(run: TrainedRun) -> dict[str, object]:
    """The weights, and with them all that the run was trained and is scored on."""
    mark = run.folder.mark() or {}
    return {"run": run.folder.path.name, "weights": mark["sha256"][WEIGHTS], "near": NEAR}


def _gain(run: TrainedRun) -> tuple[float, ...]:
    if run.k2 <= NEAR:
        return (math.nan,)
    with no_fetching():
        tokens_N = run.datamodule().test_tokens
    tokens_N = tokens_N.to(run.backbone.output.weight.device)
    return (gain_from_far_past(run.backbone, tokens_N, run.k2),)


_COMPUTED = Computed(
    (FAR_PAST,), _weights, _gain, "far-past.csv", "what the far past is good for is unknown"
)
