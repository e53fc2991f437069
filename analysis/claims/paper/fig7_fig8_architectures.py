"""Section 4.3 on the architectures (Figures 7 and 8)."""

from __future__ import annotations

import pandas as pd

from analysis.claims.rules.comparison import Comparison
from analysis.claims.rules.finding import Finding, Interval
from analysis.claims.verdict import ALL, Claim
from analysis.curves import CLOSE, average, contrast, final, of_cells, spread
from analysis.statistics.units import percent

EARLY = 101
"""Batches up to which training is early; later is from the next evaluation on."""
LATER = EARLY + 1
EXTREMES = "hidden_size == hidden_size.min() or hidden_size == hidden_size.max()"


def large_gamma_leads(curves: pd.DataFrame) -> Finding:
    """The line of the smaller gamma above that of the larger, up to 101 batches."""
    lines, sizes = of_cells(curves, average(last=EARLY)), curves["hidden_size"]
    values = contrast(lines, "hidden_size", sizes.min(), sizes.max())
    return Comparison(values, Interval(low=0), percent)


def one_layer_learns_faster(curves: pd.DataFrame) -> Finding:
    """The line of r = 2 above that of r = 1, after 101 batches."""
    lines = of_cells(curves, average(first=LATER))
    return Comparison(contrast(lines, "num_layers", 2, 1), Interval(low=0), percent)


def architectures_end_alike(curves: pd.DataFrame) -> Finding:
    """The range of final perplexities over the four architectures."""
    values = spread(of_cells(curves, final), "num_layers", "hidden_size")
    return Comparison(values, Interval(high=CLOSE), percent)


def _claims(figure: int, scheme: int, suffix: str, lead: str) -> tuple[Claim, ...]:
    """The same three of either figure: the paper sees the same behaviour in both."""
    sweep, section = f"fig{figure}", f"4.3, Figure {figure}"
    return (
        Claim(
            f"gamma-early{suffix}",
            section,
            f"{lead}the larger \N{GREEK SMALL LETTER GAMMA} (512) leads early in training.",
            {sweep: EXTREMES},
            large_gamma_leads,
            (scheme,),
        ),
        Claim(
            f"r1-later{suffix}",
            section,
            f"{lead}later on r = 1 learns somewhat faster than r = 2.",
            {sweep: ALL},
            one_layer_learns_faster,
            (scheme,),
        ),
        Claim(
            f"architectures-end{suffix}",
            section,
            f"{lead}at the end the architectures differ no more: their perplexities lie within a"
            " tenth.",
            {sweep: ALL},
            architectures_end_alike,
            (scheme,),
            whole=True,
        ),
    )


CLAIMS = (*_claims(7, 1, "", "With scheme 1 "), *_claims(8, 2, "-2", "With scheme 2, too, "))
