"""All claims, in the order of the paper, and what is ours beside them."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.claims.evidence import Evidence
from analysis.claims.paper import (
    fig7_fig8_architectures,
    fig7_side_experiments,
    fig9_schemes,
    fig10_strides_and_corpora,
    fig11_lengths,
    fig11_training_time,
    table4_speed,
)
from analysis.claims.verdict import Verdict, judge

CLAIMS = (
    *fig9_schemes.CLAIMS,
    *fig10_strides_and_corpora.CLAIMS,
    *fig7_fig8_architectures.CLAIMS,
    *fig7_side_experiments.CLAIMS,
    *table4_speed.CLAIMS,
    *fig11_training_time.CLAIMS,
    *fig11_lengths.CLAIMS,
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
