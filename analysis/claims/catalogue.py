"""All claims, in the order of the paper, and what is ours beside them."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.claims import architectures, lengths, oddities, robustness, schemes, speed, times
from analysis.claims.evidence import Evidence
from analysis.claims.verdict import Verdict, judge

CLAIMS = (
    *schemes.CLAIMS,
    *robustness.CLAIMS,
    *architectures.CLAIMS,
    *oddities.CLAIMS,
    *speed.CLAIMS,
    *times.CLAIMS,
    *lengths.CLAIMS,
)


def judge_all(evidence: Evidence) -> list[Verdict]:
    """The verdict on every claim."""
    return [judge(claim, evidence) for claim in CLAIMS]


def concerning(scheme: int, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those of the verdicts that are on the paper's claims about ``scheme``."""
    return [verdict for verdict in papers(verdicts) if scheme in verdict.claim.schemes]


def papers(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Those of the verdicts that are on claims of the paper's."""
    return [verdict for verdict in verdicts if not verdict.claim.ours]
