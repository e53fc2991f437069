"""From findings to verdicts: conditions, replicates, and several claims together."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from analysis.claims.catalogue import CLAIMS
from analysis.claims.conditions import Conditions
from analysis.claims.finding import Finding
from analysis.claims.verdict import Outcome, Verdict, false_verdicts, judge, judge_together
from analysis.statistics.intervals import Chance
from claim_tables import TEXTS, cell, evidence, schemes

from charrnn.evaluation.schedule import dense, log_spaced

(SLOWER,) = (claim for claim in CLAIMS if claim.id == "scheme-2-slower")
NOTHING = Conditions(batches=0, hidden_size=(), k1=(), k2=(), corpora=())


def found(opposes: float, supports: float = 1.0, name: str = "one"):
    """A claim whose test finds this, whatever the results."""
    finding = Finding("an effect", Chance(supports, opposes), "no reason")
    return replace(SLOWER, id=name, about=NOTHING, test=lambda _: finding)


def curves(counts=(800, 1600), **where) -> pd.DataFrame:
    """Runs that were evaluated at these numbers of batches, one for each combination of values."""
    known = {"corpus": ["english"], "hidden_size": [512], "k1": [20], "k2": [100]} | where
    runs = pd.MultiIndex.from_product([*known.values(), counts], names=[*known, "batches"])
    return runs.to_frame(index=False).assign(run="one")


@pytest.mark.parametrize(
    ("conditions", "known", "lacks"),
    [
        (replace(NOTHING, batches=1600), curves(), []),
        (replace(NOTHING, batches=12_800), curves(), ["1,600 batches, not 12,800"]),
        (replace(NOTHING, hidden_size=(512,)), curves(hidden_size=[32, 512]), []),
        (
            replace(NOTHING, hidden_size=(128, 512)),
            curves(hidden_size=[32, 512]),
            ["gamma=32, 512, not 128, 512"],
        ),
        (replace(NOTHING, k1=(20, 100)), curves(k1=[60, 20]), ["k1=20, 60, not 20, 100"]),
        (replace(NOTHING, k2=(100,)), curves(k2=[20, 60]), ["k2=20, 60, not 100"]),
        (
            replace(NOTHING, corpora=("english", "finnish", "music")),
            curves(),
            ["nothing on Finnish, Music"],
        ),
        (replace(NOTHING, corpora=("english",)), curves(corpus=["shakespeare"]), []),
        (
            replace(NOTHING, corpora=("english",), own=True),
            curves(corpus=["shakespeare"]),
            ["shakespeare in place of English"],
        ),
        (
            replace(NOTHING, corpora=("english", "music"), own=True),
            curves(corpus=["shakespeare"]),
            ["nothing on Music, shakespeare in place of English"],
        ),
    ],
)
def test_what_results_lack_of_a_claims_conditions_is_named(conditions, known, lacks):
    assert conditions.unmet(known) == lacks


def test_the_shortest_run_counts():
    short = curves((400, 800)).assign(run="two")
    both = pd.concat([curves(), short])
    assert replace(NOTHING, batches=1600).unmet(both) == ["800 batches, not 1,600"]


def test_rises_between_log_spaced_evaluations_would_be_missed():
    wanted = replace(NOTHING, batches=12_800, dense=True)
    lack = "evaluated at log-spaced batches, not densely"
    assert wanted.unmet(curves(log_spaced(12_800))) == [lack]
    assert wanted.unmet(curves(dense(12_800))) == []
    assert replace(wanted, dense=False).unmet(curves(log_spaced(12_800))) == []
    # Too short is the first thing to say.
    assert wanted.unmet(curves(log_spaced(1600))) == ["1,600 batches, not 12,800"]
    # One run that is not evaluated densely is enough.
    mixed = [curves(dense(12_800)), curves(log_spaced(12_800)).assign(run="two")]
    assert wanted.unmet(pd.concat(mixed)) == [lack]


def test_conditions_are_counted():
    assert len(NOTHING) == 0
    assert len(Conditions()) == 5
    assert len(replace(Conditions(), k1=(), own=True, dense=True)) == 4
    lacking = Verdict(SLOWER, Outcome.CONSISTENT, "an effect", unmet=("this", "that"))
    assert lacking.conditions == "meets 3 of 5 conditions: this; that"
    assert replace(lacking, unmet=()).conditions == "meets all 5 conditions"
    assert replace(lacking, effect="").conditions == ""


def test_runs_as_long_and_wide_as_the_papers_bear_a_claim_out():
    whole = {"hidden_size": 512, "at": [16 * n for n in (3, 6, 13, 51, 101, 201, 401, 801)]}
    known = [
        one
        for k1 in (20, 40, 60, 80, 100)
        for one in schemes({1: 8, 2: 12}, [*TEXTS, "music"], k1=k1, **whole)
    ]
    verdict = judge(SLOWER, evidence(*known))
    assert verdict.outcome is Outcome.BORNE_OUT
    assert verdict.conditions == "meets all 5 conditions"
    assert verdict.extent == (
        "on english, finnish, linux, music; k1=20, 40, 60, 80, 100; 3 replicates"
    )
    narrow = [one | {"hidden_size": 128} for one in known]
    verdict = judge(SLOWER, evidence(*narrow))
    assert verdict.outcome is Outcome.CONSISTENT
    assert verdict.conditions == "meets 4 of 5 conditions: gamma=128, not 512"


def test_one_or_two_replicates_decide_nothing():
    for seeds in ((0,), (0, 1)):
        cells = [one | {"seed": seed} for seed in seeds for one in schemes({1: 8, 2: 12})]
        verdict = judge(SLOWER, evidence(*cells))
        assert verdict.outcome is Outcome.UNDECIDED
        assert verdict.reason == "an interval takes at least three replicates"
        assert verdict.opposes is None
        assert f"({len(seeds)} replicate" in verdict.effect


def test_a_longer_run_of_the_same_cell_is_preferred_and_other_settings_are_no_evidence():
    ends = {800: (8, 7), 1600: (8, 12)}
    cells = [
        one | {"num_batches": length, "settings": f"num_batches={length}", "at": [length]}
        for length, (first, second) in ends.items()
        for one in (cell([first], run="a"), cell([second], scheme=2, run="b"))
    ]
    other = [
        one | {"settings": "optimizer.lr=0.1", "curve": [1.0], "run": "c"} for one in cells[-2:]
    ]
    for known in (evidence(*cells, *other), evidence(*other, *cells[::-1])):
        chosen = known.select({"fig9": ""})
        assert set(chosen.curves["num_batches"]) == {1600}
        assert set(chosen.curves["perplexity"].round()) == {8, 12}
        assert len(chosen.cells) == 2 * 3
    verdict = judge(SLOWER, evidence(*other))
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason == (
        "no cell with the experiment's own settings is of these: fig9 (scheme in (1, 2))"
    )


def test_cells_of_different_lengths_are_not_mixed():
    """One replicate was trained further: all are judged where all of them are."""
    short = [cell([8.0], run=f"short-{n}", seed=n, num_batches=400, at=[400]) for n in range(3)]
    long = cell([4.0], run="long", seed=0, num_batches=1600, at=[1600])
    chosen = evidence(*short, long).select({"fig9": ""})
    assert set(chosen.curves["num_batches"]) == {400}
    assert len(chosen.cells) == 3
    also = [cell([4.0], run=f"long-{n}", seed=n, num_batches=1600, at=[1600]) for n in (1, 2)]
    assert set(evidence(*short, long, *also).select({"fig9": ""}).cells["num_batches"]) == {1600}


def test_a_contradiction_that_holds_alone_falls_among_many():
    known = evidence(*schemes({1: 8, 2: 12}))
    weak, strong = found(0.02, name="weak"), found(1e-6, name="strong")
    others = [found(0.5, name=str(n)) for n in range(8)]
    assert judge(weak, known).outcome is Outcome.CONTRADICTED
    (alone,) = judge_together([weak], known)
    assert alone.outcome is Outcome.CONTRADICTED
    verdicts = judge_together([weak, strong, *others], known)
    outcomes = [verdict.outcome for verdict in verdicts]
    assert outcomes == [Outcome.UNDECIDED, Outcome.CONTRADICTED, *[Outcome.UNDECIDED] * 8]
    # It is the second smallest of ten: 9 * 0.02.
    assert verdicts[0].reason == (
        "one of 10 claims would be opposed this much by chance (Holm: p = 0.18)"
    )
    assert verdicts[0].effect == "an effect"


def test_support_is_not_corrected_but_its_false_verdicts_are_counted():
    known = evidence(*schemes({1: 8, 2: 12}))
    claims = [found(0.9, supports=0.02, name=str(n)) for n in range(40)]
    # Claims of which nothing was tested are not counted.
    untested = replace(SLOWER, id="untested", test=lambda _: Finding("an effect"))
    verdicts = judge_together([*claims, untested], known)
    assert [verdict.outcome for verdict in verdicts[:40]] == [Outcome.BORNE_OUT] * 40
    assert verdicts[40].opposes is None
    assert false_verdicts(verdicts) == (
        "40 claims were tested. If none of them held, at most 1.0 would be expected to look borne"
        " out or consistent by chance; that any of those contradicted or at odds is so by chance"
        " has a probability of at most 2.5% (Holm)."
    )
