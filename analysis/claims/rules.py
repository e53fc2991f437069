"""The rules by which numbers decide a claim: each takes numbers and returns a Finding."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import pandas as pd

from analysis.claims.finding import NO_PAIR, Finding, by_luck, every
from analysis.statistics.counts import Count
from analysis.statistics.intervals import (
    ALPHA,
    ENOUGH,
    ROUNDING,
    Chance,
    Interval,
    chance_of_mean,
    students_interval,
)
from analysis.statistics.units import Unit, percent

ABOVE = Interval(low=0)
"""What a claim of "higher" says about a difference."""
CLOSE = math.log(1.1)
ALIKE = Interval(-CLOSE, CLOSE)
"""Perplexities are alike if they differ by less than a tenth: one unit at a perplexity of 10."""
FEW = 0.1
"""What happens in less than this share of all cells happens in none of them, as claims put it."""
TOO_FEW = "an interval takes at least three replicates"


def comparison(
    values: pd.Series[float],
    claimed: Interval = ABOVE,
    unit: Unit = percent,
    by: str = "corpus",
    without: str = NO_PAIR,
) -> Finding:
    """Compare cells with others that differ in one thing. The replicate is the unit of chance.

    It supports a claim if the mean over replicates lies where the claim says, by Student's t, and
    no part's mean lies elsewhere. It opposes it if that mean, or any part's, lies elsewhere.

    Args:
        values: a number per pair of cells, indexed by the columns that both cells share. Pairs that
            some replicate lacks are left out.
        claimed: where the claim says that the means lie.
        unit: how a number is written.
        by: column of the index that tells the parts apart.
        without: why there may be nothing to compare.
    """
    values = values.dropna()
    replicates = values.groupby(level=[name for name in values.index.names if name != "seed"])
    common = values[replicates.transform("count") == len(values.index.unique("seed"))]
    if common.empty:
        return Finding(doubt=without)
    of_parts = {
        str(part): own.groupby(level="seed").mean()
        for part, own in common.groupby(level=by, sort=False)
    }
    parts = _parts(common, by, lambda own: unit(own.mean()))
    seeds = common.groupby(level="seed").mean().to_numpy()
    mean, known = unit(float(seeds.mean())), students_interval(seeds)
    if known is None:
        number = f"{len(seeds)} replicate{'s' * (len(seeds) > 1)}"
        return Finding(f"{mean} ({number})", doubt=TOO_FEW, parts=parts)
    effect = (
        f"{mean} (95 % interval {unit(known.low)} to {unit(known.high)}; {len(seeds)} replicates)"
    )
    whole = chance_of_mean(seeds, claimed)
    each = [chance_of_mean(own.to_numpy(), claimed).opposes for own in of_parts.values()]
    tests = [whole.opposes, *each] if len(each) > 1 else [whole.opposes]
    # A part without any difference, such as one that is stable in both, is not elsewhere.
    reach = Interval(claimed.low - ROUNDING, claimed.high + ROUNDING)
    elsewhere = [part for part, own in of_parts.items() if own.mean() not in reach]
    supports = 1.0 if elsewhere else whole.supports
    doubt = "the interval reaches both sides: more replicates would narrow it"
    if elsewhere and whole.supports < ALPHA:
        doubt = f"not so in every part: {', '.join(elsewhere)}"
    elif min(tests) < ALPHA:
        doubt = by_luck(len(tests))
    elif known.high - known.low < ROUNDING:
        doubt = "every replicate lies just where the claim ends"
    opposes = min(1.0, len(tests) * min(tests))
    return Finding(effect, Chance(supports, opposes), doubt, parts)


def alike(
    values: pd.Series[float], *columns: str, by: str = "corpus", without: str = NO_PAIR
) -> Finding:
    """Whether cells that differ only in ``columns`` are within a tenth of each other, every pair.

    The range of several values grows with their noise, so each difference is judged by itself.

    Args:
        values: logarithms per cell, indexed by columns of cells.
        columns: in which the cells differ.
        by: see `comparison`.
        without: see `comparison`.
    """
    index = values.index
    keys = pd.MultiIndex.from_arrays([index.get_level_values(name) for name in columns])
    groups = {
        key: values[keys == key].droplevel(list(columns)) for key in sorted(keys.unique(), key=str)
    }
    found = {}
    for n, (one, first) in enumerate(groups.items()):
        for other in list(groups)[n + 1 :]:
            words = f"{_words(other)} beside {_words(one)}"
            difference = (groups[other] - first).dropna()
            place = by if by in difference.index.names else difference.index.names[0]
            found[words] = comparison(difference, ALIKE, by=place, without=without)
    return every(found)


def some(flags: pd.Series[float], by: str = "corpus") -> Finding:
    """Whether something happens in any cell at all; it is opposed by many cells without it.

    Args:
        flags: 1 for each cell in which it happens, 0 for the others, indexed by columns of cells.
        by: column of the index that tells the parts apart.
    """
    if flags.empty:
        return Finding()
    count, replicates = Count.of(flags), flags.index.unique("seed").size
    # If it happened in a tenth of all cells, so many without it would be this improbable.
    chance = Chance(0.0, 1.0) if count.true else Chance(1.0, (1 - FEW) ** count.cells)
    parts = _parts(flags, by, lambda own: str(Count.of(own)))
    if replicates < ENOUGH:
        return Finding(f"{count} cells", doubt=TOO_FEW, parts=parts)
    doubt = "no cell yet, of too few to rule it out"
    return Finding(f"{count} cells ({replicates} replicates)", chance, doubt, parts)


def measurement(rows: pd.DataFrame, claimed: Interval, unit: Unit, paper: str = "") -> Finding:
    """Repeated measurements, each of which has to lie where the claim says, with its quartiles.

    They can be repeated as often as one likes, so chance is no part of it: quartiles on one side
    decide.

    Args:
        rows: columns `part`, `median`, and `lower` and `upper` quartile.
        claimed: where the claim says that each of them lies.
        unit: how a number is written.
        paper: the paper's number in words, to stand beside the effect.
    """
    if rows.empty:
        return Finding()
    lower, upper = rows["lower"].to_numpy(float), rows["upper"].to_numpy(float)
    inside = (lower > claimed.low) & (upper < claimed.high)
    outside = (upper <= claimed.low) | (lower >= claimed.high)
    ends = map(unit, (rows["median"].min(), rows["median"].max()))
    return Finding(
        " to ".join(dict.fromkeys(ends)) + (f" (the paper: {paper})" if paper else ""),
        Chance(0.0 if inside.all() else 1.0, 0.0 if outside.any() else 1.0),
        "the quartiles reach beyond; measure again on a machine that does nothing else",
        {
            row["part"]: f"{unit(row['median'])} (quartiles {unit(row['lower'])}"
            f" to {unit(row['upper'])})"
            for row in rows.to_dict("records")
        },
    )


def _words(key: Iterable[Any]) -> str:
    return ", ".join(str(value) for value in key)


def _parts(table: Any, by: str, words: Callable[[Any], str]) -> dict[str, str]:
    """Words about each part of a table, by its name: `scheme 1`, `k2=20`, `chorales`."""
    called = {"corpus": "", "scheme": "scheme "}.get(by, f"{by}=")
    return {f"{called}{value}": words(own) for value, own in table.groupby(level=by, sort=False)}
