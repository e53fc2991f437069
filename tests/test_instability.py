"""Rises told apart, the reading gap, and the threshold, on curves made by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from analysis.instability.definition import UNSTABLE, as_read, summarise_rise, unstable
from analysis.instability.gap import gaps, summarise_gap
from analysis.instability.readings import with_scheme_3
from analysis.instability.threshold import bases, schedule, threshold, threshold_at
from analysis.results import Results

from charrnn.evaluation.schedule import dense, log_spaced

COUNTS = (1, 51, 101, 201, 301, 401)
FALLING = (80.0, 40.0, 20.0, 10.0, 9.0, 8.0)
LOSSES = (4.4, 3.7, 3.0, 2.3, 2.2, 2.1)
NOT_RECORDED = (math.nan,) * 6


def curve(
    windowed=FALLING,
    progressive=FALLING,
    losses=LOSSES,
    procedure="progressive",
    counts=COUNTS,
    **own,
) -> pd.DataFrame:
    """A cell's evaluations, as it reads; scheme 4 unless ``own`` says something else."""
    table = pd.DataFrame(
        {"batches": counts, "windowed": windowed, "progressive": progressive, "train_loss": losses}
    )
    place = {"corpus": "a", "scheme": 4, "num_layers": 1, "hidden_size": 128, "k2": 100, "k1": 20}
    place |= {"seed": 0, "sweep": "any", "run": "run", "num_batches": counts[-1], "epoch": 0}
    return table.assign(perplexity=table[procedure], procedure=procedure, **place | own)


SPIKE = (80.0, 40.0, 10.0, 20.0, 9.0, 8.0)  # twice its lowest at 201 batches, then lower than ever
STAYS = (80.0, 40.0, 10.0, 20.0, 20.0, 20.0)
LATE = (80.0, 40.0, 10.0, 9.0, 8.0, 16.0)
HALF_OF_IT = math.log(2) / 2


@pytest.mark.parametrize(
    ("known", "kind", "course"),
    [
        # The training loss falls from 3.0 to 2.3.
        (curve(SPIKE, SPIKE), "overfitting", "passing"),
        (curve(STAYS, STAYS), "overfitting", "lasting"),
        # It rises, by more than half of log 2; by less than half.
        (
            curve(SPIKE, SPIKE, (4.4, 3.7, 3.0, 3.4, 2.2, 2.1)),
            "instability of the weights",
            "passing",
        ),
        (curve(SPIKE, SPIKE, (4.4, 3.7, 3.0, 3.3, 2.2, 2.1)), "overfitting", "passing"),
        (curve(STAYS, STAYS, (4.4, 3.7, 3, 4, 4, 4)), "instability of the weights", "lasting"),
        # The windowed reading does not rise, or by less than half as much: 13 / 10 < sqrt(2).
        (curve(FALLING, SPIKE), "failure to read on", "passing"),
        (curve((80, 40, 10, 13, 9, 8), STAYS), "failure to read on", "lasting"),
        (curve((80, 40, 10, 15, 9, 8), STAYS), "overfitting", "lasting"),
        # What followed was not seen.
        (curve(FALLING, LATE), "failure to read on", "too late to tell"),
        # The windowed reading, or the training loss, was not recorded.
        (curve(NOT_RECORDED, SPIKE), "unclear", "passing"),
        (curve(SPIKE, SPIKE, NOT_RECORDED), "unclear", "passing"),
        # The two training losses have batches in common.
        (curve(SPIKE, SPIKE, counts=(1, 51, 101, 131, 301, 401)), "unclear", "passing"),
        # A cell that reads in windows is judged by both readings, or by its training loss.
        (curve(SPIKE, SPIKE, procedure="windowed"), "overfitting", "passing"),
        (curve(SPIKE, NOT_RECORDED, procedure="windowed"), "overfitting", "passing"),
        (curve(SPIKE, FALLING, procedure="windowed"), "unclear", "passing"),
        # Divergence.
        (
            curve(
                (80, 40, 10, 9, math.nan, math.nan),
                (80, 40, 10, 9, math.inf, math.nan),
                (4, 3, 2, 2, math.nan, math.nan),
            ),
            "instability of the weights",
            "lasting",
        ),
        (curve(), "none", "none"),
        (curve(FALLING, (80, 40, 20, 21, 9, 8)), "failure to read on", "none"),  # 1.05 times
    ],
)
def test_rises_are_told_apart(known, kind, course):
    told = summarise_rise(known)
    assert (told["kind"], told["course"]) == (kind, course)
    assert told["unstable"] == (course != "none" and kind != "overfitting")
    assert unstable(known).tolist() == [told["unstable"]]


def test_a_rise_is_a_logarithm_with_its_place():
    told = summarise_rise(curve(FALLING, SPIKE))
    assert told["rise"] == pytest.approx(math.log(2))
    assert (told["lowest_at"], told["rise_at"]) == (101, 201)
    # One evaluation is in the last tenth: 8 is below 10.
    assert told["left"] == pytest.approx(math.log(0.8))
    assert math.isnan(told["after_start"])
    lasting = summarise_rise(curve(FALLING, STAYS, epoch=[0, 0, 1, 1, 1, 2]))
    assert lasting["left"] == pytest.approx(math.log(2))
    assert lasting["after_start"] == 0
    assert summarise_rise(curve(FALLING, STAYS, epoch=[0, 0, 1, 2, 2, 2]))["after_start"] == 1
    # With a threshold above log 2 nothing is unstable.
    told = summarise_rise(curve(FALLING, STAYS), above=0.7)
    assert (told["course"], told["unstable"]) == ("none", False)
    short = summarise_rise(curve().iloc[:1])
    assert math.isnan(short["rise"])
    assert (short["kind"], short["unstable"]) == ("none", False)


