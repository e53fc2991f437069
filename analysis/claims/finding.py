"""What a claim's test finds, and what several findings say together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from analysis.statistics.intervals import ALPHA, Chance

NO_PAIR = "there are no two cells to compare"


def by_luck(tests: int) -> str:
    """A doubt: one of so many tests alone opposes a claim, which one of them would by chance."""
    return f"one of {tests} comparisons would oppose it this much by chance"


@dataclass(frozen=True)
class Finding:
    """What a claim's test finds in the results.

    Attributes:
        effect: the effect, with its interval if it has one; empty if there is nothing to compare.
        chance: how probable it is by chance.
        doubt: why it supports and opposes nothing, if it does neither.
        parts: the effect in each part: each corpus, scheme or architecture.
    """

    effect: str = ""
    chance: Chance = field(default_factory=Chance)
    doubt: str = NO_PAIR
    parts: Mapping[str, str] = field(default_factory=dict)

    @property
    def supports(self) -> bool:
        """Whether it supports the claim by more than chance."""
        return self.chance.supports < ALPHA

    @property
    def opposes(self) -> bool:
        """Whether it opposes the claim by more than chance."""
        return self.chance.opposes < ALPHA


def every(findings: Mapping[str, Finding]) -> Finding:
    """Several findings, all of which have to support the claim; any of them can oppose it.

    The chance that one of several opposes it grows with their number, which is allowed for.

    Args:
        findings: by their names.
    """
    known = _known(findings)
    opposes = min(1.0, len(known) * min((f.chance.opposes for f in known.values()), default=1.0))
    supports = max((f.chance.supports for f in findings.values()), default=1.0)
    joined = _joined(known, Chance(supports, opposes), _open(findings))
    lucky = [name for name, finding in known.items() if finding.opposes]
    return _doubting(joined, lucky, by_luck(len(known)))


def any_of(findings: Mapping[str, Finding]) -> Finding:
    """Several findings, one of which suffices; the chance that one does by chance is allowed for.

    Args:
        findings: by their names.
    """
    known = _known(findings)
    supports = min(1.0, len(known) * min((f.chance.supports for f in known.values()), default=1.0))
    opposes = max((f.chance.opposes for f in findings.values()), default=1.0)
    joined = _joined(known, Chance(supports, opposes), _open(findings))
    lucky = [name for name, finding in known.items() if finding.supports]
    doubt = f"one of {len(known)} comparisons would support it this much by chance"
    return _doubting(joined, lucky, doubt)


def _doubting(joined: Finding, lucky: list[str], doubt: str) -> Finding:
    """The finding, with a doubt about those that say something alone but not among all."""
    if not lucky or joined.supports or joined.opposes:
        return joined
    doubts = filter(None, (f"{', '.join(lucky)}: {doubt}", joined.doubt))
    return replace(joined, doubt="; ".join(doubts))


def _open(findings: Mapping[str, Finding]) -> dict[str, str]:
    """The doubts about those that say nothing."""
    return {name: f.doubt for name, f in findings.items() if not f.supports and not f.opposes}


def _known(findings: Mapping[str, Finding]) -> dict[str, Finding]:
    return {name: finding for name, finding in findings.items() if finding.effect}


def _joined(known: Mapping[str, Finding], chance: Chance, doubts: Mapping[str, str]) -> Finding:
    if not known:
        return Finding(doubt=next(iter(doubts.values()), NO_PAIR))
    reasons: dict[str, list[str]] = {}
    for name, doubt in doubts.items():
        reasons.setdefault(doubt, []).append(name)
    return Finding(
        "; ".join(f"{name} {finding.effect}" for name, finding in known.items()),
        chance,
        "; ".join(f"{', '.join(names)}: {doubt}" for doubt, names in reasons.items()),
        {
            f"{name}, {part}": effect
            for name, finding in known.items()
            for part, effect in finding.parts.items()
        },
    )
