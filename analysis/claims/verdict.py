"""Verdicts: what the results say about each claim."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

import pandas as pd

from analysis.claims.claim import Claim
from analysis.claims.evidence import TABLE4, Evidence, curves_of
from analysis.claims.finding import Finding
from analysis.curves import KEY, VARIED
from analysis.results import CELL, PENDING, STATES, name_cells
from analysis.statistics.intervals import ALPHA, Chance, holm
from charrnn.data.corpora.for_figures import stands_for
from charrnn.runs.state import RESULTS

COMPARED = ("scheme", "num_layers", "hidden_size", "k2")
"""Columns of which a claim may compare all values in the grid."""


class Outcome(StrEnum):
    """What the results say about a claim."""

    BORNE_OUT = "borne out"
    CONTRADICTED = "contradicted"
    CONSISTENT = "consistent so far"
    AT_ODDS = "at odds so far"
    UNDECIDED = "undecided"


SUPPORTED = (Outcome.BORNE_OUT, Outcome.CONSISTENT)
OPPOSED = (Outcome.CONTRADICTED, Outcome.AT_ODDS)


@dataclass(frozen=True)
class Verdict:
    """What the results say about a claim.

    Attributes:
        claim: the claim.
        outcome: borne out or contradicted if the runs meet all of the claim's conditions,
            consistent or at odds so far if they don't, or undecided.
        effect: effect in words, with its interval; empty if there is nothing to compare.
        reason: what is missing or left out.
        unmet: the claim's conditions that the runs don't meet.
        parts: effect in each corpus, scheme or architecture.
        runs: folder names of the runs behind it, or the file of Table 4.
        extent: the corpora, strides and replicates that it covers.
        opposes: the probability that runs oppose the claim this much by chance; None if nothing
            was tested.
    """

    claim: Claim
    outcome: Outcome
    effect: str = ""
    reason: str = ""
    unmet: tuple[str, ...] = ()
    parts: Mapping[str, str] = field(default_factory=dict)
    runs: tuple[str, ...] = ()
    extent: str = ""
    opposes: float | None = None

    @property
    def conditions(self) -> str:
        """How far its runs meet the claim's conditions."""
        if not self.effect:
            return ""
        total = len(self.claim.about)
        met = f"meets {max(total - len(self.unmet), 0)} of {total} conditions"
        return f"{met}: {'; '.join(self.unmet)}" if self.unmet else f"meets all {total} conditions"


def judge(claim: Claim, evidence: Evidence) -> Verdict:
    """Judge a claim by the evidence, as if it were the only one; `judge_together` allows for all.

    While cells are pending, nothing is decided, but the effect so far is given. Cells that failed,
    whose corpus is not available, or that some replicate of their sweep lacks, are left out and
    named: a mean over other cells in each replicate would take their difference for chance.
    """
    if missing := evidence.missing(claim.needs):
        return Verdict(claim, Outcome.UNDECIDED, reason=to_train(missing, evidence.scale))
    if TABLE4 in claim.needs and evidence.table4 is not None:
        return _judge_table4(claim, evidence.table4, f"figures/{TABLE4}-{evidence.scale}.csv")
    results = evidence.select(claim.needs)
    if results.cells.empty:
        wanted = "; ".join(f"{name} ({where or 'any cell'})" for name, where in claim.needs.items())
        reason = f"no cell with the experiment's own settings is of these: {wanted}"
        return Verdict(claim, Outcome.UNDECIDED, reason=reason)
    single = _lacks_replicates(results.cells)
    cells = results.cells[~single]
    curves = curves_of(cells, results.curves)
    pending = cells["state"].isin(PENDING)
    finding = claim.test(curves) if len(curves) else None
    named = _left_out(results.cells, single)
    if finding is None or not finding.effect:
        reason = finding.doubt if finding else "no cell has a result"
        reason = _pending(cells, pending) if pending.any() else reason
        return Verdict(claim, Outcome.UNDECIDED, reason="; ".join([reason, *named]))
    doubts = list(_doubts(cells, curves, pending))
    unmet = claim.about.unmet(curves)
    outcome = Outcome.UNDECIDED if doubts else _outcome(finding, unmet)
    if outcome is Outcome.UNDECIDED and not doubts:
        doubts = [finding.doubt]
    return Verdict(
        claim,
        outcome,
        finding.effect,
        "; ".join(doubts + named),
        tuple(unmet),
        finding.parts,
        tuple(curves["run"].unique()),
        _extent(curves),
        finding.chance.opposes if finding.chance != Chance() else None,
    )


