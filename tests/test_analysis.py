"""From tables to figures: what is drawn is what the tables say."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from analysis.drawing.canvas import save
from analysis.drawing.caption import caption, finding
from analysis.drawing.catalogue import FIGURES
from analysis.drawing.colours import BLUE, GREEN, HUES, MAGENTA, RED, YELLOW, choose_colours
from analysis.drawing.figure import main
from analysis.drawing.lines import over_seeds
from analysis.drawing.names import architecture, in_order
from analysis.drawing.perplexity_curves import draw
from analysis.results import Results, name_cells, read_results
from matplotlib.collections import PolyCollection

from charrnn.errors import CharRNNError
from charrnn.runs.files import Evaluation
from charrnn.runs.folder import RunFolder

COMMON = {"k1": 20, "k2": 100, "num_layers": 1, "hidden_size": 16, "seed": 0, "scale": "smoke"}
COMMON |= {"settings": "", "num_batches": 10}
BATCHES = (1, 10)


def finish(folder: RunFolder, **curves: list[float]) -> None:
    """A finished run whose perplexities after 1 and 10 batches, and 2 and 20 s, are these."""
    folder.start(100, "", {}, {})
    folder.write_table(
        [
            Evaluation(
                batches,
                train_sequences=64 * batches,
                epoch=0,
                train_seconds=2.0 * batches,
                train_cpu_seconds=math.nan,
                train_loss=1.0,
                procedure=procedure,
                perplexity=perplexity,
                standard_error=0.01,
                tokens_scored=200,
            )
            for procedure, values in curves.items()
            for batches, perplexity in zip(BATCHES, values, strict=True)
        ]
    )
    folder.finish({})


def write_grid(folder, cells):
    """The grid of ``cells``, what they do not say being COMMON."""
    path = folder / "grids" / "fig-smoke.csv"
    path.parent.mkdir(exist_ok=True)
    pd.DataFrame([COMMON | cell for cell in cells]).to_csv(path, index=False)
    return path


@pytest.fixture
def grid(tmp_path):
    """Schemes 1 and 3 on a shared run; of scheme 2 one diverged; of scheme 4 none is finished."""
    finish(RunFolder(tmp_path / "a-multi"), windowed=[80.0, 20.0], progressive=[82.0, 25.0])
    finish(RunFolder(tmp_path / "a-single"), windowed=[120.0, math.inf])
    finish(RunFolder(tmp_path / "b-multi"), windowed=[70.0, 10.0], progressive=[71.0, math.nan])
    failed = RunFolder(tmp_path / "a-failed")
    failed.start(100, "", {}, {})
    failed.fail("Traceback\nRuntimeError: disk full")
    cells = [
        {"corpus": "a", "scheme": 1, "procedure": "windowed", "run": "a-multi"},
        {"corpus": "a", "scheme": 2, "procedure": "windowed", "run": "a-single"},
        {"corpus": "a", "scheme": 3, "procedure": "progressive", "run": "a-multi"},
        {"corpus": "a", "scheme": 4, "procedure": "progressive", "run": "a-missing"},
        {"corpus": "a", "scheme": 4, "procedure": "progressive", "run": "a-away", "k1": 40},
        {"corpus": "a", "scheme": 4, "procedure": "progressive", "run": "a-failed", "k1": 60},
        {"corpus": "b", "scheme": 1, "procedure": "windowed", "run": "b-multi"},
        {"corpus": "b", "scheme": 3, "procedure": "progressive", "run": "b-multi"},
        {"corpus": "c", "scheme": 4, "procedure": "progressive", "run": ""},
    ]
    return write_grid(tmp_path, cells)


def drawn_lines(axes):
    """Colour and points of every line of a panel, without the marks at its top."""
    lines = [line for line in axes.get_lines() if line.get_linestyle() != "None"]
    return {line.get_color(): line.get_xydata().round(9).tolist() for line in lines}


def marks(axes, marker):
    """Colour and place of every mark at the top of a panel."""
    return [
        (line.get_color(), point)
        for line in axes.get_lines()
        if line.get_marker() == marker and line.get_linestyle() == "None"
        for point in line.get_xydata().tolist()
    ]


def test_every_cell_gets_the_curve_of_its_own_procedure_and_a_state(grid):
    results = read_results(grid)
    curves = results.curves.set_index(["corpus", "scheme", "batches"])["perplexity"]
    assert curves["a", 1, 10] == 20.0
    assert curves["a", 3, 10] == 25.0
    assert curves["b", 1, 1] == 70.0
    assert math.isinf(curves["a", 2, 10])
    assert results.num_runs == 3
    of_a = ["finished", "diverged", "finished", "planned", "planned", "failed"]
    assert results.cells["state"].tolist() == [*of_a, "finished", "diverged", "no corpus"]
    with pytest.raises(CharRNNError, match=r"^corpora=x,y .* some of a, b, c\."):
        results.of("x,y")
    assert set(results.of("x,b").curves["perplexity"].dropna()) == {70.0, 10.0, 71.0}


def test_the_figure_draws_the_tables(grid, tmp_path):
    results = read_results(grid)
    figure = draw(results, FIGURES["fig9"])
    a, b, c = figure.axes
    lines = drawn_lines(a)
    assert lines[BLUE] == [[64, 80], [640, 20]]
    assert lines[RED] == [[64, 82], [640, 25]]
    assert lines[GREEN][0] == [64, 120]  # clipped by the axis, and its end is beyond every axis
    assert lines[GREEN][1][1] > 1000
    assert (marks(a, "^"), marks(a, "x")) == ([(GREEN, [64, 90])], [(GREEN, [640, 90])])
    assert (marks(b, "^"), marks(b, "x")) == ([], [(RED, [640, 90])])  # NaN
    assert not drawn_lines(c)
    for axes, title in zip((a, b, c), ("(a) a", "(b) b", "(c) c"), strict=True):
        assert axes.get_title() == title
        assert axes.get_xscale() == "log"
        assert axes.get_ylim() == (0, 90)
    png, svg, table = save(figure, tmp_path / "out" / "fig9", results.curves)
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "<svg" in svg.read_text()
    data = pd.read_csv(table).set_index(["corpus", "scheme"])["perplexity"]
    assert data["a", 3].tolist() == [82.0, 25.0]
    assert math.isinf(data["a", 2].iloc[1])


def test_the_caption_names_what_is_shown_and_every_cell_that_is_not(grid):
    text = caption(read_results(grid), FIGURES["fig9"])
    for part in (
        "3 runs for 9 cells at scale=smoke (r=1, gamma=16, 10 batches).",
        "Corpora: a, b, c. k1=20, 40, 60; k2=100.",
        "There is one seed, 0,",
        "A triangle at the top: a value above 90.",
        "A cross at the top: a run that diverged, to infinity or NaN.",
        "The right axis gives bits per token",
        "lacks a corpus for English and Finnish and Linux and Music; k1=80, 100.",
        "The paper has gamma=512.",
        "The paper trains for 12,800 batches.",
    ):
        assert part in text
    assert "Lines of one colour" not in text  # only one k1 of each is finished
    assert "Diverged: a scheme 2 k1=20; b scheme 3 k1=20." in text
    assert "Failed: a scheme 4 k1=60." in text
    assert "Not trained: a scheme 4 k1=20, 40." in text
    assert "Corpus not available: c scheme 4 k1=20." in text


def test_a_run_that_was_changed_since_costs_its_cells_only(grid):
    (grid.parent.parent / "a-single" / "evaluations.csv").write_text("batches\n1\n")
    results = read_results(grid)
    assert results.cells["state"].tolist()[:3] == ["finished", "damaged", "finished"]
    assert "Damaged, or changed by hand: a scheme 2 k1=20." in caption(results, FIGURES["fig9"])


def test_nothing_finished_is_drawn_as_such(tmp_path):
    with pytest.raises(CharRNNError, match="does not exist: train the sweep first"):
        read_results(tmp_path / "grids" / "fig9-paper.csv")
    cells = [{"corpus": "stdlib", "scheme": s, "procedure": "windowed", "run": "x"} for s in (1, 2)]
    results = read_results(write_grid(tmp_path, cells))
    (axes,) = draw(results, FIGURES["fig9"]).axes
    assert not drawn_lines(axes)
    assert axes.get_title() == "(a) stdlib, for Linux"
    text = caption(results, FIGURES["fig9"])
    assert text.startswith("0 runs for 2 cells ")
    assert text.endswith("Not trained: scheme 1, 2.")
    twice = [save(draw(results, FIGURES["fig9"]), tmp_path / name) for name in ("one", "two")]
    (png, svg), (again_png, again_svg) = twice
    assert png.read_bytes() == again_png.read_bytes()
    assert svg.read_bytes() == again_svg.read_bytes()


def test_seeds_are_one_line_at_their_mean_in_a_band_from_lowest_to_highest(tmp_path):
    """The cube root of 9 * 12 * 54 is 18."""
    cells = []
    for seed, last in enumerate((9.0, 12.0, 54.0)):
        run = f"seed{seed}"
        diverges = math.nan if seed == 1 else 60.0
        finish(RunFolder(tmp_path / run), windowed=[80.0, last], progressive=[60.0, diverges])
        for scheme, procedure in ((1, "windowed"), (3, "progressive")):
            cells.append(
                {"corpus": "a", "scheme": scheme, "procedure": procedure, "run": run, "seed": seed}
            )
    cells.append({"corpus": "a", "scheme": 1, "procedure": "windowed", "run": "no", "seed": 3})
    results = read_results(write_grid(tmp_path, cells))
    (axes,) = draw(results, FIGURES["fig9"]).axes
    assert drawn_lines(axes)[BLUE] == [[64, 80], [640, 18]]
    band = next(part for part in axes.collections if isinstance(part, PolyCollection))
    (outline,) = band.get_paths()
    corners = {(x, round(float(y), 9)) for x, y in outline.vertices}
    assert corners == {(64, 80), (640, 9), (640, 54)}
    last = over_seeds(results.curves, "train_sequences").query("scheme == 3 and batches == 10")
    assert last["mean"].item() == math.inf  # one of three diverged
    assert last["lowest"].item() == pytest.approx(60)
    text = caption(results, FIGURES["fig9"])
    assert "A line is the geometric mean over up to 4 seeds (0, 1, 2, 3), and its band" in text
    assert "Diverged: scheme 3 seed=1. Not trained: scheme 1 seed=3." in text


def test_figures_7_8_and_10_have_the_papers_colours(tmp_path):
    finish(RunFolder(tmp_path / "run"), windowed=[80.0, 20.0])
    common = {"scheme": 1, "procedure": "windowed", "run": "run"}
    cells = [
        {"corpus": "english", "num_layers": layers, "hidden_size": hidden, **common}
        for layers in (1, 2)
        for hidden in (128, 512)
    ]
    for name in ("fig7", "fig8"):
        figure = draw(read_results(write_grid(tmp_path, cells)), FIGURES[name])
        (legend,) = figure.legends
        shown = {
            text.get_text(): line.get_color()
            for text, line in zip(legend.get_texts(), legend.get_lines(), strict=True)
        }
        assert shown == {
            r"$r$ = 1, $\gamma$ = 128": BLUE,
            r"$r$ = 1, $\gamma$ = 512": GREEN,
            r"$r$ = 2, $\gamma$ = 128": RED,
            r"$r$ = 2, $\gamma$ = 512": YELLOW,
        }
        assert list(drawn_lines(figure.axes[0])) == [BLUE, GREEN, RED, YELLOW]
    hues = FIGURES["fig10"].hues
    assert [hues[name] for name in ("english", "finnish", "linux", "music")] == [
        BLUE,
        GREEN,
        RED,
        YELLOW,
    ]
    colours = choose_colours(["linux61", "stdlib", "chorales", "mine"], hues)
    assert colours == {"linux61": RED, "stdlib": BLUE, "chorales": YELLOW, "mine": GREEN}


def test_figure_11_is_perplexity_by_training_time(tmp_path):
    cells = []
    for k2 in (20, 60, 100):
        finish(RunFolder(tmp_path / str(k2)), windowed=[85.0, 20.0])
        cell = {"corpus": "chorales", "scheme": 1, "procedure": "windowed", "run": str(k2)}
        cells.append(cell | {"k2": k2, "k1": k2})
    results = read_results(write_grid(tmp_path, cells))
    figure = draw(results, FIGURES["fig11"])
    (axes,) = figure.axes
    assert axes.get_xscale() == "linear"
    assert axes.get_ylim() == (0, 80)
    # 9 batches between the evaluations take 18 seconds.
    assert drawn_lines(axes) == {hue: [[2, 85], [20, 20]] for hue in (BLUE, RED, MAGENTA)}
    text = caption(results, FIGURES["fig11"])
    assert "chorales stands for the paper's Music." in text
    assert "lacks k2=40, 80." in text
    assert "the pace of their configuration, the lowest median time per batch of its runs" in text
    measured = results.curves.assign(pace=0.5)
    text = caption(Results(results.cells, measured), FIGURES["fig11"])
    assert "configuration, the median of rounds that alternate between the configurations." in text
    assert "of its runs" not in text
    partly = measured.assign(pace=measured["pace"].where(measured["run"] == "20"))
    assert "or, elsewhere, the lowest" in caption(Results(results.cells, partly), FIGURES["fig11"])
    wall = replace(FIGURES["fig11"], x="train_seconds")
    assert "Time is wall clock" in caption(results, wall)
    assert draw(results, wall).axes[0].get_xlabel() == "Training time, wall clock (s)"
    other = [{**cell, "corpus": "tales of mine, yours"} for cell in cells]
    shown = FIGURES["fig11"].select(read_results(write_grid(tmp_path, other + cells)))
    assert set(shown.cells["corpus"]) == set(shown.curves["corpus"]) == {"chorales"}
    shown = FIGURES["fig11"].select(read_results(write_grid(tmp_path, other)))
    assert set(shown.cells["corpus"]) == {"tales of mine, yours"}
    other = [{**cell, "corpus": "shakespeare"} for cell in cells]
    results = read_results(write_grid(tmp_path, other))
    assert "shakespeare is shown, not the paper's Music." in caption(results, FIGURES["fig11"])


def test_a_sweeps_own_column_gives_colours_lines_and_names(tmp_path):
    """Without it the runs of all k3 would be one line, and their names the same."""
    cells = []
    for k3, final in ((1, 40.0), (100, 20.0)):
        for k1 in (20, 100):
            finish(RunFolder(tmp_path / f"{k3}-{k1}"), windowed=[80.0, final + k1 / 20])
            cell = {"corpus": "a", "scheme": 1, "procedure": "windowed", "run": f"{k3}-{k1}"}
            cells.append(cell | {"k1": k1, "k3": k3})
    cells.append({**cells[0], "k3": 10, "run": "no"})
    results = read_results(write_grid(tmp_path, cells))
    figure = draw(results, FIGURES["k3"])
    lines = [line for line in figure.axes[0].get_lines() if line.get_linestyle() != "None"]
    ends = [(line.get_color(), round(line.get_ydata()[-1], 9)) for line in lines]
    assert ends == [(BLUE, 41), (BLUE, 45), (RED, 21), (RED, 25)]  # green: 10
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "k3 = 1",
        "k3 = 10",
        "k3 = 100",
    ]
    text = caption(results, replace(FIGURES["k3"], baseline=None))
    assert text.endswith("Not trained: k3=10 k1=20.")
    assert "Lines of one colour differ in k1." in text


def test_a_caption_compares_the_ends_with_those_of_one_value(tmp_path):
    """Two corpora, in which k3 = 1 ends at 2 and 8 times, k3 = 50 at 0.5 times that of k3 = 100."""
    cells = []
    for corpus, k3, end in [
        ("a", 100, 10.0), ("a", 50, 5.0), ("a", 1, 20.0),
        ("b", 100, 20.0), ("b", 50, 10.0), ("b", 1, 160.0),
    ]:  # fmt: skip
        finish(RunFolder(tmp_path / f"{corpus}-{k3}"), windowed=[200.0, end])
        row = {"corpus": corpus, "k3": k3, "scheme": 1, "procedure": "windowed"}
        cells.append(row | {"run": f"{corpus}-{k3}"})
    results = read_results(write_grid(tmp_path, cells))
    assert caption(results, FIGURES["k3"]).endswith(
        "Final perplexity relative to k3=100, over cells that differ in it alone: 50 x 0.50 (0.50"
        " to 0.50 over 2 pairs, 1 seed), 1 x 4.00 (2.00 to 8.00 over 2 pairs, 1 seed). Better in"
        " every pair: 50; worse in every pair: 1."
    )
    assert finding(results, "k3", 7) == ""


@pytest.mark.parametrize("words", [["reading-gap"], ["aggregate"], ["fig11", "--x", "wall"]])
def test_a_command_draws_any_sweep_and_keeps_its_numbers(grid, words, monkeypatch, capsys):
    runs = grid.parent.parent
    given = ["--sweep", "fig", "--scale", "smoke", "--runs", str(runs), "--out", str(runs / "out")]
    monkeypatch.setattr(sys, "argv", ["figure", *words, *given])
    main()
    png, _, table = map(Path, capsys.readouterr().out.split())
    assert png.name == f"{words[0]}+fig-smoke.png"
    data = pd.read_csv(table)
    if words == ["aggregate"]:
        # Scheme 2 of corpus a diverged; of b both did, or there is no scheme 2.
        assert data.set_index(["corpus", "scheme"])["ratio"].to_dict() == {
            ("a", 2): math.inf,
            ("a", 3): 1.25,
            ("b", 3): math.inf,
        }
    else:
        assert data["seconds_per_batch"].eq(2).all()


def test_cells_of_two_sweeps_are_named_with_their_sweep():
    common = COMMON | {"corpus": "a", "stands_for": "english", "scheme": 1}
    cells = pd.DataFrame([common | {"sweep": sweep} for sweep in ("fig7", "dropout")])
    assert name_cells(cells, cells["sweep"] == "dropout") == "sweep=dropout"


@pytest.mark.parametrize("hue", HUES)
def test_every_colour_is_seen_on_white(hue):
    """WCAG 2.1, success criterion 1.4.11: graphics have a contrast of at least 3:1."""
    shares = [int(hue[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    luminance = sum(w * s for w, s in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    assert 1.05 / (luminance + 0.05) >= 3


def test_colours_do_not_depend_on_the_order_of_sweeps():
    cells = pd.DataFrame(
        {
            "corpus": ["music", "mine", "kalevala", "shakespeare"],
            "scheme": ["bptt", 4, 1, 2],
            "num_layers": [2, 1, 2, 1],
            "hidden_size": [64, 512, 16, 128],
            "suspect": ["none", "low_lr", "none", "bias_0"],
        }
    )
    cells["architecture"] = architecture(cells)
    assert in_order(cells, "corpus") == ["shakespeare", "kalevala", "music", "mine"]
    assert in_order(cells, "scheme") == [1, 2, 4, "bptt"]
    assert in_order(cells, "suspect") == ["none", "low_lr", "bias_0"]
    sizes = [(1, 128), (1, 512), (2, 16), (2, 64)]
    named = [f"$r$ = {r}, $\\gamma$ = {gamma}" for r, gamma in sizes]
    assert in_order(cells, "architecture") == named
