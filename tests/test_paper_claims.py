"""The paper's claims on tables made by hand: borne out, contradicted, and not to be decided."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest
from analysis.claims.__main__ import main
from analysis.claims.catalogue import CLAIMS, concerning, judge_all, papers
from analysis.claims.evidence import Evidence, read_evidence
from analysis.claims.verdict import judge
from analysis.report.summary import scheme_results, sentences
from analysis.statistics.intervals import Outcome
from claim_tables import (
    FINNISH,
    MUSIC,
    OVERFITTED,
    SPEED,
    SPIKE,
    STEADY,
    TABLES,
    TEXTS,
    architectures,
    cell,
    evidence,
    lengths,
    schemes,
    spikes,
    strides,
    table4,
)

from charrnn.sweeps.cells import compose_cells

BY_ID = {claim.id: claim for claim in CLAIMS}


def outcome(claim: str, cells: list[dict], longer: int = 16) -> Outcome:
    """What they say; those of claims about the end of the paper's runs are as many times longer."""
    known = evidence(*cells)
    if BY_ID[claim].whole:
        for results in known.sweeps.values():
            results.curves["batches"] *= longer
    return judge(BY_ID[claim], known).outcome


def test_every_claim_is_tested():
    assert TABLES.keys() | SPEED.keys() == BY_ID.keys()


@pytest.mark.parametrize("claim", TABLES)
def test_claims_about_curves(claim):
    good, bad = TABLES[claim]
    assert outcome(claim, good) is Outcome.BORNE_OUT
    if BY_ID[claim].whole:
        short = judge(BY_ID[claim], evidence(*bad))
        assert short.outcome is Outcome.UNDECIDED
        assert short.reason == "the paper speaks of 12,800 batches, these runs have 801"
    assert outcome(claim, bad) is Outcome.CONTRADICTED
    # The same with one of its cells still to come, and without one of its experiments.
    for sweep in BY_ID[claim].needs:
        chosen = evidence(*good).select({sweep: BY_ID[claim].needs[sweep]})
        assert len(chosen.cells)
        to_come = {name: chosen.cells.iloc[-1][name] for name in cell(1.0) if name in chosen.cells}
        verdict = judge(BY_ID[claim], evidence(*good, cell(None, **to_come | {"seed": 1})))
        assert verdict.outcome is Outcome.UNDECIDED
        assert "1 of" in verdict.reason
        assert "seed=1" in verdict.reason
        left = evidence(*(one for one in good if one["sweep"] != sweep))
        verdict = judge(BY_ID[claim], left)
        assert verdict.outcome is Outcome.UNDECIDED
        assert verdict.reason.startswith("not started: ")
        assert sweep in verdict.reason


@pytest.mark.parametrize("claim", SPEED)
def test_claims_about_time(claim):
    good, bad = SPEED[claim]
    verdict = judge(BY_ID[claim], good)
    assert verdict.outcome is Outcome.BORNE_OUT
    assert verdict.runs == ("figures/table4-laptop.csv",)
    assert judge(BY_ID[claim], bad).outcome is Outcome.CONTRADICTED
    unknown = judge(BY_ID[claim], Evidence("laptop"))
    assert unknown.outcome is Outcome.UNDECIDED
    assert unknown.reason == "not started: make reproduce-table4 SCALE=laptop"
    noisy = good.table4.assign(lower=-1, upper=99)
    assert judge(BY_ID[claim], Evidence("laptop", table4=noisy)).outcome is Outcome.UNDECIDED


def test_where_nothing_is_odd_no_cure_is_judged():
    steady = [*architectures({(1, 128): 9.0}, **MUSIC)]
    steady.append(cell(9.0, sweep="dropout", hidden_size=128, **MUSIC))
    assert "nothing to ease" in judge(BY_ID["dropout-eases"], evidence(*steady)).reason
    neither = spikes({4: [STEADY]}, **MUSIC) + spikes({4: [STEADY]}, **FINNISH)
    verdict = judge(BY_ID["scheme-4-music"], evidence(*neither))
    assert verdict.reason == "no cell is unstable, neither on Music nor on Finnish"
    # Lines that rise by less than instability are no instability, whichever rises more.
    neither[0] = cell([80, 60, 40, 25, 22, 25, 12, 10], scheme=4, **MUSIC)
    assert outcome("scheme-4-music", neither) is Outcome.UNDECIDED


