"""Perplexity against the number of tokens read, measured on the weights of finished runs."""

from __future__ import annotations

import io
import lzma
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.computed import Computed, at_the_end
from analysis.results import Results
from charrnn.commands.trained_run import TrainedRun
from charrnn.data.fetching.packages import no_fetching
from charrnn.evaluation.reading_on import effective_remembrance, read_on
from charrnn.files import write_atomically
from charrnn.runs.files import WEIGHTS

PER_DECADE = 6
EDGES = np.logspace(-2, 2, 4 * PER_DECADE + 1)
"""Between the bins: tokens read, in units of k2, evenly spaced on a logarithmic scale."""
MIDDLES = np.sqrt(EDGES[:-1] * EDGES[1:])
MEASURES = ("perplexity", "remembrance", "hidden", "cell")
"""What is measured in each bin: the perplexity of the next token, the effective remembrance of a
past as long as the bin's middle, the mean of |h|, and that of the part of the state that remembers:
|c| of an LSTM, again |h| of a cell that has no other."""
COLUMNS = tuple(f"{measure} {n}" for measure in MEASURES for n in range(len(MIDDLES)))
REFERENCE = Path(__file__).parents[1] / "reference" / "reading-on.csv.xz"


def measured(results: Results, runs: Path) -> Results:
    """The results, with COLUMNS in their curves; kept in RUNS/reading-on.csv.

    NaN where no position falls into a bin, or the text is too short, and for a cell whose run was
    trained for longer.

    Args:
        results: see analysis.computed.Computed.beside.
        runs: folder of all runs.
    """
    return at_the_end(_COMPUTED.beside(results, runs), COLUMNS, runs)


def of_reference(results: Results) -> Results:
    """The reference results, with what was measured on their runs."""
    known = pd.read_csv(REFERENCE).set_index("run")
    return Results(results.cells, results.curves.join(known, on="run"))


def keep_as_reference(results: Results) -> None:
    """Make what was measured part of the reference results; rows of other sweeps' runs stay.

    Args:
        results: with COLUMNS in their curves.
    """
    new = _measured_runs(results)[["run", *COLUMNS]]
    table = _as_text(new.to_csv(index=False, na_rep="nan", float_format="%.6g"))
    if REFERENCE.exists():
        old = _as_text(lzma.decompress(REFERENCE.read_bytes()).decode())
        table = pd.concat([old[~old["run"].isin(results.cells["run"])], table])
    content = table.sort_values("run").to_csv(index=False)
    write_atomically(REFERENCE, lzma.compress(content.encode()))


def by_bin(results: Results) -> pd.DataFrame:
    """A row per run at its end and bin: the cell's columns, `read` (in units of k2), MEASURES."""
    curves = _measured_runs(results)
    rest = curves.drop(columns=[*COLUMNS, *(name for name in MEASURES if name in curves)])
    bins = [
        rest.assign(
            bin=n, read=middle, **{name: curves[f"{name} {n}"].to_numpy() for name in MEASURES}
        )
        for n, middle in enumerate(MIDDLES)
    ]
    return pd.concat(bins, ignore_index=True)


def of_one_length(results: Results) -> tuple[Results, list[int]]:
    """The cells of the length that most measured runs have, and the lengths that are left out."""
    counts = _measured_runs(results)["num_batches"].value_counts()
    if len(counts) < 2:
        return results, []
    cells, curves = (
        table[table["num_batches"] == counts.index[0]] for table in (results.cells, results.curves)
    )
    return Results(cells, curves), sorted(map(int, counts.index[1:]))


def _measured_runs(results: Results) -> pd.DataFrame:
    """A row of the curves for every run that was measured."""
    at_k2 = f"{MEASURES[0]} {len(MIDDLES) // 2}"  # where every run has positions
    return results.curves.dropna(subset=at_k2).drop_duplicates("run")


def _as_text(content: str) -> pd.DataFrame:
    """A table whose numbers stay as they are written."""
    return pd.read_csv(io.StringIO(content), dtype=str, keep_default_na=False)


def _identity(run: TrainedRun) -> dict[str, object]:
    """The weights, and with them all that the run was trained and is scored on."""
    mark = run.folder.mark() or {}
    return {"run": run.folder.path.name, "weights": mark["sha256"][WEIGHTS]}


def _numbers(run: TrainedRun) -> tuple[float, ...]:
    with no_fetching():
        tokens_N = run.datamodule().test_tokens
    tokens_N = tokens_N.to(run.backbone.output.weight.device)
    edges = np.ceil(EDGES * run.k2 - 1e-9).astype(int)  # a bin has the tokens from its edge on
    found = read_on(run.backbone, tokens_N, int(edges[-1]) - 1)
    middles = np.maximum(np.round(MIDDLES * run.k2).astype(int), 1)
    kept = [int(t) for t in middles if t <= len(tokens_N) // 2]
    remembrance = np.full(len(middles), np.nan)
    remembrance[: len(kept)] = effective_remembrance(run.backbone, tokens_N, kept).numpy()
    losses, hidden, cell = (
        [x_T[a - 1 : b - 1].mean().item() for a, b in pairwise(edges)]
        for x_T in (found.losses_T, found.sizes_PT[0], found.sizes_PT[-1])
    )
    return (*np.exp(losses), *remembrance, *hidden, *cell)


_COMPUTED = Computed(
    COLUMNS, _identity, _numbers, "reading-on.csv", "how models read on is unknown"
)
