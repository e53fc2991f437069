"""Section 4.3 on the architectures (Figures 7 and 8)."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from analysis.claims.claim import ALL, Claim, claim
from analysis.claims.rules import ABOVE, CLOSE, Finding, comparison
from analysis.curves import contrast, ends, lines, spread

FIGURE = "4.3, Figure 7"
EARLY = 101
"""Training is early up to this number of batches; late from the next evaluation on."""
EXTREMES = "hidden_size == hidden_size.min() or hidden_size == hidden_size.max()"


@claim("gamma-early", FIGURE, {"fig7": EXTREMES}, (1,))
def large_gamma_leads(curves: pd.DataFrame) -> Finding:
    """With scheme 1 the larger gamma (512) leads early in training.

    How far the line of the smaller gamma is above that of the larger, up to 101 batches.
    """
    small, large = curves["hidden_size"].min(), curves["hidden_size"].max()
    return comparison(contrast(lines(curves, last=EARLY), "hidden_size", small, large), ABOVE)


@claim("r1-later", FIGURE, {"fig7": ALL}, (1,))
def one_layer_learns_faster(curves: pd.DataFrame) -> Finding:
    """With scheme 1 one layer later learns somewhat faster than two.

    How far the line of r = 2 is above that of r = 1, after 101 batches.
    """
    return comparison(contrast(lines(curves, first=EARLY + 1), "num_layers", 2, 1), ABOVE)


@claim("architectures-end", FIGURE, {"fig7": ALL}, (1,), whole=True)
def architectures_end_alike(curves: pd.DataFrame) -> Finding:
    """With scheme 1 the architectures end alike: their final perplexities are within a tenth.

    The range of final perplexities over the four architectures.
    """
    return comparison(spread(ends(curves), "num_layers", "hidden_size"), CLOSE)


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
