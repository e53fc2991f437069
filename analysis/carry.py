"""What makes carrying the state unstable: verdict and figure. See `python -m analysis.carry -h`.

Scheme 4 beside scheme 3, which trains alike but carries nothing: with several forget biases
(experiment=carry), and with one switch at a time (experiment=suspects).
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from analysis.carry_figure import draw
from analysis.effects import Effect, against, effect, ends
from analysis.figure import add_arguments
from analysis.tables import Results, read_results
from charrnn.cli import refuse
from charrnn.config import scale_for_this_machine
from charrnn.data.catalogue import choose
from charrnn.errors import CharRNNError
from charrnn.files import write_atomically
from charrnn.grids import grid_path
from charrnn.runs import RunFolder

AUTHORS_BIAS = 5.0
"""The forget bias of the authors' code, at which the other suspects are tried."""
SAFE = 1.05
"""A scheme 4 within 5% of scheme 3's final perplexity is not worse for carrying its state."""
BASELINE = "none"
"""The suspect that changes nothing."""
CARRIED, RESET = 4, 3
"""The schemes that are compared."""


@dataclass(frozen=True)
class Carrying:
    """What carrying the state does under one condition.

    Attributes:
        final: scheme 4's final perplexity over scheme 3's.
        unstable: how many cells of each scheme are, see analysis.claims.measures.
        cells: how many there are.
        rise: the largest among them.
    """

    final: Effect
    unstable: dict[int, int]
    cells: dict[int, int]
    rise: dict[int, float]

    @property
    def harmful(self) -> bool:
        """Whether more cells are unstable than without carrying, or perplexity is higher by 5%."""
        shares = {scheme: self.unstable[scheme] / self.cells[scheme] for scheme in self.cells}
        return shares[CARRIED] > shares[RESET] or self.final.ratio > SAFE

    def __str__(self) -> str:
        counts = [f"{self.unstable[s]} of {self.cells[s]} of scheme {s}" for s in (CARRIED, RESET)]
        rises = " and ".join(f"x {self.rise[s]:.2f}" for s in (CARRIED, RESET))
        return (
            f"unstable cells: {', '.join(counts)} (largest rises {rises}); "
            f"final perplexity of 4 over 3 {self.final}"
        )


def summarise(results: Results, runs: Path) -> pd.DataFrame:
    """What analysis.effects.ends tells of every finished cell, and its last diagnostics.

    Those are the last row of charrnn.diagnostics' table, NaN for a run without.

    Args:
        results: of a sweep.
        runs: folder of all runs.
    """
    cells = ends(results)
    if not len(cells):
        return cells
    diagnoses = [RunFolder(runs / name).read_diagnostics() for name in cells["run"]]
    last = [pd.Series() if table is None else table.iloc[-1] for table in diagnoses]
    return cells.join(pd.DataFrame(last, index=cells.index))


def carrying(cells: pd.DataFrame, column: str) -> dict[object, Carrying]:
    """What carrying does, by the values of a column; those without a pair of cells are left out."""
    found: dict[object, Carrying] = {}
    for value, group in cells.groupby(column, sort=False) if len(cells) else ():
        of = {scheme: group[group["scheme"] == scheme] for scheme in (CARRIED, RESET)}
        final = effect(of[RESET], of[CARRIED], "final")
        if final is not None:
            found[value] = Carrying(
                final,
                unstable={scheme: int(own["unstable"].sum()) for scheme, own in of.items()},
                cells={scheme: len(own) for scheme, own in of.items()},
                rise={scheme: float(own["rise"].max()) for scheme, own in of.items()},
            )
    return found


def verdict(carry: pd.DataFrame, suspects: pd.DataFrame) -> list[str]:
    """The hypothesis, that the forget bias makes carrying unstable, and what the numbers say of it.

    It holds if carrying is harmful at the authors' bias, and is not at a smaller one.

    Args:
        carry: see `summarise`.
        suspects: the same.
    """
    biases = carrying(carry, "forget_bias")
    switches = carrying(suspects, "suspect")
    return [
        _hypothesis(biases),
        *(f"forget bias {bias:g}: {found}" for bias, found in biases.items()),
        *_of_the_bias(carry),
        *_recipe(switches, suspects),
        *(f"switch {name}: {found}" for name, found in switches.items()),
        *_states(carry),
    ]


