"""The paper's claims on tables made by hand: borne out, contradicted, and not to be decided."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from analysis.cells import compose_cells
from analysis.claims.catalogue import CLAIMS, judge_all
from analysis.claims.evidence import Evidence, read_evidence
from analysis.claims.finding import Comparison, Interval, Outcome
from analysis.claims.measures import rise, unstable
from analysis.claims.units import percent
from analysis.claims.verdict import judge
from analysis.tables import Results

BATCHES = (3, 6, 13, 51, 101, 201, 401)
BY_ID = {claim.id: claim for claim in CLAIMS}
TEXTS = ("english", "finnish", "linux")


def falling(end: float, start: float = 80) -> list[float]:
    return list(np.geomspace(start, end, len(BATCHES)))


def cell(curve: list[float] | float | None, sweep="fig9", corpus="english", **where) -> dict:
    """A cell with this curve, or one that falls to this perplexity; None is one yet to come."""
    curve = falling(curve) if isinstance(curve, float | int) else curve
    place = {"scheme": 1, "num_layers": 1, "hidden_size": 32, "k1": 20, "k2": 100, "seed": 0}
    return {"curve": curve, "sweep": sweep, "corpus": corpus, "seconds": 10.0, **place, **where}


def evidence(*cells: dict) -> Evidence:
    """What is known once these cells have their curves."""
    sweeps = {}
    for sweep in {one["sweep"] for one in cells}:
        rows, curves = [], []
        for n, one in enumerate(one for one in cells if one["sweep"] == sweep):
            hidden = ("curve", "seconds", "sweep")
            row = {name: value for name, value in one.items() if name not in hidden}
            row |= {"procedure": "any", "scale": "laptop", "run": f"{sweep}-{n}"}
            rows.append(row | {"state": "finished" if one["curve"] else "running"})
            for batches, perplexity in zip(BATCHES, one["curve"] or [], strict=False):
                seconds = one["seconds"] * batches / BATCHES[-1]
                values = {"batches": batches, "train_seconds": seconds, "perplexity": perplexity}
                curves.append(row | values)
        names = [*row, "batches", "train_seconds", "perplexity"]
        sweeps[sweep] = Results(pd.DataFrame(rows), pd.DataFrame(curves, columns=names))
    return Evidence("laptop", sweeps)


def schemes(ends: dict[int, float], corpora=TEXTS, **where) -> list[dict]:
    """Cells of Figure 9 whose schemes end at these perplexities."""
    return [cell(end, corpus=c, scheme=s, **where) for c in corpora for s, end in ends.items()]


def strides(spreads: dict[int, float]) -> list[dict]:
    """Two strides whose curves lie this factor apart, a scheme each."""
    return [
        cell(list(np.multiply(falling(8.0), apart if k1 == 60 else 1)), scheme=scheme, k1=k1)
        for scheme, apart in spreads.items()
        for k1 in (20, 60)
    ]


def architectures(ends: dict[tuple[int, int], float | list[float]], **where) -> list[dict]:
    return [
        cell(end, sweep="fig7", num_layers=layers, hidden_size=hidden, **where)
        for (layers, hidden), end in ends.items()
    ]


def lengths(curves: dict[int, list[float] | float], scheme=2, **where) -> list[dict]:
    return [
        cell(curve, sweep="fig11", corpus="music", scheme=scheme, k2=k2, **where)
        for k2, curve in curves.items()
    ]


STEADY = falling(10.0)
SPIKE = [80, 60, 40, 25, 22, 40, 10]
EARLY_SPIKE = [80, 60, 40, 20, 30, 15, 10]
BUMP = [60, 35, 39, 25, 20, 15, 10]
OVERFITTED = [80, 60, 40, 20, 10, 11, 12]
MUSIC = {"corpus": "music"}
FINNISH = {"corpus": "finnish"}
BIG_MUSIC = {(1, 32): 10.0, (1, 128): OVERFITTED}
SMALL_BUMP = architectures({(1, 32): BUMP, (1, 128): 10.0}, **FINNISH)

TABLES: dict[str, tuple[list[dict], list[dict]]] = {
    "scheme-1-best": (
        schemes({1: 8, 2: 12, 3: 9, 4: 8.5}),
        schemes({1: 8, 2: 12, 3: 9, 4: 7.5}),
    ),
    "scheme-2-slower": (schemes({1: 8, 2: 12}), schemes({1: 8, 2: 7})),
    "scheme-3-close": (schemes({1: 8, 3: 8.4}), schemes({1: 8, 3: 10})),
    "scheme-4-start": (
        schemes({3: 8, 4: 8.2}),
        [*schemes({3: 8}), *(cell(falling(8, 160), corpus=c, scheme=4) for c in TEXTS)],
    ),
    "scheme-4-unstable": (
        [cell(STEADY, scheme=4), cell(SPIKE, scheme=4, k1=60)],
        [cell(STEADY, scheme=4), cell(EARLY_SPIKE, scheme=4, k1=60)],
    ),
    "scheme-4-music": (
        [cell(SPIKE, scheme=4, **MUSIC), cell(STEADY, scheme=4, **FINNISH)],
        [cell(STEADY, scheme=4, **MUSIC), cell(SPIKE, scheme=4, **FINNISH)],
    ),
    "k1-spread": (
        strides({1: 1.01, 2: 1.02, 3: 1.1, 4: 1.5}),
        strides({1: 1.01, 2: 1.05, 3: 1.02, 4: 1.5}),
    ),
    "k1-or-scheme": (
        [*schemes({1: 8, 2: 12}), *schemes({1: 8.1, 2: 12.1}, k1=60)],
        [*schemes({1: 8, 2: 8.1}), *schemes({1: 12, 2: 12.1}, k1=60)],
    ),
    "k1-small": (
        [*schemes({1: 8, 2: 12}), *schemes({1: 7.9, 2: 12.5}, k1=60)],
        [*schemes({1: 8, 2: 12}), *schemes({1: 7.0, 2: 10.0}, k1=60)],
    ),
    "music-hardest": (
        [*schemes({1: 8, 2: 12}), *schemes({1: 9, 2: 14}, ["music"])],
        [*schemes({1: 8, 2: 12}), *schemes({1: 6, 2: 11}, ["music"])],
    ),
    "texts-alike": (
        [*schemes({1: 8}, ["english"]), *schemes({1: 8.4}, ["finnish"])],
        [*schemes({1: 8}, ["english"]), *schemes({1: 9.4}, ["finnish"])],
    ),
    "gamma-early": (
        architectures({(1, 32): falling(10, 90), (1, 128): falling(10, 60)}),
        architectures({(1, 32): falling(10, 60), (1, 128): falling(10, 90)}),
    ),
    "r1-later": (
        architectures({(1, 32): 8.0, (2, 32): 10.0}),
        architectures({(1, 32): 10.0, (2, 32): 8.0}),
    ),
    "architectures-end": (architectures({(1, 32): 8.0, (2, 128): 8.5}), []),
    "gamma-overfits": (architectures(BIG_MUSIC, **MUSIC), []),
    "dropout-eases": (
        [
            *architectures(BIG_MUSIC, **MUSIC),
            cell(10.0, sweep="dropout", hidden_size=128, **MUSIC),
        ],
        [],
    ),
    "finnish-bump": (SMALL_BUMP, architectures({(1, 32): 10.0, (1, 128): BUMP}, **FINNISH)),
    "bump-learning-rate": (
        [*SMALL_BUMP, cell(20.0, sweep="finnish_slow", **FINNISH)],
        [*SMALL_BUMP, cell([80, 35, 45, 25, 20, 15, 10], sweep="finnish_slow", **FINNISH)],
    ),
    "bump-rmsprop": (
        [*SMALL_BUMP, cell(20.0, sweep="finnish_rmsprop", **FINNISH)],
        # The bump comes later, and is as high.
        [*SMALL_BUMP, cell([80, 35, 30, 25, 20, 24, 10], sweep="finnish_rmsprop", **FINNISH)],
    ),
    "shuffling": (
        [
            *schemes({1: 8, 2: 12}),
            cell(8.2, sweep="shuffled"),
            cell(11.8, sweep="shuffled", scheme=2),
        ],
        [
            *schemes({1: 8, 2: 12}),
            cell(9.2, sweep="shuffled"),
            cell(9.8, sweep="shuffled", scheme=2),
        ],
    ),
    "k2-time": (
        [cell(9.0, sweep="fig11", k2=k2, seconds=s) for k2, s in ((20, 5), (60, 12), (100, 20))],
        [cell(9.0, sweep="fig11", k2=k2, seconds=s) for k2, s in ((20, 5), (60, 22), (100, 20))],
    ),
    "scheme-2-short": (
        lengths({20: SPIKE, 40: STEADY, 60: STEADY}),
        lengths({20: SPIKE, 40: STEADY, 60: SPIKE}),
    ),
    "scheme-4-k2": (
        lengths({20: SPIKE, 40: SPIKE, 60: STEADY}, scheme=4),
        lengths({20: SPIKE, 40: STEADY, 60: STEADY}, scheme=4),
    ),
    "scheme-4-350": (lengths({20: [*SPIKE[:-1], 300], 60: STEADY}, scheme=4), []),
}
"""Cells that bear a claim out, and that contradict it where runs of 401 batches can."""


def outcome(claim: str, cells: list[dict]) -> Outcome:
    return judge(BY_ID[claim], evidence(*cells)).outcome


def table4(savings: list[float], windowed: float = 15, rolling: float = 12) -> Evidence:
    """Table 4 for two architectures; quartiles are a hundredth away."""
    rows = [
        {"what": what, "median": value, "lower": 0.99 * value, "upper": 1.01 * value}
        | {"num_layers": layers, "hidden_size": 32 if layers == 1 else 128}
        for layers, saved in enumerate(savings, start=1)
        for what, value in (
            ("saved in training by scheme 2", saved),
            ("windowed / progressive", windowed),
            ("rolling / progressive", rolling),
        )
    ]
    return Evidence("laptop", table4=pd.DataFrame(rows))


SPEED = {
    "single-loss-cheaper": (table4([0.25, 0.09]), table4([0.25, -0.09])),
    "saving-shrinks": (table4([0.25, 0.09]), table4([0.09, 0.25])),
    "progressive-faster": (table4([0.25, 0.09]), table4([0.25, 0.09], windowed=8)),
    "rolling-sampler": (table4([0.25, 0.09]), table4([0.25, 0.09], rolling=3)),
}


def test_every_claim_is_tested():
    assert TABLES.keys() | SPEED.keys() == BY_ID.keys()


@pytest.mark.parametrize("claim", TABLES)
def test_claims_about_curves(claim):
    good, bad = TABLES[claim]
    assert outcome(claim, good) is Outcome.BORNE_OUT
    if bad:
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


def test_what_is_said_of_the_papers_end_of_training_is_not_contradicted_by_shorter_runs():
    verdict = judge(BY_ID["gamma-overfits"], evidence(*architectures({(1, 128): 9.0}, **MUSIC)))
    assert verdict.outcome is Outcome.UNDECIDED
    assert verdict.reason == "the paper speaks of 12,800 batches, these runs have 401"
    whole = evidence(*architectures({(1, 128): 9.0}, **MUSIC))
    whole.sweeps["fig7"].curves["batches"] *= 40
    assert judge(BY_ID["gamma-overfits"], whole).outcome is Outcome.CONTRADICTED
    nothing = [*architectures({(1, 128): 9.0}, **MUSIC)]
    nothing.append(cell(9.0, sweep="dropout", hidden_size=128, **MUSIC))
    assert "nothing to ease" in judge(BY_ID["dropout-eases"], evidence(*nothing)).reason


def test_seeds_make_an_interval_by_student():
    index = pd.MultiIndex.from_tuples([("a", n) for n in range(3)], names=["corpus", "seed"])
    values = pd.Series([0.3, 0.4, 0.5], index)
    # Mean 0.4, standard error 0.1 / sqrt(3), and 4.302653 for 2 degrees of freedom.
    half = 4.302653 * 0.1 / math.sqrt(3)
    interval = Comparison(values, Interval(low=0), percent).interval()
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((0.4 - half, 0.4 + half), abs=1e-6)
    finding = Comparison(values, Interval(low=0), percent)
    assert finding.outcome() is Outcome.BORNE_OUT
    assert finding.effect() == "+49 % (95 % interval +16 % to +91 %; 3 seeds)"
    assert Comparison(values, Interval(low=0.3), percent).outcome() is Outcome.UNDECIDED
    assert Comparison(-values, Interval(low=0), percent).outcome() is Outcome.CONTRADICTED


def test_one_seed_decides_only_if_all_corpora_agree():
    cells = [*schemes({1: 8, 2: 12}, ["english"]), *schemes({1: 8, 2: 7}, ["music"])]
    verdict = judge(BY_ID["scheme-2-slower"], evidence(*cells))
    assert verdict.outcome is Outcome.UNDECIDED
    assert "with one seed all parts would have to agree" in verdict.reason
    assert set(verdict.parts) == {"english", "music"}
    assert verdict.parts["music"].startswith("\N{MINUS SIGN}")
    assert verdict.runs == ("fig9-0", "fig9-1", "fig9-2", "fig9-3")


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
    assert flags.to_dict() == {"spike": True, "less": False, "early": False, "diverged": True}
    curve = known.sweeps["fig9"].curves.query("corpus == 'early'")
    assert rise(4, 13)(curve) == pytest.approx(math.log(2))
    assert rise(51)(curve) == pytest.approx(math.log(17 / 18))


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
