"""Interquartile means, performance profiles and the stratified bootstrap, worked out otherwise."""

from __future__ import annotations

import math

import numpy as np
import pytest
from analysis.statistics.bootstrap import (
    bootstrap_interval,
    interquartile_mean,
    profile,
    resample,
)
from scipy import stats


def test_the_interquartile_mean_leaves_a_quarter_out_at_each_end():
    assert interquartile_mean(np.array([100.0, 1, 2, 3, 4, 5, 6, -50])) == 3.5
    assert interquartile_mean(np.array([math.inf, 1, 2, 3])) == 2.5
    assert interquartile_mean(np.array([7.0])) == 7
    values = np.random.default_rng(0).normal(size=(3, 13))
    assert interquartile_mean(values) == pytest.approx(stats.trim_mean(values, 0.25, axis=1))


def test_a_profile_is_the_share_that_is_at_most_as_large():
    shares = profile(np.array([1.0, 2, 2, math.inf]), np.array([0.5, 1, 2, 3]))
    assert shares.tolist() == [0, 0.25, 0.75, 0.75]


def test_replicates_are_drawn_within_their_own_stratum():
    drawn = resample([np.array([1.0, 2, 3]), np.array([10.0, 20, 30, 40])], resamples=200)
    assert drawn.shape == (200, 7)
    assert set(np.unique(drawn[:, :3])) == {1, 2, 3}
    assert set(np.unique(drawn[:, 3:])) == {10, 20, 30, 40}


@pytest.mark.parametrize("strata", [[], [np.zeros(2)], [np.zeros(9), np.zeros(2)]])
def test_fewer_than_three_replicates_have_no_interval(strata):
    assert resample(strata) is None
    assert bootstrap_interval(strata) is None


def test_an_interval_does_not_depend_on_differences_between_strata():
    """Replicates that agree leave nothing to chance, however far apart their strata are."""
    interval = bootstrap_interval([np.full(3, 1.0), np.full(3, 5.0), np.full(3, 9.0)])
    assert interval.low == interval.high == 5


def test_the_interval_of_a_mean_has_the_width_that_theory_gives_it():
    """Its variance is that of the stratum's replicates, over their number, over the strata's 16."""
    rng = np.random.default_rng(1)
    strata = [rng.normal(loc, 1, size=10) for loc in (0, 5, 9, 30)]
    found = bootstrap_interval(strata, lambda values: values.mean(axis=-1), resamples=20_000)
    deviation = math.sqrt(sum(one.var() / 10 for one in strata)) / 4
    centre = np.concatenate(strata).mean()
    assert found.low == pytest.approx(centre - 1.96 * deviation, abs=0.02)
    assert found.high == pytest.approx(centre + 1.96 * deviation, abs=0.02)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    """Ten replicates in 12 strata: a little less than 95 %, within what chance does in 300."""
    rng = np.random.default_rng(2)
    centres = np.linspace(-1, 1, 12)
    truth = interquartile_mean(np.sort(np.concatenate([rng.normal(c, 0.3, 4000) for c in centres])))
    covered = 0
    for seed in range(300):
        strata = [rng.normal(centre, 0.3, size=10) for centre in centres]
        covered += truth in bootstrap_interval(strata, resamples=300, seed=seed)
    assert 0.90 <= covered / 300 <= 0.98
