"""A claim, and what the tables say of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from analysis.claims.evidence import TABLE4, Evidence
from analysis.claims.rules.finding import Finding, Outcome
from analysis.drawing.caption import STATES, name_cells
from charrnn.data.catalogue import STANDS_FOR

PAPER_BATCHES = 12_800
"""Training batches of a run of the paper's."""
PAPER_SIZES = {128, 512}
"""The paper's gammas."""
PENDING = ("planned", "starting", "running")
"""States of a cell that is still to come."""
COMPARED = ("scheme", "num_layers", "hidden_size", "k2")
"""Columns of which a claim may compare all values that the grid has."""
ALL = ""
"""The condition that all cells of an experiment fulfil."""


@dataclass(frozen=True)
class Claim:
    """A finding of the paper's, or one of our own beside it.

    Attributes:
        id: short name.
        section: where the paper says it.
        says: what it says, in words of our own.
        needs: the cells that decide it, by experiment, see Evidence.select; `table4` is the table
            of measurements.
        test: from the curves of these cells, or Table 4's rows, to what they show; its docstring
            tells the effect that it measures.
        schemes: those that it speaks of.
        whole: whether it is about the end of the paper's 12,800 batches, or about the paper's
            sizes in Table 4, so that shorter runs or other sizes can bear it out, but not
            contradict it.
        beyond: batches, after which what it is about begins; runs that end there decide nothing.
        ours: whether it is not the paper's but a question that this project adds.
    """

    id: str
    section: str
    says: str
    needs: Mapping[str, str]
    test: Callable[[pd.DataFrame], Finding]
    schemes: tuple[int, ...]
    whole: bool = False
    beyond: int = 0
    ours: bool = False

    @property
    def measured(self) -> str:
        """What the test measures, in a sentence: the first of its docstring."""
        return (self.test.__doc__ or "").split("\n\n")[0]


@dataclass(frozen=True)
class Verdict:
    """What the tables say of a claim.

    Attributes:
        claim: which one.
        outcome: borne out, contradicted or undecided.
        effect: effect size in words, with its interval; empty if there is nothing to compare.
        reason: what is missing, or what has been left out.
        parts: effect size of each corpus, scheme or architecture.
        runs: folder names of the runs that it rests on.
        extent: what it is known of: corpora, strides, seeds; and of which of the paper's corpora
            nothing is.
    """

    claim: Claim
    outcome: Outcome
    effect: str = ""
    reason: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)
    runs: tuple[str, ...] = ()
    extent: str = ""


def judge(claim: Claim, evidence: Evidence) -> Verdict:
    """What ``evidence`` says of ``claim``.

    As long as cells are still to come nothing is decided; the effect so far is told. Cells that
    failed, or whose corpus cannot be had, are left out, and named.
    """
    if TABLE4 in claim.needs:
        return _judge_table4(claim, evidence)
    missing = [name for name in claim.needs if name not in evidence.sweeps]
    if missing:
        return Verdict(claim, Outcome.UNDECIDED, reason=to_train(missing, evidence.scale))
    results = evidence.select(claim.needs)
    cells, curves = results.cells, results.curves
    if cells.empty:
        wanted = "; ".join(
            f"{name} ({condition})" if condition else name
            for name, condition in claim.needs.items()
        )
        reason = f"no cell is what it needs, with the settings of the experiment: {wanted}"
        return Verdict(claim, Outcome.UNDECIDED, reason=reason)
    pending = cells["state"].isin(PENDING)
    left_out = ~pending & ~cells["state"].isin(("finished", "diverged"))
    finding = claim.test(curves) if len(curves) else None
    if finding is None or finding.empty:
        reason = (
            _pending(cells, pending)
            if pending.any()
            else finding.nothing
            if finding
            else "no cell has a result"
        )
        return Verdict(claim, Outcome.UNDECIDED, reason=reason)
    outcome, reasons = finding.outcome(), []
    batches = int(curves["batches"].max())
    if outcome is Outcome.UNDECIDED and not pending.any():
        reasons.append(finding.doubt())
    if batches <= claim.beyond:
        outcome = Outcome.UNDECIDED
        reasons.append(f"runs of more than {claim.beyond} batches would tell")
    if claim.whole and outcome is Outcome.CONTRADICTED and batches < PAPER_BATCHES:
        outcome = Outcome.UNDECIDED
        reasons.append(
            f"the paper speaks of {PAPER_BATCHES:,} batches, these runs have {batches:,}"
        )
    if pending.any():
        outcome = Outcome.UNDECIDED
        reasons.append(_pending(cells, pending))
    elif absent := _absent(cells, curves):
        outcome = Outcome.UNDECIDED
        reasons.append(f"no cell has a result with {absent}")
    if left_out.any():
        reasons.append(f"left out: {_named(cells, left_out)}")
    runs = tuple(curves["run"].unique())
    return Verdict(
        claim,
        outcome,
        finding.effect(),
        "; ".join(reasons),
        finding.parts(),
        runs,
        _extent(claim, curves),
    )


