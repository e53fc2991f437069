"""What makes carrying the state unstable: verdict and figure. See `python -m analysis.carry -h`.

From the cells of experiment=carry, forget biases with schemes 3 and 4, and of experiment=suspects,
scheme 4 with one switch at a time.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from analysis.carry_figure import draw
from analysis.effects import Effect, against, effect, ends
from analysis.tables import Results, read_results
from charrnn.cli import refuse
from charrnn.config import scale_for_this_machine
from charrnn.errors import CharRNNError
from charrnn.files import write_atomically
from charrnn.grids import grid_path
from charrnn.runs import RunFolder

AUTHORS_BIAS = 5.0
"""The forget bias of the authors' code, at which the other suspects are tried."""
SAFE = 1.05
"""A scheme 4 within 5% of scheme 3's perplexity is not worse for carrying its state."""
BASELINE = "none"
"""The suspect that changes nothing."""


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


def carrying(carry: pd.DataFrame) -> dict[float, Effect]:
    """At every forget bias, what carrying does to the final perplexity: scheme 4 against 3."""
    effects = {}
    for bias, cells in carry.groupby("forget_bias"):
        found = effect(cells[cells["scheme"] == 3], cells[cells["scheme"] == 4], "final")
        if found is not None:
            effects[float(str(bias))] = found
    return effects


def suspicions(suspects: pd.DataFrame, measure: str) -> dict[object, Effect]:
    """What every switch does to a measure of scheme 4, from what helps most to what hurts most."""
    return against(suspects, "suspect", BASELINE, measure)


def verdict(carry: pd.DataFrame, suspects: pd.DataFrame) -> list[str]:
    """The hypothesis, that the forget bias makes carrying unstable, and what the numbers say of it.

    It holds if scheme 4 ends more than 5% above scheme 3 at the authors' bias, in every pair above
    it, and a smaller bias takes away more than half of that, on a logarithmic scale.
    """
    by_bias = carrying(carry) if len(carry) else {}
    lines = [
        f"forget bias {bias:g}: scheme 4's final perplexity is scheme 3's {found}"
        for bias, found in by_bias.items()
    ]
    return [_hypothesis(by_bias), *lines, *_switches(suspects), *_cells(carry)]


def _hypothesis(by_bias: dict[float, Effect]) -> str:
    authors = by_bias.get(AUTHORS_BIAS)
    others = {bias: found for bias, found in by_bias.items() if bias < AUTHORS_BIAS}
    if authors is None or not others:
        return "The hypothesis is open: the cells that would settle it are not finished."
    if authors.ratio <= SAFE or authors.lowest <= 1:
        return (
            f"Nothing to explain: at forget bias {AUTHORS_BIAS:g} carrying multiplies perplexity "
            f"by {authors.ratio:.2f} ({authors.lowest:.2f} at best), which is no instability."
        )
    best = min(others, key=lambda bias: others[bias].ratio)
    cured = math.log(others[best].ratio) < math.log(authors.ratio) / 2
    holds = "holds" if cured else "fails"
    return (
        f"The hypothesis {holds}: carrying multiplies perplexity by {authors.ratio:.2f} at forget "
        f"bias {AUTHORS_BIAS:g}, and by {others[best].ratio:.2f} at {best:g}, the best of the "
        "others."
    )


def _switches(suspects: pd.DataFrame) -> Iterator[str]:
    final, rise = suspicions(suspects, "final"), suspicions(suspects, "rise")
    for name, found in final.items():
        yield f"{name}: final perplexity {found}, largest rise x {rise[name].ratio:.2f}"
    if final:
        best, found = next(iter(final.items()))
        yield (
            f"Recipe: {best}, which takes scheme 4's perplexity {found}."
            if found.ratio < 1 / SAFE and found.highest < 1
            else "Recipe: none of the switches helps by more than 5% in every pair."
        )


def _cells(carry: pd.DataFrame) -> Iterator[str]:
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
    parser.add_argument("--scale", default="auto", help="auto, paper, laptop, quick or smoke")
    parser.add_argument("--runs", default="multirun", type=Path, help="folder of all runs")
    parser.add_argument("--out", type=Path, help="folder of the figure (default: RUNS/figures)")
    arguments = parser.parse_args()
    scale = scale_for_this_machine() if arguments.scale == "auto" else arguments.scale
    out = arguments.out or arguments.runs / "figures"
    tables = {}
    try:
        for name in ("carry", "suspects"):
            results = read_results(grid_path(arguments.runs, name, scale))
            tables[name] = results, summarise(results, arguments.runs)
    except CharRNNError as error:
        refuse(error)
    (carry_results, carry), (_, suspects) = tables["carry"], tables["suspects"]
    lines = verdict(carry, suspects)
    print("\n".join(lines))
    out.mkdir(parents=True, exist_ok=True)
    stem = out / f"instability-{scale}"
    write_atomically(stem.with_suffix(".txt"), "\n".join(lines) + "\n")
    table = pd.concat([carry, suspects], ignore_index=True)
    write_atomically(stem.with_suffix(".csv"), table.to_csv(index=False, na_rep="nan"))
    figure = draw(carry, suspicions(suspects, "final"), carry_results, arguments.runs)
    figure.savefig(stem.with_suffix(".png"), dpi=150, bbox_inches="tight")
    print(*(stem.with_suffix(suffix) for suffix in (".png", ".csv", ".txt")), sep="\n")


if __name__ == "__main__":
    main()
