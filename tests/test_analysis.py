"""From tables to figures: what is drawn is what the tables say."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from analysis.fig9 import PALETTE
from analysis.perplexity_curves import PERPLEXITY_LIMIT, caption, draw, save
from analysis.tables import read_results

from charrnn.errors import CharRNNError
from charrnn.runs import Evaluation, RunFolder


@pytest.fixture
def grid(tmp_path):
    """Two corpora, schemes 1 and 3 on a shared run, scheme 2 diverged, scheme 4 missing."""
    runs = {
        "a-multi": [("windowed", [80.0, 20.0]), ("progressive", [82.0, 25.0])],
        "a-single": [("windowed", [120.0, math.inf])],
        "b-multi": [("windowed", [70.0, 10.0]), ("progressive", [71.0, 12.0])],
    }
    for name, curves in runs.items():
        folder = RunFolder(tmp_path / name)
        folder.start("", {}, {})
        folder.write_table(
            [
                Evaluation(batches, 64 * batches, 0, 1.0, procedure, perplexity, 200)
                for procedure, values in curves
                for batches, perplexity in zip((1, 10), values, strict=True)
            ]
        )
        folder.finish({})
    common = {"k1": 20, "k2": 100, "num_layers": 1, "hidden_size": 16, "seed": 0, "scale": "smoke"}
    cells = [
        {"corpus": "a", "scheme": 1, "procedure": "windowed", "run": "a-multi"},
        {"corpus": "a", "scheme": 2, "procedure": "windowed", "run": "a-single"},
        {"corpus": "a", "scheme": 3, "procedure": "progressive", "run": "a-multi"},
        {"corpus": "a", "scheme": 4, "procedure": "progressive", "run": "a-missing"},
        {"corpus": "b", "scheme": 1, "procedure": "windowed", "run": "b-multi"},
        {"corpus": "b", "scheme": 4, "procedure": "progressive", "run": ""},
    ]
    path = tmp_path / "grids" / "fig9-smoke.csv"
    path.parent.mkdir()
    pd.DataFrame([common | cell for cell in cells]).to_csv(path, index=False)
    return path


def test_every_cell_gets_the_curve_of_its_own_procedure(grid):
    results = read_results(grid)
    curves = results.curves.set_index(["corpus", "scheme", "batches"])["perplexity"]
    assert curves["a", 1, 10] == 20.0
    assert curves["a", 3, 10] == 25.0
    assert curves["b", 1, 1] == 70.0
    assert math.isinf(curves["a", 2, 10])
    assert results.num_runs == 3
    assert results.cells["finished"].tolist() == [True, True, True, False, True, False]


def test_the_figure_draws_the_tables(grid, tmp_path):
    figure = draw(read_results(grid), "corpus", "scheme", PALETTE, "title")
    panels = dict(zip(("a", "b"), figure.axes.flat, strict=True))
    drawn = {
        line.get_color(): list(zip(*line.get_data(), strict=True))
        for line in panels["a"].get_lines()
        if len(line.get_xdata())
    }
    assert drawn["tab:blue"] == [(64, 80.0), (640, 20.0)]
    assert drawn["tab:red"] == [(64, 82.0), (640, 25.0)]
    assert drawn["tab:green"] == [(64, 120.0), (640, PERPLEXITY_LIMIT)]  # infinite
    (crosses,) = panels["a"].collections
    assert crosses.get_offsets().tolist() == [[64, PERPLEXITY_LIMIT], [640, PERPLEXITY_LIMIT]]
    for axes in panels.values():
        assert axes.get_xscale() == "log"
        assert axes.get_ylim() == (0, 90)
    png, svg, table = save(figure, read_results(grid), tmp_path / "out" / "fig9")
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "<svg" in svg.read_text()
    data = pd.read_csv(table)
    assert data.loc[data["scheme"] == 3, "perplexity"].tolist() == [82.0, 25.0]


def test_the_caption_names_scale_corpora_seed_runs_and_what_is_missing(grid):
    text = " ".join(caption(read_results(grid)).split())
    for part in ("scale=smoke", "corpora: a, b;", "seed=0", "3 runs for 6 cells"):
        assert part in text
    assert "Missing: a scheme 4 k1=20 seed=0; b scheme 4 k1=20 seed=0." in text
    assert "diverged" in text


def test_without_results_there_is_one_sentence(grid, tmp_path):
    with pytest.raises(CharRNNError, match="does not exist: train the sweep first"):
        read_results(tmp_path / "grids" / "fig9-paper.csv")
    for marker in tmp_path.glob("*/finished.json"):
        marker.unlink()
    with pytest.raises(CharRNNError, match=r"no run of .* is finished"):
        read_results(grid)
