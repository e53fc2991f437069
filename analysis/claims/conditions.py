"""The conditions that a claim of the paper speaks of, and how far runs meet them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from analysis.instability.definition import SETTLED
from charrnn.data.corpora.for_figures import stands_for

STRIDES = (20, 40, 60, 80, 100)
CORPORA = ("english", "finnish", "linux", "music")
DENSE = 1.5
"""Evaluations of a dense schedule are less than this factor of batches apart."""


@dataclass(frozen=True)
class Conditions:
    """What a claim speaks of. Runs that lack any of it decide nothing: their verdict is "so far".

    Attributes:
        batches: how many batches are enough to tell.
        hidden_size: gammas.
        k1: strides; empty where the claim does not depend on them.
        k2: lengths of sequences.
        corpora: the paper's corpora.
        own: whether it is about these corpora themselves. A claim about schemes on several kinds of
            corpora can be judged on others of their kinds, one about Finnish only on Finnish.
        dense: whether rises between log-spaced evaluations would be missed.
    """

    batches: int = 12_800
    hidden_size: tuple[int, ...] = (512,)
    k1: tuple[int, ...] = STRIDES
    k2: tuple[int, ...] = (100,)
    corpora: tuple[str, ...] = CORPORA
    own: bool = False
    dense: bool = False

    def __len__(self) -> int:
        """The number of conditions."""
        return sum(map(bool, (self.batches, self.hidden_size, self.k1, self.k2, self.corpora)))

    def unmet(self, curves: pd.DataFrame) -> list[str]:
        """What these curves lack, a phrase each."""
        return [lack for lack in self._lacks(curves) if lack]

    def _lacks(self, curves: pd.DataFrame) -> Iterator[str]:
        if self.batches:
            yield self._batches(curves)
        for name, symbol in (("hidden_size", "gamma"), ("k1", "k1"), ("k2", "k2")):
            wanted, known = getattr(self, name), sorted(set(curves[name]))
            if not set(wanted) <= set(known):
                yield f"{symbol}={_listed(known)}, not {_listed(wanted)}"
        yield self._corpora(curves["corpus"].unique())

    def _batches(self, curves: pd.DataFrame) -> str:
        shortest = int(curves.groupby("run")["batches"].max().min())
        if shortest < self.batches:
            return f"{shortest:,} batches, not {self.batches:,}"
        return (
            "evaluated at log-spaced batches, not densely"
            if self.dense and not (_is_dense(curves))
            else ""
        )

    def _corpora(self, known: Iterable[str]) -> str:
        places = {stands_for(corpus) or corpus: corpus for corpus in known}
        absent = [name.capitalize() for name in self.corpora if name not in places]
        lacks = [f"nothing on {_listed(absent)}"] if absent else []
        if self.own:
            lacks += [
                f"{places[name]} in place of {name.capitalize()}"
                for name in self.corpora
                if places.get(name, name) != name
            ]
        return ", ".join(lacks)


def _is_dense(curves: pd.DataFrame) -> bool:
    """Whether evaluations of every run follow each other closely, once they count."""
    counts = (sorted(set(run)) for _, run in curves.groupby("run")["batches"])
    return all(
        later <= DENSE * earlier
        for run in counts
        for earlier, later in pairwise(run)
        if earlier > 2 * SETTLED
    )


def _listed(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
