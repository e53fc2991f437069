"""How long a batch takes where nothing else disturbs the machine."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from analysis.curves import Cells, of_cells
from analysis.results import Results, read_measured
from charrnn.schemes.idioms import AWDLSTM, KerasStateful, WordLanguageModel
from charrnn.schemes.scheme_2 import Scheme2
from charrnn.schemes.scheme_4 import Scheme4
from charrnn.schemes.schemes_1_and_3 import Scheme1, Scheme3
from charrnn.schemes.truncated_bptt import BPTT

TRAININGS: dict[object, str] = {
    1: Scheme1.training_procedure,
    2: Scheme2.training_procedure,
    3: Scheme3.training_procedure,
    4: Scheme4.training_procedure,
    "bptt": BPTT.training_procedure,
    "keras_stateful": KerasStateful.training_procedure,
    "word_language_model": WordLanguageModel.training_procedure,
    "awd_lstm": AWDLSTM.training_procedure,
}
"""The training procedure of each scheme."""
CONFIGURATION = ("scale", "num_layers", "hidden_size", "k2", "k3", "settings", "source")
"""Columns that, beside the training procedure, can change what a batch costs, as far as there are
such columns. `source` tells the user's machine from that of the reference results."""

MEASURED = ("training", "num_layers", "hidden_size", "k2")
"""Columns that tell the configurations in a table of paces apart."""
MACHINE = ("processor", "gpu")
"""Columns of the reference results that tell machines apart."""
PACE = "pace"
"""Column of the curves with the pace that was measured on purpose."""
OWN = ("k3", "settings", "source")
"""Columns of cells that the table does not have, and whose cells it says nothing about."""


def table_of_paces(folder: Path, scale: str) -> Path:
    """Where analysis.speed.pace writes the paces at a scale."""
    return folder / f"pace-{scale}.csv"


def with_measured_paces(results: Results, folder: Path, scale: str) -> Results:
    """The results with a column of the paces that analysis.speed.pace measured, if it did.

    NaN where a configuration was not measured, or differs in more than the table's columns say.

    Args:
        results: of a sweep.
        folder: where the table may be.
        scale: of the sweep.
    """
    measured = read_measured(table_of_paces(folder, scale), [*MEASURED, "seconds"])
    if measured is None:
        return results
    table = measured.set_index([*MEASURED])["seconds"]
    curves = results.curves.assign(training=trainings(results.curves["scheme"]))
    places = pd.MultiIndex.from_frame(curves[[*MEASURED]])
    paces = pd.Series(table.reindex(places).to_numpy(), curves.index)
    own = [name for name in OWN if name in curves]
    plain = (curves[own].isna() | (curves[own] == "")).all(axis=1)
    return Results(results.cells, results.curves.assign(**{PACE: paces.where(plain)}))


def trainings(schemes: pd.Series) -> pd.Series:
    """The training procedure of each scheme; a scheme of the user's own counts as one by itself."""
    return schemes.map(lambda scheme: TRAININGS.get(scheme, str(scheme))).astype(object)


def seconds_per_batch(curves: pd.DataFrame) -> pd.Series:
    """The pace of each row's configuration: training seconds per batch, undisturbed.

    It is the one that was measured on purpose, see `with_measured_paces`. Where there is none, it
    comes from the runs. A run's pace is the median over the intervals between its evaluations, so
    that a few minutes in which the machine was busy do not count. A configuration's pace is the
    lowest of its runs', so that whole runs on a busy machine do not count either. A configuration
    is a training procedure and the columns of CONFIGURATION: neither the corpus nor k1 changes what
    a batch costs.

    An interval lasts as long as the processor or the clock says, whichever is less. With one thread
    processor time hardly grows when the machine is busy; with several it adds up over them, and the
    clock is right. Where processor time is not known, it is the clock.

    Args:
        curves: see analysis.results.Results; `train_cpu_seconds` may be missing or NaN.

    Returns:
        Seconds, aligned with the rows of ``curves``; NaN where no time is known.
    """
    if curves.empty:
        return pd.Series(index=curves.index, dtype=float)
    shared = [name for name in CONFIGURATION if name in curves]
    known = curves[shared].astype(object).fillna("").assign(training=trainings(curves["scheme"]))
    configurations = known.groupby([*shared, "training"], sort=False).ngroup()
    of_run = ["run", *(name for name in ("source",) if name in curves)]
    runs = curves.groupby(of_run, sort=False)
    paces = [_median_pace(curve) for _, curve in runs]
    found = runs.ngroup().map(dict(enumerate(paces))).groupby(configurations).transform("min")
    return curves[PACE].fillna(found) if PACE in curves else found


def log_paces(curves: pd.DataFrame) -> Cells:
    """Logarithm of each cell's own seconds per batch, see `seconds_per_batch`.

    Those of one machine are not compared with those of another: MACHINE is in the index.
    """
    return of_cells(curves, lambda curve: math.log(_median_pace(curve)), apart=MACHINE)


def _median_pace(curve: pd.DataFrame) -> float:
    """Median seconds per batch of one run; its cells have the same times."""
    table = curve.drop_duplicates("batches").sort_values("batches").reset_index(drop=True)
    clocks = table[[name for name in ("train_seconds", "train_cpu_seconds") if name in table]]
    # The first interval holds whatever is done once; it counts only if there is no other.
    single = len(table) < 2
    batches = table["batches"] if single else table["batches"].diff()
    seconds = (clocks if single else clocks.diff()).astype(float)
    return float((seconds.min(axis=1) / batches).median())
