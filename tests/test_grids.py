"""Tables of cells: what later sweeps add to them, replace in them, and leave alone."""

from __future__ import annotations

import hashlib

import pandas as pd
import pytest

from charrnn.data.corpora.base import load_once
from charrnn.errors import CharRNNError
from charrnn.sweeps.cells import Cell
from charrnn.sweeps.grids import read_grid, write_grid
from charrnn.training.train_run import prepare


def cell(cfg, *overrides: str) -> Cell:
    return Cell([*overrides], cfg, "", prepare(cfg).folder)


@pytest.fixture
def grid(tmp_path):
    return tmp_path / "runs" / "grids" / "mine-smoke.csv"


def test_a_grid_keeps_the_cells_of_earlier_sweeps(config, grid):
    write_grid([cell(config(f"seed={seed}", "num_batches=1")) for seed in (0, 1)], grid)
    first = pd.read_csv(grid)
    write_grid([cell(config(f"seed={seed}", "num_batches=2")) for seed in (1, 2)], grid)
    both = pd.read_csv(grid)
    assert list(both["seed"]) == [0, 1, 2]
    assert list(both["num_batches"]) == [1, 2, 2]
    assert both["run"][0] == first["run"][0]
    assert both["run"][1] == first["run"][1]  # a longer training of the same run


def test_a_corpus_that_cannot_be_had_now_hides_no_earlier_result(config, grid):
    write_grid([cell(config("seed=0"))], grid)
    first = pd.read_csv(grid)
    write_grid([Cell([], config(f"seed={seed}"), "") for seed in (0, 1)], grid)
    both = pd.read_csv(grid, keep_default_na=False)
    assert list(both["run"]) == [first["run"][0], ""]


def test_cells_that_differ_in_any_setting_are_different_cells(config, grid):
    """The same sweep again replaces its cells; what has nothing to do with the training is none."""
    for _ in range(2):
        rates = [f"optimizer.lr={rate}" for rate in (0.001, 0.01)]
        write_grid(
            [cell(config(rate), rate, "jobs=2", "sampling.length=7") for rate in rates], grid
        )
    table = read_grid(grid)
    assert list(table["settings"]) == rates
    assert table["run"].nunique() == 2


def test_a_text_that_was_changed_is_another_corpus(config, grid, text_file):
    """Its old results stay, and grids beside it tell both apart too."""
    hashes = []
    for content in ("the seat of the hat\n" * 1000, "the seat of a hat\n" * 1000):
        text_file.write_text(content)
        load_once.cache_clear()
        hashes.append(hashlib.sha256(content.encode()).hexdigest()[:6])
        for _ in range(2):
            write_grid([cell(config("seed=0"))], grid)
    assert list(read_grid(grid)["corpus"]) == [f"text@{digest}" for digest in hashes]
    other = grid.with_name("other-smoke.csv")
    write_grid([cell(config("seed=0"))], other)
    assert list(read_grid(other)["corpus"]) == [f"text@{hashes[1]}"]
    grid.unlink()
    assert list(read_grid(other)["corpus"]) == ["text"]


def test_a_table_from_before_texts_were_noted_is_read_and_its_cells_are_replaced(config, grid):
    write_grid([cell(config("seed=0")), cell(config("seed=1"))], grid)
    table = pd.read_csv(grid, dtype=str, keep_default_na=False)
    table.drop(columns=["text", "seal"]).to_csv(grid, index=False)
    assert list(read_grid(grid)["corpus"]) == ["text", "text"]
    write_grid([cell(config("seed=1"))], grid)
    assert list(read_grid(grid)["seed"]) == [0, 1]
    assert list(read_grid(grid)["corpus"]) == ["text", "text"]


def test_a_column_that_an_earlier_sweep_has_not_is_empty_there(config, grid):
    write_grid([cell(config("k1=20"))], grid)
    listed = "columns=[k3]"
    for _ in range(2):
        cells = [cell(config(f"k3={k3}", listed), f"k3={k3}", listed) for k3 in ("null", 10)]
        write_grid(cells, grid)
    table = read_grid(grid)
    assert list(table["k3"]) == ["", 10]  # null, the default, is what the earlier sweep had
    assert list(table["settings"]) == ["", ""]


def test_numbers_and_names_in_a_column_stay_what_they_are(config, grid):
    write_grid([cell(config(f"scheme={scheme}", "k1=20")) for scheme in (1, "bptt", 4)], grid)
    table = read_grid(grid)
    assert list(table["scheme"]) == [1, "bptt", 4]
    assert list(table.query("scheme == 4")["k1"]) == [20]


@pytest.mark.parametrize("kept", [0, 50, -30])
def test_a_damaged_table_is_named(config, grid, kept):
    write_grid([cell(config("seed=0"))], grid)
    whole = grid.read_text()
    grid.write_text(whole[:kept])
    for use in (read_grid, lambda path: write_grid([cell(config("seed=1"))], path)):
        with pytest.raises(CharRNNError, match=r"mine-smoke\.csv is damaged: remove it"):
            use(grid)
    assert grid.read_text() == whole[:kept]
