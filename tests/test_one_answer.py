"""A damaged file among many: every command names it, leaves it out, and gives the same answer."""

from __future__ import annotations

import json
import shutil

import pandas as pd
import pytest
from analysis.claims.evidence import read_evidence
from analysis.report.content import content
from analysis.results import read_results
from helpers import put
from test_grids import cell

from charrnn import cli, results
from charrnn.console import refuse
from charrnn.errors import CharRNNError
from charrnn.runs.files import SEALED
from charrnn.runs.folder import PROVENANCE, RunFolder
from charrnn.runs.lease import SOMEBODY, Leases
from charrnn.runs.sealed import DamagedRun
from charrnn.seals import unsealed
from charrnn.sweeps.grids import read_grid, write_grid
from charrnn.training.train_run import train

COMMON = ("config.yaml", "weights.pt", "evaluations.csv", "finished.json")
"""Files whose damage is tried every time; that of the others before a release."""
SMALL = ("num_batches=2", "backbone.hidden_size=2", "evaluate_at=[]", "sampling.length=0")


@pytest.fixture(scope="module")
def trained(shared_config):
    """Two finished runs."""
    return [train(shared_config(*SMALL, f"k1={k1}")).path for k1 in (20, 40)]


@pytest.fixture
def runs(trained, config, tmp_path):
    """A copy of them, and the grid of a sweep that has both."""
    cells = [cell(config(*SMALL, f"k1={k1}")) for k1 in (20, 40)]
    for path, each in zip(trained, cells, strict=True):
        shutil.copytree(path, each.folder.path)
    write_grid(cells, tmp_path / "runs" / "grids" / "sweep-smoke.csv")
    return [each.folder for each in cells]


def flip(path, at: int = -3) -> None:
    changed = bytearray(path.read_bytes())
    changed[at] ^= 1
    path.write_bytes(changed)


@pytest.mark.parametrize(
    "name",
    [
        name if name in COMMON else pytest.param(name, marks=pytest.mark.long)
        for name in (*SEALED, PROVENANCE, "finished.json")
    ],
)
def test_a_damaged_run_is_named_by_all_and_the_others_are_used(
    runs, config, charrnn, caplog, tmp_path, name
):
    damaged, whole = runs
    grid = tmp_path / "runs" / "grids" / "sweep-smoke.csv"
    flip(damaged.path / name)
    said = f"{damaged.path / name} is damaged, or was changed by hand: "
    _, out, _ = charrnn("status", "--runs", tmp_path / "runs")
    assert f"damaged: {said}" in out
    assert "2 cells of 2 runs: 1 damaged, 1 finished" in out
    assert read_results(grid).cells["state"].tolist() == ["damaged", "finished"]
    assert set(results(tmp_path / "runs")["run"]) == {whole.name}
    _, out, _ = charrnn("eval", "best", "--runs", tmp_path / "runs")
    assert out.startswith(f"run: {whole.name}\n")
    page = content(read_evidence(tmp_path / "runs", "smoke"), tmp_path / "runs")
    assert [run.state for run in page["runs"]] == ["damaged", "finished"]
    assert sum(said in message for message in caplog.messages) >= 4
    status, out, err = charrnn("sample", damaged.path)
    assert (status, out, err.startswith(f"error: {said}")) == (2, "", True)
    if name != "finished.json":  # without a mark it is trained again
        with pytest.raises(DamagedRun, match=rf"^{damaged.path / name} is damaged"):
            train(config(*SMALL, "k1=20"))


def test_a_damaged_grid_is_named_and_the_others_are_shown(runs, charrnn, caplog, tmp_path):
    grid = tmp_path / "runs" / "grids" / "sweep-smoke.csv"
    damaged = shutil.copy(grid, grid.with_name("other-smoke.csv"))
    damaged.write_text(damaged.read_text().replace(",20,", ",30,", 1))
    said = f"left out: {damaged} is damaged: remove it, and give its sweeps' commands again."
    status, out, _ = charrnn("status", "--runs", tmp_path / "runs")
    assert (status, said in caplog.text) == (0, True)
    assert out.count("sweep-smoke") == 2
    caplog.clear()
    assert list(read_evidence(tmp_path / "runs", "smoke").sweeps) == ["sweep"]
    assert said in caplog.text
    with pytest.raises(CharRNNError, match=r"other-smoke\.csv is damaged"):
        read_grid(damaged)