def _hypothesis(biases: dict[object, Carrying]) -> str:
    authors = biases.get(AUTHORS_BIAS)
    others = {bias: found for bias, found in biases.items() if bias != AUTHORS_BIAS}
    if authors is None or not others:
        return "The hypothesis is open: the cells that would settle it are not finished."
    at_authors = f"at forget bias {AUTHORS_BIAS:g}, {authors}"
    if not authors.harmful:
        return f"Nothing to explain: carrying does no harm {at_authors}."
    safe = [bias for bias, found in others.items() if not found.harmful]
    if not safe:
        return f"The hypothesis fails: carrying does harm at every forget bias; {at_authors}."
    names = ", ".join(f"{bias:g}" for bias in safe)
    single = authors.final.ratio <= SAFE and authors.unstable[CARRIED] == 1
    holds = "holds, on the strength of a single cell" if single else "holds"
    return f"The hypothesis {holds}: carrying does no harm at {names}, and does {at_authors}."


def _of_the_bias(carry: pd.DataFrame) -> Iterator[str]:
    """What the forget bias does by itself, with and without carrying."""
    for scheme, cells in carry.groupby("scheme") if len(carry) else ():
        for bias, found in against(cells, "forget_bias", AUTHORS_BIAS, "final").items():
            yield (
                f"scheme {scheme} with forget bias {bias:g}, over {AUTHORS_BIAS:g}: "
                f"final perplexity {found}"
            )


def _recipe(switches: dict[object, Carrying], suspects: pd.DataFrame) -> Iterator[str]:
    """Of the switches that make carrying safe, the one with which scheme 4 ends lowest."""
    if BASELINE not in switches:
        return
    of_four = suspects[suspects["scheme"] == CARRIED]
    changed = {
        name: found
        for name, found in against(of_four, "suspect", BASELINE, "final").items()
        if not found.is_none and name in switches
    }
    for name, found in changed.items():
        yield f"scheme 4 with {name}, over scheme 4: final perplexity {found}"
    safe = [name for name in changed if not switches[name].harmful]
    if not switches[BASELINE].harmful:
        yield "Recipe: none is needed, carrying does no harm without a switch."
    elif safe:
        yield f"Recipe: {safe[0]}; of what makes carrying safe, scheme 4 ends lowest with it."
    else:
        yield "Recipe: none of the switches makes carrying safe."


def _states(carry: pd.DataFrame) -> Iterator[str]:
    """What the states look like at the end, where that was measured."""
    if "mean_abs_cell" not in carry:
        return
    for (scheme, bias), cells in carry.groupby(["scheme", "forget_bias"]):
        sizes = cells[
            ["mean_abs_cell", "max_abs_cell", "saturated_share", "gradient_norm"]
        ].median()
        mean, highest, share, gradient = sizes
        if math.isfinite(mean):
            yield (
                f"scheme {scheme}, forget bias {float(str(bias)):g}, at the end: "
                f"mean |c| {mean:.3g}, maximum {highest:.3g}, "
                f"{share:.1%} of tanh(c) saturated, gradient norm {gradient:.3g}"
            )


def main() -> None:
    """Print the verdict, write it and the table behind it, and draw the figure."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis.carry",
        description="What makes carrying the state unstable, from what is trained of the "
        "experiments carry and suspects.",
    )
    add_arguments(parser)
    arguments = parser.parse_args()
    scale = scale_for_this_machine() if arguments.scale == "auto" else arguments.scale
    out = arguments.out or arguments.runs / "figures"
    tables = {}
    try:
        for name in ("carry", "suspects"):
            results = read_results(grid_path(arguments.runs, name, scale))
            if arguments.corpora:
                results = results.of(choose(arguments.corpora))
            tables[name] = summarise(results, arguments.runs)
    except CharRNNError as error:
        refuse(error)
    lines = verdict(**tables)
    print("\n".join(lines))
    out.mkdir(parents=True, exist_ok=True)
    stem = out / f"instability-{scale}"
    write_atomically(stem.with_suffix(".txt"), "\n".join(lines) + "\n")
    table = pd.concat(tables.values(), ignore_index=True)
    write_atomically(stem.with_suffix(".csv"), table.to_csv(index=False, na_rep="nan"))
    figure = draw(**tables, words=lines[0], runs=arguments.runs)
    for suffix in (".png", ".svg"):
        figure.savefig(stem.with_suffix(suffix), dpi=150, bbox_inches="tight")
    print(*(stem.with_suffix(suffix) for suffix in (".png", ".svg", ".csv", ".txt")), sep="\n")


if __name__ == "__main__":
    main()