def test_scheme_4_has_to_be_less_stable_than_scheme_3():
    both = spikes({3: [STEADY, SPIKE], 4: [STEADY, SPIKE]})
    assert outcome("scheme-4-unstable", both) is Outcome.CONTRADICTED
    assert outcome("scheme-4-unstable", spikes({4: [STEADY, SPIKE]})) is Outcome.UNDECIDED


@pytest.mark.parametrize("claim", ["scheme-4-unstable", "scheme-4-music", "scheme-4-k2"])
def test_runs_that_end_where_instability_begins_do_not_decide(claim):
    for cells in TABLES[claim]:
        verdict = judge(BY_ID[claim], evidence(*(c | {"curve": c["curve"][:-1]} for c in cells)))
        assert verdict.outcome is Outcome.UNDECIDED
        assert verdict.reason.endswith("runs of more than 401 batches would tell")


def test_instability_in_some_cells_has_to_be_more_than_chance():
    def known(*spiked: int) -> list[dict]:
        cells = []
        for seed, number in enumerate(spiked):
            fours = [SPIKE] * number + [STEADY] * (3 - number)
            cells += spikes({3: [STEADY] * 3, 4: fours}, seed=seed)
        return cells

    verdict = judge(BY_ID["scheme-4-unstable"], evidence(*known(1, 0, 0)))
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason == "so few cells could differ by chance: more seeds would tell"
    verdict = judge(BY_ID["scheme-4-unstable"], evidence(*known(2, 1, 2)))
    assert verdict.outcome is Outcome.BORNE_OUT
    # Twice the ways to choose the 5 that are unstable from 9 of 18: 2 * 126 / 8568.
    assert verdict.effect == "5 of 9 cells, of scheme 3 0 of 9 (by chance: p = 0.029)"
    assert verdict.parts == {"english": "5 of 9, of scheme 3 0 of 9"}


def test_a_share_is_told_with_its_exact_interval_and_all_seeds_have_to_agree():
    def known(*spiked: int) -> list[dict]:
        return [
            one | {"seed": seed, "k1": k1}
            for seed, number in enumerate(spiked)
            for n, k1 in enumerate((20, 60, 100))
            for one in lengths({60: SPIKE if n < number else STEADY}, scheme=4)
        ]

    verdict = judge(BY_ID["scheme-4-k2"], evidence(*known(3, 3)))
    assert verdict.outcome is Outcome.BORNE_OUT
    # All of 6: from 0.025 ** (1/6) on.
    assert verdict.effect == "100 %, 6 of 6 cells (95 % interval 54 % to 100 %)"
    verdict = judge(BY_ID["scheme-4-k2"], evidence(*known(3, 1)))
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason == "all seeds would have to agree"
    assert outcome("scheme-4-k2", known(1, 1)) is Outcome.CONTRADICTED


def test_what_a_verdict_is_known_of_is_told():
    known = [*schemes({1: 8, 2: 12}, ["kalevala", "music"], k1=60), *schemes({1: 8, 2: 12})]
    verdict = judge(BY_ID["scheme-2-slower"], evidence(*known))
    assert verdict.extent == (
        "on kalevala for Finnish, music, english, finnish, linux; k1=20, 60; 1 seed"
    )
    verdict = judge(BY_ID["scheme-2-slower"], evidence(*known[:4]))
    assert verdict.extent == (
        "on kalevala for Finnish, music; k1=60; 1 seed; nothing on English, Linux"
    )
    verdict = judge(BY_ID["scheme-4-k2"], evidence(*TABLES["scheme-4-k2"][0]))
    assert verdict.extent == "on music; k1=20; 1 seed"


def test_a_stride_that_one_scheme_lacks_does_not_count_in_any():
    """Of scheme 2 the stride is missing with which the lines of scheme 1 lie apart."""
    cells = [*strides({1: 1.01, 2: 1.02, 3: 1.1, 4: 1.5})]
    cells += [cell(30.0, scheme=scheme, k1=100) for scheme in (1, 3, 4)]
    cells.append(cell(None, scheme=2, k1=100, state="failed"))
    verdict = judge(BY_ID["k1-spread"], evidence(*cells))
    assert verdict.outcome is Outcome.BORNE_OUT
    assert verdict.reason == "left out: failed: scheme 2 k1=100"