@pytest.mark.parametrize("text", [90_000 * "-", 90_000 * "(", "9" * 5_000])
def test_a_cell_of_any_length_is_read_as_text(runs, tmp_path, text):
    grid = tmp_path / "runs" / "grids" / "sweep-smoke.csv"
    table = read_grid(grid).assign(own=text)
    table.to_csv(grid, index=False)  # without a seal, as in earlier versions
    assert set(read_grid(grid)["own"]) == {text}


@pytest.mark.parametrize("perplexity", ["1" + 400 * "0", "true", '"7"', "null"])
def test_a_mark_without_a_seal_is_not_believed_if_its_numbers_are_none(
    runs, charrnn, tmp_path, perplexity
):
    path = runs[0].path / "finished.json"
    mark = unsealed(path.read_bytes(), ())
    mark["perplexity"]["windowed"] = 777
    path.write_text(json.dumps(mark).replace("777", perplexity))
    status, out, _ = charrnn("status", "--runs", tmp_path / "runs")
    assert status == 0
    assert f"damaged: {path} is damaged" in out


def test_runs_of_earlier_versions_are_read_as_they_are(runs, config, charrnn, tmp_path):
    """Without seals, and with the columns of version 0.1."""
    old = runs[0]
    table = pd.read_csv(old.path / "evaluations.csv")
    table = table.drop(columns=["train_cpu_seconds", "train_loss", "standard_error"])
    table.to_csv(old.path / "evaluations.csv", index=False)
    put(old, "evaluations.csv", (old.path / "evaluations.csv").read_bytes())
    mark = unsealed((old.path / "finished.json").read_bytes(), ())
    del mark["sha256"][PROVENANCE]
    (old.path / "finished.json").write_text(json.dumps(mark))
    grid = tmp_path / "runs" / "grids" / "sweep-smoke.csv"
    read_grid(grid).to_csv(grid, index=False)
    _, out, _ = charrnn("status", "--runs", tmp_path / "runs")
    assert "2 cells of 2 runs: 2 finished" in out
    curves = read_results(grid).curves
    own = table.loc[table["procedure"] == "windowed", "perplexity"]
    assert curves.loc[curves["run"] == old.name, "perplexity"].tolist() == own.tolist()
    assert train(config(*SMALL, "k1=20")).path == old.path


def test_a_damaged_lease_is_somebodys_until_its_heartbeat_is_old(tmp_path):
    with Leases(tmp_path / "run" / "lease").held(lambda: None) as lease:
        written = lease.path.read_bytes()
        for content in (written[:-9], written.replace(b"batches", b"botches"), b"[]", b"\xff", b""):
            lease.path.write_bytes(content)
            others = Leases(lease.path.parent)
            assert others.owner() == SOMEBODY
            assert others._take() is None
        owner = json.dumps({"host": "a", "pid": 1, "kernel": "", "started": 1, "batches": "6"})
        lease.path.write_text(owner)  # of a version without seals, and crafted
        assert RunFolder(tmp_path / "run").status().owner == "unknown:0"


@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (CharRNNError("no."), 2, "error: no."),
        (
            FileNotFoundError(2, "No such file or directory", "a"),
            2,
            "error: a cannot be used",
        ),
        (OSError(28, "No space left on device"), 2, "error: a file cannot be used: no space left"),
        (ValueError("a fault"), 3, "error: this is a fault of charrnn: please report it."),
    ],
)
def test_every_command_ends_in_a_sentence_and_a_status(capsys, error, status, sentence):
    with pytest.raises(SystemExit) as end, cli.refusing():
        raise error
    assert end.value.code == status
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith(sentence)
    with pytest.raises(SystemExit) as end:
        refuse(CharRNNError("no."))
    assert end.value.code == 2
