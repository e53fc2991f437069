"""The threshold of instability: the largest rise of cells that nobody calls unstable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.curves import Curve
from analysis.instability.definition import SETTLED, UNSTABLE, as_read, summarise_rise
from analysis.instability.kinds import Kind
from charrnn.evaluation.schedule import SCHEDULES

SHORT = 60
"""Section 4.3 of the paper sees scheme 2 unstable at a k2 below this, and nowhere else."""
FEWEST = 19
"""Of a further stable cell the chance is 1 in 20 that it rises more than all of so many."""


@dataclass(frozen=True)
class Basis:
    """What a threshold rests on.

    Attributes:
        counts: the batch counts at which all of its cells were evaluated.
        cells: a row per cell: the columns of its grid, and those of `summarise_rise`. Without the
            cells that overfit.
        overfitted: number of cells that were left out because their largest rise is overfitting.
    """

    counts: tuple[int, ...]
    cells: pd.DataFrame
    overfitted: int

    @property
    def rise(self) -> float:
        """The largest rise, a logarithm; NaN without cells, and never below 0."""
        return max(float(self.cells["rise"].max()), 0.0) if len(self.cells) else math.nan

    @property
    def is_enough(self) -> bool:
        """Whether there are at least FEWEST cells."""
        return len(self.cells) >= FEWEST

    def __str__(self) -> str:
        name = schedule(self.counts)
        times = f"evaluate_at={name}: {len(self.counts)} times up to {self.counts[-1]} batches"
        if self.cells.empty:
            return f"{times}: no cell is left."
        top = self.cells.iloc[int(self.cells["rise"].argmax())]
        enough = "" if self.is_enough else f" Fewer than {FEWEST} cells: too few for a threshold."
        return (
            f"{times}: largest rise x {math.exp(self.rise):.4f} (logarithm {self.rise:.4f}), of"
            f" scheme {top['scheme']} on {top['corpus']}, k1={top['k1']}, seed {top['seed']}, at"
            f" {top['rise_at']:.0f} batches; of {len(self.cells)} cells of schemes"
            f" {_values(self.cells, 'scheme')}: corpora {_values(self.cells, 'corpus')}; seeds"
            f" {_values(self.cells, 'seed')}; k1 {_values(self.cells, 'k1')}; gamma"
            f" {_values(self.cells, 'hidden_size')}; {self.overfitted} more overfit and are left"
            f" out.{enough}"
        )


def bases(curves: pd.DataFrame) -> list[Basis]:
    """What thresholds can rest on, one for each schedule of evaluations.

    A cell that is evaluated more often, or next to the starts of epochs, shows larger rises. So
    only cells that were evaluated after the same numbers of batches are compared.

    Args:
        curves: see analysis.results.Results.
    """
    known: dict[tuple[int, ...], list[dict[str, Any]]] = {}
    for curve in _stable(curves):
        counts = tuple(int(batches) for batches in curve["batches"])
        if counts[-1] > SETTLED:
            columns = {str(name): value for name, value in curve.iloc[0].items()}
            known.setdefault(counts, []).append(columns | summarise_rise(curve))
    found = []
    for counts, rows in known.items():
        cells = pd.DataFrame(rows).dropna(subset="rise")
        overfits = cells["kind"] == Kind.OVERFITTING
        found.append(Basis(counts, cells[~overfits], int(overfits.sum())))
    return found


def threshold(curves: pd.DataFrame) -> float:
    """The largest rise, a logarithm, that any cell of schemes 1 and 2 shows; NaN without one.

    Both read in windows, so that no state grows older than k2 tokens, and neither is called
    unstable by the paper. A rise as large as theirs is therefore what stable training shows when it
    is looked at as often: noise of the test split and of the last batches. With n such cells, the
    chance that one more stable cell exceeds them all is 1 in n + 1. Overfitting is left out, and so
    is scheme 2 at a k2 below SHORT. The windowed reading of a run of scheme 3 is scheme 1's.

    Args:
        curves: see analysis.results.Results; cells with the same evaluations (see `bases`).
    """
    rises = [basis.rise for basis in bases(curves) if len(basis.cells)]
    return max(rises, default=math.nan)


def threshold_at(curves: pd.DataFrame, counts: Iterable[int]) -> float:
    """The threshold for cells that are evaluated after these numbers of batches.

    The logarithm of UNSTABLE if there are fewer than FEWEST cells of schemes 1 and 2 that are
    evaluated after the same numbers.
    """
    wanted = tuple(counts)
    for basis in bases(curves):
        if basis.counts == wanted and basis.is_enough:
            return basis.rise
    return math.log(UNSTABLE)


def schedule(counts: Iterable[int]) -> str:
    """The name of the schedule that gives these batch counts; `listed` if none does.

    Examples:
        >>> schedule([1, 3, 6, 13, 26, 51, 101, 201, 300])
        'log'
    """
    wanted = list(counts)
    names = (name for name, counts_of in SCHEDULES.items() if counts_of(wanted[-1]) == wanted)
    return next(names, "listed")


def _stable(curves: pd.DataFrame) -> Iterator[Curve]:
    """The curves of schemes 1 and 2 as far as nobody calls them unstable, one for each run."""
    if "suspect" in curves:
        curves = curves[curves["suspect"] == "none"]
    chosen = curves["scheme"].isin((1, 3)) | ((curves["scheme"] == 2) & (curves["k2"] >= SHORT))
    seen: set[tuple[object, int]] = set()
    for (run, scheme), curve in curves[chosen].groupby(["run", "scheme"], sort=True):
        key = (run, int(curve["batches"].max()))
        windowed = as_read(curve, "windowed")
        if windowed is None and scheme != 3:
            windowed = curve.assign(procedure="windowed")
        if windowed is not None and key not in seen:
            seen.add(key)
            yield windowed.sort_values("batches").assign(scheme=2 if scheme == 2 else 1)


def _values(cells: pd.DataFrame, column: str) -> str:
    return ", ".join(map(str, cells[column].drop_duplicates()))
