"""A claim: what the paper says, the cells that decide it, and the test."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.claims.conditions import Conditions
from analysis.claims.finding import Finding

ALL = ""
"""The condition that every cell of an experiment meets."""
Test = Callable[[pd.DataFrame], Finding]


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, or a question of our own that it raises.

    Attributes:
        id: short name.
        section: where the paper says it.
        needs: which cells its test takes, by experiment, see Evidence.select; `table4` stands for
            the measurements of Table 4.
        schemes: the schemes that it is about.
        says: what it says, in our words.
        measured: what the test measures.
        test: finds the answer in the curves of these cells, or in the rows of Table 4.
        about: the conditions that it speaks of.
        ours: whether this project adds the question.
    """

    id: str
    section: str
    needs: Mapping[str, str]
    schemes: tuple[int, ...]
    says: str
    measured: str
    test: Test
    about: Conditions
    ours: bool = False


def claim(
    name: str,
    section: str,
    needs: Mapping[str, str],
    schemes: tuple[int, ...],
    about: Conditions,
    **how: Any,
) -> Callable[[Test], Claim]:
    """Make a claim of its test: the docstring says what it claims and, below, what is measured.

    The arguments are the attributes of Claim; ``name`` is its id.
    """

    def of(test: Test) -> Claim:
        says, measured = inspect.cleandoc(test.__doc__ or "").split("\n\n")
        return Claim(name, section, needs, schemes, says, measured, test, about, **how)

    return of
