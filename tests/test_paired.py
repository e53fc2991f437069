"""Comparisons of cells that differ in one thing, over replicates; by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from analysis.instability.effects import effects
from analysis.instability.paired import Answer, difference, mcnemar, pair
from analysis.instability.verdict import verdict
from instability_tables import grid, table

T = 4.302653
"""Student's t for three replicates: 97.5 % of it is below this, at 2 degrees of freedom."""


def test_a_difference_is_over_the_means_of_replicates():
    """Two k1 of three seeds; bias 5 less bias 0 is 0.1, 0.3; 0.2, 0.4; 0.3, 0.5."""
    rows = [
        {"scheme": 4, "forget_bias": bias, "seed": seed, "k1": k1}
        | {"rise": (0.1 + 0.1 * seed + (0.2 if k1 == 100 else 0)) * (bias == 5) + 0.7}
        for bias in (5.0, 0.0)
        for seed in (0, 1, 2)
        for k1 in (20, 100)
    ]
    found = difference(pair(table(*rows), "forget_bias", 5.0, 0.0), "rise")
    # The means are 0.2, 0.3, 0.4: standard deviation 0.1, standard error 0.1 / sqrt(3).
    assert (found.mean, found.pairs, found.seeds) == (pytest.approx(0.3), 6, 3)
    half = T * 0.1 / math.sqrt(3)
    assert found.interval.low == pytest.approx(0.3 - half, abs=1e-6)
    assert found.interval.high == pytest.approx(0.3 + half, abs=1e-6)
    assert found.answer(0.2) is Answer.RAISED
    two = difference(pair(table(*rows).query("seed < 2"), "forget_bias", 5.0, 0.0), "rise")
    assert (two.mean, two.interval) == (pytest.approx(0.25), None)
    assert two.answer(9.0) is Answer.FEW
    assert difference(pair(table(*rows[:6]), "forget_bias", 5.0, 0.0), "rise") is None


@pytest.mark.parametrize(
    ("of_seeds", "answer"),
    [
        ([0.20, 0.21, 0.22], Answer.RAISED),
        ([-0.20, -0.21, -0.22], Answer.LOWERED),
        ([-0.01, 0.0, 0.01], Answer.LITTLE),  # within 0.0248 of 0
        ([-0.1, 0.0, 0.1], Answer.OPEN),  # within 0.248, and the threshold is 0.223
        ([-0.1, 0.3, 0.2], Answer.OPEN),
    ],
)
def test_an_interval_raises_lowers_leaves_or_leaves_open(of_seeds, answer):
    carry = grid(rise={(4, 5.0): of_seeds, (4, 0.0): [0.0] * 3})
    known = effects(carry, pd.DataFrame())
    chosen = (known["change"] == "bias") & (known["within"] == 4) & (known["measure"] == "rise")
    assert known.loc[chosen, "answer"].tolist() == [answer.value]


def test_pairs_differ_in_one_thing_and_were_evaluated_alike():
    row = {"scheme": 4, "suspect": "none", "seed": 0}
    switched = row | {"suspect": "resets"}
    assert len(pair(table(row, switched), "suspect", "resets", "none")) == 1
    for other in ({"k1": 100}, {"seed": 1}, {"corpus": "linux61"}, {"times": 9}, {"scheme": 3}):
        assert pair(table(row, switched | other), "suspect", "resets", "none").empty
    # A switch that leaves the run as it is makes no pair.
    same = table(row | {"run": "same"}, switched | {"run": "same"})
    assert pair(same, "suspect", "resets", "none").empty


def test_shares_are_compared_by_mcnemar():
    flags = [(True, False)] * 5 + [(True, True)] * 2 + [(False, False)] * 3
    rows = [
        {"scheme": 4, "forget_bias": bias, "seed": seed, "unstable": flag}
        for seed, pair_of in enumerate(flags)
        for bias, flag in zip((5.0, 0.0), pair_of, strict=True)
    ]
    found, p = mcnemar(pair(table(*rows), "forget_bias", 5.0, 0.0), "unstable")
    assert (found.first, found.second, found.total) == (5, 0, 10)
    assert p == pytest.approx(2 / 2**5)  # five coins, all alike
    assert mcnemar(pair(table(*rows[10:]), "forget_bias", 5.0, 0.0), "unstable")[1] == 1
    (line,) = [one for one in verdict(table(*rows), pd.DataFrame()) if "instead of 0" in one][1:]
    assert line.endswith(
        "10 pairs of 10 replicates; unstable only with the change in 5 of them, only without it in"
        " 0 (p = 0.062)."
    )
