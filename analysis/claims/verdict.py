"""Verdicts: what the results say about each claim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import pandas as pd

from analysis.claims.claim import Claim
from analysis.claims.evidence import TABLE4, Evidence
from analysis.claims.rules import Finding
from analysis.results import PENDING, STATES, name_cells
from analysis.statistics.intervals import Outcome
from charrnn.data.corpora.for_figures import STANDS_FOR
from charrnn.runs.state import RESULTS

PAPER_BATCHES = 12_800
"""Training batches of each of the paper's runs."""
PAPER_SIZES = {128, 512}
"""The paper's gammas."""
COMPARED = ("scheme", "num_layers", "hidden_size", "k2")
"""Columns of which a claim may compare all values in the grid."""


@dataclass(frozen=True)
class Verdict:
    """What the results say about a claim.

    Attributes:
        claim: the claim.
        outcome: borne out, contradicted or undecided.
        effect: effect size in words, with its interval; empty if there is nothing to compare.
        reason: what is missing or left out.
        parts: effect size of each corpus, scheme or architecture.
        runs: folder names of the runs behind it, or the file of Table 4.
        extent: the corpora, strides and seeds that it covers, and the paper's corpora that it does
            not cover.
    """

    claim: Claim
    outcome: Outcome
    effect: str = ""
    reason: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    runs: tuple[str, ...] = ()
    extent: str = ""


def judge(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge a claim by the evidence.

    While cells are pending, nothing is decided, but the effect so far is given. Cells that failed,
    or whose corpus is not available, are left out and named.
    """
    if missing := evidence.missing(claim.needs):
        return Verdict(claim, Outcome.UNDECIDED, reason=to_train(missing, evidence.scale))
    if TABLE4 in claim.needs and evidence.table4 is not None:
        return _judge_table4(claim, evidence.table4, f"figures/{TABLE4}-{evidence.scale}.csv")
    results = evidence.select(claim.needs)
    cells, curves = results.cells, results.curves
    if cells.empty:
        wanted = "; ".join(f"{name} ({where or 'any cell'})" for name, where in claim.needs.items())
        reason = f"no cell with the experiment's own settings meets its conditions: {wanted}"
        return Verdict(claim, Outcome.UNDECIDED, reason=reason)
    pending = cells["state"].isin(PENDING)
    finding = claim.test(curves) if len(curves) else None
    if finding is None or not finding.effect:
        reason = finding.doubt if finding else "no cell has a result"
        reason = _pending(cells, pending) if pending.any() else reason
        return Verdict(claim, Outcome.UNDECIDED, reason=reason)
    doubts = list(_doubts(claim, finding, cells, curves))
    left_out = ~cells["state"].isin((*PENDING, *RESULTS))
    named = [f"left out: {_named(cells, left_out)}"] if left_out.any() else []
    return Verdict(
        claim,
        Outcome.UNDECIDED if doubts else finding.outcome,
        finding.effect,
        "; ".join(doubts + named),
        finding.parts,
        tuple(curves["run"].unique()),
        _extent(claim, curves),
    )


def _doubts(
    claim: Claim, finding: Finding, cells: pd.DataFrame, curves: pd.DataFrame
) -> Iterator[str]:
    """Every reason why nothing is decided."""
    pending, batches = cells["state"].isin(PENDING), int(curves["batches"].max())
    if finding.outcome is Outcome.UNDECIDED and not pending.any():
        yield finding.doubt
    if batches <= claim.beyond:
        yield f"runs of more than {claim.beyond} batches would tell"
    elif claim.whole and finding.outcome is Outcome.CONTRADICTED and batches < PAPER_BATCHES:
        yield f"the paper speaks of {PAPER_BATCHES:,} batches, these runs have {batches:,}"
    if pending.any():
        yield _pending(cells, pending)
    elif absent := _absent(cells, curves):
        yield f"no cell has a result with {absent}"


def _judge_table4(claim: Claim, table: pd.DataFrame, source: str) -> Verdict:
    finding = claim.test(table)
    if not finding.effect:
        return Verdict(claim, Outcome.UNDECIDED, reason="Table 4 does not have this measurement")
    outcome, sizes = finding.outcome, sorted(set(table["hidden_size"]))
    reason = finding.doubt if outcome is Outcome.UNDECIDED else ""
    if claim.whole and outcome is Outcome.CONTRADICTED and not PAPER_SIZES.issuperset(sizes):
        outcome = Outcome.UNDECIDED
        reason = f"the paper's gammas are 128 and 512, here {' and '.join(map(str, sizes))}"
    return Verdict(claim, outcome, finding.effect, reason, finding.parts, (source,))


def _extent(claim: Claim, curves: pd.DataFrame) -> str:
    """The corpora, strides and seeds of the curves, and the paper's corpora that they lack."""
    known = {corpus: STANDS_FOR.get(corpus, corpus) for corpus in curves["corpus"].unique()}
    corpora = ", ".join(
        corpus if corpus == original else f"{corpus} for {original.capitalize()}"
        for corpus, original in known.items()
    )
    strides = ", ".join(map(str, sorted(curves["k1"].unique())))
    seeds = curves["seed"].nunique()
    words = f"on {corpora}; k1={strides}; {seeds} seed{'s' * (seeds != 1)}"
    paper, conditions = dict.fromkeys(STANDS_FOR.values()), " ".join(claim.needs.values())
    asked = [original for original in paper if original in conditions]
    if not asked and "fig11" not in claim.needs:  # the paper's Figure 11 is about Music alone
        asked = list(paper)
    lacking = ", ".join(name.capitalize() for name in asked if name not in known.values())
    return f"{words}; nothing on {lacking}" if lacking else words


def to_train(experiments: list[str], scale: str) -> str:
    """A note that these experiments have not been started, with the commands that start them."""
    commands = [
        f"make reproduce-{name} SCALE={scale}"
        if name.startswith(("fig", TABLE4))
        else f"python src/train.py experiment={name} scale={scale}"
        for name in experiments
    ]
    return f"not started: {'; '.join(commands)}"


def _absent(cells: pd.DataFrame, curves: pd.DataFrame) -> str:
    """The compared values for which there are cells but not a single curve."""
    wanted, known = (
        set(table.melt("sweep", COMPARED).itertuples(index=False, name=None))
        for table in (cells, curves)
    )
    absent = sorted(wanted - known, key=str)
    return ", ".join(f"{column}={value} ({sweep})" for sweep, column, value in absent)


def _pending(cells: pd.DataFrame, pending: pd.Series[bool]) -> str:
    return f"{pending.sum()} of {len(cells)} cells are pending: {_named(cells, pending)}"


def _named(cells: pd.DataFrame, chosen: pd.Series[bool]) -> str:
    states = cells["state"]
    return "; ".join(
        f"{STATES[state].lower()}: {name_cells(cells, chosen & (states == state))}"
        for state in states[chosen].unique()
    )