def judge_together(claims: Sequence[Claim], evidence: Evidence) -> list[Verdict]:
    """Judge several claims: contradictions have to survive Holm's correction for their number."""
    verdicts = [judge(claim, evidence) for claim in claims]
    tested = [n for n, verdict in enumerate(verdicts) if verdict.opposes is not None]
    adjusted = holm([verdicts[n].opposes or 0.0 for n in tested])
    for n, p in zip(tested, adjusted, strict=True):
        if verdicts[n].outcome in OPPOSED and p >= ALPHA:
            reason = f"one of {len(tested)} claims would be opposed this much by chance"
            reason = "; ".join(filter(None, (f"{reason} (Holm: p = {p:.2g})", verdicts[n].reason)))
            verdicts[n] = replace(verdicts[n], outcome=Outcome.UNDECIDED, reason=reason)
    return verdicts


def false_verdicts(verdicts: Sequence[Verdict]) -> str:
    """A sentence: how many of these verdicts to expect to be false."""
    tested = sum(verdict.opposes is not None for verdict in verdicts)
    return (
        f"{tested} claims were tested. If none of them held, at most {ALPHA * tested:.1f} would be"
        " expected to look borne out or consistent by chance; that any of those contradicted or at"
        f" odds is so by chance has a probability of at most {ALPHA:.1%} (Holm)."
    )


def _lacks_replicates(cells: pd.DataFrame) -> pd.Series[bool]:
    """Which of the finished cells some replicate of their sweep has no cell for."""
    alike = [name for name in (*KEY, *VARIED) if name != "seed" and name in cells]
    seeds = cells.groupby(alike, dropna=False)["seed"].transform("nunique")
    of_sweep = cells.groupby("sweep")["seed"].transform("nunique")
    return cells["state"].isin(RESULTS) & (seeds < of_sweep)


def _left_out(cells: pd.DataFrame, single: pd.Series[bool]) -> list[str]:
    """A note of the cells without a result, and of the ``single`` ones; none if there are none."""
    without = ~cells["state"].isin((*PENDING, *RESULTS))
    named = [_named(cells, without)] if without.any() else []
    if single.any():
        shown = cells[[name for name in (*CELL, *VARIED) if name in cells]]
        named.append(f"not in every replicate: {name_cells(shown, single)}")
    return [f"left out: {'; '.join(named)}"] if named else []


def _outcome(finding: Finding, unmet: Sequence[str]) -> Outcome:
    if finding.supports:
        return Outcome.CONSISTENT if unmet else Outcome.BORNE_OUT
    if finding.opposes:
        return Outcome.AT_ODDS if unmet else Outcome.CONTRADICTED
    return Outcome.UNDECIDED


def _doubts(cells: pd.DataFrame, curves: pd.DataFrame, pending: pd.Series[bool]) -> Iterator[str]:
    """Reasons why nothing is decided, whatever the finding."""
    if pending.any():
        yield _pending(cells, pending)
    elif absent := _absent(cells, curves):
        yield f"no cell has a result with {absent}"


def _judge_table4(claim: Claim, table: pd.DataFrame, source: str) -> Verdict:
    finding = claim.test(table)
    if not finding.effect:
        return Verdict(claim, Outcome.UNDECIDED, reason="Table 4 does not have this measurement")
    sizes = sorted(set(table["hidden_size"]))
    lacks = set(claim.about.hidden_size) - set(sizes)
    unmet = [f"gamma={', '.join(map(str, sizes))}, not 128, 512"] if lacks else []
    outcome = _outcome(finding, unmet)
    reason = finding.doubt if outcome is Outcome.UNDECIDED else ""
    return Verdict(claim, outcome, finding.effect, reason, tuple(unmet), finding.parts, (source,))


def _extent(curves: pd.DataFrame) -> str:
    """The corpora, strides and replicates of the curves."""
    known = {corpus: stands_for(corpus) or corpus for corpus in curves["corpus"].unique()}
    corpora = ", ".join(
        corpus if corpus == original else f"{corpus} for {original.capitalize()}"
        for corpus, original in known.items()
    )
    strides = ", ".join(map(str, sorted(curves["k1"].unique())))
    seeds = curves["seed"].nunique()
    return f"on {corpora}; k1={strides}; {seeds} replicate{'s' * (seeds != 1)}"


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
