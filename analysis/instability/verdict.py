"""The verdict in words: what the forget bias, carrying and each switch do to stability."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pandas as pd

from analysis.instability.summary import WINDOWED
from analysis.statistics.counts import Count, chance, exceeds
from analysis.statistics.effects import against, effect

AUTHORS_BIAS = 5.0
"""The forget bias of the authors' code, at which the switches are tried."""
BASELINE = "none"
"""The cells without a switch."""
CARRIED, RESET = 4, 3
"""The scheme that carries the state, and the one that trains alike but resets it."""
ANSWERS = {
    (True, False): "The hypothesis holds: it is the forget bias, not the carried state.",
    (True, True): "The hypothesis holds in part: it is both the forget bias and the carried state.",
    (False, True): "The hypothesis fails: it is the carried state, not the forget bias.",
    (False, False): "The hypothesis is open: so few cells could differ by chance.",
}
"""By whether more cells are unstable with the authors' bias, and with carrying."""


def count(cells: pd.DataFrame, column: str = "unstable") -> Count:
    """Count the unstable cells among those for which the column is known."""
    return Count.of(cells[column] if column in cells else pd.Series(dtype=bool))


def verdict(carry: pd.DataFrame, suspects: pd.DataFrame) -> list[str]:
    """Judge the hypothesis that the forget bias makes scheme 4 unstable; then all measurements.

    The first line is the answer. It rests on which cells are unstable: those of schemes 4 and 3,
    at the authors' forget bias and at smaller ones.

    Args:
        carry: cells of the experiment of that name, see analysis.instability.summary.summarise.
        suspects: the same.
    """
    lines = [_hypothesis(carry)]
    if len(carry):
        lines += _carrying(carry, "forget_bias")
        lines += [*_of_the_bias(carry), *_read_windowed(carry), *_when(carry)]
    if len(suspects):
        lines += _recipe(suspects[suspects["scheme"] == CARRIED])
        lines += _carrying(suspects, "suspect")
    return [*lines, *_states(carry)] if "mean_abs_cell" in carry else lines


def _hypothesis(carry: pd.DataFrame) -> str:
    if carry.empty:
        groups = []
    else:
        biased, carried = carry["forget_bias"] == AUTHORS_BIAS, carry["scheme"] == CARRIED
        groups = [carry[s & b] for s in (carried, ~carried) for b in (biased, ~biased)]
    if not groups or any(group.empty for group in groups):
        return "The hypothesis is open: the cells that would settle it are not finished."
    four, four_below, three, three_below = map(count, groups)
    by_bias, by_carrying = (
        (count(carry[chosen]), count(carry[~chosen])) for chosen in (biased, carried)
    )
    answer = ANSWERS[exceeds(*by_bias), exceeds(*by_carrying)]
    if not count(carry).true:
        answer = "Nothing to explain: no cell is unstable."
    below = ", ".join(f"{bias:g}" for bias in sorted(set(carry["forget_bias"]) - {AUTHORS_BIAS}))
    return (
        f"{answer} In scheme 4, {four} cells are unstable at forget bias {AUTHORS_BIAS:g} and"
        f" {four_below} at {below}; in scheme 3, which carries nothing, {three} and {three_below}"
        f" (bias: p = {chance(*by_bias):.2g}; carrying: p = {chance(*by_carrying):.2g})."
    )


def _carrying(cells: pd.DataFrame, column: str) -> Iterator[str]:
    """What carrying does at each value of a column that has a pair of cells."""
    for value, group in cells.groupby(column, sort=False):
        four, three = (group[group["scheme"] == scheme] for scheme in (CARRIED, RESET))
        final = effect(three, four, "scheme", "final")
        if final is not None:
            name = f"switch {value}" if column == "suspect" else f"forget bias {value:g}"
            yield (
                f"{name}: unstable cells: {count(four)} in scheme 4, {count(three)} in scheme 3"
                f" (largest rises x {four['rise'].max():.2f} and x {three['rise'].max():.2f});"
                f" final perplexity of scheme 4 relative to scheme 3: {final}"
            )


def _of_the_bias(carry: pd.DataFrame) -> Iterator[str]:
    """What the forget bias itself does, with and without carrying."""
    for scheme, cells in carry.groupby("scheme"):
        for bias, found in against(cells, "forget_bias", AUTHORS_BIAS, "final").items():
            yield (
                f"scheme {scheme}, forget bias {bias:g} relative to {AUTHORS_BIAS:g}:"
                f" final perplexity {found}"
            )


def _read_windowed(carry: pd.DataFrame) -> Iterator[str]:
    """The control: whether the weights are unstable, or only states that have grown old."""
    for bias, cells in carry.groupby("forget_bias"):
        if (found := count(cells, f"{WINDOWED}unstable")).cells:
            yield (
                f"scheme 3's runs with forget bias {bias:g}, read by windowed sampling: {found}"
                f" cells unstable (largest rise x {cells[f'{WINDOWED}rise'].max():.2f})"
            )


def _when(carry: pd.DataFrame) -> Iterator[str]:
    """When scheme 4's cells rise most, and how long after a restart from the zero state."""
    known = carry[(carry["scheme"] == CARRIED) & carry["rise_at"].notna()]
    for bias, cells in known.sort_values("rise", ascending=False).groupby("forget_bias"):
        rises = [
            f"x {row['rise']:.2f} at {row['rise_at']:.0f}"
            + ("" if math.isnan(row["since_start"]) else f" ({row['since_start']:.0f})")
            for row in cells.to_dict("records")
        ]
        yield (
            f"scheme 4, forget bias {bias:g}, each cell's largest rise, its batch, and at most how"
            f" many batches after an epoch started from the zero state: {', '.join(rises)}"
        )


def _recipe(cells: pd.DataFrame) -> Iterator[str]:
    """What each switch does to scheme 4, and which stable one ends at the lowest perplexity."""
    without = count(cells[cells["suspect"] == BASELINE])
    if not without.cells:
        return
    changed = against(cells, "suspect", BASELINE, "final")
    counts = {name: count(cells[cells["suspect"] == name]) for name in changed}
    for name, found in changed.items():
        yield (
            f"scheme 4 with {name}, relative to scheme 4 without: final perplexity {found}; "
            f"{counts[name]} cells unstable, {without} without"
        )
    stable = [name for name in changed if not counts[name].true]
    if not without.true:
        yield "Recipe: none is needed, scheme 4 is stable without a switch."
    elif stable:
        p = chance(counts[stable[0]], without)
        yield (
            f"Recipe: {stable[0]}, which ends lowest of the switches that make scheme 4 stable"
            f" ({counts[stable[0]]} cells unstable, {without} without: p = {p:.2g})."
        )
    else:
        yield "Recipe: no switch makes scheme 4 stable."


def _states(carry: pd.DataFrame) -> Iterator[str]:
    """The size of the states and gradients at the end, where it was measured."""
    for (scheme, bias), cells in carry.groupby(["scheme", "forget_bias"]):
        mean, share, gradient = cells[
            ["mean_abs_cell", "saturated_share", "gradient_norm"]
        ].median()
        if math.isfinite(mean):
            yield (
                f"scheme {scheme}, forget bias {float(str(bias)):g}, medians of cells at the end: "
                f"mean |c| {mean:.3g}, {share:.1%} of tanh(c) saturated, gradient norm "
                f"{gradient:.3g}; largest |c| during training, in any cell: "
                f"{cells['largest_cell'].max():.3g}"
            )
