"""All claims, in the order of the paper, and their verdicts."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.claims.claim import Claim
from analysis.claims.evidence import Evidence
from analysis.claims.paper import (
    fig7_fig8_architectures,
    fig7_side_experiments,
    fig9_schemes,
    fig10_strides_and_corpora,
    fig11_lengths,
    fig11_training_time,
    readings,
    table4_speed,
)
from analysis.claims.verdict import Verdict, judge_together

MODULES = (
    fig9_schemes,
    fig10_strides_and_corpora,
    fig7_fig8_architectures,
    fig7_side_experiments,
    table4_speed,
    fig11_training_time,
    fig11_lengths,
    readings,
)
CLAIMS = tuple(one for module in MODULES for one in vars(module).values() if isinstance(one, Claim))
"""Every claim in these modules, as they define them."""


def judge_all(evidence: Evidence) -> list[Verdict]:
    """Judge every claim, with Holm's correction for their number."""
    return judge_together(CLAIMS, evidence)


def concerning(scheme: int, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts on the paper's claims about ``scheme``."""
    return [verdict for verdict in papers(verdicts) if scheme in verdict.claim.schemes]


def papers(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts on the paper's own claims."""
    return [verdict for verdict in verdicts if not verdict.claim.ours]
