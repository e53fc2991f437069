"""The statistics, compared with values worked out by hand, from tables, or by simulation."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from analysis.curves import (
    CEILING,
    delays,
    ends,
    gaps,
    lines,
    log_batches_until,
    overfitting,
    roughness,
)
from analysis.pace import log_paces, seconds_per_batch
from analysis.statistics.counts import Count, Pairs
from analysis.statistics.intervals import (
    ALPHA,
    Chance,
    Interval,
    chance_of_mean,
    holm,
    students_interval,
)
from analysis.statistics.units import deviation, factor_of
from analysis.statistics.variances import net_variance, net_variances
from claim_tables import cell, evidence

T_975 = {2: 4.302653, 3: 3.182446, 9: 2.262157}
"""The 97.5 % points of Student's t, from a printed table, by degrees of freedom."""


def series(*numbers: float) -> np.ndarray:
    return np.array(numbers)


def p_of_t(t: float) -> float:
    """P(T > t) with two degrees of freedom, of which there is a closed form."""
    return 0.5 - t / (2 * math.sqrt(2 + t * t))


def measured(measure, *cells: dict) -> list[float]:
    """A measure of these cells, each with a single replicate and without noise."""
    known = evidence(*(one | {"seed": 0} for one in cells)).select({"fig9": ""})
    return list(measure(known.curves))


@pytest.fixture(autouse=True)
def exact(monkeypatch):
    monkeypatch.setattr("claim_tables.NOISE", 0.0)


def test_an_interval_takes_three_replicates():
    assert students_interval(series(0.1)) is None
    assert students_interval(series(0.1, 0.2)) is None
    known = students_interval(series(0.3, 0.4, 0.5))
    half = T_975[2] * 0.1 / math.sqrt(3)
    assert (known.low, known.high) == pytest.approx((0.4 - half, 0.4 + half), abs=1e-6)
    known = students_interval(series(1, 2, 3, 4))
    half = T_975[3] * math.sqrt(5 / 3) / 2
    assert (known.low, known.high) == pytest.approx((2.5 - half, 2.5 + half), abs=1e-6)
    assert students_interval(series(0.5, 0.5, 0.5)) == Interval(0.5, 0.5)


def test_students_interval_covers_the_mean_as_often_as_it_says():
    chance = np.random.default_rng(1)
    known = [students_interval(chance.normal(size=10)) for _ in range(1000)]
    assert np.mean([0 in one for one in known]) == pytest.approx(0.95, abs=0.02)


def test_the_chance_of_a_mean_above_a_bound():
    t = (0.4 - 0.1) / (0.1 / math.sqrt(3))
    assert chance_of_mean(series(0.3, 0.4, 0.5), Interval(low=0.1)) == pytest.approx(
        Chance(p_of_t(t), 1 - p_of_t(t))
    )
    assert chance_of_mean(series(0.3, 0.4, 0.5), Interval(high=0.1)) == pytest.approx(
        Chance(1 - p_of_t(t), p_of_t(t))
    )
    assert chance_of_mean(series(0.3, 0.4), Interval(low=0.1)) == Chance(1.0, 1.0)


def test_the_chance_of_a_mean_within_two_ends():
    """Both ends have to be excluded; beyond either of them it is outside, which counts twice."""
    below, above = (0.4 - 0.2) / (0.1 / math.sqrt(3)), (0.9 - 0.4) / (0.1 / math.sqrt(3))
    found = chance_of_mean(series(0.3, 0.4, 0.5), Interval(0.2, 0.9))
    assert found.supports == pytest.approx(max(p_of_t(below), p_of_t(above)))
    assert found.opposes == 1.0
    found = chance_of_mean(series(0.3, 0.4, 0.5), Interval(-0.9, 0.1))
    assert found.supports == pytest.approx(1 - p_of_t((0.4 - 0.1) / (0.1 / math.sqrt(3))))
    assert found.opposes == pytest.approx(2 * p_of_t((0.4 - 0.1) / (0.1 / math.sqrt(3))))


