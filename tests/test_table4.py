"""Table 4: what is computed from measured times, and the whole command on a small text."""

from __future__ import annotations

import pandas as pd
import pytest
from analysis.speed.table4 import PAPER, paper_of, readable, summarise
from processes import run_command


def test_medians_quartiles_and_ratios_worked_out_by_hand():
    times = pd.DataFrame(
        {
            ("training", 1): [100.0, 200.0, 400.0],
            ("training", 2): [75.0, 160.0, 400.0],
            ("windowed", 1): [20.0, 22.0, 24.0],
            ("progressive", 3): [2.0, 1.0, 4.0],
        }
    )
    rows = summarise(times, {measure: ms[0] for measure, ms in PAPER.items()}).set_index("what")
    training = rows.loc["scheme 1: training"]
    assert (training["lower"], training["median"], training["upper"]) == (150, 200, 300)
    assert (training["unit"], training["repeats"], training["paper"]) == ("ms per batch", 3, 60.5)
    saved = rows.loc["saved in training by scheme 2"]  # 0.25, 0.2 and 0 of the three rounds
    assert saved["median"] == pytest.approx(0.2)
    assert saved["paper"] == pytest.approx(14 / 60.5)
    ratio = rows.loc["windowed / progressive"]  # 10, 22 and 6
    assert (ratio["lower"], ratio["median"], ratio["upper"]) == (8, 10, 16)
    assert ratio["paper"] == pytest.approx(10)
    assert "windowed / rolling" not in rows.index  # not measured here
    assert "scheme 2: windowed sampling" not in rows.index


def test_an_architecture_is_compared_with_the_one_whose_place_it_takes(config):
    words = ["scale=paper", "backbone.num_layers=2"]
    assert paper_of(config(*words, "backbone.hidden_size=128"))["training", 2] == 93.1
    assert paper_of(config("scale=laptop"))["windowed", 1] == 21.7  # r = 1, the larger gamma
    assert paper_of(config("backbone.hidden_size=50")) == {}


def test_the_whole_table_in_one_command(tmp_path, text_file):
    words = ["scale=smoke", "data=textfile", f"data.path={text_file}", "corpora=stdlib", "k2=40"]
    sizes = ["--repeats=2", "--tokens=3", f"--out={tmp_path / 'out'}"]
    result = run_command("analysis.speed.table4", [*words, *sizes])
    assert result.returncode == 0, result.stderr
    table = pd.read_csv(tmp_path / "out" / "table4-smoke.csv")
    found = list(zip(table["num_layers"], table["hidden_size"], strict=True))
    assert list(dict.fromkeys(found)) == [(1, 8), (1, 16), (2, 8), (2, 16)]
    expected = {f"scheme {s}: training" for s in (1, 2, 3, 4)}
    expected |= {f"scheme {s}: {name} sampling" for s in (1, 2) for name in ("windowed", "rolling")}
    expected |= {f"scheme {s}: progressive sampling" for s in (3, 4)}
    for _, rows in table.groupby(["num_layers", "hidden_size"]):
        measured = rows[rows["unit"] != "ratio"]
        assert set(measured["what"]) == expected
        assert (measured["median"] > 0).all()
        assert (measured["lower"] <= measured["median"]).all()
        assert (measured["median"] <= measured["upper"]).all()
    assert set(table["threads"]) == {1}
    assert set(table["corpus"]) == {text_file.stem}
    written = (tmp_path / "out" / "table4-smoke.md").read_text()
    assert readable(table) in written
    assert "threads: 1" in written
    assert "paper 138.8" in written
    result = run_command("analysis.speed.table4", [*words, *sizes, "k1=0"])
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: k1=0 cannot be used")
