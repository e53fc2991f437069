"""The tables of the page of results, and of length and content: numbers worked out by hand."""

import pandas as pd
import pytest
from analysis import results_tables, table_parts
from analysis.instability.content import content, effects
from analysis.results import Results
from helpers import cells_of

PLACE = {"scheme": 1, "num_layers": 1, "hidden_size": 128, "k1": 20, "k2": 100, "seed": 0}


def rows_of(table):
    head, _, *rows = map(cells_of, table)
    return head[1:], {row[0]: row[1:] for row in rows}


@pytest.fixture
def known(monkeypatch):
    """Takes the curves of sweeps at a scale: {batches: perplexity} with what tells a cell apart."""

    def make(scale="laptop", **sweeps):
        of_reference = {}
        for name, cells in sweeps.items():
            rows = [
                PLACE | place | {"batches": batches, "perplexity": height}
                for place, curve in cells
                for batches, height in curve.items()
            ]
            of_reference[name.replace("_", "-"), scale] = Results(
                pd.DataFrame(), pd.DataFrame(rows)
            )
        monkeypatch.setattr(table_parts, "reference_results", lambda: of_reference)

    return make


def test_final_perplexities_are_geometric_means_over_cells(known):
    cells = [
        ({"corpus": corpus, "num_layers": layers, "k1": k1}, {1: 50.0, 100: end})
        for corpus, layers, k1, end in (
            ("shakespeare", 1, 20, 4.0),
            ("shakespeare", 1, 100, 9.0),
            ("chorales", 1, 20, 5.0),
            ("shakespeare", 2, 20, 7.0),
        )
    ]
    known(fig7=cells)
    architectures = results_tables.ARCHITECTURES
    head, rows = rows_of(results_tables.final_perplexities("fig7", "laptop", architectures))
    assert head == ["shakespeare", "chorales"]
    assert rows == {
        "r 1, gamma 128": ["6.0 (4.0 to 9.0)", "5.0 (5.0 to 5.0)"],
        "r 2, gamma 128": ["7.0 (7.0 to 7.0)", "not trained"],
    }


def test_columns_can_be_those_of_k2(known):
    place = {"corpus": "chorales"}
    ends = ((20, 3.0), (100, 2.0))
    known(fig11=[(place | {"k2": k2}, {100: height}) for k2, height in ends])
    head, rows = rows_of(
        results_tables.final_perplexities("fig11", "laptop", results_tables.SCHEMES, "k2")
    )
    assert head == ["k2 = 20", "k2 = 100"]
    assert rows == {"scheme 1": ["3.0 (3.0 to 3.0)", "2.0 (2.0 to 2.0)"]}


def test_bumps_are_rises_over_the_lowest_so_far_within_the_first_batches(known):
    kalevala = {"corpus": "kalevala"}
    bumpy = [
        (kalevala, {6: 50.0, 13: 40.0, 30: 46.0, 101: 20.0, 401: 25.0}),
        (kalevala | {"k1": 100}, {6: 50.0, 13: 40.0, 30: 30.0, 101: 20.0, 401: 20.0}),
        (kalevala | {"num_layers": 2}, {6: 50.0, 30: 40.0, 401: 16.0}),
    ]
    falling = [(kalevala | {"num_layers": n}, {6: 50.0, 30: 40.0, 401: 30.0}) for n in (1, 2)]
    known(bump=bumpy, bump_slow=falling, bump_rmsprop=falling)
    head, rows = rows_of(results_tables.bump())
    assert head[:2] == ["largest rise until batch 51: mean (most)", "until batch 401"]
    # 46 / 40 and none: the root of 1.15. Until the end 25 / 20 and none.
    assert rows["Adam, learning rate 0.001, r 1"] == [
        "+7.2 % (+15 %)",
        "+12 % (+25 %)",
        "22.4 (20.0 to 25.0)",
    ]
    assert rows["Adam, learning rate 0.001, r 2"][:2] == ["+0.0 % (+0.0 %)"] * 2
    assert rows["RMSProp, learning rate 0.001, r 2"][2] == "30.0 (30.0 to 30.0)"


def test_overfitting_with_and_without_dropout(known, monkeypatch):
    place = {"corpus": "chorales", "hidden_size": 512, "train_loss": 0.0}
    cells = [
        (place | {"dropout": 0.0, "epoch": 30}, {100: 20.0, 900: 16.0, 1000: 24.0}),
        (place | {"dropout": 0.25, "epoch": 30}, {100: 20.0, 900: 18.0, 1000: 15.0}),
    ]
    known(overfitting=cells)
    _, rows = rows_of(results_tables.dropout())
    assert rows["dropout 0, k1 = 20"] == ["30", "16.0 (900)", "24.0", "+50 %", "1.0"]
    assert rows["dropout 0.25, k1 = 20"] == ["30", "15.0 (1,000)", "15.0", "+0.0 %", "1.0"]


def test_shuffled_sequences_are_compared_with_equidistant_ones(known):
    def cells(*ends):
        return [
            ({"corpus": "linux61", "seed": seed}, {100: height}) for seed, height in enumerate(ends)
        ]

    known(fig9=cells(10.0, 10.0, 10.0), shuffled=cells(10.0, 20.0, 40.0))
    _, rows = rows_of(results_tables.shuffled())
    # Factors of 1, 2 and 4: 4.303 times log 2 / sqrt 3 to either side of log 2.
    assert rows == {"scheme 1": ["+100 % (−64 % to +1019 %)"] * 2}


def test_length_and_content():
    """With whole corpora perplexity rises by a tenth, with short ones by a fifth; notes twice."""
    rows = []
    for corpus, epoch, rise in (
        ("masses", 2, 1.2),
        ("masses-266672", 20, 1.44),
        ("shakespeare", 0, 1.1),
        ("shakespeare-266672", 20, 1.32),
    ):
        for scheme, bias, seed in ((s, b, n) for s in (1, 4) for b in (5.0, 0.0) for n in range(3)):
            for batches, progressive in ((51, 10.0), (61, 10.0 * rise), (801, 8.0)):
                place = PLACE | {"corpus": corpus, "scheme": scheme, "forget_bias": bias}
                read = {"progressive": progressive, "windowed": 16.0, "perplexity": 16.0}
                rows.append(place | {"seed": seed, "batches": batches, "epoch": epoch} | read)
    curves = pd.DataFrame(rows).assign(sweep="length-or-content")
    _, found = rows_of(content(curves))
    assert found["notes, whole, conditional, forget bias 5"] == [
        "2",
        "16.0",
        "8.0",
        "-0.693 (-0.693 to -0.693)",
        "+20 % (+20 %)",
    ]
    assert found["text, short, multi-loss, forget bias 0"][4] == "+32 % (+32 %)"
    _, found = rows_of(effects(curves))
    # 1.44 / 1.2, 1.32 / 1.1, 1.44 / 1.32 and 1.2 / 1.1
    assert found["scheme 4, forget bias 5"] == [
        "+20 % (+20 % to +20 %)",
        "+20 % (+20 % to +20 %)",
        "+9.1 % (+9.1 % to +9.1 %)",
        "+9.1 % (+9.1 % to +9.1 %)",
    ]
