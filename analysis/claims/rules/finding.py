"""What a claim's test finds in the tables, and what follows from it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd


class Outcome(StrEnum):
    """What the tables say of a claim."""

    BORNE_OUT = "borne out"
    CONTRADICTED = "contradicted"
    UNDECIDED = "cannot decide"


@dataclass(frozen=True)
class Interval:
    """An open interval; what a claim says of a number, or what is known of one."""

    low: float = -math.inf
    high: float = math.inf

    def __contains__(self, value: float) -> bool:
        return self.low < value < self.high

    def judge(self, known: Interval) -> Outcome:
        """Borne out if all of ``known`` lies in here, contradicted if none of it does."""
        if self.low < known.low and known.high < self.high:
            return Outcome.BORNE_OUT
        if known.high <= self.low or known.low >= self.high:
            return Outcome.CONTRADICTED
        return Outcome.UNDECIDED


class Finding(ABC):
    """A number with what surrounds it, and the claim's word on it.

    Attributes:
        nothing: what is said if the tables have nothing to compare.
    """

    nothing: str = "there are no two cells to compare"

    @property
    @abstractmethod
    def empty(self) -> bool:
        """Whether the tables have nothing to compare."""

    @abstractmethod
    def outcome(self) -> Outcome:
        """What follows if nothing is missing."""

    @abstractmethod
    def effect(self) -> str:
        """The effect size in words, with its interval where there is one."""

    @abstractmethod
    def parts(self) -> dict[str, str]:
        """The effect size of each part: a corpus, a scheme, an architecture."""

    @abstractmethod
    def doubt(self) -> str:
        """What would settle an outcome that cannot be decided."""


@dataclass(frozen=True)
class Every(Finding):
    """Several findings, all of which the claim is about: it holds if every one of them does.

    It is contradicted if one of them is; one that has nothing to compare decides nothing.

    Attributes:
        findings: by what they are called.
    """

    findings: Mapping[str, Finding]

    @property
    def empty(self) -> bool:
        return all(finding.empty for finding in self.findings.values())

    def outcome(self) -> Outcome:
        return weakest(map(_outcome, self.findings.values()))

    def doubt(self) -> str:
        doubtful = {
            name: finding.nothing if finding.empty else finding.doubt()
            for name, finding in self.findings.items()
            if _outcome(finding) is Outcome.UNDECIDED
        }
        return "; ".join(
            f"{', '.join(name for name in doubtful if doubtful[name] == doubt)}: {doubt}"
            for doubt in dict.fromkeys(doubtful.values())
        )

    def effect(self) -> str:
        return "; ".join(f"{name} {finding.effect()}" for name, finding in self._known.items())

    def parts(self) -> dict[str, str]:
        return {
            f"{name}, {part}": effect
            for name, finding in self._known.items()
            for part, effect in finding.parts().items()
        }

    @property
    def _known(self) -> dict[str, Finding]:
        return {name: finding for name, finding in self.findings.items() if not finding.empty}


def _outcome(finding: Finding) -> Outcome:
    return Outcome.UNDECIDED if finding.empty else finding.outcome()


def weakest(outcomes: Iterable[Outcome]) -> Outcome:
    """That of a claim of which all of these have to be borne out."""
    known = set(outcomes)
    for outcome in (Outcome.CONTRADICTED, Outcome.UNDECIDED):
        if outcome in known:
            return outcome
    return Outcome.BORNE_OUT


def named(column: str, words: pd.Series[str]) -> dict[str, str]:
    """Words about values of a column, by what these are called: `scheme 1`, `k2=20`, `chorales`."""
    called = {"corpus": "", "scheme": "scheme "}.get(column, f"{column}=")
    return {f"{called}{value}": text for value, text in words.items()}
