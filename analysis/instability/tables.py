"""Tables of docs/explanation/instability.md, from the reference results; see analysis.numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from analysis.curves import at, contrast, gaps
from analysis.instability.content import content, effects
from analysis.instability.restarts import restarts
from analysis.markdown import markdown_head, markdown_row
from analysis.statistics.units import percent
from analysis.table_parts import (
    BIASES,
    TRAININGS,
    by_corpus,
    corpora_of,
    curves_of,
    ends_by_reading,
    extent,
    where,
    with_interval,
)
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES as READINGS


def readings(sweep: str = "readings") -> Iterator[str]:
    """Perplexity at the end, windowed / progressive; the gap; in brackets the number of cells."""
    curves = curves_of(sweep)
    corpora = corpora_of(curves["corpus"].unique())
    yield from markdown_head(f"up to {extent(curves)}", *corpora)
    both = ends_by_reading(curves)
    gap = gaps(curves)
    for bias in sorted(curves["forget_bias"].unique(), reverse=True):
        for scheme, name in TRAININGS.items():
            cells = []
            for corpus in corpora:
                place = [("forget_bias", bias), ("scheme", scheme), ("corpus", corpus)]
                windowed, progressive, apart = (where(one, place) for one in (*both, gap))
                cells.append(
                    f"{np.exp(windowed.mean()):.1f} / {np.exp(progressive.mean()):.1f}"
                    f", gap {apart.mean():+.2f} ({len(apart)})"
                    if len(apart)
                    else "not trained"
                )
            yield markdown_row(f"{name}, forget bias {bias:g}", *cells)


def schemes_by_bias() -> Iterator[str]:
    """How far the other schemes end above scheme 1 with each forget bias, over replicates."""
    curves = curves_of("readings")
    windowed, progressive = ends_by_reading(curves)
    scheme_1 = at(windowed, "scheme", 1)
    read = {2: at(windowed, "scheme", 2), 3: at(progressive, "scheme", 1)}
    read[4] = at(progressive, "scheme", 4)
    over = {scheme: values - scheme_1 for scheme, values in read.items()}
    corpora = corpora_of(curves["corpus"].unique())
    yield from markdown_head(f"up to {extent(curves)}", *corpora, "all of them")
    for bias in BIASES:
        for scheme, apart in over.items():
            own = at(apart, "forget_bias", bias).dropna()
            name = f"scheme {scheme} over scheme 1, forget bias {bias:g}"
            yield markdown_row(name, *by_corpus(own, corpora))


def wide() -> Iterator[str]:
    """Both readings at the paper's width, the gap, and what bias 5 costs beside 0."""
    curves = curves_of("wide")
    both = ends_by_reading(curves)
    gap = gaps(curves)
    yield from markdown_head(
        f"gamma 512, {extent(curves)}", *READINGS, "gap", "progressive, over bias 0"
    )
    for corpus in gap.index.unique("corpus"):
        for scheme in gap.index.unique("scheme"):
            place = [("corpus", corpus), ("scheme", scheme)]
            costs = contrast(where(both[1], place), "forget_bias", *BIASES)
            for bias in BIASES:
                here = [*place, ("forget_bias", bias)]
                windowed, progressive, apart = (where(one, here) for one in (*both, gap))
                if len(apart):
                    yield markdown_row(
                        f"{corpus}, {TRAININGS[scheme]}, forget bias {bias:g}",
                        *(f"{np.exp(one.mean()):.2f}" for one in (windowed, progressive)),
                        with_interval(apart, "{:+.3f}".format),
                        with_interval(costs, percent) if bias else "",
                    )


def shortest() -> Iterator[str]:
    """Schemes 3 and 4 with k2 = 20 at the paper's size: both readings, at their lowest and ends."""
    sweeps = (curves_of(name, "long") for name in ("shortest-3", "shortest"))
    curves = pd.concat(sweeps, ignore_index=True)
    yield from markdown_head(
        f"chorales, {extent(curves)}",
        "perplexity of the last training batches",
        *(f"{reading}: lowest (at batch), largest after it, end" for reading in READINGS),
    )
    for (scheme, bias, k1), cell in curves.groupby(["scheme", "forget_bias", "k1"]):
        cell = cell.sort_values("batches")
        yield markdown_row(
            f"scheme {scheme}, forget bias {bias:g}, k1 = {k1}",
            f"{np.exp(cell['train_loss'].iloc[-1]):.1f}",
            *(_lowest_and_end(cell.set_index("batches")[reading]) for reading in READINGS),
        )


def _lowest_and_end(values: pd.Series) -> str:
    """Perplexities by batch: the lowest and where it is, the largest that follows, and the last."""
    at_batch = int(values.index.to_numpy()[np.nanargmin(values)])
    after = values.loc[at_batch:]
    largest = f"{after.max():,.0f}" if after.max() < 1e6 else f"{after.max():.0e}"
    return f"{after.iloc[0]:.1f} ({at_batch:,}), {largest}, {after.iloc[-1]:,.0f}"


TABLES: dict[str, Callable[[], Iterator[str]]] = {
    "readings-laptop": readings,
    "readings-401-laptop": lambda: readings("readings-401"),
    "schemes-by-bias": schemes_by_bias,
    "wide-laptop": wide,
    "restarts": lambda: restarts(curves_of("restarts")),
    "content": lambda: content(curves_of("length-or-content")),
    "content-effects": lambda: effects(curves_of("length-or-content")),
    "shortest": shortest,
}
"""By the names that they have on pages."""
