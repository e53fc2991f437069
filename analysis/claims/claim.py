"""A claim: what the paper says, the cells that decide it, and the test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from analysis.claims.rules import Finding

ALL = ""
"""The condition that every cell of an experiment meets."""


@dataclass(frozen=True)
class Claim:
    """A claim of the paper, or a question of our own that it raises.

    Attributes:
        id: short name.
        section: where the paper says it.
        says: what it says, in our words.
        needs: conditions on the cells that decide it, by experiment, see Evidence.select; `table4`
            stands for the measurements of Table 4.
        schemes: the schemes that it is about.
        measured: what the test measures, in a sentence.
        test: finds the answer in the curves of these cells, or in the rows of Table 4.
        whole: whether it is about the end of the paper's 12,800 batches, or about the paper's
            network sizes in Table 4. Shorter runs and other sizes can bear it out, but they cannot
            contradict it.
        beyond: number of batches after which its effect begins; shorter runs decide nothing.
        ours: whether this project adds the question.
    """

    id: str
    section: str
    says: str
    needs: Mapping[str, str]
    schemes: tuple[int, ...]
    measured: str
    test: Callable[[pd.DataFrame], Finding]
    whole: bool = False
    beyond: int = 0
    ours: bool = False
