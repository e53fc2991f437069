"""What a few batches more do with another start of the training sequences (arXiv 2507.02782)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.markdown import markdown_head, markdown_row
from analysis.reading_on.starts import BASELINE
from analysis.reading_on.summary import factor, near_and_far
from analysis.results import Results

BEFORE = "before"
"""The start in tables and figures of a model that has not been trained further."""


def with_before(after: Results, before: Results) -> Results:
    """The results of runs that were trained further, and those of the runs that they began with.

    Args:
        after: of a sweep over starts.
        before: of the sweep that they got their initial weights from; its start becomes BEFORE.
    """
    cells, curves = (
        pd.concat([one.copy().assign(start=BEFORE), other], ignore_index=True)
        for one, other in ((before.cells, after.cells), (before.curves, after.curves))
    )
    return Results(cells, curves)


def against_control(results: Results) -> Iterator[str]:
    """A row per start: the perplexity at k2 and far beyond it, and the second over the first.

    Two further columns have both over those of the control, which was trained as long with the
    start unchanged. The lines are those of a Markdown table.

    Args:
        results: of one corpus and k1, see with_before.
    """
    table = near_and_far(results)
    control = table[table["start"] == BASELINE].set_index("seed")
    over = {end: table[end] - table["seed"].map(control[end]) for end in ("near", "far")}
    yield from markdown_head(
        "`start=`", "at k2", "far beyond it", "far / at k2", "at k2 / control", "far / control"
    )
    for start, own in table.groupby("start", sort=False):
        near, far = (np.exp(own[end].mean()) for end in ("near", "far"))
        cost = factor(own["far"] - own["near"], own["seed"])
        ratios = (
            [""] * 2
            if start == BASELINE
            else [str(factor(over[end][own.index], own["seed"])) for end in ("near", "far")]
        )
        name = start if start == BEFORE else f"`{start}`"
        yield markdown_row(name, f"{near:.2f}", f"{far:.2f}", str(cost), *ratios)
