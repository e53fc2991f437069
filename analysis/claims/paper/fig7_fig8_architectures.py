"""Section 4.3 on the architectures (Figures 7 and 8)."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from analysis.claims.claim import ALL, Claim, claim
from analysis.claims.conditions import Conditions
from analysis.claims.finding import Finding, every
from analysis.claims.rules import alike, comparison
from analysis.curves import Cells, at, contrast, ends, lines

FIGURE = "4.3, Figure 7"
EARLY = 101
"""Training is early up to this number of batches; late from the next evaluation on."""
EXTREMES = "hidden_size == hidden_size.min() or hidden_size == hidden_size.max()"
WHOLE = Conditions(hidden_size=(128, 512))


@claim("gamma-early", FIGURE, {"fig7": EXTREMES}, (1,), replace(WHOLE, batches=EARLY))
def large_gamma_leads(curves: pd.DataFrame) -> Finding:
    """With scheme 1 the larger gamma (512) leads early in training.

    How far the line of the smaller gamma is above that of the larger, up to 101 batches.
    """
    small, large = curves["hidden_size"].min(), curves["hidden_size"].max()
    return comparison(contrast(lines(curves, last=EARLY), "hidden_size", small, large))


@claim("r1-later", FIGURE, {"fig7": ALL}, (1,), WHOLE)
def one_layer_learns_faster(curves: pd.DataFrame) -> Finding:
    """With scheme 1 one layer later learns somewhat faster than two.

    How far the line of r = 2 is above that of r = 1, after 101 batches.
    """
    return comparison(contrast(lines(curves, first=EARLY + 1), "num_layers", 2, 1))


@claim("architectures-end", FIGURE, {"fig7": ALL}, (1,), WHOLE)
def architectures_end_alike(curves: pd.DataFrame) -> Finding:
    """With scheme 1 the architectures end alike: their final perplexities are within a tenth.

    How far the final perplexities of each two architectures are apart.
    """
    return alike(ends(curves), "num_layers", "hidden_size")


@claim("best-architecture", FIGURE, {"fig7": ALL}, (1,), WHOLE)
def one_large_layer_is_best(curves: pd.DataFrame) -> Finding:
    """With scheme 1 the best architecture is r = 1 with the larger gamma (512), on all corpora.

    How far the line of each other architecture is above that one's, over the whole training.
    """
    values, large = lines(curves), curves["hidden_size"].max()
    best = _of(values, 1, large)
    found = {}
    for layers, size in sorted(set(zip(curves["num_layers"], curves["hidden_size"], strict=True))):
        if (layers, size) != (1, large):
            above = (_of(values, layers, size) - best).dropna()
            found[f"r={layers}, gamma={size}"] = comparison(above)
    return every(found)


def _of(values: Cells, layers: int, size: int) -> Cells:
    """The values of the cells with this architecture."""
    return at(at(values, "num_layers", layers), "hidden_size", size)


def _in_figure_8(figure_7: Claim) -> Claim:
    """The same claim about Figure 8: the paper sees the same behaviour there."""
    return replace(
        figure_7,
        id=f"{figure_7.id}-2",
        section="4.3, Figure 8",
        needs={"fig8": figure_7.needs["fig7"]},
        schemes=(2,),
        says=figure_7.says.replace("With scheme 1 ", "With scheme 2, too, "),
    )


large_gamma_leads_2 = _in_figure_8(large_gamma_leads)
one_layer_learns_faster_2 = _in_figure_8(one_layer_learns_faster)
architectures_end_alike_2 = _in_figure_8(architectures_end_alike)
one_large_layer_is_best_2 = _in_figure_8(one_large_layer_is_best)
