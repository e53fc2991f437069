"""The figure, and the section of the report, of a sweep that is no experiment."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import pytest
from analysis.claims.evidence import read_evidence
from analysis.drawing.any_sweep import figure_of_sweep, of_another_sweep, with_settings
from analysis.drawing.catalogue import FIGURES
from analysis.drawing.colours import SCHEMES
from analysis.drawing.figure import draw_sweep, main
from analysis.drawing.lines import arrange
from analysis.report.content import content
from analysis.report.page import render
from analysis.results import read_results
from helpers import evaluation

from charrnn.runs.folder import RunFolder

COMMON = {"corpus": "mine", "scheme": 1, "procedure": "windowed", "k1": 20, "k2": 100}
COMMON |= {"num_layers": 1, "hidden_size": 16, "seed": 0, "scale": "smoke", "settings": ""}


@pytest.fixture
def sweep(tmp_path):
    """Writes a sweep: its cells, each with the perplexity that its run ends at, or None."""

    def write(name: str, *cells: dict) -> Path:
        rows = []
        for n, given in enumerate(cells):
            row = COMMON | {"num_batches": 100, "run": f"{name}-run{n}"} | given
            final = row.pop("final")
            if final is not None:
                run = RunFolder(tmp_path / row["run"])
                run.start(100, "", {}, {})
                run.write_table([evaluation(1, "windowed", 93), evaluation(100, "windowed", final)])
                run.finish({})
            rows.append(row)
        grid = tmp_path / "grids" / f"{name}-smoke.csv"
        grid.parent.mkdir(exist_ok=True)
        pd.DataFrame(rows).to_csv(grid, index=False)
        return grid

    return write


def figure_for(grid: Path):
    results = with_settings(read_results(grid))
    return results, figure_of_sweep("mine", results)


def test_schemes_have_the_colours_where_they_vary(sweep):
    _, figure = figure_for(
        sweep("mine", *({"scheme": n, "k1": k1, "final": 9.0} for n in (1, 2) for k1 in (5, 6)))
    )
    assert (figure.title, figure.panel) == ("sweep mine", "corpus")
    assert (figure.colour, figure.style, figure.hues) == ("scheme", "k1", SCHEMES)
    assert figure.limit == 98  # a little above the 93 that all begin at


def test_else_what_varies_first_has_and_a_setting_is_told_by_its_values(sweep):
    settings = ["backbone.dropout=0.1 backbone.forget_bias=0", "backbone.dropout=0.1"]
    results, figure = figure_for(
        sweep("mine", *({"settings": one, "final": 4.0 + n} for n, one in enumerate(settings)))
    )
    assert (figure.colour, figure.style) == ("forget_bias", None)
    assert list(results.cells["forget_bias"]) == [0, "default"]
    assert set(results.curves["settings"]) == {"backbone.dropout=0.1"}
    arranged = arrange(results, figure)
    assert list(arranged.legend) == ["forget bias 0", "forget bias default"]
    (lines,) = arranged.panels.values()
    assert list(lines["mean"]) == pytest.approx([93, 4, 93, 5])


def test_a_column_does_not_take_another_ones_name(sweep):
    results, figure = figure_for(
        sweep(
            "mine",
            {"settings": "backbone.seed=1 betas=[0.9, 0.99]", "final": 4.0},
            {"settings": "backbone.seed=2 betas=[0.9, 0.99]", "final": 5.0},
        )
    )
    assert figure.colour == "backbone.seed"
    assert list(results.cells["backbone.seed"]) == [1, 2]
    assert set(results.cells["settings"]) == {"betas=[0.9, 0.99]"}


def test_a_sweep_of_nothing_and_one_without_results_are_drawn_too(sweep, tmp_path):
    sweep("alone", {"final": 4.0})
    sweep("early", *({"k1": k1, "final": None} for k1 in (5, 6)))
    for name in ("alone", "early"):
        assert draw_sweep(name, "smoke", tmp_path) == tmp_path / "figures" / f"{name}-smoke.png"


@pytest.mark.slow
def test_any_sweep_can_be_drawn_by_its_name_and_no_other_figure_is_touched(
    sweep, tmp_path, monkeypatch, capsys
):
    sweep("sweep", *({"scheme": n, "final": 4.0 + n} for n in (1, 2)))
    sweep("fig9", *({"scheme": n, "final": 4.0 + n} for n in (1, 2)))

    def draw(*words: str) -> list[str]:
        given = ["--scale", "smoke", "--runs", str(tmp_path)]
        monkeypatch.setattr(sys, "argv", ["figure", *words, *given])
        main()
        return [Path(line).name for line in capsys.readouterr().out.split()]

    own = ["sweep-smoke.png", "sweep-smoke.svg", "sweep-smoke.csv"]
    assert draw("sweep") == own
    assert "Figure 9" not in (tmp_path / "figures" / own[1]).read_text()
    other = draw("fig9", "--sweep", "sweep")
    assert other == ["fig9+sweep-smoke.png", "fig9+sweep-smoke.svg", "fig9+sweep-smoke.csv"]
    assert "Figure 9" not in (tmp_path / "figures" / other[1]).read_text()
    assert not (tmp_path / "figures" / "fig9-smoke.png").exists()
    assert {*own, "fig9-smoke.png"} <= {*draw("all")}
    with pytest.raises(SystemExit) as end:
        draw("swep")
    assert end.value.code == 2
    assert "figure=swep cannot be used: it has to be one of fig7, " in capsys.readouterr().err
    assert of_another_sweep(FIGURES["fig9"], "mine").title == "Comparing schemes: sweep mine"


def test_the_report_has_a_section_for_the_sweep_and_one_line_for_all_others(sweep, tmp_path):
    """The root of 4 times 9 is 6, which is less than 7."""
    sweep(
        "summary",  # also the name of a section of the page
        {"scheme": 1, "final": 4.0},
        {"scheme": 1, "seed": 1, "final": 9.0},
        {"scheme": 2, "final": 7.0},
        {"scheme": 3, "final": None},
    )
    html = render(content(read_evidence(tmp_path, "smoke"), tmp_path))
    words = "mine: 6.00 (scheme 1, the geometric mean over 2 replicates)"
    assert f"<p>Lowest final perplexity in sweep summary: {words}.</p>" in html
    assert html.count('id="sweep-summary"') == html.count('id="summary"') == 1
    assert html.count('<h3 id="') == 2  # this one, and what is beside the paper
    assert html.index('id="sweep-summary"') < html.index('id="claims"')
    (line,) = (line for line in html.splitlines() if "Not started: fig7, fig8, fig9, " in line)
    assert "make reproduce-fig9 SCALE=smoke; " in line
    assert "Not trained: scheme 3" in html
