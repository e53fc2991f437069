"""A claim: what the paper says, the cells that decide it, and the test."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.claims.rules import Finding

ALL = ""
"""The condition that every cell of an experiment meets."""
Test = Callable[[pd.DataFrame], Finding]


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, or a question of our own that it raises.

    Attributes:
        id: short name.
        section: where the paper says it.
        needs: conditions on the cells that decide it, by experiment, see Evidence.select; `table4`
            stands for the measurements of Table 4.
        schemes: the schemes that it is about.
        says: what it says, in our words.
        measured: what the test measures.
        test: finds the answer in the curves of these cells, or in the rows of Table 4.
        whole: whether it is about the end of the paper's 12,800 batches, or about the paper's
            network sizes in Table 4. Shorter runs and other sizes can bear it out, but they cannot
            contradict it.
        beyond: number of batches after which its effect begins; shorter runs decide nothing.
        ours: whether this project adds the question.
    """

    id: str
    section: str
    needs: Mapping[str, str]
    schemes: tuple[int, ...]
    says: str
    measured: str
    test: Test
    whole: bool = False
    beyond: int = 0
    ours: bool = False


def claim(
    name: str, section: str, needs: Mapping[str, str], schemes: tuple[int, ...], **how: Any
) -> Callable[[Test], Claim]:
    """Make a claim of its test: the docstring says what it claims and, below, what is measured.

    The arguments are the attributes of Claim; ``name`` is its id.
    """

    def of(test: Test) -> Claim:
        says, measured = inspect.cleandoc(test.__doc__ or "").split("\n\n")
        return Claim(name, section, needs, schemes, says, measured, test, **how)

    return of
