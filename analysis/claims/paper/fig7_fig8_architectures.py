"""Section 4.3 on the architectures (Figures 7 and 8)."""

from __future__ import annotations

from analysis.claims.claim import ALL, Claim
from analysis.claims.rules import ABOVE, CLOSE, comparison
from analysis.curves import contrast, ends, lines, spread

EARLY = 101
"""Training is early up to this number of batches; late from the next evaluation on."""
EXTREMES = "hidden_size == hidden_size.min() or hidden_size == hidden_size.max()"


def _claims(sweep: str, section: str, scheme: int, suffix: str, lead: str) -> tuple[Claim, ...]:
    """The three claims about one figure: the paper sees the same behaviour in both."""
    return (
        Claim(
            f"gamma-early{suffix}",
            section,
            f"{lead}the larger \N{GREEK SMALL LETTER GAMMA} (512) leads early in training.",
            {sweep: EXTREMES},
            (scheme,),
            "How far the line of the smaller gamma is above that of the larger, up to 101 batches.",
            lambda curves: comparison(
                contrast(
                    lines(curves, last=EARLY),
                    "hidden_size",
                    curves["hidden_size"].min(),
                    curves["hidden_size"].max(),
                ),
                ABOVE,
            ),
        ),
        Claim(
            f"r1-later{suffix}",
            section,
            f"{lead}r = 1 later learns somewhat faster than r = 2.",
            {sweep: ALL},
            (scheme,),
            "How far the line of r = 2 is above that of r = 1, after 101 batches.",
            lambda curves: comparison(
                contrast(lines(curves, first=EARLY + 1), "num_layers", 2, 1), ABOVE
            ),
        ),
        Claim(
            f"architectures-end{suffix}",
            section,
            f"{lead}the architectures end alike: their final perplexities are within a tenth.",
            {sweep: ALL},
            (scheme,),
            "The range of final perplexities over the four architectures.",
            lambda curves: comparison(spread(ends(curves), "num_layers", "hidden_size"), CLOSE),
            whole=True,
        ),
    )


CLAIMS = (
    *_claims("fig7", "4.3, Figure 7", 1, "", "With scheme 1 "),
    *_claims("fig8", "4.3, Figure 8", 2, "-2", "With scheme 2, too, "),
)