def test_replicates_without_any_spread():
    assert chance_of_mean(series(0.2, 0.2, 0.2), Interval(low=0.1)) == Chance(0.0, 1.0)
    assert chance_of_mean(series(0.2, 0.2, 0.2), Interval(high=0.1)) == Chance(1.0, 0.0)
    # Their mean is above a tenth by rounding alone.
    assert chance_of_mean(series(0.1, 0.1, 0.1), Interval(low=0.1)) == Chance(1.0, 1.0)


def test_an_effect_of_nothing_is_decided_as_rarely_as_the_level_says():
    chance = np.random.default_rng(2)
    found = [chance_of_mean(chance.normal(size=3), Interval(low=0)) for _ in range(2000)]
    for kind in ("supports", "opposes"):
        share = np.mean([getattr(one, kind) < ALPHA for one in found])
        assert share == pytest.approx(ALPHA, abs=0.01)


def test_holm_as_in_the_textbook():
    """The example of four tests that textbooks give: only the first two stay below 0.05."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.4, 0.5, 0.6]) == [1.0, 1.0, 1.0]
    assert holm([]) == []
    assert holm([0.2]) == [0.2]


def test_holm_keeps_the_chance_of_any_false_one():
    chance = np.random.default_rng(3)
    sets = chance.uniform(size=(2000, 20))
    plain = np.mean(sets.min(axis=1) < ALPHA)
    assert plain == pytest.approx(1 - (1 - ALPHA) ** 20, abs=0.04)
    assert np.mean([min(holm(one)) < ALPHA for one in sets]) == pytest.approx(ALPHA, abs=0.01)


def test_counts_and_their_exact_interval():
    count = Count.of(pd.Series([1.0, 0.0, 1.0, math.nan]))
    assert (count.true, count.cells, str(count)) == (2, 3, "2 of 3")
    assert count.share == pytest.approx(2 / 3)
    assert math.isnan(Count(0, 0).share)
    # Clopper and Pearson of 0 of 10: from 0 to 1 - 0.025 ** (1 / 10), the "rule of three".
    known = Count(0, 10).interval()
    assert (known.low, known.high) == pytest.approx((0, 1 - 0.025**0.1))


def test_mcnemars_exact_test():
    first, second = pd.Series([1, 1, 1, 1, 1, 1, 0, 1]), pd.Series([0, 0, 0, 0, 0, 1, 1, 1])
    pairs = Pairs.of(first, second)
    assert pairs == Pairs(first=5, second=1, total=8)
    # Of six pairs that differ: five or six heads of six coins, and at most five.
    assert pairs.chance() == pytest.approx(Chance((6 + 1) / 64, 63 / 64))
    assert Pairs(2, 2, 9).chance() == pytest.approx(Chance(11 / 16, 11 / 16))
    assert Pairs(0, 0, 9).chance() == Chance()
    # Cells without a partner are out.
    assert Pairs.of(first, second.iloc[:3]) == Pairs(3, 0, 3)


def test_the_interval_of_agresti_and_min():
    """Half a pair more in every cell of the two by two table: 5.5 and 1.5 of 10."""
    known = Pairs(5, 1, 8).interval()
    error = math.sqrt(7 - 16 / 10) / 10
    assert (known.low, known.high) == pytest.approx(
        (0.4 - 1.959964 * error, 0.4 + 1.959964 * error)
    )
    known = Pairs(0, 0, 5).interval()
    assert -known.low == pytest.approx(known.high)
    assert Pairs(9, 0, 9).interval().high == 1.0


def test_the_net_variance_by_hand():
    # Two values, 2 apart in both replicates: their variance is 2, without noise.
    assert net_variance(np.array([[1.0, 5.0], [3.0, 7.0]])) == pytest.approx(2.0)
    # Means 1 and 2, so 0.5; residuals +-1, so a noise of 4, of which half in the means' variance.
    assert net_variance(np.array([[0.0, 2.0], [3.0, 1.0]])) == pytest.approx(0.5 - 4 / 2)
    # What replicates have in common is not noise.
    assert net_variance(np.array([[1.0, 105.0], [3.0, 107.0]])) == pytest.approx(2.0)


@pytest.mark.parametrize("spread", [0.0, 0.5])
def test_the_net_variance_has_no_bias(spread):
    chance = np.random.default_rng(4)
    heights = np.array([-1.0, 0.0, 0.5, 0.5, 0.0]) * spread
    found = [
        net_variance(heights[:, None] + chance.normal(size=(5, 3)) + chance.normal(size=3))
        for _ in range(4000)
    ]
    # Its standard deviation is about 0.3, that of the mean 0.005.
    assert np.mean(found) == pytest.approx(heights.var(ddof=1), abs=0.02)
    if not spread:
        assert np.mean(np.array(found) < 0) > 0.4


def of_strides(numbers: np.ndarray) -> pd.Series:
    strides, seeds = numbers.shape
    index = pd.MultiIndex.from_product(
        [["a"], range(strides), range(seeds)], names=["corpus", "k1", "seed"]
    )
    return pd.Series(numbers.ravel(), index)


def jackknife(numbers: np.ndarray) -> np.ndarray:
    """What each replicate adds: n estimates from all less n - 1 from all others."""
    n = numbers.shape[1]
    without = [net_variance(np.delete(numbers, k, axis=1)) for k in range(n)]
    return n * net_variance(numbers) - (n - 1) * np.array(without)


def test_what_each_replicate_adds_is_on_average_the_estimate():
    numbers = np.random.default_rng(5).normal(size=(4, 5))
    each = net_variances(of_strides(numbers), "k1")
    assert each.index.names == ["corpus", "seed"]
    assert list(each) == pytest.approx(list(jackknife(numbers)))
    assert each.mean() == pytest.approx(net_variance(numbers))


def test_with_two_replicates_it_is_the_plain_variance_and_gaps_are_left_out():
    numbers = np.array([[1.0, 5.0], [3.0, 7.0], [5.0, 6.0]])
    assert list(net_variances(of_strides(numbers), "k1")) == pytest.approx([4.0, 1.0])
    numbers[1, 1] = math.nan
    assert net_variances(of_strides(numbers), "k1").empty
    assert net_variances(of_strides(numbers[:1]), "k1").empty
    assert net_variances(of_strides(numbers[:1]), "k1").index.names == ["corpus", "seed"]


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_equal_spreads_are_rarely_told_apart(spread):
    """The jackknife's replicates in Student's test, with the three that there will be."""
    chance, decided = np.random.default_rng(6), []
    heights = spread * np.array([-1.0, 0.0, 1.0])[:, None]
    for _ in range(1000):
        one, other = (jackknife(heights + 0.3 * chance.normal(size=(3, 3))) for _ in range(2))
        decided.append(min(chance_of_mean(one - other, Interval(low=0))) < ALPHA)
    # 5 % are allowed, two standard errors more is 6.4 %.
    assert np.mean(decided) <= 0.064


def test_the_batches_until_a_perplexity():
    curve = pd.DataFrame({"batches": [10, 100, 1000], "perplexity": [math.e**3, math.e**2, 1.0]})
    assert log_batches_until(curve, 3.5) == pytest.approx(math.log(10))
    assert log_batches_until(curve, 2.0) == pytest.approx(math.log(100))
    # Half way down from 2 to 0, half way between the logarithms of 100 and 1000.
    assert log_batches_until(curve, 1.0) == pytest.approx(math.log(100 * math.sqrt(10)))
    assert math.isnan(log_batches_until(curve, -0.1))


def test_a_delay_is_to_the_perplexity_that_both_reach():
    fast, slow = [80, 40, 20, 10], [80, 60, 40, 20]
    at = {"at": (1, 10, 100, 1000)}
    cells = [cell(fast, scheme=1, **at), cell(slow, scheme=2, **at)]
    # The higher end is 20: scheme 1 reaches it after 100 batches, scheme 2 after 1000.
    assert measured(lambda c: delays(c, 2, 1), *cells) == pytest.approx([math.log(10)])
    assert measured(lambda c: delays(c, 1, 2), *cells) == pytest.approx([-math.log(10)])


def test_roughness_counts_rises_alone():
    curve = cell([math.e**h for h in (3, 1, 2, 1.5, 1.6, 1)], at=(1, 10, 60, 70, 80, 90))
    # Rises of 1 and 0.1 in five steps; from 60 batches on 0.1 in three.
    assert measured(roughness, curve) == pytest.approx([1.1 / 5])
    assert measured(lambda c: roughness(c, first=51), curve) == pytest.approx([0.1 / 3])


def test_the_end_is_the_mean_over_the_last_tenth():
    heights = [math.e**h for h in (3, 2, 1, 0.5, 0.3)]
    # Log-spaced: the last evaluation alone. The one at just 900 of 1000 is not in the last tenth.
    assert measured(ends, cell(heights, at=(1, 10, 100, 900, 1000))) == pytest.approx([0.3])
    assert measured(ends, cell(heights, at=(1, 10, 901, 950, 1000))) == pytest.approx([0.6])


def test_a_perplexity_that_is_no_number_counts_as_the_ceiling():
    for odd in (math.nan, math.inf, 1e9):
        assert measured(ends, cell([80.0, odd])) == pytest.approx([math.log(CEILING)])
    assert measured(lines, cell([10.0, math.inf])) == pytest.approx([math.log(10 * CEILING) / 2])


def test_a_gap_takes_both_readings():
    assert measured(gaps, cell(8.0, scheme=3, gap=0.25)) == pytest.approx([0.25])
    assert measured(gaps, cell(8.0, scheme=1, gap=-0.1)) == pytest.approx([-0.1])
    assert measured(gaps, cell(8.0)) == pytest.approx([0.0])
    for missing in ("windowed", "progressive"):
        lost = measured(lambda c, name=missing: gaps(c.assign(**{name: math.nan})), cell(8.0))
        assert math.isnan(lost[0])
    # A reading that diverged at some evaluations of several is not missing.
    dense = cell([8.0] * 3, at=(10, 950, 1000))

    def diverged(curves):
        last = curves["batches"] == 1000
        return gaps(curves.assign(progressive=curves["progressive"].mask(last)))

    assert measured(diverged, dense) == pytest.approx([math.log(CEILING / 8) / 2])


def test_a_pace_is_the_median_by_the_clock_that_ran_less():
    curve = cell([9.0] * 4, at=(10, 20, 30, 40), seconds=80.1)
    # 0.1 seconds for each batch by the wall clock, nine tenths of it by the processor's.
    assert measured(log_paces, curve) == pytest.approx([math.log(0.09)])
    old = measured(lambda c: log_paces(c.drop(columns="train_cpu_seconds")), curve)
    assert old == pytest.approx([math.log(0.1)])
    busy = curve | {"seconds": 90.0, "k1": 60}
    assert measured(seconds_per_batch, curve, busy) == pytest.approx([0.09] * 8)


def test_units():
    assert factor_of(math.log(1.5)) == "1.50 times"
    assert deviation(math.log(1.2) ** 2) == "+20 %"
    assert deviation(-(math.log(1.25) ** 2)) == "\N{MINUS SIGN}20 %"


def test_overfitting_is_above_the_lowest_of_means_over_as_many_evaluations_as_the_end_has():
    perplexities = [50, 20, 10, 14, 12, 12, 13, 14, 15, 16]
    batches = (10, 20, 30, 40, 50, 60, 70, 80, 92, 100)  # the last two are the last tenth
    # The lowest pair is 10 and 14, or 12 twice: sqrt(140) is lower.
    expected = math.log(math.sqrt(15 * 16) / math.sqrt(10 * 14))
    assert measured(overfitting, cell(perplexities, at=batches)) == pytest.approx([expected])