def test_every_short_length_has_to_be_unstable_and_the_longer_ones_stable():
    for curves, expected in (
        ({20: SPIKE, 40: SPIKE, 60: STEADY}, Outcome.BORNE_OUT),
        ({20: SPIKE, 40: SPIKE, 60: SPIKE}, Outcome.CONTRADICTED),
        ({20: SPIKE, 60: STEADY}, Outcome.UNDECIDED),
        ({60: STEADY}, Outcome.UNDECIDED),
        ({20: SPIKE, 40: SPIKE}, Outcome.UNDECIDED),
    ):
        assert outcome("scheme-2-short", lengths(curves)) is expected
    lost = [*lengths({20: SPIKE, 60: STEADY}), *lengths({40: None})]
    lost[-1]["state"] = "failed"
    verdict = judge(BY_ID["scheme-2-short"], evidence(*lost))
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason.endswith(
        "no cell has a result with k2=40 (fig11); left out: failed: k2=40"
    )


def test_what_failed_does_not_change_what_is_meant_by_large_and_small():
    lost = architectures({(1, 32): OVERFITTED, (1, 128): None}, **MUSIC)
    lost[1]["state"] = "failed"
    verdict = judge(BY_ID["gamma-overfits"], evidence(*lost))
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason == "no cell has a result"
    strides = [*schemes({1: 8}), *schemes({1: 7.9}, k1=60), *schemes({1: None}, k1=100)]
    for one in strides[-len(TEXTS) :]:
        one["state"] = "failed"
    assert outcome("k1-small", strides) is Outcome.UNDECIDED


def test_what_is_said_of_each_is_judged_by_its_mean_not_by_the_smallest_of_every_cell():
    # In every corpus scheme 3 wins at one k1 and scheme 4 at the other; on average neither does.
    best = [
        cell(end, corpus=corpus, scheme=scheme, k1=k1)
        for corpus in TEXTS
        for k1, ends in ((20, (8, 12, 7.8, 9)), (60, (8, 12, 9, 7.8)))
        for scheme, end in enumerate(ends, start=1)
    ]
    assert outcome("scheme-1-best", best) is Outcome.BORNE_OUT
    # At each k1 one text is harder than Music, and on average none is.
    hardest = [
        cell(end, corpus=corpus, k1=k1)
        for k1, ends in ((20, (9, 8, 7, 8.6)), (60, (7, 8, 9, 8.6)))
        for corpus, end in zip((*TEXTS, "music"), ends, strict=True)
    ]
    assert outcome("music-hardest", hardest) is Outcome.BORNE_OUT
    # Each seed has a step down, each another one: nothing is known of either.
    spread = [
        one | {"seed": seed}
        for seed, apart in enumerate(((1.01, 1.03, 1.02, 1.06), (1.02, 1.01, 1.05, 1.08)))
        for one in strides(dict(enumerate(apart, start=1)))
    ]
    assert outcome("k1-spread", spread) is Outcome.UNDECIDED


def test_one_seed_decides_only_if_all_corpora_agree():
    cells = [*schemes({1: 8, 2: 12}, ["english"]), *schemes({1: 8, 2: 7}, ["music"])]
    verdict = judge(BY_ID["scheme-2-slower"], evidence(*cells))
    assert verdict.outcome is Outcome.UNDECIDED
    assert "with one seed all parts would have to agree" in verdict.reason
    assert set(verdict.parts) == {"english", "music"}
    assert verdict.parts["music"].startswith("\N{MINUS SIGN}")
    assert verdict.runs == ("fig9-0", "fig9-1", "fig9-2", "fig9-3")


def test_a_size_is_not_borne_out_by_another_size_in_the_same_direction():
    elsewhere = table4([0.6, 0.09]).table4.replace({"hidden_size": {512: 64}})
    verdict = judge(BY_ID["saving-shrinks"], Evidence("laptop", table4=elsewhere))
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason.endswith(" are 128 and 512, here 64 and 128")
    for savings in ([0.6, 0.09], [0.25, 0.02], [0.25, 0.2]):
        assert judge(BY_ID["saving-shrinks"], table4(savings)).outcome is Outcome.CONTRADICTED
    verdict = judge(BY_ID["saving-shrinks"], table4([0.3, 0.07]))
    assert verdict.outcome is Outcome.BORNE_OUT
    assert verdict.effect == (
        "smallest 30 % (the paper: 25 %); largest 7 % (the paper: 9 %); difference 23 %"
    )
    for times, expected in ((3, Outcome.CONTRADICTED), (15, Outcome.BORNE_OUT)):
        verdict = judge(BY_ID["progressive-faster"], table4([0.25], windowed=times))
        assert verdict.outcome is expected
        assert verdict.effect == f"{times}.0 times (the paper: 10 to 20 times)"


