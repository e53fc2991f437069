"""The tables of the page on speed say what the measurements in the repository say."""

import csv
import itertools
from pathlib import Path

import pytest
from analysis.speed.tables import TABLES
from helpers import cells_of

ANALYSIS = Path(__file__).parent.parent / "analysis"


def rows_of(file, **place):
    with (ANALYSIS / file).open() as opened:
        known = csv.DictReader(opened)
        return [row for row in known if all(row[name] == value for name, value in place.items())]


def printed(table, title):
    """The cells of a row, by the table's heads."""
    head, _, *lines = map(cells_of, TABLES[table]())
    (row,) = (line for line in lines if line[0] == title)
    return dict(zip(head[1:], row[1:], strict=True))


@pytest.mark.parametrize(
    ("title", "loop", "implementation"),
    [
        ("a training step of scheme 1, batch 64", "train-step", "ours"),
        ("... without the compiled part", "train-step", "ours, eager"),
        ("windowed perplexity", "eval-windowed", "ours"),
        ("progressive perplexity", "eval-progressive", "ours"),
        ("windowed sampling, as Algorithm 4 is written", "sampling-windowed", "ours"),
        ("rolling windowed sampling", "sampling-rolling", "ours"),
        ("progressive sampling", "sampling-progressive", "ours"),
    ],
)
def test_a_loop_stands_beside_its_products_and_torchs_lstm(title, loop, implementation):
    known = printed("loops", title)
    for r, gamma in itertools.product("12", ("512", "128")):
        place = {"r": r, "gamma": gamma, "loop": loop, "implementation": implementation}
        (row,) = rows_of("figures/benchmark.csv", threads="1", **place)
        ratios = (float(row[name]) for name in ("ratio_to_floor", "ratio_to_nn_lstm"))
        assert known[f"gamma {gamma}, r {r}"] == ", ".join(f"{ratio:.2f}" for ratio in ratios)


def test_the_row_of_avx2_is_of_a_table_of_its_own():
    place = {"r": "2", "gamma": "128", "threads": "1", "implementation": "ours"}
    (row,) = rows_of("figures/benchmark-avx2.csv", loop="train-step", **place)
    known = printed("loops", "... with AVX2 instead of AVX-512")["gamma 128, r 2"]
    assert float(known.split(", ")[0]) == pytest.approx(float(row["ratio_to_floor"]), abs=0.005)


def test_a_cell_of_torchs_is_compared_with_ours():
    place = {"loop": "train-step-gru", "implementation": "nn.GRU", "r": "1", "gamma": "128"}
    (row,) = rows_of("figures/benchmark.csv", **place)
    known = printed("cells", "GRU: the time of `nn.GRU` / ours")["gamma 128, r 1"]
    middle, lower, _, upper = known.replace("(", "").replace(")", "").split()
    for text, end in ((middle, ""), (lower, "_q1"), (upper, "_q3")):
        assert float(text) == pytest.approx(float(row[f"ratio_to_ours{end}"]), abs=0.005)


def test_table_4_has_the_papers_numbers_in_brackets():
    (row,) = rows_of(
        "reference/table4-paper.csv", what="scheme 1: training", hidden_size="512", num_layers="1"
    )
    known = printed("table4", "training, scheme 1, ms per batch")["gamma 512, r 1"]
    assert known == f"{float(row['median']):.0f} (138.8)"
    assert printed("table4", "saved by scheme 2")["gamma 512, r 2"].endswith(" % (8 %)")
