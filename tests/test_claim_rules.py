"""By what rule the numbers of cells decide a claim."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest
from analysis.claims.finding import Finding, any_of, every
from analysis.claims.rules import ABOVE, ALIKE, alike, comparison, measurement, some
from analysis.instability.definition import rises, unstable
from analysis.statistics.intervals import ALPHA, Chance, Interval
from analysis.statistics.units import factor
from claim_tables import cell, evidence

EXACT = "{:.7f}".format
"""A unit that keeps the digits of a number."""
BOTH_SIDES = "the interval reaches both sides: more replicates would narrow it"


def numbers(cells: dict[tuple, float], *names: str) -> pd.Series:
    return pd.Series(
        list(cells.values()), pd.MultiIndex.from_tuples(cells, names=names or ["corpus", "seed"])
    )


def compare(parts: dict[str, tuple[float, ...]], claimed=ABOVE, **how) -> Finding:
    """Compare numbers by corpus and, in this order, seed."""
    cells = {(part, n): number for part, own in parts.items() for n, number in enumerate(own)}
    return comparison(numbers(cells), claimed, **how)


def says(finding: Finding) -> str:
    return "yes" * finding.supports + "no" * finding.opposes


def test_replicates_make_an_interval_by_student():
    finding = compare({"a": (0.3, 0.4, 0.5)})
    assert says(finding) == "yes"
    assert finding.effect == "+49 % (95 % interval +16 % to +91 %; 3 replicates)"
    # t = 0.4 / (0.1 / sqrt(3)) = 6.93 with 2 degrees of freedom, for which
    # P(T > t) = 1/2 - t / (2 sqrt(2 + t^2)).
    t = 0.4 / (0.1 / math.sqrt(3))
    p = 0.5 - t / (2 * math.sqrt(2 + t * t))
    assert finding.chance == pytest.approx(Chance(p, 1 - p))
    assert says(compare({"a": (0.3, 0.4, 0.5)}, Interval(low=0.3))) == ""
    assert says(compare({"a": (-0.3, -0.4, -0.5)})) == "no"


def test_fewer_than_three_replicates_have_no_interval():
    for own in ((0.3,), (0.3, 0.31)):
        finding = compare({"a": own})
        assert says(finding) == ""
        assert finding.chance == Chance()
        assert finding.doubt == "an interval takes at least three replicates"
        assert finding.parts == {"a": "+35 %" if len(own) == 1 else "+36 %"}
        assert f"({len(own)} replicate{'s' * (len(own) - 1)})" in finding.effect


def test_no_part_may_lie_elsewhere():
    """Where one corpus decides the mean, so steadily that the interval leaves no doubt."""
    steady = {"a": (0.5, 0.51, 0.52), "b": (-0.1, -0.11, -0.12)}
    finding = compare(steady, unit=EXACT)
    # Every replicate has the mean 0.2. The other part lies clearly elsewhere.
    assert finding.effect == "0.2000000 (95 % interval 0.2000000 to 0.2000000; 3 replicates)"
    assert says(finding) == "no"
    unsure = compare(steady | {"b": (-0.1, 0.05, -0.12)})
    assert says(unsure) == ""
    assert unsure.doubt == "not so in every part: b"
    assert says(compare(steady | {"b": (0.1, 0.11, 0.12)})) == "yes"
    # A part in which nothing differs does not lie elsewhere.
    assert says(compare(steady | {"b": (0.0, 0.0, 0.0)})) == "yes"


def test_the_more_parts_the_clearer_a_contradiction_has_to_be():
    lower = (-0.3, -0.41, -0.5)
    # p = 0.010 for each: alone it is enough, of two means it is not below 0.025 if both look.
    assert says(compare({"a": lower})) == "no"
    finding = compare(dict.fromkeys("abcd", lower))
    assert says(finding) == ""
    assert finding.doubt == "one of 5 comparisons would oppose it this much by chance"
    assert finding.chance.opposes == pytest.approx(5 * compare({"a": lower}).chance.opposes)


def test_a_tie_is_undecided():
    finding = compare({"a": (0.0, 0.0, 0.0)})
    assert says(finding) == ""
    assert finding.doubt == "every replicate lies just where the claim ends"
    # A tenth three times has a mean that is a rounding error above a tenth.
    assert says(compare({"a": (0.1, 0.1, 0.1)}, Interval(low=0.1))) == ""
    assert says(compare({"a": (0.1, 0.1, 0.1)}, Interval(high=0.1))) == ""
    noisy = compare({"a": (0.01, -0.01, 0.001)})
    assert says(noisy) == ""
    assert noisy.doubt == BOTH_SIDES


def test_cells_that_not_all_replicates_have_do_not_count():
    cells = {("a", 0): 0.1, ("a", 1): 0.102, ("a", 2): 0.101, ("b", 0): -5.0, ("b", 1): math.nan}
    finding = comparison(numbers(cells), unit=EXACT)
    assert says(finding) == "yes"
    assert set(finding.parts) == {"a"}
    # Mean 0.101, standard error 0.001 / sqrt(3), 4.3026527 for two degrees of freedom.
    assert finding.effect == "0.1010000 (95 % interval 0.0985159 to 0.1034841; 3 replicates)"
    none = comparison(numbers({("a", 0): 0.1, ("b", 1): 0.1}), without="nothing there")
    assert not none.effect
    assert none.doubt == "nothing there"


@pytest.mark.parametrize(
    ("parts", "claimed", "centre"), [(1, ABOVE, 0.0), (4, ABOVE, 0.0), (1, ALIKE, ALIKE.high)]
)
def test_of_pure_noise_few_verdicts_are_wrong(parts, claimed, centre):
    """Four replicates, and an effect of just 0 or a tenth, which is neither in nor outside."""
    chance, sets = np.random.default_rng(11), 200
    noise = centre + 0.02 * chance.normal(size=(sets, parts, 4))
    findings = [compare(dict(zip("abcd", map(tuple, one), strict=False)), claimed) for one in noise]
    decided = [says(finding) for finding in findings if says(finding)]
    assert len(decided) / sets <= 0.05
    # One in forty each is allowed; with several parts support is rarer.
    assert decided.count("no") > 0


def test_where_there_is_an_effect_it_is_found():
    chance = np.random.default_rng(12)
    noise = 0.1 + 0.02 * chance.normal(size=(100, 1, 4))
    found = [says(compare({"a": tuple(one[0])})) for one in noise]
    assert found.count("yes") > 95
    assert "no" not in found


def finding(supports: float, opposes: float, doubt: str = "open") -> Finding:
    return Finding("it", Chance(supports, opposes), doubt, {"a": "part"})


YES, NO, OPEN = finding(0.001, 0.9), finding(0.9, 0.001), finding(0.3, 0.7)
MISSING = Finding(doubt="nothing there")


@pytest.mark.parametrize(
    ("one", "other", "of_every", "of_any"),
    [
        (YES, YES, "yes", "yes"),
        (YES, NO, "no", "yes"),
        (YES, OPEN, "", "yes"),
        (NO, OPEN, "no", ""),
        (NO, NO, "no", "no"),
        (YES, MISSING, "", "yes"),
        (NO, MISSING, "no", ""),
    ],
)
def test_what_is_said_of_several_things_holds_of_each_or_of_some(one, other, of_every, of_any):
    assert says(every({"x": one, "y": other})) == of_every
    assert says(any_of({"x": one, "y": other})) == of_any


def test_several_findings_allow_for_their_number():
    assert every({"x": YES, "y": NO}).chance == Chance(0.9, 0.002)
    assert any_of({"x": YES, "y": NO}).chance == Chance(0.002, 0.9)
    weak = finding(0.98, 0.02)
    together = every({"x": weak, "y": YES, "z": OPEN})
    assert says(together) == ""
    assert together.doubt == (
        "x: one of 3 comparisons would oppose it this much by chance; z: open"
    )
    together = any_of({"x": finding(0.02, 0.98), "y": NO})
    assert says(together) == ""
    assert together.doubt == "x: one of 2 comparisons would support it this much by chance"


def test_several_findings_are_told_by_their_names():
    told = every({"x": YES, "y": MISSING, "z": MISSING})
    assert told.effect == "x it"
    assert told.parts == {"x, a": "part"}
    assert told.doubt == "y, z: nothing there"
    assert every({"y": MISSING}) == Finding(doubt="nothing there")
    assert not every({}).effect


def test_alike_are_cells_of_which_every_two_are():
    index = ["corpus", "k2", "seed"]

    def ends(*heights: float) -> pd.Series:
        cells = {
            ("a", 20 * n, seed): height + 0.001 * ((n * seed) % 3)
            for n, height in enumerate(heights, start=1)
            for seed in range(3)
        }
        return numbers(cells, *index)

    assert says(alike(ends(1.0, 1.05, 1.02), "k2")) == "yes"
    # The first and the last are 16 % apart, each two neighbours 8 %.
    chain = alike(ends(1.0, 1.075, 1.15), "k2")
    assert says(chain) == "no"
    assert "60 beside 20 +16 %" in chain.effect
    assert says(alike(ends(1.0), "k2")) == ""


def flags(*shares: int, of: int = 4) -> pd.Series:
    """Flags of cells by seed: in so many cells of each it is true."""
    return numbers(
        {("a", k1, s): float(k1 < n) for s, n in enumerate(shares) for k1 in range(of)},
        *("corpus", "k1", "seed"),
    )


def test_some_is_opposed_only_by_many_without():
    assert says(some(flags(0, 1, 0))) == "yes"
    none = some(flags(0, 0, 0))
    assert none.chance == pytest.approx(Chance(1.0, 0.9**12))
    assert says(none) == ""
    # 0.9^35 is 0.025032, and 0.9^36 is 0.022528.
    assert says(some(flags(0, 0, 0, 0, 0, of=7))) == ""
    assert says(some(flags(0, 0, 0, of=12))) == "no"
    assert says(some(flags(1, 1))) == ""


def test_quartiles_on_one_side_decide_a_measurement():
    def measured(*quartiles: tuple[float, float]) -> Finding:
        rows = [
            {"part": str(n), "median": (low + high) / 2, "lower": low, "upper": high}
            for n, (low, high) in enumerate(quartiles)
        ]
        return measurement(pd.DataFrame(rows), Interval(low=1), factor, "many times")

    assert says(measured((2, 4), (1.1, 9))) == "yes"
    assert says(measured((2, 4), (0.5, 9))) == ""
    assert says(measured((2, 4), (0.5, 1))) == "no"
    assert measured((2, 4), (4, 6)).effect == "3.0 times to 5.0 times (the paper: many times)"
    assert measured((2, 4)).parts == {"0": "3.0 times (quartiles 2.0 times to 4.0 times)"}


def test_instability_is_6_percent_above_the_lowest_after_50_batches_or_no_number_at_all():
    curves = {
        "spike": [80, 60, 40, 25, 20, 21.3, 10],  # 1.065 times 20
        "less": [80, 60, 40, 25, 20, 21.2, 10],  # 1.060 times
        "early": [80, 20, 40, 18, 17, 16, 15],
        "diverged": [80, 60, 40, 25, 22, math.nan, math.inf],
    }
    known = evidence(*(cell(curve, corpus=name, seed=0) for name, curve in curves.items()))
    values = unstable(known.select({"fig9": ""}).curves)
    found = dict(zip(values.index.get_level_values("corpus"), values, strict=True))
    assert found == {"spike": 1, "less": 0, "early": 0, "diverged": 1}
    curve = known.sweeps["fig9"].curves.query("corpus == 'early'")
    assert rises(curve, 4, 13).max() == pytest.approx(math.log(2))
    assert rises(curve).max() == pytest.approx(math.log(17 / 18))


def test_the_level_of_all_tests_is_that_of_a_two_sided_interval():
    assert pytest.approx(0.025) == ALPHA
    assert re.search("95 % interval", compare({"a": (0.1, 0.2, 0.3)}).effect)