def _judge_table4(claim: Claim, evidence: Evidence) -> Verdict:
    if evidence.table4 is None:
        return Verdict(claim, Outcome.UNDECIDED, reason=to_train([TABLE4], evidence.scale))
    finding = claim.test(evidence.table4)
    if finding.empty:
        return Verdict(claim, Outcome.UNDECIDED, reason="Table 4 has not measured it")
    outcome = finding.outcome()
    reason = finding.doubt() if outcome is Outcome.UNDECIDED else ""
    sizes = sorted(set(evidence.table4["hidden_size"]))
    if claim.whole and outcome is Outcome.CONTRADICTED and not PAPER_SIZES.issuperset(sizes):
        outcome = Outcome.UNDECIDED
        reason = (
            f"the paper's \N{GREEK SMALL LETTER GAMMA} are 128 and 512, here"
            f" {' and '.join(map(str, sizes))}"
        )
    source = (f"figures/{TABLE4}-{evidence.scale}.csv",)
    return Verdict(claim, outcome, finding.effect(), reason, finding.parts(), source)


def _extent(claim: Claim, curves: pd.DataFrame) -> str:
    places = {corpus: STANDS_FOR.get(corpus, corpus) for corpus in curves["corpus"].unique()}
    corpora = ", ".join(
        corpus if place == corpus else f"{corpus} for {place.capitalize()}"
        for corpus, place in places.items()
    )
    paper = dict.fromkeys(STANDS_FOR.values())
    conditions = " ".join(claim.needs.values())
    asked = [place for place in paper if place in conditions]
    if not asked and "fig11" not in claim.needs:
        asked = list(paper)
    without = [place.capitalize() for place in asked if place not in places.values()]
    strides = ", ".join(map(str, sorted(curves["k1"].unique())))
    seeds = curves["seed"].nunique()
    words = f"on {corpora}; k1={strides}; {seeds} seed{'s' * (seeds != 1)}"
    return f"{words}; nothing on {', '.join(without)}" if without else words


def to_train(experiments: list[str], scale: str) -> str:
    """That these have not been started, and the commands that do."""
    made = ("fig", TABLE4)
    commands = [
        f"make reproduce-{name} SCALE={scale}"
        if name.startswith(made)
        else f"python src/train.py experiment={name} scale={scale}"
        for name in experiments
    ]
    return f"not started: {'; '.join(commands)}"


def _absent(cells: pd.DataFrame, curves: pd.DataFrame) -> str:
    """What is compared, and was to be trained, but has no curve at all."""
    wanted, known = (
        set(table.melt("sweep", COMPARED).itertuples(index=False, name=None))
        for table in (cells, curves)
    )
    absent = sorted(wanted - known, key=str)
    return ", ".join(f"{column}={value} ({sweep})" for sweep, column, value in absent)


def _pending(cells: pd.DataFrame, pending: pd.Series[bool]) -> str:
    return f"{pending.sum()} of {len(cells)} cells are still to come: {_named(cells, pending)}"


def _named(cells: pd.DataFrame, chosen: pd.Series[bool]) -> str:
    states = cells["state"]
    return "; ".join(
        f"{STATES[state].lower()}: {name_cells(cells, chosen & (states == state))}"
        for state in states[chosen].unique()
    )