def test_our_own_questions_are_not_the_papers_claims():
    verdicts = judge_all(table4([0.25, 0.09]))
    assert {v.claim.id for v in verdicts} - {v.claim.id for v in papers(verdicts)} == {
        "rolling-sampler"
    }
    assert "rolling-sampler" not in {v.claim.id for v in concerning(1, verdicts)}
    (counted, *_) = [line for line in sentences(table4([0.25]), verdicts, []) if "claims" in line]
    assert counted.startswith(f"Of the paper's {len(CLAIMS) - 1} claims, 3 are borne out here,")


@pytest.mark.parametrize("claim", ["single-loss-time", "k2-time"])
def test_clocks_that_disagree_decide_nothing(claim):
    good, bad = TABLES[claim]
    for cells in (good, bad):
        slow = [one | {"seconds": 1.3 * one["seconds"], "k1": 33} for one in cells[-1:]]
        verdict = judge(
            BY_ID[claim], evidence(*cells, *slow, *(c | {"k1": 33} for c in cells[:-1]))
        )
        assert verdict.outcome is Outcome.UNDECIDED
        assert verdict.reason == (
            "the time per batch differs by +30 % between runs that cost the same: train them on a"
            " machine that does nothing else"
        )


def test_a_pause_in_training_is_not_the_time_of_a_batch():
    """As long as most intervals are undisturbed; by total time k2=20 would be the slowest."""
    known = evidence(*TABLES["k2-time"][0])
    curves = known.sweeps["fig11"].curves
    curves.loc[(curves["k2"] == 20) & (curves["batches"] > 201), "train_seconds"] += 100
    assert judge(BY_ID["k2-time"], known).outcome is Outcome.BORNE_OUT


def test_two_corpora_in_one_place_are_two_corpora():
    """stdlib and linux61 both stand for Linux: the first of the catalogue is taken for it."""
    cells = [cell(8, corpus="english"), cell(8.2, corpus="linux61"), cell(20, corpus="stdlib")]
    for known in (cells, cells[::-1]):
        assert outcome("texts-alike", known) is Outcome.BORNE_OUT
    cells += [cell(9, corpus="linux")]
    for known in (cells, cells[::-1]):
        assert outcome("texts-alike", known) is Outcome.CONTRADICTED


def test_a_cell_that_diverged_makes_the_mean_infinite():
    known = evidence(
        *schemes({1: 8, 2: 12, 3: 9}),
        *schemes({4: 8.5}, TEXTS[:2]),
        cell([80, 60, 40, 25, 22, 40, 12, math.inf], corpus="linux", scheme=4),
    )
    told = scheme_results(known)
    assert [fare.perplexity for fare in told] == pytest.approx([8, 12, 9, math.inf])
    assert [fare.diverged for fare in told] == [0, 0, 0, 1]
    (first, *_) = sentences(known, [], told)
    assert first.endswith("scheme 4 infinite (1 of 3 cells diverged).")
    everywhere = evidence(*(cell([math.nan] * 8, scheme=scheme) for scheme in (1, 2, 3, 4)))
    (first, *_) = sentences(everywhere, [], scheme_results(everywhere))
    assert first == (
        "At least one cell diverged in every scheme, so all geometric means are infinite."
    )


def test_what_failed_is_left_out_and_named():
    known = evidence(*schemes({1: 8, 2: 12}), cell(None, corpus="music", scheme=2))
    known.sweeps["fig9"].cells.loc[6, "state"] = "failed"
    verdict = judge(BY_ID["scheme-2-slower"], known)
    assert verdict.outcome is Outcome.BORNE_OUT
    assert verdict.reason == "left out: failed: music scheme 2"


def test_without_any_run_nothing_is_decided(tmp_path: Path):
    verdicts = judge_all(read_evidence(tmp_path, "laptop"))
    assert len(verdicts) == len(CLAIMS)
    assert {verdict.outcome for verdict in verdicts} == {Outcome.UNDECIDED}
    assert all(verdict.reason for verdict in verdicts)


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
