"""The rules by which numbers decide a claim: each takes numbers and returns a Finding."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from analysis.statistics import units
from analysis.statistics.counts import Count, chance, exceeds
from analysis.statistics.intervals import Interval, Outcome, students_interval, weakest
from analysis.statistics.units import Unit, percent

ABOVE = Interval(low=0)
"""What a claim of "higher" says about a difference."""
CLOSE = Interval(high=math.log(1.1))
"""Perplexities are close if they differ by less than a tenth: one unit at a perplexity of 10."""
NO_PAIR = "there are no two cells to compare"
EVEN = 1.2
"""Runs of equal cost may differ in time by this factor; beyond, something else was measured."""


@dataclass(frozen=True)
class Finding:
    """What a claim's test finds in the results.

    Attributes:
        outcome: what follows for the claim if no cell is missing.
        doubt: what would settle an undecided outcome, or why there is nothing to compare.
        effect: the effect size, with its interval if it has one; empty if there is nothing to
            compare.
        parts: the effect size of each part: each corpus, scheme or architecture.
    """

    outcome: Outcome
    doubt: str
    effect: str = ""
    parts: Mapping[str, str] = field(default_factory=dict)


def nothing(why: str = NO_PAIR) -> Finding:
    """The results have nothing to compare."""
    return Finding(Outcome.UNDECIDED, why)


def comparison(
    values: pd.Series[float],
    claimed: Interval,
    unit: Unit = percent,
    by: str = "corpus",
    without: str = NO_PAIR,
) -> Finding:
    """Compare cells with others that differ in one thing.

    The mean of every part has to lie where the claim says, and so does, with several seeds, the
    whole interval for the mean over seeds. Cells that some seed lacks are left out.

    Args:
        values: a number per pair of cells, indexed by the columns that both cells share.
        claimed: where the claim says that the means lie.
        unit: how a number is written.
        by: column of the index that tells the parts apart.
        without: why there may be nothing to compare.
    """
    alike = values.groupby(level=[name for name in values.index.names if name != "seed"])
    common = values[alike.transform("count") == len(values.index.unique("seed"))]
    if common.empty:
        return nothing(without)
    of_parts = common.groupby(level=by, sort=False).mean()
    of_seeds = common.groupby(level="seed").mean()
    outcome, mean = claimed.judge_values(of_parts), unit(of_seeds.mean())
    known = students_interval(of_seeds.to_numpy())
    if known is None:
        effect = f"{mean} (1 seed)"
        doubt = "with one seed all parts would have to agree; several seeds would give an interval"
    else:
        low, high = unit(known.low), unit(known.high)
        effect = f"{mean} (95 % interval {low} to {high}; {len(of_seeds)} seeds)"
        split = outcome is Outcome.UNDECIDED
        doubt = "all parts would have to agree" if split else "more seeds would narrow the interval"
        outcome = outcome if claimed.judge(known) is outcome else Outcome.UNDECIDED
    return Finding(outcome, doubt, effect, _parts(common, by, lambda own: unit(own.mean())))


def share(flags: pd.Series[float], claimed: Interval, by: str = "corpus") -> Finding:
    """The share of cells in which something happens, which has to lie where the claim says.

    No interval decides: these are all cells of the grid. With several seeds all of them have to
    agree.

    Args:
        flags: 1 for each cell in which it happens, 0 for the others, indexed by columns of cells.
        claimed: where the claim says that the share lies.
        by: column of the index that tells the parts apart.
    """
    if flags.empty:
        return nothing()
    count = Count.of(flags)
    known = count.interval()
    return Finding(
        claimed.judge_values(flags.groupby(level="seed").mean()),
        "all seeds would have to agree",
        f"{units.share(count.share)}, {count} cells"
        f" (95 % interval {units.share(known.low)} to {units.share(known.high)})",
        _parts(flags, by, lambda own: str(Count.of(own))),
    )


def larger_share(
    flags: pd.Series[float],
    others: pd.Series[float],
    beside: str,
    by: str = "corpus",
    without: str = NO_PAIR,
) -> Finding:
    """A share of cells, which has to be larger than that of other cells by more than chance.

    Args:
        flags: see `share`.
        others: the same of the other cells; cells that only one of them has are left out.
        beside: what the other cells are.
        by: column of the index that tells the parts apart.
        without: why there may be nothing to compare.
    """
    pairs = pd.concat({"one": flags, "other": others}, axis=1).dropna()
    if pairs.empty:
        return nothing(without)
    one, other = Count.of(pairs["one"]), Count.of(pairs["other"])
    outcome = Outcome.BORNE_OUT if exceeds(one, other) else Outcome.UNDECIDED
    return Finding(
        outcome if one.share > other.share else Outcome.CONTRADICTED,
        "so few cells could differ by chance: more seeds would tell",
        f"{one} cells, {beside} {other} (by chance: p = {chance(one, other):.2g})",
        _parts(pairs, by, lambda own: f"{Count.of(own['one'])}, {beside} {Count.of(own['other'])}"),
    )


def measurement(rows: pd.DataFrame, claimed: Interval, unit: Unit, paper: str = "") -> Finding:
    """Repeated measurements, each of which has to lie where the claim says, with its quartiles.

    Args:
        rows: columns `part`, `median`, and `lower` and `upper` quartile.
        claimed: where the claim says that each of them lies.
        unit: how a number is written.
        paper: the paper's number in words, to stand beside the effect.
    """
    if rows.empty:
        return nothing()
    quartiles = rows[["lower", "upper"]].itertuples(index=False)
    ends = map(unit, (rows["median"].min(), rows["median"].max()))
    return Finding(
        weakest(claimed.judge(Interval(*known)) for known in quartiles),
        "the quartiles reach beyond; measure again on a machine that does nothing else",
        " to ".join(dict.fromkeys(ends)) + (f" (the paper: {paper})" if paper else ""),
        {
            row["part"]: f"{unit(row['median'])} (quartiles {unit(row['lower'])}"
            f" to {unit(row['upper'])})"
            for row in rows.to_dict("records")
        },
    )


def every(findings: Mapping[str, Finding]) -> Finding:
    """Several findings, all of which have to bear the claim out; one of them can contradict it.

    Args:
        findings: by their names.
    """
    known = {name: finding for name, finding in findings.items() if finding.effect}
    if not known:
        return nothing()
    doubts: dict[str, list[str]] = {}
    for name, finding in findings.items():
        if finding.outcome is Outcome.UNDECIDED:
            doubts.setdefault(finding.doubt, []).append(name)
    return Finding(
        weakest(finding.outcome for finding in findings.values()),
        "; ".join(f"{', '.join(names)}: {doubt}" for doubt, names in doubts.items()),
        "; ".join(f"{name} {finding.effect}" for name, finding in known.items()),
        {
            f"{name}, {part}": effect
            for name, finding in known.items()
            for part, effect in finding.parts.items()
        },
    )


def timed(finding: Finding, unevenness: float) -> Finding:
    """A finding that rests on training time: undecided if runs of equal cost took unequal times.

    Args:
        finding: what is found if the clock can be trusted.
        unevenness: the largest log ratio of the times per batch of runs that cost the same.
    """
    if not finding.effect or not unevenness > math.log(EVEN):  # NaN: no two runs cost the same
        return finding
    doubt = (
        f"the time per batch differs by {percent(unevenness)} between runs that cost the same:"
        " train them on a machine that does nothing else"
    )
    return replace(finding, outcome=Outcome.UNDECIDED, doubt=doubt)


def _parts(table: Any, by: str, words: Callable[[Any], str]) -> dict[str, str]:
    """Words about each part of a table, by its name: `scheme 1`, `k2=20`, `chorales`."""
    called = {"corpus": "", "scheme": "scheme "}.get(by, f"{by}=")
    return {f"{called}{value}": words(own) for value, own in table.groupby(level=by, sort=False)}
