"""The answer in words: how the schemes fare, and what is left of the paper's conclusions."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.claims.catalogue import papers
from analysis.claims.claim import ALL
from analysis.claims.evidence import Evidence
from analysis.claims.verdict import PAPER_BATCHES, Verdict
from analysis.curves import Curve, at, of_cells
from analysis.instability.definition import unstable
from analysis.results import DONE, PENDING, Results
from analysis.statistics.intervals import Outcome
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
class Fare:
    """How a scheme fares in Figure 9.

    Attributes:
        scheme: its number.
        training, sampling: what it does.
        perplexity: geometric mean of the final ones over the cells that all schemes have, infinite
            if one of them diverged; None where there are none.
        shared: how many cells these are.
        diverged: how many of them diverged.
        unstable: how many of its own cells are, see analysis.instability.definition.
        finished: how many of its own cells have a result.
        batch: milliseconds of a training batch, and `token` of a sampled token, in the architecture
            of Figure 9; None if not measured.
        runs: names of the runs behind all but the last two.
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


def fares(evidence: Evidence) -> list[Fare]:
    """How the four schemes fare."""
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
        Fare(
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
    """Log perplexity at the end, infinite after divergence; nothing is capped where it is told."""
    perplexity = curve["perplexity"].iloc[-1]
    return math.log(perplexity) if math.isfinite(perplexity) else math.inf


def _milliseconds(evidence: Evidence, what: str) -> float | None:
    """Of Table 4, for one layer of the larger gamma: Figure 9's architecture."""
    if evidence.table4 is None:
        return None
    table = evidence.table4
    rows = table[(table["what"] == what) & (table["num_layers"] == 1)]
    return float(rows.sort_values("hidden_size")["median"].iloc[-1]) if len(rows) else None


def sentences(
    evidence: Evidence, verdicts: Sequence[Verdict], schemes: Sequence[Fare]
) -> list[str]:
    """The summary, a sentence a thought."""
    return [
        *_which_scheme(schemes),
        _conclusions(verdicts),
        *_how_far(evidence),
    ]


def _which_scheme(schemes: Sequence[Fare]) -> list[str]:
    ranked = sorted(
        (fare for fare in schemes if fare.perplexity is not None),
        key=lambda fare: fare.perplexity or math.inf,
    )
    if not ranked:
        return [
            "Which scheme to train and sample with cannot be told yet: no cell of Figure 9 is"
            " finished in all four."
        ]
    best, *others = ranked
    assert best.perplexity is not None
    if best.perplexity == math.inf:
        return ["In every scheme a cell diverged: the geometric means are infinite."]
    rest = ", ".join(f"scheme {fare.scheme} {_beside(fare, best.perplexity)}" for fare in others)
    words = [
        f"Scheme {best.scheme} ({best.training} training, {best.sampling} sampling) ends at the"
        f" lowest perplexity: {best.perplexity:.2f}, the geometric mean over the {best.shared}"
        f" cells that all schemes have. Beside it: {rest}."
    ]
    shaky = [fare for fare in schemes if fare.unstable]
    if shaky:
        counts = ", ".join(
            f"scheme {fare.scheme} in {fare.unstable} of {fare.finished} cells" for fare in shaky
        )
        words.append(f"Unstable: {counts}.")
    else:
        words.append("No cell is unstable.")
    windowed, progressive = (
        next((fare for fare in schemes if fare.scheme == scheme), None) for scheme in (1, 3)
    )
    if windowed and progressive and windowed.token and progressive.token:
        words.append(
            f"A token by progressive sampling takes {progressive.token:.2g} ms, by windowed"
            f" sampling {windowed.token:.2g} ms: schemes 1 and 3 are the same training, and the"
            " difference between their perplexities is the price of the faster one."
        )
    return words


def _beside(fare: Fare, best: float) -> str:
    assert fare.perplexity is not None
    if fare.diverged:
        return f"infinite ({fare.diverged} of {fare.shared} cells diverged)"
    return f"{fare.perplexity / best - 1:+.0%}"


def _conclusions(verdicts: Sequence[Verdict]) -> str:
    verdicts = papers(verdicts)
    counts = Counter(verdict.outcome for verdict in verdicts)
    return (
        f"Of {len(verdicts)} claims of the paper {counts[Outcome.BORNE_OUT]} are borne out here,"
        f" {counts[Outcome.CONTRADICTED]} contradicted, and {counts[Outcome.UNDECIDED]} cannot be"
        " decided."
    )


def _lengths(results: Results) -> set[int]:
    """Batches of the runs that are finished."""
    return set(results.curves.groupby("run")["batches"].max())


def _how_far(evidence: Evidence) -> list[str]:
    if not evidence.sweeps:
        return [f"Nothing has been trained at scale={evidence.scale}: make reproduce-fig9 does."]
    runs = pd.concat([results.cells for results in evidence.sweeps.values()])
    states = runs.drop_duplicates("run")["state"]
    done, pending = states.isin(DONE).sum(), states.isin(PENDING).sum()
    batches, sizes = (
        ", ".join(f"{value:,}" for value in sorted(set(values)))
        for values in (
            [n for results in evidence.sweeps.values() for n in _lengths(results)],
            runs["hidden_size"],
        )
    )
    words = [f"{done} of {len(states)} runs are finished, {pending} still to come."]
    if batches:
        words.append(
            f"They have {batches} batches where the paper's have {PAPER_BATCHES:,}, and"
            f" \N{GREEK SMALL LETTER GAMMA} = {sizes} where the paper has 128 and 512: what is said"
            f" here is said of scale={evidence.scale}."
        )
    if len(runs["seed"].unique()) == 1:
        words.append("There is one seed, so that no interval tells chance from effect.")
    return words
