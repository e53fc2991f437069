"""Figures of both readings, baselines, undisturbed time, aggregates: numbers worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from analysis.drawing.aggregate import compared, ratios
from analysis.drawing.aggregate import draw as draw_aggregate
from analysis.drawing.canvas import ratio_ticks
from analysis.drawing.caption import caption
from analysis.drawing.catalogue import FIGURES, OF_ANY_SWEEP
from analysis.drawing.colours import BLUE, GREEN, YELLOW
from analysis.drawing.lines import arrange, over_seeds
from analysis.drawing.perplexity_curves import draw
from analysis.pace import seconds_per_batch
from analysis.report.plotly_figures import interactive
from analysis.results import Results, name_cells

GAP, READINGS = OF_ANY_SWEEP["reading-gap"], FIGURES["readings"]


def results(*cells: dict, batches=(1, 10)) -> Results:
    """Cells whose `windowed` and `progressive` perplexities are these at the evaluations."""
    common = {"corpus": "shakespeare", "scheme": 1, "procedure": "windowed", "k1": 20, "k2": 100}
    common |= {"num_layers": 1, "hidden_size": 128, "seed": 0, "scale": "laptop", "settings": ""}
    common |= {"num_batches": batches[-1]}
    rows, curves = [], []
    for n, given in enumerate(cells):
        row = common | {"run": f"run{n}", "state": "finished"} | given
        windowed, progressive = row.pop("windowed"), row.pop("progressive", None)
        read = {"windowed": windowed, "progressive": progressive or [math.nan] * len(windowed)}
        baselines = {name: row.pop(name) for name in ("unigram", "ngram") if name in row}
        times = row.pop("times", [2.0 * b for b in batches])
        cpu = row.pop("cpu", [math.nan] * len(batches))
        rows.append(row)
        for i, b in enumerate(batches):
            own = {name: values[i] for name, values in read.items()}
            own |= {"batches": b, "train_sequences": 64 * b, "train_seconds": times[i]}
            own |= {"train_cpu_seconds": cpu[i], "perplexity": own[row["procedure"]]}
            state = {name: value for name, value in row.items() if name != "state"}
            curves.append(state | own | baselines)
    return Results(pd.DataFrame(rows), pd.DataFrame(curves))


BOTH = results(
    {"forget_bias": 5.0, "windowed": [80.0, 10.0], "progressive": [80.0, 20.0]},
    {"forget_bias": 0.0, "windowed": [81.0, 9.0], "progressive": [81.0, 9.0]},
    {"forget_bias": 5.0, "scheme": 2, "windowed": [70.0, 30.0], "progressive": [70.0, 15.0]},
    # Scheme 3 is another cell of the first run.
    {"forget_bias": 5.0, "scheme": 3, "procedure": "progressive", "run": "run0"}
    | {"windowed": [80.0, 10.0], "progressive": [80.0, 20.0]},
    # An earlier run that recorded one reading only.
    {"forget_bias": 0.0, "scheme": 4, "procedure": "windowed", "windowed": [60.0, 6.0]},
)


def ends(axes):
    """Colour, whether it is dashed, and last height of each line that falls or rises."""
    return sorted(
        (line.get_color(), line.get_linestyle(), round(float(line.get_ydata()[-1]), 9))
        for line in axes.get_lines()
        if len(line.get_xdata()) == 2 and line.get_xdata()[0] == 64
    )


def test_each_run_is_drawn_read_in_both_ways_one_panel_per_bias():
    without, with_bias = draw(BOTH, READINGS).axes
    assert without.get_title() == "(a) shakespeare, for English; forget bias 0"
    assert with_bias.get_title() == "(b) shakespeare, for English; forget bias 5"
    expected = [(BLUE, "-", 10), (BLUE, "--", 20), (GREEN, "-", 30), (GREEN, "--", 15)]
    assert ends(with_bias) == sorted(expected)
    assert ends(without) == sorted([(BLUE, "-", 9), (BLUE, "--", 9), (YELLOW, "-", 6)])


def test_a_line_leaves_out_what_only_some_of_its_replicates_were_evaluated_at():
    """One was first trained to batch 5, and another ended after 10."""
    curves = pd.concat(
        [
            results(
                {"seed": 0, "windowed": [80.0, 40.0, 20.0, 5.0]}, batches=(1, 5, 10, 20)
            ).curves,
            results({"seed": 1, "windowed": [80.0, 5.0, 20.0]}, batches=(1, 10, 20)).curves,
            results({"seed": 2, "windowed": [80.0, 10.0]}, batches=(1, 10)).curves,
        ]
    )
    lines = over_seeds(curves, "train_sequences")
    assert lines["batches"].tolist() == [1, 10, 20]
    assert lines["mean"].tolist() == pytest.approx([80, 10, 10])  # 20 * 5 * 10, and 5 * 20
    assert lines["num_seeds"].tolist() == [3, 3, 2]


def test_the_gap_is_the_logarithm_of_the_ratio_of_both_readings():
    (axes,) = draw(BOTH, GAP).axes
    twice, half = round(math.log(2), 9), round(math.log(0.5), 9)
    assert ends(axes) == sorted([(BLUE, "-", twice), (BLUE, "--", 0), (GREEN, "-", half)])
    low, high = axes.get_ylim()
    assert low < half < 0 < twice < high
    text = caption(BOTH, GAP)
    assert "not drawn: 1." in text
    assert "geometric" not in text


def test_a_sweep_without_a_bias_and_with_seeds_has_gaps_too():
    """The mean of log 2 and log 8 is log 4."""
    known = results(
        {"windowed": [80.0, 10.0], "progressive": [80.0, 20.0]},
        {"windowed": [80.0, 10.0], "progressive": [80.0, 80.0], "seed": 1},
        {"windowed": [80.0, 10.0], "progressive": [80.0, math.inf], "corpus": "chorales"},
    )
    arranged = arrange(known, GAP)
    line = arranged.panels["shakespeare"]
    row = line.iloc[-1]
    assert [row["mean"], row["lowest"], row["highest"]] == pytest.approx(
        [math.log(4), math.log(2), math.log(8)]
    )
    assert arranged.panels["chorales"]["diverged"].tolist() == [False, True]
    _, music = draw(known, GAP).axes
    assert [line.get_marker() for line in music.get_lines() if line.get_ls() == "None"][-1] == "x"


def test_baselines_are_level_lines_with_names_and_bits_stand_at_the_right():
    known = results({"windowed": [80.0, 10.0], "unigram": 25.0, "ngram": 4.0})
    figure = draw(known, FIGURES["fig9"])
    (axes,) = figure.axes
    level = [line.get_ydata() for line in axes.get_lines() if list(line.get_xdata()) == [0, 1]]
    assert np.array(level) == pytest.approx(np.array([[25, 25], [4, 4]]))
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["scheme 1", "unigram model", "5-gram model"]
    (right,) = axes.child_axes
    heights = dict(zip(right.get_yticks(), right.get_yticklabels(), strict=True))
    assert {y: text.get_text() for y, text in heights.items()} == {
        4: "2",
        8: "3",
        16: "4",
        32: "5",
        64: "6",
    }
    assert "interpolated Kneser-Ney 5-gram" in caption(known, FIGURES["fig9"])
    unknown = results({"windowed": [80.0, 10.0], "unigram": math.nan, "ngram": math.nan})
    assert "Kneser-Ney" not in caption(unknown, FIGURES["fig9"])


def test_corpora_in_one_panel_have_baselines_in_their_own_colours():
    known = results(
        {"windowed": [80.0, 10.0], "unigram": 25.0, "ngram": 4.0},
        {"windowed": [80.0, 10.0], "unigram": 44.0, "ngram": 32.0, "corpus": "chorales"},
    )
    rows = arrange(known, FIGURES["fig10"]).baselines[1].set_index("corpus")
    assert rows["colour"].to_dict() == {"shakespeare": BLUE, "chorales": YELLOW}
    assert rows.loc["chorales", ["unigram", "ngram"]].tolist() == pytest.approx([44, 32])


def test_the_page_draws_the_same_lines():
    plot = interactive(BOTH, READINGS)
    heights = [trace["y"][-1] for trace in plot["data"] if len(trace["y"]) == 2]
    assert sorted(heights) == pytest.approx([6, 9, 9, 10, 15, 20, 30])
    told = [trace["customdata"][-1][0] for trace in plot["data"] if "customdata" in trace]
    assert "perplexity 30 (4.91 bits per token)" in told


@pytest.mark.parametrize("figure", [READINGS, FIGURES["fig9"], FIGURES["fig11"]])
def test_every_line_of_the_page_goes_with_an_entry_of_its_legend(figure):
    traces = interactive(BOTH, figure)["data"]
    entries = {trace["legendgroup"] for trace in traces if trace.get("showlegend")}
    lines = [trace for trace in traces if trace["x"] != [None]]
    assert lines
    assert {trace["legendgroup"] for trace in lines} <= entries


def test_a_busy_hour_and_a_busy_run_leave_no_trace_in_the_pace():
    """Per batch: 1 s, but for an hour in between; a twin on a busy machine takes 5 s."""
    known = results(
        {"windowed": [9.0] * 4, "times": [1.0, 11.0, 3611.0, 3701.0]},
        {"windowed": [9.0] * 4, "times": [5.0, 55.0, 105.0, 555.0], "corpus": "chorales"},
        {"windowed": [9.0] * 4, "times": [2.0, 22.0, 42.0, 222.0], "scheme": 2},
        # Processor time where there is one thread; with four, it is the clock that is right.
        {"windowed": [9.0] * 4, "times": [9.0, 90.0, 170.0, 900.0], "scheme": 4}
        | {"cpu": [3.0, 33.0, 63.0, 333.0]},
        {"windowed": [9.0] * 4, "times": [1.0, 21.0, 41.0, 221.0], "k2": 60}
        | {"cpu": [4.0, 84.0, 164.0, 884.0]},
        batches=(1, 11, 21, 111),
    )
    paces = seconds_per_batch(known.curves)
    assert paces.index.equals(known.curves.index)
    by_cell = [paces.iloc[4 * n : 4 * n + 4].unique().tolist() for n in range(5)]
    assert by_cell == [pytest.approx([value]) for value in (1, 1, 2, 3, 2)]
    drawn = arrange(known, replace(FIGURES["fig11"], corpus=None)).panels[1]
    of_k2 = drawn[drawn["k2"] == 100]["undisturbed_seconds"].tolist()
    assert of_k2 == pytest.approx([1, 11, 21, 111] * 2)


def test_a_run_with_one_evaluation_has_its_pace_from_the_start():
    known = results({"windowed": [9.0], "times": [30.0]}, batches=(10,))
    assert seconds_per_batch(known.curves).tolist() == [3]
    assert seconds_per_batch(known.curves.iloc[:0]).empty


def test_ratios_pair_cells_that_differ_in_one_column_alone():
    finals = {(1, 0): 10.0, (1, 1): 20.0, (2, 0): 15.0, (2, 1): 60.0, (4, 0): math.inf}
    known = READINGS.select(
        results(
            *(
                {"scheme": scheme, "seed": seed, "windowed": [80.0, final], "forget_bias": 5.0}
                for (scheme, seed), final in finals.items()
            ),
            {"scheme": 2, "windowed": [80.0, 9.0], "forget_bias": 0.0},  # has no partner
        )
    )
    assert compared(known, READINGS) == ("scheme", 1)
    table = ratios(known, "scheme", 1)
    found = {(row.scheme, row.seed): row.ratio for row in table.itertuples()}
    assert found == {(2, 0): 1.5, (2, 1): 3.0, (4, 0): math.inf}
    assert table.groupby("scheme")["stratum"].nunique().tolist() == [1, 1]
    canvas = draw_aggregate(known, READINGS)
    means, profiles = canvas.axes
    diamonds = [line for line in means.get_lines() if line.get_marker() == "D"]
    assert diamonds[0].get_xdata()[0] == pytest.approx(math.sqrt(1.5 * 3))
    words = canvas.texts[-1].get_text().replace("\n", " ")
    assert "In 1 pairs one of the two diverged" in words
    assert "Intervals need at least 3 replicates" in words
    steps = profiles.get_lines()[0]
    share = np.interp([1.4, 2, 3.1], steps.get_xdata(), steps.get_ydata())
    assert share == pytest.approx([0, 0.5, 1])


def test_cells_of_different_days_and_machines_are_paired():
    known = results(
        {"scheme": 1, "windowed": [80.0, 10.0], "trained_on": "2026-01-01", "gpu": "none"},
        {"scheme": 2, "windowed": [80.0, 15.0], "trained_on": "2026-01-02", "gpu": "H100"},
    )
    assert name_cells(known.cells, known.cells["scheme"] == 2) == "scheme 2"
    assert ratios(READINGS.select(known), "scheme", 1)["ratio"].tolist() == [1.5]


def test_architectures_are_compared_over_cells_that_agree_in_all_else():
    sizes = {(1, 32): 12.0, (1, 128): 6.0, (2, 128): 9.0}
    known = FIGURES["fig7"].select(
        results(
            *(
                {"num_layers": r, "hidden_size": gamma, "windowed": [80.0, final]}
                for (r, gamma), final in sizes.items()
            )
        )
    )
    column, baseline = compared(known, FIGURES["fig7"])
    assert (column, baseline) == ("architecture", r"$r$ = 1, $\gamma$ = 32")
    assert ratios(known, column, baseline)["ratio"].tolist() == [0.5, 0.75]


def test_the_paper_has_another_gamma_in_the_same_colour():
    known = FIGURES["fig7"].select(
        results(*({"hidden_size": gamma, "windowed": [80.0, 9.0]} for gamma in (32, 128)))
    )
    text = caption(known, FIGURES["fig7"])
    assert "there they are 128 and 512, and here 32 and 128." in text
    assert "green here has the gamma of the paper's blue" in text
    assert "lacks a corpus for Finnish and Linux and Music; k1=40, 60, 80, 100." in text


def test_ratios_are_labelled_evenly_with_1_among_them():
    assert ratio_ticks(0.88, 1.13) == pytest.approx([0.9, 0.95, 1, 1.05, 1.1])
    # 4 and 5 would be less than a tenth of the axis apart.
    assert ratio_ticks(0.4, 5) == pytest.approx([0.5, 1, 2, 5])
    assert ratio_ticks(0.01, 100) == pytest.approx(
        [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]
    )
