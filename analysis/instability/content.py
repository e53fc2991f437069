"""What the length of a corpus does to stability, and what its content does: notes or text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.curves import Cells, at, gaps
from analysis.instability.definition import largest_rises
from analysis.markdown import markdown_head, markdown_row
from analysis.statistics.units import percent
from analysis.table_parts import BIASES, TRAININGS, ends_by_reading, extent, where, with_interval
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES as READINGS

CORPORA = {
    "masses-266672": "notes, short",
    "masses": "notes, whole",
    "shakespeare-266672": "text, short",
    "shakespeare": "text, whole",
}
"""The corpora, which differ in content or in length."""
COMPARED = {
    "notes: short over whole": ("masses-266672", "masses"),
    "text: short over whole": ("shakespeare-266672", "shakespeare"),
    "short: notes over text": ("masses-266672", "shakespeare-266672"),
    "whole: notes over text": ("masses", "shakespeare"),
}
"""Two corpora each, which differ in one of the two."""
PROGRESSIVE = {1: "scheme 3", 4: "scheme 4"}
"""What the progressive reading of a scheme's weights is called."""


def content(curves: pd.DataFrame) -> Iterator[str]:
    """A table: both readings at the end, the gap, and the largest rise read progressively."""
    both = ends_by_reading(curves)
    gap, rise = gaps(curves), _rises(curves)
    heads = "whole epochs", *READINGS, "gap", "largest rise, progressive: mean (most)"
    yield from markdown_head(f"gamma 128, {extent(curves)}", *heads)
    epochs = curves.groupby(["corpus", "k1"])["epoch"].max()
    for corpus, name in CORPORA.items():
        for scheme in PROGRESSIVE:
            for bias in BIASES:
                place = [("corpus", corpus), ("scheme", scheme), ("forget_bias", bias)]
                windowed, progressive, apart, rises = (
                    where(one, place) for one in (*both, gap, rise)
                )
                yield markdown_row(
                    f"{name}, {TRAININGS[scheme]}, forget bias {bias:g}",
                    " to ".join(map(str, sorted(set(epochs[corpus])))),
                    *(f"{np.exp(one.mean()):.1f}" for one in (windowed, progressive)),
                    with_interval(_by_replicate(apart), "{:+.3f}".format),
                    f"{percent(rises.mean())} ({percent(rises.max())})",
                )


def effects(curves: pd.DataFrame) -> Iterator[str]:
    """A table: by how much the largest rises of two corpora differ, read progressively."""
    rise = _rises(curves)
    yield from markdown_head("largest rise, over that of the other corpus", *COMPARED)
    for bias in BIASES:
        for scheme, name in PROGRESSIVE.items():
            own = where(rise, [("scheme", scheme), ("forget_bias", bias)])
            differences = (
                _by_replicate(at(own, "corpus", one)) - _by_replicate(at(own, "corpus", other))
                for one, other in COMPARED.values()
            )
            yield markdown_row(
                f"{name}, forget bias {bias:g}",
                *(with_interval(each, percent) for each in differences),
            )


def _rises(curves: pd.DataFrame) -> Cells:
    return largest_rises(curves.assign(perplexity=curves["progressive"]))


def _by_replicate(values: Cells) -> Cells:
    """Means over k1."""
    return values.groupby("seed").mean()
