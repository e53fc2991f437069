"""Reference results: what is kept of finished runs, and where results are read from."""

from __future__ import annotations

import json
import lzma

import numpy as np
import pandas as pd
import pytest
from analysis.reference.source import has_sweep, read_sweep
from analysis.reference.table import TABLE, gather, reference_results, write_reference
from analysis.results import ORIGIN, read_results
from helpers import evaluation

from charrnn.errors import BadInput, CharRNNError
from charrnn.runs.folder import RunFolder

CELL = {
    "corpus": "text",
    "scheme": 1,
    "procedure": "windowed",
    "k1": 20,
    "k2": 100,
    "num_layers": 1,
    "hidden_size": 16,
    "seed": 0,
    "scale": "smoke",
    "settings": "",
    "num_batches": 10,
}
PROVENANCE = {
    "started": "2026-11-26T04:05:06+00:00",
    "git_commit": "c0ffee",
    "python": "3.11.7",
    "packages": {"charrnn": "0.2.0", "torch": "2.13.0+cpu"},
    "machine": {
        "processor": "a processor",
        "cores": 2,
        "gpu": None,
        "threads": 1,
        "system": "Linux",
    },
}


@pytest.fixture
def grid(tmp_path):
    """Two cells: scheme 1 as its run is read windowed, and `bptt`, whose run is not finished."""
    run = RunFolder(tmp_path / "text_multi-loss")
    run.start(10, "", {}, {})
    thirds = [1 / 3, 100 / 3, float("inf")]  # numbers that lose bits if they are rounded
    run.write_table(
        [
            evaluation(batches, procedure, perplexity * factor)
            for batches, perplexity in zip((1, 5, 10), thirds, strict=True)
            for procedure, factor in (("windowed", 1), ("progressive", 1.1))
        ]
    )
    (run.path / "provenance.json").write_text(json.dumps(PROVENANCE))
    run.finish({})
    cells = [
        CELL | {"run": run.path.name},
        CELL | {"scheme": "bptt", "run": "text_truncated-bptt"},
    ]
    path = tmp_path / "grids" / "fig9-smoke.csv"
    path.parent.mkdir()
    pd.DataFrame(cells).to_csv(path, index=False)
    return path


def test_a_table_gives_back_what_was_gathered_to_the_bit(grid, tmp_path):
    write_reference(gather([grid]), tmp_path / "results.csv.xz")
    kept = reference_results(tmp_path / "results.csv.xz")["fig9", "smoke"]
    own = read_results(grid)
    assert kept.curves["perplexity"].tolist() == [1 / 3, 100 / 3, np.inf]
    assert kept.curves["progressive"].tolist() == [1 / 3 * 1.1, 100 / 3 * 1.1, np.inf]
    shared = list(own.curves.columns)
    pd.testing.assert_frame_equal(kept.curves[shared], own.curves, check_dtype=False)
    (cell,) = kept.cells.to_dict("records")  # the unfinished one is no result
    assert cell["state"] == "diverged"
    assert cell["scheme"] == 1
    expected = ["0.2.0", "c0ffee", "2026-11-26", "3.11.7", "2.13.0+cpu"]
    expected += ["a processor", "2", "none", "1", "Linux"]
    assert [cell[name] for name in ORIGIN] == expected


def test_times_and_losses_keep_six_digits(grid, tmp_path):
    path = tmp_path / "results.csv.xz"
    table = gather([grid]).assign(train_seconds=1234.56789, train_loss=[2 / 3, float("nan"), 12])
    write_reference(table, path)
    kept = reference_results(path)["fig9", "smoke"].curves
    assert (kept["train_seconds"] == 1234.57).all()
    assert kept["train_loss"].fillna(0).tolist() == [0.666667, 0, 12]


def test_equal_tables_are_equal_files(grid, tmp_path):
    files = [tmp_path / name for name in ("a", "b")]
    for file in files:
        write_reference(gather([grid]), file)
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize("damage", [b"", b"no archive", lzma.compress(b"a,b\n1,2\n")])
def test_a_damaged_table_is_refused_in_one_sentence(tmp_path, damage):
    path = tmp_path / "results.csv.xz"
    path.write_bytes(damage)
    with pytest.raises(CharRNNError, match=r"\.xz is damaged .* restore it with git\.$"):
        reference_results(path)


def test_results_are_read_from_the_runs_or_the_project_or_both(grid):
    runs = grid.parent.parent
    assert has_sweep("own", runs, "fig9", "smoke")
    assert has_sweep("own", runs, "fig10", "smoke")  # the same cells
    assert not has_sweep("reference", runs, "fig9", "smoke")
    assert len(read_sweep("own", runs, "fig10", "smoke").cells) == 2
    with pytest.raises(CharRNNError, match=r"the reference results have no fig9 at scale=smoke\."):
        read_sweep("reference", runs, "fig9", "smoke")
    with pytest.raises(BadInput, match=r"RESULTS=mine .* own, reference, both"):
        read_sweep("mine", runs, "fig9", "smoke")
    both = read_sweep("both", runs, "fig9", "smoke")
    assert set(both.cells["source"]) == {"own"}


def test_the_projects_own_table_has_provenance_for_every_run():
    assert TABLE.stat().st_size < 2_000_000
    for results in reference_results().values():
        for name in ("version", "commit", "trained_on", "torch"):
            assert (results.cells[name] != "").all(), name
        assert set(results.cells["state"]) <= {"finished", "diverged"}
