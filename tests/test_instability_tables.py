"""The tables of the page on stability: numbers worked out by hand."""

import math

import pandas as pd
import pytest
from analysis import table_parts
from analysis.instability import tables
from analysis.results import Results
from helpers import cells_of

PLACE = {"num_layers": 1, "hidden_size": 128, "k2": 100, "batches": 100}


def of_reference(monkeypatch, *rows: dict) -> None:
    """Let these be the reference results of the experiment `readings`: one evaluation a cell."""
    curves = pd.DataFrame([PLACE | row for row in rows])
    known = {("readings", "laptop"): Results(curves, curves)}
    monkeypatch.setattr(table_parts, "reference_results", lambda: known)


@pytest.fixture
def two_corpora(monkeypatch):
    """Two k1 and three replicates; with bias 5 scheme 3 is 1.1, 1.2, and 1.3 times scheme 1."""
    rows = []
    for corpus, k1, seed, bias in (
        (corpus, k1, seed, bias)
        for corpus in ("shakespeare", "chorales")
        for k1 in (20, 100)
        for seed in (0, 1, 2)
        for bias in (5.0, 0.0)
        if (corpus, bias) != ("chorales", 0.0)
    ):
        place = {"corpus": corpus, "k1": k1, "seed": seed, "forget_bias": bias}
        worse = 1.1 + 0.1 * seed if bias else 1.0
        rows.append(place | {"scheme": 1, "windowed": 10.0, "progressive": 10 * worse})
        rows.append(place | {"scheme": 2, "windowed": 15.0, "progressive": 90.0})
        rows.append(place | {"scheme": 4, "windowed": 40.0, "progressive": 20.0})
    of_reference(monkeypatch, *rows)


def test_schemes_are_compared_by_bias(two_corpora):
    head, _, *rows = map(cells_of, tables.schemes_by_bias())
    assert head[1:] == ["shakespeare", "chorales", "all of them"]
    second, third, fourth, second_without, third_without, fourth_without = rows
    assert second[1:] == ["+50 % (+50 % to +50 %)"] * 3
    assert second_without[0] == "scheme 2 over scheme 1, forget bias 0"
    mean = 100 * ((1.1 * 1.2 * 1.3) ** (1 / 3) - 1)
    assert third[0] == "scheme 3 over scheme 1, forget bias 5"
    for cell in third[1:]:
        assert cell.startswith(f"+{mean:.0f} % (")
    # The progressive reading of scheme 4 over the windowed one of scheme 1, in every replicate.
    assert fourth[1:] == ["+100 % (+100 % to +100 %)"] * 3
    assert third_without[1:] == [
        "+0.0 % (+0.0 % to +0.0 %)",
        "not trained",
        "+0.0 % (+0.0 % to +0.0 %)",
    ]
    assert fourth_without[2] == "not trained"


def test_both_readings_and_their_gap(two_corpora):
    _, _, *rows = map(cells_of, tables.readings())
    known = {row[0]: row[1:] for row in rows}
    gap = sum(math.log(ratio) for ratio in (1.1, 1.2, 1.3)) / 3
    progressive = 10 * math.exp(gap)
    expected = f"10.0 / {progressive:.1f}, gap {gap:+.2f} (6)"
    assert known["multi-loss, forget bias 5"] == [expected, expected]
    assert known["conditional, forget bias 0"][0] == "40.0 / 20.0, gap -0.69 (6)"
    assert known["multi-loss, forget bias 0"][1] == "not trained"
