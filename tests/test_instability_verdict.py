"""The verdict on stability in words, on tables made by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from analysis.instability.verdict import verdict
from instability_tables import grid, table

ZERO = [0.0] * 3
UP = [0.20, 0.21, 0.22]
PLACE = "chorales (laptop: r 1, gamma 128, k2 100, 430 batches; k1 20; replicates 0, 1, 2)"


def first_line(**measures) -> str:
    return verdict(grid(**measures), pd.DataFrame())[0]


def test_a_bias_that_matters():
    carry = grid(
        gap={(3, 5.0): UP, (4, 5.0): UP}, rise={(3, 5.0): UP, (4, 5.0): ZERO, (4, 0.0): ZERO}
    )
    lines = verdict(carry, pd.DataFrame())
    assert lines[0].startswith(
        "Forget bias 5 instead of 0: reading gap raised on chorales (schemes 3, 4); largest rise"
        " raised on chorales (scheme 3), little changed on chorales (scheme 4); log perplexity at"
        " the end little changed on chorales (schemes 3, 4). Scheme 4, which carries, instead of 3,"
        " at forget bias 5: reading gap little changed on chorales; largest rise lowered on"
        " chorales;"
    )
    assert lines[0].endswith("All this at gamma 128 and 430 batches.")
    # 0.21 less scheme 3's 0.01 at bias 0; half the interval: 4.3027 * 0.01 / sqrt(3) = 0.0248.
    assert (
        f"{PLACE}, scheme 3, forget bias 5 instead of 0: reading gap +0.210 (+0.185 to +0.235:"
        " raised), largest rise +0.200 (+0.175 to +0.225: raised), log perplexity at the end +0.000"
        " (+0.000 to +0.000: little changed); 3 pairs of 3 replicates."
    ) in lines
    assert (
        f"{PLACE}, schemes 1 and 3, forget bias 5: reading gap at the end 0.210 (0.200 to 0.220 in"
        " 3 cells); largest 0.000 at 201 batches."
    ) in lines


def test_a_bias_that_does_not_matter_one_that_is_open_and_too_few_replicates():
    assert "Forget bias 5 instead of 0: reading gap little changed on chorales (schemes 3, 4)" in (
        first_line()
    )
    wide = [-0.3, 0.0, 0.4]
    assert "reading gap open on chorales (scheme 3), little changed" not in first_line()
    assert "0: reading gap little changed on chorales (scheme 4), open on chorales (scheme 3)" in (
        first_line(gap={(3, 5.0): wide})
    )
    few = verdict(grid(seeds=2, gap={(3, 5.0): UP}), pd.DataFrame())
    assert few[0].startswith(
        "Forget bias 5 instead of 0: too few replicates for an interval, so no direction is told."
    )
    assert any("reading gap +0.205, largest" in one for one in few)
    assert any(one.endswith("2 pairs of 2 replicates, too few for an interval.") for one in few)


@pytest.mark.parametrize(
    ("with_4", "direction"), [(UP, "raised"), ([-one for one in UP], "lowered")]
)
def test_carrying_makes_it_worse_or_better(with_4, direction):
    said = first_line(rise={(3, 5.0): ZERO, (4, 5.0): with_4}, end={(4, 5.0): [3.2, 3.21, 3.22]})
    assert (
        "Scheme 4, which carries, instead of 3, at forget bias 5: reading gap little changed on"
        f" chorales; largest rise {direction} on chorales; log perplexity at the end raised on"
    ) in said


def test_switches_are_told_over_all_cells():
    rows = [
        {"scheme": 4, "suspect": name, "seed": seed, "rise": rise + 0.01 * seed}
        for name, of_seeds in {"none": [0.3, 0.3, 0.3], "low_lr": [0.1, 0.1, 0.1]}.items()
        for seed, rise in enumerate(of_seeds)
    ]
    lines = verdict(pd.DataFrame(), table(*rows))
    (line,) = [one for one in lines if "low_lr instead of no switch" in one]
    assert "scheme 4, low_lr instead of no switch: reading gap" in line
    assert "largest rise -0.200 (-0.200 to -0.200: lowered)" in line
    assert lines[0].startswith("Forget bias 5 and 0, and schemes 4 and 3, cannot be compared")
    assert not any("Recipe" in one for one in lines)


def risen(**own) -> pd.DataFrame:
    above = {"rise": 0.5, "unstable": True, "kind": "failure to read on", "course": "passing"}
    rows = [
        {"scheme": 4, "forget_bias": 5.0, "seed": seed} | (above | own if seed else {})
        for seed in range(3)
    ]
    return table(*rows)


def test_rises_above_the_threshold_are_told_by_kind():
    lines = verdict(risen(), pd.DataFrame())
    assert (
        f"{PLACE}, scheme 4, forget bias 5: largest rise 0.337 (0.010 to 0.500 in 3 cells), above"
        " the threshold of 0.223 in 2 of them: 2 failure to read on; 2 passing."
    ) in lines


@pytest.mark.parametrize(
    ("own", "said"),
    [
        (
            {"after_start": 1.0},
            "Of 2 cells of scheme 4 that rise above the threshold after their first epoch, 2 rise"
            " most at the first evaluation of an epoch; of all their evaluations after the first"
            " epoch, 20% are such.",
        ),
        (
            {"after_start": 1.0, "schedule": "listed"},
            "Whether rises follow restarts cannot be told",
        ),
        ({"after_start": 1.0, "schedule": "log"}, "Whether rises follow restarts cannot"),
        ({"after_start": math.nan}, "Whether rises follow restarts cannot be told: no cell of"),
    ],
)
def test_rises_follow_restarts_only_where_the_schedule_can_tell(own, said):
    assert any(line.startswith(said) for line in verdict(risen(**own), pd.DataFrame()))


def test_without_cells_nothing_is_said():
    nothing = ["Nothing can be said: no cell is finished."]
    assert verdict(pd.DataFrame(), pd.DataFrame()) == nothing
    alone = verdict(grid().iloc[:3], pd.DataFrame())
    assert alone[0] == "Nothing can be compared: no two finished cells differ in one thing only."
