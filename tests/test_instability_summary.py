"""From runs' tables to the tables and the figure of stability."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
from analysis.instability.definition import UNSTABLE
from analysis.instability.figure import draw
from analysis.instability.growth import diagnoses
from analysis.instability.summary import summarise, tables
from analysis.results import read_results
from instability_tables import grid, table
from test_analysis import write_grid

from charrnn.runs.files import Evaluation
from charrnn.runs.folder import RunFolder


def finish(folder: RunFolder, per_epoch: int, counts, losses, **readings) -> None:
    """A finished run with these perplexities by each reading."""
    folder.start(100, "", {}, {})
    folder.write_table(
        [
            Evaluation(
                batches=batches, train_sequences=64 * batches, epoch=(batches - 1) // per_epoch,
                train_seconds=1.0, train_cpu_seconds=1.0, train_loss=loss, procedure=procedure,
                perplexity=perplexity, standard_error=0.02, tokens_scored=5000,
            )
            for procedure, values in readings.items()
            for batches, loss, perplexity in zip(counts, losses, values, strict=True)
        ]
    )  # fmt: skip
    folder.finish({})


def test_a_cell_is_summarised_by_its_end_its_gap_and_its_largest_rise(tmp_path):
    """Epochs of 100 batches; of the evaluations after the first, two of four start an epoch."""
    finish(
        RunFolder(tmp_path / "run"),
        100,
        (60, 110, 190, 210, 280, 300),
        (3.0, 2.9, 2.8, 2.7, 2.6, 2.5),
        windowed=(50.0, 40.0, 30.0, 30.3, 22.0, 20.0),
        progressive=(50.0, 40.0, 44.0, 41.0, 60.0, 60.0),
    )
    row = {"corpus": "a", "scheme": 3, "procedure": "progressive", "run": "run", "forget_bias": 5.0}
    listed = [row | {"num_batches": 300}, row | {"num_batches": 300, "run": "missing"}]
    (cell,) = summarise(read_results(write_grid(tmp_path, listed)), tmp_path).to_dict("records")
    assert (cell["rise"], cell["rise_at"], cell["lowest_at"]) == pytest.approx(
        (math.log(1.5), 280, 110)
    )
    assert (cell["kind"], cell["course"]) == ("failure to read on", "too late to tell")
    assert (cell["unstable"], cell["fails_to_read_on"], cell["after_start"]) == (True, True, 0)
    assert cell["after_starts"] == pytest.approx(2 / 5)
    assert (cell["final"], cell["end"]) == pytest.approx((60, math.log(60)))
    # The mean of log(60 / 22) and log(60 / 20); both lie in the last tenth.
    assert cell["gap"] == pytest.approx((math.log(60 / 22) + math.log(3)) / 2)
    assert (cell["largest_gap"], cell["largest_gap_at"]) == pytest.approx((math.log(3), 300))
    assert cell["windowed_rise"] == pytest.approx(math.log(1.01))
    assert cell["progressive_rise"] == cell["rise"]
    assert (cell["schedule"], cell["times"]) == ("listed", 6)
    assert cell["threshold"] == pytest.approx(math.log(UNSTABLE))


def test_the_experiments_become_two_tables(tmp_path):
    """`readings` gives schemes 1 and, from it, 3; the run that `carry` shares counts once."""
    for run in ("shared", "own", "switched"):
        values = {"windowed": (50.0, 30.0), "progressive": (50.0, 40.0)}
        finish(RunFolder(tmp_path / run), 1000, (60, 110), (3.0, 2.9), **values)
    common = {"corpus": "a", "num_batches": 110, "procedure": "progressive"}

    def sweep(*rows):
        return read_results(write_grid(tmp_path, [common | row for row in rows]))

    sweeps = {
        "readings": sweep(
            {"scheme": 1, "run": "shared", "forget_bias": 5.0, "procedure": "windowed"}
        ),
        "carry": sweep(
            {"scheme": 3, "run": "shared", "forget_bias": 5.0},
            {"scheme": 3, "run": "own", "forget_bias": 0.0},
        ),
        "suspects": sweep({"scheme": 4, "run": "switched", "suspect": "none"}),
    }
    carry, suspects = tables(sweeps, tmp_path)
    found = list(zip(carry["scheme"], carry["run"], carry["final"], strict=True))
    assert found == [(1, "shared", 30), (3, "shared", 40), (3, "own", 40)]
    assert carry["gap"].tolist() == pytest.approx([math.log(4 / 3)] * 3)
    assert suspects["run"].tolist() == ["switched"]
    nothing = tables({}, tmp_path)
    assert [len(table) for table in nothing] == [0, 0]


def titles(canvas) -> list[str]:
    return [axes.get_title() for axes in canvas.axes]


def joined(axes) -> list[str]:
    """The colours of lines from one forget bias to the next."""
    spans = [(line.get_color(), line.get_xdata()) for line in axes.get_lines()]
    return [colour for colour, x in spans if len(x) == 2 and x[1] - x[0] == 1]


def test_means_are_joined_where_they_are_of_the_same_cells():
    carry = grid()
    whole = draw(carry, pd.DataFrame(), "Words.", Path("none")).axes[0]
    assert len(joined(whole)) == 2
    assert [tick.get_text() for tick in whole.get_xticklabels()] == ["0\nn = 3", "5\nn = 3"]
    fewer = draw(carry.iloc[:-1], pd.DataFrame(), "Words.", Path("none")).axes[0]
    assert len(joined(fewer)) == 1  # scheme 4 lacks a cell at bias 0
    ticks = [tick.get_text() for tick in fewer.get_xticklabels()]
    assert ticks == ["0\nn = 2 or 3", "5\nn = 3"]


def test_the_figure_says_what_it_shows_and_leaves_out_what_is_not_known():
    rows = [
        {"scheme": 4, "suspect": name, "seed": seed, "rise": 0.1 * seed}
        for name in ("none", "low_lr")
        for seed in range(2)
    ]
    canvas = draw(grid(), table(*rows), "Words.", Path("none"))
    assert titles(canvas) == [
        "(a) Reading gap at the end", "(b) Largest reading gap", "(c) Largest rise",
        "(d) Perplexity at the end", "(e) One switch: reading gap at the end",
        "(f) One switch: largest rise",
    ]  # fmt: skip
    assert all(axes.get_ylabel() for axes in canvas.axes[:4])
    (dot,) = [line for line in canvas.axes[5].get_lines() if line.get_marker() == "o"]
    assert dot.get_markerfacecolor() == "none"  # two replicates give no interval
    (caption,) = [
        text.get_text().replace("\n", " ")
        for text in canvas.texts
        if text.get_text()[:5] == "Words"
    ]
    for said in (
        "Forget biases: scale laptop; corpora chorales; r 1; gamma 128; k2 100; k1 20; replicates"
        " 0, 1, 2; 430 batches; evaluate_at dense.",
        "Switches: scale laptop; corpora chorales; r 1; gamma 128; k2 100; k1 20; replicates 0, 1;",
    ):
        assert said in caption
    assert len(titles(draw(grid(), pd.DataFrame(), "Words.", Path("none")))) == 4


def test_growth_is_drawn_as_medians_with_quartiles(tmp_path):
    """Three cells with mean |c| 1, 2, 4 and 2, 4, 8: medians 2 and 4, lower quartiles 1.5 and 3."""
    carry = grid().query("scheme == 4 and forget_bias == 5").assign(num_batches=110)
    for n, run in enumerate(carry["run"]):
        folder = RunFolder(tmp_path / run)
        finish(folder, 1000, (60, 110), (3, 2), windowed=(20.0, 10.0), progressive=(20.0, 20.0))
        sizes = {"gradient_norm": 1.0, "max_abs_cell": 9.0, "saturated_share": 0.5}
        rows = [
            {"batches": b, "train_sequences": 64 * b, "mean_abs_cell": m * 2.0**n} | sizes
            for b, m in ((60, 1), (110, 2))
        ]
        folder.write_diagnostics(rows)
        folder.finish({})
    grown = diagnoses(carry, tmp_path)
    assert grown["gap"].tolist() == pytest.approx([0, math.log(2)] * 3)
    canvas = draw(carry, pd.DataFrame(), "Words.", tmp_path)
    assert titles(canvas)[4:] == [
        "(e) Reading gap", "(f) Mean |c|", "(g) Share of tanh(c) saturated", "(h) Gradient norm",
    ]  # fmt: skip
    (line,) = canvas.axes[5].get_lines()
    assert line.get_xydata().tolist() == [[3840, 2], [7040, 4]]
    (band,) = canvas.axes[5].collections
    assert {1.5, 3.0, 6.0} <= {round(y, 6) for _, y in band.get_paths()[0].vertices}
    assert canvas.axes[7].get_legend().get_texts()[0].get_text() == "bias 5, scheme 4 (n = 3)"
