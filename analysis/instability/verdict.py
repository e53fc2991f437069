"""What the numbers say of the forget bias, of carrying, and of the other suspects."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from analysis.instability.summary import WINDOWED
from analysis.statistics.counts import Count, chance, exceeds
from analysis.statistics.effects import Effect, against, effect

AUTHORS_BIAS = 5.0
"""The forget bias of the authors' code, at which the other suspects are tried."""
BASELINE = "none"
"""The suspect that changes nothing."""
CARRIED, RESET = 4, 3
"""The schemes that are compared."""


def count(cells: pd.DataFrame, column: str = "unstable") -> Count:
    """How many of those cells in which the column is known are unstable."""
    return Count.of(cells[column] if column in cells else pd.Series(dtype=bool))


@dataclass(frozen=True)
class Carrying:
    """What carrying the state does under one condition.

    Attributes:
        final: scheme 4's final perplexity over scheme 3's.
        unstable: of the cells of each scheme.
        rise: the largest among them.
    """

    final: Effect
    unstable: dict[int, Count]
    rise: dict[int, float]

    def __str__(self) -> str:
        counts = [f"{self.unstable[s]} of scheme {s}" for s in (CARRIED, RESET)]
        rises = " and ".join(f"x {self.rise[s]:.2f}" for s in (CARRIED, RESET))
        return (
            f"unstable cells: {', '.join(counts)} (largest rises {rises}); "
            f"final perplexity of 4 over 3 {self.final}"
        )


def carrying(cells: pd.DataFrame, column: str) -> dict[object, Carrying]:
    """What carrying does, by the values of a column; those without a pair of cells are left out."""
    found: dict[object, Carrying] = {}
    for value, group in cells.groupby(column, sort=False) if len(cells) else ():
        of = {scheme: group[group["scheme"] == scheme] for scheme in (CARRIED, RESET)}
        final = effect(of[RESET], of[CARRIED], "scheme", "final")
        if final is not None:
            found[value] = Carrying(
                final,
                unstable={scheme: count(own) for scheme, own in of.items()},
                rise={scheme: float(own["rise"].max()) for scheme, own in of.items()},
            )
    return found


def verdict(carry: pd.DataFrame, suspects: pd.DataFrame) -> list[str]:
    """The hypothesis, that the forget bias is what makes scheme 4 unstable, and what is measured.

    The first sentence is the answer, and rests on which cells are unstable: those of scheme 4 and
    of scheme 3, with the authors' bias and with smaller ones.

    Args:
        carry: see analysis.instability.summary.summarise.
        suspects: the same.
    """
    biases = carrying(carry, "forget_bias")
    switches = carrying(suspects, "suspect")
    return [
        _hypothesis(carry),
        *(f"forget bias {bias:g}: {found}" for bias, found in biases.items()),
        *_of_the_bias(carry),
        *_read_windowed(carry),
        *_when(carry),
        *_recipe(suspects),
        *(f"switch {name}: {found}" for name, found in switches.items()),
        *_states(carry),
    ]


def _hypothesis(carry: pd.DataFrame) -> str:
    """The answer: whether more cells are unstable with the authors' bias, and with carrying."""
    at_authors, is_carried = (
        carry[name] == value if name in carry else pd.Series(dtype=bool)
        for name, value in (("forget_bias", AUTHORS_BIAS), ("scheme", CARRIED))
    )
    groups = [at_authors & is_carried, at_authors & ~is_carried]
    groups += [~at_authors & is_carried, ~at_authors & ~is_carried]
    if not all(group.any() for group in groups):
        return "The hypothesis is open: the cells that would settle it are not finished."
    four, three, four_below, three_below = (count(carry[group]) for group in groups)
    biased, unbiased = count(carry[at_authors]), count(carry[~at_authors])
    carried, reset = count(carry[is_carried]), count(carry[~is_carried])
    below = ", ".join(f"{bias:g}" for bias in sorted(set(carry["forget_bias"]) - {AUTHORS_BIAS}))
    counts = (
        f"of scheme 4 {four} cells are unstable at forget bias {AUTHORS_BIAS:g} and {four_below} at"
        f" {below}; of scheme 3, which carries nothing, {three} and {three_below} (bias: p ="
        f" {chance(biased, unbiased):.2g}; carrying: p = {chance(carried, reset):.2g})"
    )
    if not (biased.true or unbiased.true):
        return f"Nothing to explain, no cell is unstable: {counts}."
    answers = {
        (True, False): "The hypothesis holds, it is the forget bias and not the carried state",
        (True, True): "The hypothesis holds in part, it is the forget bias and the carried state",
        (False, True): "The hypothesis fails, it is the carried state and not the forget bias",
        (False, False): "The hypothesis is open, so few cells could differ by chance",
    }
    return f"{answers[exceeds(biased, unbiased), exceeds(carried, reset)]}: {counts}."


