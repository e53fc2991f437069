"""How models of a sweep read on: measured on real runs, summed up from numbers by hand, drawn."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from analysis.reading_on import measure, starts
from analysis.reading_on.__main__ import main
from analysis.reading_on.cells import draw_cells
from analysis.reading_on.figure import draw
from analysis.reading_on.measure import COLUMNS, MIDDLES, by_bin, measured
from analysis.reading_on.summary import costs, in_words
from analysis.results import Results

from charrnn.commands.trained_run import open_run
from charrnn.evaluation.reading_on import read_on
from charrnn.training.train_run import train

CELL = {"corpus": "shakespeare", "scheme": 3, "num_layers": 1, "hidden_size": 128, "k2": 100}
CELL |= {"k1": 100, "scale": "laptop", "num_batches": 401, "state": "finished"}


def results(cells):
    """Runs whose perplexity is 10 up to k2, and from there on what each cell says."""
    rows = []
    for n, cell in enumerate(cells):
        beyond = cell.pop("beyond")
        row = dict.fromkeys(COLUMNS, math.nan) | CELL | {"run": str(n)} | cell
        row |= {f"perplexity {n}": 10.0 if at < 1 else beyond for n, at in enumerate(MIDDLES)}
        rows.append(row)
    table = pd.DataFrame(rows)
    return Results(table.drop(columns=[*COLUMNS]), table)


def test_the_cost_is_the_mean_over_replicates_of_far_over_near():
    cells = [{"seed": n, "beyond": value, "forget_bias": 5.0} for n, value in enumerate((20, 40))]
    cells += [{"seed": n, "beyond": 10.0 * 1.1**n, "forget_bias": 0.0} for n in range(3)]
    table = costs(results(cells)).set_index("forget_bias")
    assert table.loc[5.0, "cost"] == pytest.approx(math.sqrt(8))
    assert math.isnan(table.loc[5.0, "low"])  # an interval takes three
    assert table.loc[0.0, "cost"] == pytest.approx(1.1)
    half = 4.302652729911275 * math.log(1.1) / math.sqrt(3)  # Student's, 2 degrees of freedom
    assert table.loc[0.0, "high"] == pytest.approx(1.1 * math.exp(half))
    assert table["runs"].tolist() == [2, 3]
    assert table["perplexity"].tolist() == pytest.approx([10, 10])
    lines = [*in_words(costs(results([dict(c, beyond=20.0, seed=0) for c in ({},)])))]
    assert lines[-1] == "| shakespeare | multi-loss | 10.00 | x 2.00, 1 runs |"


def test_lines_are_coloured_by_the_start_where_a_sweep_varies_it():
    cells = [{"start": start, "seed": 0, "beyond": 12.0} for start in ("none", "passed")]
    canvas = draw(results(cells))
    axes = canvas.axes[0]
    words = [text.get_text() for text in canvas.legends[0].get_texts()]
    assert words == ["none", "passed"]
    drawn = [line for line in axes.lines if len(line.get_xdata()) == len(MIDDLES)]
    assert len({line.get_color() for line in drawn}) == 2
    assert drawn[0].get_ydata()[-1] == pytest.approx(12)


def test_a_runs_bins_hold_what_its_readers_found(config, text_file):
    letters = np.random.default_rng(0).choice(list("abcd"), size=20_000)
    text_file.write_text("".join(letters))
    folder = train(config("scheme=1", "k1=5", "k2=20", "num_batches=2", "sampling.length=0"))
    cell = CELL | {"run": folder.path.name, "k2": 20, "seed": 0}
    cells = pd.DataFrame([cell | {"num_batches": n} for n in (1, 2)])
    table = by_bin(measured(Results(cells, cells.copy()), folder.path.parent))
    run = open_run(folder)
    losses = read_on(run.backbone, run.datamodule().test_tokens, 1999).losses_T.tolist()
    # From 20 to 29.4 tokens: positions 20 to 29, and bins of less than a token are empty.
    k2 = table[np.isclose(table["read"], 10 ** (1 / 12))].iloc[0]
    assert k2["perplexity"] == pytest.approx(math.exp(np.mean(losses[19:29])))
    assert table["perplexity"].isna().tolist() == [True] * 4 + [False] + [True] + [False] * 18
    assert table["cell"].iloc[-1] > 0
    assert len(pd.read_csv(folder.path.parent / "reading-on.csv")) == 1


def swept(starts, cells, beyond):
    """Three replicates of each cell and start; `beyond` says what they end with."""
    return results(
        [
            {"backbone": cell, "start": start, "seed": n, "beyond": beyond(cell, start, n)}
            for cell in cells
            for start in starts
            for n in range(3)
        ]
    )


def test_costs_tell_cells_and_starts_apart():
    ends = {("gru", "none"): 10, ("gru", "passed"): 11, ("rnn", "none"): 12, ("rnn", "passed"): 13}
    own = swept(("none", "passed"), ("gru", "rnn"), lambda *key: float(ends[key[:2]]))
    table = costs(own).set_index(["backbone", "start"])
    assert {key: round(10 * cost) for key, cost in table["cost"].items()} == ends


def test_a_start_is_compared_with_none_in_the_same_cell_and_replicate():
    def beyond(cell, start, n):
        return 10.0 * (n + 1) * (1.5 if start == "passed" else 1) * (2 if cell == "rnn" else 1)

    own = swept(("none", "passed"), ("gru", "rnn"), beyond)
    *_, row = starts.against_no_start(own, "far")
    assert row == "| `passed` | x 1.50 (1.50 to 1.50) | x 1.50 (1.50 to 1.50) |"
    *_, none, passed = starts.costs_of_starts(own)
    # The mean of log 1, log 2, log 3 is 0.5973, its standard error 0.3208, and Student's t 4.3027.
    assert none.startswith("| `none` | 10.00 to 18.17, x 1.82 (0.46 to 7.22) |")
    assert "| 10.00 to 54.51, x 5.45 (" in passed


def test_a_cell_without_a_start_leaves_its_place_empty():
    own = swept(("none",), ("gru",), lambda *_: 10.0)
    other = swept(("passed",), ("rnn",), lambda *_: 20.0)
    both = Results(*(pd.concat(pair) for pair in zip(*map(tables, (own, other)), strict=True)))
    both.curves["run"] = both.cells["run"] = [str(n) for n in range(6)]
    *_, none, passed = starts.costs_of_starts(both)
    assert none == "| `none` | 10.00 to 10.00, x 1.00 (1.00 to 1.00) |  |"
    assert passed == "| `passed` |  | 10.00 to 20.00, x 2.00 (2.00 to 2.00) |"


def tables(own):
    return own.cells, own.curves


def test_the_readings_of_the_same_tokens_are_compared_at_the_end():
    own = swept(("none",), ("gru",), lambda *_: 10.0)
    early = own.curves.assign(batches=1, windowed=5.0, progressive=50.0)
    late = own.curves.assign(batches=401, windowed=5.0, progressive=6.0)
    own = Results(own.cells, pd.concat([early, late], ignore_index=True))
    *_, row = starts.readings_of_starts(own)
    assert row == "| `none` | x 1.20 (1.20 to 1.20) |"


def test_the_largest_rise_is_over_the_lowest_perplexity_before():
    own = swept(("none",), ("gru",), lambda *_: 10.0)
    heights = {1: 30.0, 60: 10.0, 70: 15.0, 80: 12.0}
    evaluated = [
        own.curves.assign(batches=n, windowed=height, progressive=100 - n)
        for n, height in heights.items()
    ]
    *_, row = starts.rises_of_starts(Results(own.cells, pd.concat(evaluated, ignore_index=True)))
    assert row == "| `none` | 1.50 to 1.50 / 1.00 to 1.00 |"


def test_each_cell_has_a_panel_and_what_lies_above_is_marked():
    rise = {"none": 12.0, "passed": 1e6, "carried": math.inf}
    canvas = draw_cells(swept(rise, ("gru", "rnn"), lambda cell, start, n: rise[start]))
    titles = [axes.get_title() for axes in canvas.axes]
    assert titles == ["(a) gru, shakespeare", "(b) rnn, shakespeare"]
    axes = canvas.axes[1]
    assert axes.get_ylim()[1] == pytest.approx(100)  # ten times the lowest
    beyond = sum(at > 1 for at in MIDDLES)
    for mark in "^x":
        at = [x for line in axes.lines if line.get_marker() == mark for x in line.get_xdata()]
        assert len(at) == beyond
        assert min(at) > 100
    (k2,) = (line for line in axes.lines if list(line.get_xdata()) == [100, 100])
    assert k2.get_color() == "black"


def test_the_projects_own_sweep_is_drawn_from_the_reference(tmp_path, monkeypatch, capsys):
    words = ["reading_on", "cells-starts", "--results", "reference", "--scale", "laptop"]
    monkeypatch.setattr("sys.argv", [*words, "--out", str(tmp_path)])
    main()
    rows = pd.read_csv(tmp_path / "reading-on-cells-starts-laptop.csv")
    assert rows.groupby(["backbone", "start"])["run"].nunique().tolist() == [3] * 30
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".csv", ".png", ".svg"]
    assert "| shakespeare | none | minlstm |" in capsys.readouterr().out


def test_the_reference_keeps_the_rows_of_other_sweeps(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "REFERENCE", tmp_path / "reading-on.csv.xz")
    first, second = (
        swept(("none",), (cell,), lambda *_, end=end: end) for cell, end in (("gru", 3), ("rnn", 4))
    )
    for own in (second.cells, second.curves):
        own["run"] = [f"b{n}" for n in range(3)]
    measure.keep_as_reference(first)
    before = pd.read_csv(measure.REFERENCE, dtype=str)
    measure.keep_as_reference(second)
    replaced = second.curves.assign(**{"perplexity 23": 1 / 3})
    measure.keep_as_reference(Results(second.cells, replaced))
    after = pd.read_csv(measure.REFERENCE, dtype=str).set_index("run")
    assert [*after.index] == ["0", "1", "2", "b0", "b1", "b2"]
    assert after["perplexity 23"].tolist() == ["3"] * 3 + ["0.333333"] * 3
    pd.testing.assert_frame_equal(after.head(3).reset_index(), before, check_dtype=False)
    one = Results(*(own[own["run"] == "b1"] for own in (second.cells, second.curves)))
    measure.keep_as_reference(one)  # of some corpora, say: the sweep's other rows stay
    assert len(pd.read_csv(measure.REFERENCE)) == 6
