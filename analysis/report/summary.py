"""The answer in words: how the schemes compare, and which of the paper's claims hold."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.claims.catalogue import papers
from analysis.claims.claim import ALL
from analysis.claims.conditions import Conditions
from analysis.claims.evidence import Evidence
from analysis.claims.verdict import Outcome, Verdict, false_verdicts
from analysis.curves import Curve, at, of_cells
from analysis.instability.definition import unstable
from analysis.results import PENDING, Results
from analysis.statistics.intervals import ENOUGH
from charrnn.runs.state import RESULTS
from charrnn.schemes.base import Scheme
from charrnn.schemes.scheme_2 import Scheme2
from charrnn.schemes.scheme_4 import Scheme4
from charrnn.schemes.schemes_1_and_3 import Scheme1, Scheme3

SCHEMES: tuple[type[Scheme], ...] = (Scheme1, Scheme2, Scheme3, Scheme4)
PROCEDURES = {
    number: (scheme.training_procedure, scheme.sampling_procedure)
    for number, scheme in enumerate(SCHEMES, start=1)
}
"""How each scheme trains and samples (Sections 3.4 to 3.7)."""


@dataclass(frozen=True)
class SchemeResult:
    """The results of one scheme in Figure 9.

    Attributes:
        scheme: its number.
        training: its training procedure.
        sampling: its sampling procedure.
        perplexity: geometric mean of the final perplexities over the cells that all schemes have;
            infinite if one of them diverged, None if there are no such cells.
        shared: number of these cells.
        diverged: number of these cells that diverged.
        unstable: number of the scheme's cells that are unstable, by the definition in
            analysis.instability.definition.
        finished: number of the scheme's cells that have a result.
        batch: milliseconds per training batch, in the architecture of Figure 9; None if not
            measured.
        token: milliseconds per sampled token, likewise.
        runs: names of the runs that all but `batch` and `token` come from.
    """

    scheme: int
    training: str
    sampling: str
    perplexity: float | None
    shared: int
    diverged: int
    unstable: int
    finished: int
    batch: float | None
    token: float | None
    runs: tuple[str, ...]


def scheme_results(evidence: Evidence) -> list[SchemeResult]:
    """The results of the four schemes."""
    curves = evidence.select({"fig9": ALL}).curves
    ends = of_cells(curves, _end) if len(curves) else None
    flags = unstable(curves) if len(curves) else None
    means, diverged, shared = {}, {}, 0
    if ends is not None:
        known = pd.concat({scheme: at(ends, "scheme", scheme) for scheme in PROCEDURES}, axis=1)
        common = known.dropna()
        shared, means = len(common), common.mean().map(math.exp).to_dict()
        diverged = (common == math.inf).sum().to_dict()
    return [
        SchemeResult(
            scheme,
            training,
            sampling,
            means.get(scheme) if shared else None,
            shared,
            diverged.get(scheme, 0),
            int(at(flags, "scheme", scheme).sum()) if flags is not None else 0,
            len(at(ends, "scheme", scheme)) if ends is not None else 0,
            _milliseconds(evidence, f"scheme {scheme}: training"),
            _milliseconds(evidence, f"scheme {scheme}: {sampling} sampling"),
            tuple(curves.loc[curves["scheme"] == scheme, "run"].unique()) if len(curves) else (),
        )
        for scheme, (training, sampling) in PROCEDURES.items()
    ]


def _end(curve: Curve) -> float:
    """Log of the final perplexity, infinite after divergence; not capped, unlike curves.final."""
    perplexity = curve["perplexity"].iloc[-1]
    return math.log(perplexity) if math.isfinite(perplexity) else math.inf


def _milliseconds(evidence: Evidence, what: str) -> float | None:
    """A median of Table 4 for Figure 9's architecture: one layer, the larger gamma."""
    if evidence.table4 is None:
        return None
    table = evidence.table4
    rows = table[(table["what"] == what) & (table["num_layers"] == 1)]
    return float(rows.sort_values("hidden_size")["median"].iloc[-1]) if len(rows) else None