def _of_the_bias(carry: pd.DataFrame) -> Iterator[str]:
    """What the forget bias does by itself, with and without carrying."""
    for scheme, cells in carry.groupby("scheme") if len(carry) else ():
        for bias, found in against(cells, "forget_bias", AUTHORS_BIAS, "final").items():
            yield (
                f"scheme {scheme} with forget bias {bias:g}, over {AUTHORS_BIAS:g}: "
                f"final perplexity {found}"
            )


def _read_windowed(carry: pd.DataFrame) -> Iterator[str]:
    """The control: whether it is the weights, or the state that has grown old."""
    for bias, cells in carry.groupby("forget_bias") if len(carry) else ():
        if (found := count(cells, f"{WINDOWED}unstable")).cells:
            yield (
                f"the runs of scheme 3 with forget bias {bias:g}, read by windowed sampling: "
                f"{found} unstable (largest rise x {cells[f'{WINDOWED}rise'].max():.2f})"
            )


def _when(carry: pd.DataFrame) -> Iterator[str]:
    """When the cells of scheme 4 rise most, and how long that is after a restart."""
    if not len(carry):
        return
    known = carry[(carry["scheme"] == CARRIED) & carry["rise_at"].notna()]
    for bias, cells in known.sort_values("rise", ascending=False).groupby("forget_bias"):
        places = [
            f"x {row['rise']:.2f} at {row['rise_at']:.0f}"
            + ("" if math.isnan(row["since_start"]) else f" ({row['since_start']:.0f})")
            for row in cells.to_dict("records")
        ]
        yield (
            f"scheme 4, forget bias {bias:g}, largest rise of each cell, at which batch, and how "
            f"many batches at most after an epoch had started from zero: {', '.join(places)}"
        )


def _recipe(suspects: pd.DataFrame) -> Iterator[str]:
    """Of the switches with which scheme 4 is stable, the one with which it ends lowest."""
    if not len(suspects):
        return
    of_four = suspects[suspects["scheme"] == CARRIED]
    without = count(of_four[of_four["suspect"] == BASELINE])
    if not without.cells:
        return
    changed = against(of_four, "suspect", BASELINE, "final")
    counts = {name: count(of_four[of_four["suspect"] == name]) for name in changed}
    for name, found in changed.items():
        yield (
            f"scheme 4 with {name}, over scheme 4: final perplexity {found}; "
            f"{counts[name]} cells unstable, {without} without"
        )
    stable = [name for name in changed if not counts[name].true]
    if not without.true:
        yield "Recipe: none is needed, scheme 4 is stable without a switch."
    elif stable:
        cells = counts[stable[0]]
        yield (
            f"Recipe: {stable[0]}; of the switches with which scheme 4 is stable, it ends lowest"
            f" with it ({cells} cells unstable, {without} without:"
            f" p = {chance(cells, without):.2g})."
        )
    else:
        yield "Recipe: with none of the switches scheme 4 is stable."


def _states(carry: pd.DataFrame) -> Iterator[str]:
    """What the states look like at the end, where that was measured."""
    if "mean_abs_cell" not in carry:
        return
    for (scheme, bias), cells in carry.groupby(["scheme", "forget_bias"]):
        sizes = cells[["mean_abs_cell", "saturated_share", "gradient_norm"]].median()
        mean, share, gradient = sizes
        if math.isfinite(mean):
            yield (
                f"scheme {scheme}, forget bias {float(str(bias)):g}, at the end, medians of cells: "
                f"mean |c| {mean:.3g}, {share:.1%} of tanh(c) saturated, gradient norm "
                f"{gradient:.3g}; largest |c| on the way, of all cells: "
                f"{cells['largest_cell'].max():.3g}"
            )
