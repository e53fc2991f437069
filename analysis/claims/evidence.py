"""The results at one scale: those of every experiment, and Table 4."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from analysis.far_past import with_far_past
from analysis.pace import MACHINE, with_measured_paces
from analysis.reference.source import SOURCES, has_sweep, own_sweeps, read_sweep
from analysis.reference.table import REFERENCE, reference_results
from analysis.results import Results, read_measured
from charrnn.config import conf_folder
from charrnn.data.corpora.for_figures import stands_for
from charrnn.errors import CharRNNError, require_choice
from charrnn.runs.state import RESULTS

log = logging.getLogger(__name__)

SCALES = ("paper", "long", "laptop", "quick", "smoke")
"""From the largest to the smallest."""
TABLE4 = "table4"
TIMED = ("what", "unit", "median", "num_layers", "hidden_size")
"""Columns that Table 4 has to have."""
WEIGHED = "readings"
"""The experiment whose claims need more of its runs than their tables."""


@dataclass(frozen=True)
class Evidence:
    """The results at one scale.

    Attributes:
        scale: its name.
        sweeps: results of the experiments that have been started, and of the user's own sweeps,
            by name; no claim needs the latter.
        table4: the measurements of Table 4, with the columns that analysis.speed.table4 writes;
            None if there are none.
    """

    scale: str
    sweeps: Mapping[str, Results] = field(default_factory=dict)
    table4: pd.DataFrame | None = None

    def missing(self, needs: Mapping[str, str]) -> list[str]:
        """The experiments in ``needs`` that have not been started; Table 4 counts as one."""
        started = {*self.sweeps, *([] if self.table4 is None else [TABLE4])}
        return [name for name in needs if name not in started]

    def select(self, needs: Mapping[str, str]) -> Results:
        """Cells and curves of the experiments in ``needs``, in that order.

        Args:
            needs: by experiment, a condition on its cells for pandas.DataFrame.query; an empty one
                selects all of them. Besides the grid's columns, conditions can use `sweep`, the
                experiment, and `stands_for`, the paper's corpus that the cell's corpus stands for.
        """
        chosen = [
            _where(self.sweeps[name], name, condition)
            for name, condition in needs.items()
            if name in self.sweeps
        ]
        if not chosen:
            return Results(pd.DataFrame(), pd.DataFrame())
        cells, curves = ([getattr(one, part) for one in chosen] for part in ("cells", "curves"))
        # An empty table only names the columns; concatenated with others it would set their types.
        drawn = [table for table in curves if len(table)] or curves[:1]
        return Results(pd.concat(cells, ignore_index=True), pd.concat(drawn, ignore_index=True))


def read_evidence(runs: Path, scale: str, source: str = "own") -> Evidence:
    """Read the results at a scale. The log names a sweep whose table is damaged.

    Args:
        runs: folder of the user's runs.
        scale: one of SCALES.
        source: whether to take these runs or the reference results, see analysis.reference.source.

    Raises:
        CharRNNError: if there is no such source.
    """
    require_choice("RESULTS", source, SOURCES[:2])
    names = sorted(path.stem for path in (conf_folder() / "experiment").glob("*.yaml"))
    known = [name for name in names if has_sweep(source, runs, name, scale)]
    if source == "own":
        known += [name for name in own_sweeps(runs, scale) if name not in names]
    sweeps = {}
    for name in known:
        try:
            sweeps[name] = read_sweep(source, runs, name, scale)
        except CharRNNError as error:
            log.warning("left out: %s", error)
    if source == "own" and WEIGHED in sweeps:
        sweeps[WEIGHED] = with_far_past(sweeps[WEIGHED], runs)
    folder = runs / "figures" if source == "own" else REFERENCE
    sweeps = {name: with_measured_paces(one, folder, scale) for name, one in sweeps.items()}
    return Evidence(scale, sweeps, read_measured(folder / f"{TABLE4}-{scale}.csv", TIMED))


def choose_scale(scale: str, runs: Path, source: str = "own") -> str:
    """The scale that ``--scale`` asks for; `auto` is the largest that there are results of.

    Raises:
        BadInput: if there is no such scale.
    """
    require_choice("--scale", scale, ("auto", *SCALES))
    grids = (runs / "grids").glob("*.csv")
    own = {path.stem.rpartition("-")[2] for path in grids}
    known = own if source == "own" else {scale for _, scale in reference_results()}
    return scale if scale != "auto" else next((s for s in SCALES if s in known), "quick")


def _where(results: Results, sweep: str, condition: str) -> Results:
    """The cells that meet the condition, in which `min()` is that of the whole grid, and curves."""
    originals = results.cells["corpus"].map(lambda corpus: stands_for(corpus) or corpus)
    cells = results.cells.assign(sweep=sweep, stands_for=originals.astype(str))
    if "settings" in cells:  # cells with other settings than the experiment's are not evidence
        cells = cells[cells["settings"].str.fullmatch(r"(num_batches=\d+)?")]
    cells = _of_one_length(cells)
    if condition and len(cells):
        cells = cells.query(condition)
    curves = curves_of(cells, results.curves).assign(sweep=sweep)
    machines = cells.drop_duplicates("run").set_index("run")
    for name in MACHINE:  # claims on time compare the runs of one machine
        if name in machines:
            curves[name] = curves["run"].map(machines[name])
    return Results(cells, curves)


def curves_of(cells: pd.DataFrame, curves: pd.DataFrame) -> pd.DataFrame:
    """The curves of these cells; a cell is a run as read by one scheme, so far."""
    key = ["sweep", "run", "scheme", "num_batches"]
    key = [name for name in key if name in cells and name in curves]
    chosen, known = (pd.MultiIndex.from_frame(table[key]) for table in (cells, curves))
    return curves[known.isin(chosen)]


def _of_one_length(cells: pd.DataFrame) -> pd.DataFrame:
    """The cells trained for the number of batches that most are finished at, or the largest such.

    Cells of different lengths are not compared: replicates of one length would be taken for those
    of another.
    """
    if "num_batches" not in cells or cells.empty:
        return cells
    finished = cells["state"].isin(RESULTS).groupby(cells["num_batches"]).sum()
    return cells[cells["num_batches"] == max(finished.index, key=lambda n: (finished[n], n))]
