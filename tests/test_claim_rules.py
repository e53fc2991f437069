"""By what rule the numbers of cells decide a claim."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from analysis.claims.rules import ABOVE, Finding, comparison, every
from analysis.instability.definition import rises, summarise_rise, unstable
from analysis.statistics.intervals import Interval, Outcome, students_interval
from claim_tables import cell, evidence

EXACT = "{:.7f}".format
"""A unit that keeps the digits of a number."""


def compare(numbers: dict[tuple[str, int], float], claimed=ABOVE, **how) -> Finding:
    """Compare numbers by corpus and seed."""
    index = pd.MultiIndex.from_tuples(numbers, names=["corpus", "seed"])
    return comparison(pd.Series(list(numbers.values()), index), claimed, **how)


def test_seeds_make_an_interval_by_student():
    numbers = {("a", seed): number for seed, number in enumerate((0.3, 0.4, 0.5))}
    # Mean 0.4, standard error 0.1 / sqrt(3), and 4.302653 for 2 degrees of freedom.
    half = 4.302653 * 0.1 / math.sqrt(3)
    interval = students_interval(np.array([*numbers.values()]))
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.4 - half, 0.4 + half), abs=1e-6)
    finding = compare(numbers)
    assert finding.outcome is Outcome.BORNE_OUT
    assert finding.effect == "+49 % (95 % interval +16 % to +91 %; 3 seeds)"
    assert compare(numbers, Interval(low=0.3)).outcome is Outcome.UNDECIDED
    below = {key: -number for key, number in numbers.items()}
    assert compare(below).outcome is Outcome.CONTRADICTED


def test_with_several_seeds_the_parts_have_to_agree_as_well():
    """Where one corpus decides the mean, so steadily that the interval leaves no doubt."""
    numbers = {("a", 0): 0.5, ("a", 1): 0.51, ("b", 0): -0.1, ("b", 1): -0.11}
    finding = compare(numbers, unit=EXACT)
    # Both seeds have the mean 0.2.
    assert finding.effect == "0.2000000 (95 % interval 0.2000000 to 0.2000000; 2 seeds)"
    assert finding.outcome is Outcome.UNDECIDED
    assert finding.doubt == "all parts would have to agree"
    agreeing = {key: abs(number) for key, number in numbers.items()}
    assert compare(agreeing).outcome is Outcome.BORNE_OUT


def test_cells_that_not_all_seeds_have_do_not_count():
    numbers = {("a", 0): 0.1, ("a", 1): 0.102, ("b", 0): -5.0}
    finding = compare(numbers, unit=EXACT)
    assert finding.outcome is Outcome.BORNE_OUT
    assert set(finding.parts) == {"a"}
    # Mean 0.101, standard error 0.001, 12.7062047 for one degree of freedom.
    assert finding.effect == "0.1010000 (95 % interval 0.0882938 to 0.1137062; 2 seeds)"
    assert not compare({("a", 0): 0.1, ("b", 1): 0.1}).effect


def test_what_is_said_of_several_things_holds_if_it_holds_of_each():
    yes, no = compare({("a", 0): 0.1}), compare({("a", 0): -0.1})
    mixed = compare({("a", 0): 0.1, ("b", 0): -0.1})
    none = compare({("a", 0): 0.1, ("b", 1): 0.1}, without="nothing there")
    for findings, expected in (
        ((yes, yes), Outcome.BORNE_OUT),
        ((yes, no), Outcome.CONTRADICTED),
        ((yes, mixed), Outcome.UNDECIDED),
        ((no, mixed), Outcome.CONTRADICTED),
        ((yes, none), Outcome.UNDECIDED),
    ):
        assert every(dict(zip("xy", findings, strict=True))).outcome is expected
    told = every({"x": yes, "y": none})
    assert told.effect == "x +11 % (1 seed)"
    assert told.parts == {"x, a": "+11 %"}
    assert told.doubt == "y: nothing there"
    assert not every({"y": none}).effect


def test_instability_is_a_quarter_above_the_lowest_after_50_batches_or_no_number_at_all():
    curves = {
        "spike": [80, 60, 40, 25, 22, 28, 10],  # 1.27 times 22
        "less": [80, 60, 40, 25, 22, 27, 10],  # 1.23 times
        "early": [80, 20, 40, 18, 17, 16, 15],
        "diverged": [80, 60, 40, 25, 22, math.nan, math.inf],
    }
    known = evidence(*(cell(curve, corpus=name) for name, curve in curves.items()))
    flags = unstable(known.select({"fig9": ""}).curves).droplevel(
        ["sweep", "scheme", "num_layers", "hidden_size", "k2", "k1", "seed"]
    )
    assert flags.to_dict() == {"spike": 1, "less": 0, "early": 0, "diverged": 1}
    by_corpus = known.sweeps["fig9"].curves.assign(epoch=0).groupby("corpus")
    told = {corpus: summarise_rise(curve)["unstable"] for corpus, curve in by_corpus}
    assert told == {"spike": True, "less": False, "early": False, "diverged": True}
    curve = by_corpus.get_group("early")
    assert rises(curve, 4, 13).max() == pytest.approx(math.log(2))
    assert rises(curve).max() == pytest.approx(math.log(17 / 18))