def test_the_reading_gap_is_that_of_the_same_weights():
    known = curve((80, 40, 20, 10, 8, 8), (80, 40, 25, 20, 10, 8))
    assert gaps(known).tolist() == pytest.approx(
        [0, 0, math.log(1.25), math.log(2), math.log(1.25), 0]
    )
    told = summarise_gap(known)
    assert (told["gap"], told["largest_gap"]) == pytest.approx((0, math.log(2)))
    assert told["largest_gap_at"] == 201
    # From a fresh state these weights predict worse: what is farthest from 0 is below 0.
    told = summarise_gap(curve((80, 40, 20, 40, 16, 16), (80, 40, 22, 10, 8, 8)))
    assert (told["gap"], told["largest_gap"], told["highest_gap"]) == pytest.approx(
        (-math.log(2), -math.log(4), math.log(1.1))
    )
    assert all(math.isnan(value) for value in summarise_gap(curve(NOT_RECORDED)).values())
    claims = curve().drop(columns=["windowed", "progressive"])
    assert math.isnan(summarise_gap(claims)["gap"])
    assert as_read(claims, "windowed") is None
    # Infinite counts as 1,000.
    diverged = curve(FALLING, (*FALLING[:5], math.inf))
    assert summarise_gap(diverged)["gap"] == pytest.approx(math.log(125))


def test_scheme_3_is_scheme_1s_run_read_progressively():
    one = curve(FALLING, SPIKE, procedure="windowed", scheme=1, run="x", standard_error=0.02)
    two = curve(scheme=2, run="y", procedure="windowed")
    cells = pd.DataFrame([table.iloc[0] for table in (one, two)])
    cells = cells[["corpus", "scheme", "procedure", "k1", "seed", "num_batches", "run"]]
    cells = cells.assign(state="finished").infer_objects()
    found = with_scheme_3(Results(cells, pd.concat([one, two], ignore_index=True)))
    assert found.cells["scheme"].tolist() == [1, 2, 3]
    of_3 = found.curve(found.cells.iloc[2])
    assert of_3["perplexity"].tolist() == list(SPIKE)
    assert of_3["windowed"].tolist() == list(FALLING)
    assert of_3["standard_error"].isna().all()  # it is that of the windowed reading
    assert found.ends()["final"].tolist() == [8, 8, 8]
    assert len(with_scheme_3(found).cells) == 3
    unread = one.assign(progressive=math.nan)
    assert len(with_scheme_3(Results(cells.iloc[:1], unread)).cells) == 1


def stable(rise: float, seed: int = 0, losses=(4, 3, 2, 2.3, 2, 2), **own) -> pd.DataFrame:
    """A cell of scheme 1 that rises by this factor, its training loss too."""
    spike = (80.0, 40.0, 10.0, 10.0 * rise, 9.0, 8.0)
    place = {"scheme": 1, "procedure": "windowed", "seed": seed, "run": f"{rise}-{seed}-{own}"}
    return curve(spike, spike, losses, **place | own)


def test_the_threshold_is_the_largest_rise_that_nobody_calls_unstable():
    cells = [
        stable(1.02),
        stable(1.05, scheme=2),
        stable(1.4, losses=LOSSES),  # overfits
        stable(2.0, scheme=2, k2=20),  # the paper calls it unstable
        stable(3.0, scheme=4),
        stable(1.3, counts=(1, 51, 101, 201, 301, 501)),  # evaluated at other moments
    ]
    same, other = bases(pd.concat(cells, ignore_index=True))
    assert same.rise == pytest.approx(math.log(1.05))
    assert (len(same.cells), same.overfitted, same.counts) == (2, 1, COUNTS)
    assert other.rise == pytest.approx(math.log(1.3))
    assert threshold(pd.concat(cells[:5])) == pytest.approx(math.log(1.05))
    # A run of scheme 3, read in windows, is one of scheme 1, and the same run counts once.
    three = curve(stable(1.1)["windowed"], SPIKE, (4, 3, 2, 2.3, 2, 2), scheme=3, run="three")
    again = three.assign(scheme=1, perplexity=three["windowed"], procedure="windowed")
    (basis,) = bases(pd.concat([three, again], ignore_index=True))
    assert (len(basis.cells), basis.rise) == (1, pytest.approx(math.log(1.1)))
    assert math.isnan(threshold(stable(3.0, scheme=4)))
    assert "too few for a threshold" in str(same)
    assert str(same).startswith(
        "evaluate_at=listed: 6 times up to 401 batches: largest rise x 1.0500 (logarithm 0.0488), "
        "of scheme 2 on a, k1=20, seed 0, at 201 batches; of 2 cells of schemes 1, 2: corpora a; "
        "seeds 0; k1 20; gamma 128; 1 more overfit and are left out."
    )


def test_few_cells_make_no_threshold():
    cells = [stable(1.01 + seed / 1000, seed) for seed in range(19)]
    assert threshold_at(pd.concat(cells), COUNTS) == pytest.approx(math.log(1.028))
    assert threshold_at(pd.concat(cells[:18]), COUNTS) == math.log(UNSTABLE)
    assert threshold_at(pd.concat(cells), (1, 51, 101)) == math.log(UNSTABLE)


def test_schedules_have_names():
    assert schedule(log_spaced(401)) == "log"
    assert schedule(dense(401)) == "dense"
    assert schedule(COUNTS) == "listed"
