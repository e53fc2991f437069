"""The paper's claims on tables made by hand: supported, opposed, and left open."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from analysis.claims.__main__ import main
from analysis.claims.catalogue import CLAIMS, concerning, judge_all, papers
from analysis.claims.claim import Claim
from analysis.claims.conditions import Conditions
from analysis.claims.evidence import TABLE4, Evidence, read_evidence
from analysis.claims.finding import Finding
from analysis.claims.verdict import Outcome, Verdict, judge
from analysis.report.summary import scheme_results, sentences
from analysis.statistics.intervals import Chance
from claim_cases import CASES, SMALL_BUMP, SPEED, lengths, on, tables_4
from claim_tables import (
    FINNISH,
    MUSIC,
    OVERFITTED,
    SPIKE,
    STEADY,
    TEXTS,
    architectures,
    cell,
    disagreeing,
    evidence,
    falling,
    schemes,
    spikes,
    strides,
    table4,
)

from charrnn.sweeps.cells import compose_cells

BY_ID = {claim.id: claim for claim in CLAIMS}
ANY = Conditions(batches=0, hidden_size=(), k1=(), k2=(), corpora=())
"""No conditions at all."""


def told(claim: str, *cells: dict) -> Verdict:
    """The verdict that these cells allow, whatever the conditions."""
    return judge(replace(BY_ID[claim], about=ANY), evidence(*cells))


def outcome(claim: str, *cells: dict) -> Outcome:
    return told(claim, *cells).outcome


def check(claim: Claim, known: list[Evidence]) -> None:
    """A claim has to come out either way, and can be left open for what the results say."""
    decided, so_far = [], []
    for each in known:
        rows = each.table4 if TABLE4 in claim.needs else each.select(claim.needs).curves
        finding = claim.test(rows)
        found = replace(claim, test=lambda _, finding=finding: finding)
        decided.append(judge(replace(found, about=ANY), each))
        so_far.append(judge(found, each))
    assert [verdict.outcome for verdict in decided] == [
        Outcome.BORNE_OUT,
        Outcome.CONTRADICTED,
        Outcome.UNDECIDED,
    ]
    assert [verdict.outcome for verdict in so_far] == [
        Outcome.CONSISTENT,
        Outcome.AT_ODDS,
        Outcome.UNDECIDED,
    ]
    for whole, part in zip(decided, so_far, strict=True):
        assert whole.effect
        assert not whole.unmet
        assert part.unmet
        assert all(lack in part.conditions for lack in part.unmet)
    assert [bool(verdict.reason) for verdict in decided] == [False, False, True]


def test_every_claim_is_tested():
    assert CASES.keys() | SPEED.keys() == BY_ID.keys()


@pytest.mark.parametrize("claim", CASES)
def test_claims_about_curves_can_come_out_either_way(claim):
    check(BY_ID[claim], CASES[claim].evidence())


@pytest.mark.parametrize("claim", SPEED)
def test_claims_about_time_can_come_out_either_way(claim):
    check(BY_ID[claim], tables_4(claim, sizes=(32, 128)))
    supporting, opposing, noisy = (judge(BY_ID[claim], known) for known in tables_4(claim))
    assert supporting.outcome is Outcome.BORNE_OUT
    assert supporting.runs == ("figures/table4-laptop.csv",)
    assert supporting.conditions == "meets all 1 conditions"
    assert opposing.outcome is Outcome.CONTRADICTED
    assert noisy.reason.startswith("the quartiles reach beyond")
    unknown = judge(BY_ID[claim], Evidence("laptop"))
    assert unknown.outcome is Outcome.UNDECIDED
    assert unknown.reason == "not started: make reproduce-table4 SCALE=laptop"
    empty = judge(BY_ID[claim], Evidence("laptop", table4=table4([0.25]).table4.iloc[:0]))
    assert empty.reason == "Table 4 does not have this measurement"


@pytest.mark.parametrize(
    "chance",
    [
        pytest.param(Chance(0.0, 1.0), id="always supported"),
        pytest.param(Chance(1.0, 0.0), id="always opposed"),
        pytest.param(Chance(1.0, 1.0), id="never decided"),
    ],
)
def test_a_claim_that_can_come_out_only_one_way_would_be_found(chance):
    known = CASES["scheme-2-slower"].evidence()
    check(BY_ID["scheme-2-slower"], known)
    one_sided = replace(BY_ID["scheme-2-slower"], test=lambda _: Finding("it is so", chance))
    with pytest.raises(AssertionError):
        check(one_sided, known)


def test_a_claim_whose_test_cannot_support_it_would_be_found():
    true_test = BY_ID["scheme-2-slower"].test

    def only_opposes(curves):
        found = true_test(curves)
        return replace(found, chance=Chance(1.0, found.chance.opposes))

    with pytest.raises(AssertionError):
        check(
            replace(BY_ID["scheme-2-slower"], test=only_opposes),
            CASES["scheme-2-slower"].evidence(),
        )


@pytest.mark.parametrize("claim", CASES)
def test_nothing_is_decided_while_a_cell_is_pending_or_an_experiment_is_not_started(claim):
    good = CASES[claim].supporting
    # What the test finds does not matter here.
    found = replace(BY_ID[claim], test=lambda _: Finding("it is so", Chance(0.0, 1.0)))
    for sweep, where in BY_ID[claim].needs.items():
        chosen = evidence(*good).select({sweep: where})
        assert len(chosen.cells)
        names = [name for name in chosen.cells if name in {"sweep", *good[0]}]
        to_come = {name: chosen.cells.iloc[-1][name] for name in names}
        verdict = judge(found, evidence(*good, cell(None, **to_come | {"seed": 3})))
        assert verdict.outcome is Outcome.UNDECIDED
        assert verdict.effect == "it is so"
        assert "1 of" in verdict.reason
        assert "seed=3" in verdict.reason
        verdict = judge(found, evidence(*(one for one in good if one["sweep"] != sweep)))
        assert verdict.outcome is Outcome.UNDECIDED
        assert verdict.reason.startswith("not started: ")
        assert sweep in verdict.reason


def test_where_nothing_is_odd_no_cure_is_judged():
    steady = [*architectures({(1, 128): 9.0}, **MUSIC)]
    steady.append(cell(9.0, sweep="dropout", hidden_size=128, **MUSIC))
    verdict = told("dropout-eases", *steady)
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason == "every replicate lies just where the claim ends"
    steady = architectures({(1, 32): falling(5.0)}, **FINNISH)
    remedied = cell(20.0, sweep="finnish_slow", **FINNISH)
    # Neither has a bump; that one of them falls less steeply is not a higher bump.
    assert outcome("bump-learning-rate", *steady, remedied) is Outcome.UNDECIDED


def test_a_slower_fall_is_no_instability():
    slower = spikes({3: [falling(5.0)] * 3, 4: [falling(9.0)] * 3})
    assert outcome("scheme-4-unstable", *slower) is Outcome.CONTRADICTED
    music, finnish = spikes({4: [falling(9.0)]}, **MUSIC), spikes({4: [falling(5.0)]}, **FINNISH)
    assert outcome("scheme-4-music", *music, *finnish) is Outcome.UNDECIDED
    # Rises before 101 batches, while scheme 4 starts like scheme 3, are not meant either.
    early = spikes({3: [STEADY], 4: [[80, 60, 40, 20, 30, 19, 12, 10]]})
    assert outcome("scheme-4-unstable", *early) is Outcome.CONTRADICTED


def test_scheme_4_has_to_be_less_stable_than_scheme_3():
    both = spikes({3: [STEADY, SPIKE], 4: [STEADY, SPIKE]})
    assert outcome("scheme-4-unstable", *both) is Outcome.UNDECIDED
    worse = spikes({3: [SPIKE, SPIKE], 4: [STEADY, SPIKE]})
    assert outcome("scheme-4-unstable", *worse) is Outcome.CONTRADICTED
    assert outcome("scheme-4-unstable", *spikes({4: [SPIKE, SPIKE]})) is Outcome.UNDECIDED


def test_a_cell_that_diverged_does_not_make_almost_all_unstable():
    """The mean of the three rises would be a factor of four."""
    diverged = [80, 60, 40, 25, 22, math.inf, math.nan, 1e9]
    cells = [lengths({20: curve}, 4, k1=k) for k, curve in ((20, diverged), (13, 10.0), (7, 10.0))]
    assert outcome("scheme-4-k2", *(one for own in cells for one in own)) is Outcome.CONTRADICTED


def test_one_corpus_alone_does_not_show_that_the_data_do_not_matter():
    ends = {1: 8, 2: 12, 3: 9, 4: 10}
    verdict = told("data-independent", *schemes(ends, ["english"]))
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason == "it takes two corpora with the same cells"
    # Of scheme 4 on Music nothing is known.
    some = [*schemes(ends, ["english"]), *schemes({1: 8, 2: 12, 3: 9}, ["music"])]
    verdict = told("data-independent", *some)
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason == "scheme 4: it takes two corpora with the same cells"


def test_a_scheme_that_gains_does_not_make_up_for_one_that_loses():
    """By shuffling, by a sixth each."""
    cells = [*schemes({1: 8, 2: 12}), *schemes({1: 9.6, 2: 10}, sweep="shuffled")]
    assert outcome("shuffling", *cells) is Outcome.CONTRADICTED


def test_a_stride_that_one_scheme_lacks_does_not_count_in_any():
    """Of scheme 2 the stride is missing with which the lines of scheme 1 lie apart."""
    cells = [*strides({1: 1.01, 2: 1.05, 3: 1.15, 4: 1.5})]
    cells += [cell(30.0, scheme=scheme, k1=100) for scheme in (1, 3, 4)]
    cells.append(cell(None, scheme=2, k1=100, state="failed", seed=0))
    verdict = told("k1-spread", *cells)
    assert verdict.outcome is Outcome.BORNE_OUT
    assert verdict.reason == "left out: failed: scheme 2 k1=100 seed=0"


def test_every_short_length_has_to_be_unstable_and_the_longer_ones_stable():
    for curves, expected in (
        ({20: SPIKE, 40: SPIKE, 60: SPIKE}, Outcome.CONTRADICTED),
        ({20: SPIKE, 60: STEADY}, Outcome.UNDECIDED),
        ({60: STEADY}, Outcome.UNDECIDED),
        ({20: SPIKE, 40: SPIKE}, Outcome.UNDECIDED),
    ):
        assert outcome("scheme-2-short", *lengths(curves)) is expected
    lost = [*lengths({20: SPIKE, 60: STEADY}), *lengths({40: None}, state="failed", seed=0)]
    verdict = told("scheme-2-short", *lost)
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason == (
        "no cell has a result with k2=40 (fig11); left out: failed: k2=40 seed=0"
    )


def test_what_failed_does_not_change_what_is_meant_by_large_and_small():
    lost = architectures({(1, 32): OVERFITTED, (1, 128): None}, **MUSIC)
    lost[1]["state"] = "failed"
    verdict = told("gamma-overfits", *lost)
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason == "no cell has a result; left out: failed: seed=0, 1, 2"
    failed = schemes({1: None}, k1=100, state="failed")
    strides = [*schemes({1: 8}), *schemes({1: 7.9}, k1=60), *failed]
    assert outcome("k1-small", *strides) is Outcome.UNDECIDED


def test_what_is_said_of_each_is_judged_by_its_mean_not_by_the_smallest_of_every_cell():
    # In every corpus scheme 3 wins at one k1 and scheme 4 at the other; on average neither does.
    best = [
        cell(end, corpus=corpus, scheme=scheme, k1=k1)
        for corpus in TEXTS
        for k1, ends in ((20, (8, 12, 7.8, 9)), (60, (8, 12, 9, 7.8)))
        for scheme, end in enumerate(ends, start=1)
    ]
    assert outcome("scheme-1-best", *best) is Outcome.BORNE_OUT
    # At each k1 one text is harder than Music, and on average none is.
    hardest = [
        cell(end, corpus=corpus, k1=k1)
        for k1, ends in ((20, (9, 8, 7, 8.6)), (60, (7, 8, 9, 8.6)))
        for corpus, end in zip((*TEXTS, "music"), ends, strict=True)
    ]
    assert outcome("music-hardest", *hardest) is Outcome.BORNE_OUT


def test_a_part_where_it_is_not_so_contradicts_what_is_said_of_all():
    cells = on({"english": {1: 8, 2: 20}, "music": {1: 8, 2: 7}})
    verdict = told("scheme-2-slower", *cells)
    assert verdict.outcome is Outcome.CONTRADICTED
    assert set(verdict.parts) == {"english", "music"}
    assert verdict.runs == tuple(f"fig9-{n}-{seed}" for n in range(4) for seed in range(3))
    # Not clearly so there: two replicates of three say that it is.
    other = on({"english": {1: 8, 2: 20}, "music": {1: 8, 2: 8.2}})
    verdict = told("scheme-2-slower", *disagreeing(other, cells))
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason == "not so in every part: music"


def test_a_pause_in_training_is_not_the_time_of_a_batch():
    """As long as most intervals are undisturbed; by total time k2=20 would be the slowest."""
    known = evidence(*CASES["k2-time"].supporting)
    curves = known.sweeps["fig11"].curves
    paused = (curves["k2"] == 20) & (curves["batches"] > 201)
    curves.loc[paused, ["train_seconds", "train_cpu_seconds"]] += 100
    assert judge(BY_ID["k2-time"], known).outcome is Outcome.CONSISTENT


def test_two_corpora_in_one_place_are_two_corpora():
    """stdlib and linux61 both stand for Linux: the first of the catalogue is taken for it."""
    cells = [cell(8, corpus="english"), cell(8.2, corpus="linux61"), cell(20, corpus="stdlib")]
    for known in (cells, cells[::-1]):
        assert outcome("texts-alike", *known) is Outcome.BORNE_OUT
    cells += [cell(9, corpus="linux")]
    for known in (cells, cells[::-1]):
        assert outcome("texts-alike", *known) is Outcome.CONTRADICTED


def test_substitutes_stand_for_corpora_and_are_named():
    known = [*schemes({1: 8, 2: 12}, ["kalevala", "music"], k1=60)]
    verdict = judge(BY_ID["scheme-2-slower"], evidence(*known))
    assert verdict.extent == "on kalevala for Finnish, music; k1=60; 3 replicates"
    assert verdict.unmet[-1] == "nothing on English, Linux"
    verdict = judge(BY_ID["scheme-2-music"], evidence(*known))
    assert verdict.unmet[-1] == "nothing on English, Linux, kalevala in place of Finnish"
    bump = [one | {"corpus": "kalevala"} for one in SMALL_BUMP]
    verdict = judge(BY_ID["finnish-bump"], evidence(*bump))
    assert verdict.outcome is Outcome.CONSISTENT
    assert verdict.unmet[-1] == "kalevala in place of Finnish"


def test_a_cell_that_diverged_makes_the_mean_infinite():
    known = evidence(
        *schemes({1: 8, 2: 12, 3: 9}, seed=0),
        *schemes({4: 8.5}, TEXTS[:2], seed=0),
        cell([80, 60, 40, 25, 22, 40, 12, math.inf], corpus="linux", scheme=4, seed=0),
    )
    results = scheme_results(known)
    ends = [round(result.perplexity, 1) for result in results]
    assert ends == [8, 12, 9, math.inf]
    assert [result.diverged for result in results] == [0, 0, 0, 1]
    (first, *_) = sentences(known, [], results)
    assert first.endswith("scheme 4 infinite (1 of 3 cells diverged).")
    everywhere = evidence(*(cell([math.nan] * 8, scheme=scheme) for scheme in (1, 2, 3, 4)))
    (first, *_) = sentences(everywhere, [], scheme_results(everywhere))
    assert first == (
        "At least one cell diverged in every scheme, so all geometric means are infinite."
    )


def test_what_failed_is_left_out_and_named():
    lost = cell(None, corpus="music", scheme=2, state="failed", seed=0)
    verdict = told("scheme-2-slower", *schemes({1: 8, 2: 12}), lost)
    assert verdict.outcome is Outcome.BORNE_OUT
    assert verdict.reason == "left out: failed: music scheme 2 seed=0"


def test_a_corpus_that_one_replicate_has_alone_is_in_neither_the_effect_nor_what_it_covers():
    ends = {1: 8, 2: 12, 3: 9, 4: 10}
    replicated = schemes(ends, ["english"])
    alone = told("scheme-1-best", *replicated)
    # Scheme 1 is the worst there: in seed 0 it would pull the mean to the other side.
    opposed = {1: 60, 2: 12, 3: 9, 4: 10}
    verdict = told("scheme-1-best", *replicated, *schemes(opposed, ["music"], seed=0))
    assert (verdict.outcome, verdict.effect) == (Outcome.BORNE_OUT, alone.effect)
    assert verdict.extent == alone.extent == "on english; k1=20; 3 replicates"
    assert verdict.reason == "left out: not in every replicate: music scheme 1, 2, 3, 4 seed=0"
    assert verdict.runs == alone.runs


def test_the_pace_of_one_machine_is_not_compared_with_that_of_another():
    slow, other, fast = (
        cell(8.0, scheme=n, seconds=seconds, gpu=gpu)
        for n, seconds, gpu in ((1, 11.0, "none"), (4, 10.0, "none"), (4, 1.0, "H100"))
    )
    assert told("no-learned-start", slow, other).outcome is Outcome.BORNE_OUT
    assert told("no-learned-start", slow, fast).effect == ""


def test_without_any_run_nothing_is_decided(tmp_path: Path):
    verdicts = judge_all(read_evidence(tmp_path, "laptop"))
    assert len(verdicts) == len(CLAIMS)
    assert {verdict.outcome for verdict in verdicts} == {Outcome.UNDECIDED}
    assert all(verdict.reason for verdict in verdicts)


def test_our_own_questions_are_not_the_papers_claims():
    known = table4([0.25, 0.09])
    verdicts = judge_all(known)
    own = {"rolling-sampler", "gap-by-bias", "bias-costs", "carrying-closes", "rise-by-bias"}
    assert {v.claim.id for v in verdicts} - {v.claim.id for v in papers(verdicts)} == own
    assert not own & {v.claim.id for v in concerning(1, verdicts)}
    (counted, *_) = [line for line in sentences(known, verdicts, []) if "claims" in line]
    assert counted.startswith(f"Of the paper's {len(CLAIMS) - len(own)} claims: 3 borne out,")


def test_the_cells_beside_the_figures_are_those_of_the_figures_but_for_one_thing():
    def cells(name: str) -> list:
        return compose_cells(name, ["scale=paper", "corpora=authors", "k1=20"])

    dropout = cells("dropout")
    assert {(c.data._target_[-5:], c.backbone.hidden_size) for c in dropout} == {("Music", 512)}
    assert {c.backbone.dropout for c in dropout} == {0.25}
    assert len(dropout) == 2
    slow, rmsprop = cells("finnish_slow"), cells("finnish_rmsprop")
    for group in (slow, rmsprop):
        assert {c.data._target_[-7:] for c in group} == {"Finnish"}
        assert {c.backbone.hidden_size for c in group} == {128}
        assert len(group) == 2
    assert {(c.optimizer._target_, c.optimizer.lr) for c in slow} == {("torch.optim.Adam", 1e-4)}
    assert {c.optimizer._target_ for c in rmsprop} == {"torch.optim.RMSprop"}
    shuffled = cells("shuffled")
    assert {c.datamodule.order for c in shuffled} == {"shuffled"}
    assert len(shuffled) == 4 * 3


def test_every_claim_is_printed_as_a_sentence_with_its_verdict(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["claims", "--scale", "laptop", "--runs", str(tmp_path)])
    main()
    printed = capsys.readouterr().out.splitlines()
    for claim in CLAIMS:
        (row,) = [line for line in printed if line.startswith(f"{claim.id} ")]
        assert claim.says in row
        assert claim.says.endswith(".")
        assert Outcome.UNDECIDED in row
    assert printed[-1].startswith("0 claims were tested.")