def sentences(
    evidence: Evidence, verdicts: Sequence[Verdict], schemes: Sequence[SchemeResult]
) -> list[str]:
    """The sentences of the summary."""
    return [
        *_which_scheme(schemes),
        _conclusions(verdicts),
        *_how_far(evidence),
    ]


def _which_scheme(schemes: Sequence[SchemeResult]) -> list[str]:
    ranked = sorted(
        (result for result in schemes if result.perplexity is not None),
        key=lambda result: result.perplexity or math.inf,
    )
    if not ranked:
        return [
            "It is too early to say which scheme to train and sample with: no cell of Figure 9 is"
            " finished in all four schemes."
        ]
    best, *others = ranked
    assert best.perplexity is not None
    if best.perplexity == math.inf:
        return ["At least one cell diverged in every scheme, so all geometric means are infinite."]
    ends = (f"scheme {other.scheme} {_relative(other, best.perplexity)}" for other in others)
    words = [
        f"Scheme {best.scheme} ({best.training} training, {best.sampling} sampling) ends at the"
        f" lowest perplexity: {best.perplexity:.2f}, the geometric mean over the {best.shared}"
        f" cells that all schemes have. Relative to it: {', '.join(ends)}."
    ]
    shaky = [result for result in schemes if result.unstable]
    if shaky:
        counts = ", ".join(
            f"{result.unstable} of {result.finished} in scheme {result.scheme}" for result in shaky
        )
        words.append(f"Unstable cells: {counts}.")
    else:
        words.append("No cell is unstable.")
    windowed, progressive = (
        next((result for result in schemes if result.scheme == scheme), None) for scheme in (1, 3)
    )
    if windowed and progressive and windowed.token and progressive.token:
        words.append(
            f"Progressive sampling takes {progressive.token:.2g} ms per token, windowed sampling"
            f" {windowed.token:.2g} ms. Schemes 1 and 3 share their training, so the difference"
            " between their perplexities is what faster sampling costs."
        )
    return words


def _relative(result: SchemeResult, best: float) -> str:
    assert result.perplexity is not None
    if result.diverged:
        return f"infinite ({result.diverged} of {result.shared} cells diverged)"
    return f"{result.perplexity / best - 1:+.0%}"


def _conclusions(verdicts: Sequence[Verdict]) -> str:
    own = papers(verdicts)
    counts = Counter(verdict.outcome for verdict in own)
    counted = ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome)
    return f"Of the paper's {len(own)} claims: {counted}. {false_verdicts(verdicts)}"


def _lengths(results: Results) -> set[int]:
    """Numbers of batches in the finished runs."""
    return set(results.curves.groupby("run")["batches"].max())


def _how_far(evidence: Evidence) -> list[str]:
    if not evidence.sweeps:
        return [
            f"Nothing has been trained at scale={evidence.scale}: start with make reproduce-fig9."
        ]
    runs = pd.concat([results.cells for results in evidence.sweeps.values()])
    states = runs.drop_duplicates("run")["state"]
    done, pending = states.isin(RESULTS).sum(), states.isin(PENDING).sum()
    batches, sizes = (
        ", ".join(f"{value:,}" for value in sorted(set(values)))
        for values in (
            [n for results in evidence.sweeps.values() for n in _lengths(results)],
            runs["hidden_size"],
        )
    )
    words = [f"{done} of {len(states)} runs are finished; {pending} are still to come."]
    if batches:
        words.append(
            f"They train for {batches} batches (the paper: {Conditions.batches:,}) with"
            f" \N{GREEK SMALL LETTER GAMMA} = {sizes} (the paper: 128 and 512), so all results here"
            f" are for scale={evidence.scale} only."
        )
    if (replicates := len(runs["seed"].unique())) < ENOUGH:
        words.append(
            f"There {'is' if replicates == 1 else 'are'} {replicates}"
            f" replicate{'s' * (replicates > 1)}: intervals that separate effects from chance take"
            f" {ENOUGH}, such as SEEDS=0,1,2."
        )
    return words
