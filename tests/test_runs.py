"""The life of a run, and what happens where its folder is full, read-only, damaged or edited."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import pandas as pd
import processes
import pytest
from test_resume import SETTINGS, assert_same, stopped

from charrnn.errors import CannotRead, CharRNNError
from charrnn.runs.checkpoints import BEFORE, NEWEST
from charrnn.runs.folder import RunFolder
from charrnn.runs.sealed import CannotWrite, DamagedRun
from charrnn.runs.state import RunState, RunStatus
from charrnn.schemes.schemes_1_and_3 import Scheme1
from charrnn.training.train_run import prepare, train

UNREADABLE = Path("/sys/class/net/lo/speed")
"""A file that is there, and gives an error when it is read."""


@pytest.fixture
def mount(tmp_path):
    """Mounts a file system below the test's folder, for as long as the test takes."""
    mounted = []

    def make(path: Path, *options: str) -> None:
        done = subprocess.run(["mount", *options, path], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("this account cannot mount file systems")
        if "remount" not in " ".join(map(str, options)):
            mounted.append(path)

    if sys.platform != "linux":
        pytest.skip("mounts as Linux has them")
    yield make
    for path in reversed(mounted):
        subprocess.run(["umount", path], check=True)


def test_the_states_of_a_run(config, monkeypatch):
    cfg = config("num_batches=8", "checkpoint_share=1000", "evaluate_at=[2]")
    folder = prepare(cfg).folder
    assert folder.status() == RunStatus(RunState.PLANNED)
    seen = []
    step = Scheme1.training_step

    def fail_at_5(self, batch):
        seen.append(folder.status())
        if len(seen) == 5:
            raise RuntimeError("out of\nluck")
        return step(self, batch)

    monkeypatch.setattr(Scheme1, "training_step", fail_at_5)
    with pytest.raises(RuntimeError):
        train(cfg)
    assert [status.state for status in seen] == [RunState.STARTING] + 4 * [RunState.RUNNING]
    assert [status.batches for status in seen] == [0, 1, 2, 3, 4]
    assert folder.status() == RunStatus(RunState.FAILED, 4, error="luck")
    assert folder.seconds_per_batch() == folder.read_table()["train_seconds"].iloc[0] / 2
    train(cfg)  # asked for by name, it is tried again
    assert folder.status() == RunStatus(RunState.FINISHED, 8)
    assert len(seen) == 5 + 4
    assert not (folder.path / "failed.txt").exists()


def test_a_diverged_run_says_so(config):
    folder = train(config("optimizer.lr=1e30", "num_batches=6"))
    assert folder.status() == RunStatus(RunState.DIVERGED, 6)


def test_in_a_sweep_a_run_that_failed_meanwhile_is_tried_again_on_demand_only(config, tmp_path):
    cfg, log = config("job.of=1"), tmp_path / "log"
    folder = prepare(cfg).folder
    with folder.leased(lambda: None):
        other = processes.start(cfg, log)
        while (
            not log.exists()
            or "already being trained by another process; waiting" not in log.read_text()
        ):
            assert other.is_alive()
        folder.fail("Traceback\nMemoryError: all is full")
    other.join()
    assert other.exitcode == 1
    expected = "failed before: MemoryError: all is full (retry_failed=true tries it again)"
    assert log.read_text().endswith(f"{expected}\n")
    assert folder.status() == RunStatus(RunState.FAILED, 0, error="MemoryError: all is full")
    assert train(config("job.of=1", "retry_failed=true")).is_finished


@pytest.mark.slow
def test_on_a_full_disk_a_run_says_so_and_goes_on_when_there_is_room(config, tmp_path, mount):
    whole = config(*SETTINGS, f"output_dir={tmp_path / 'whole'}")
    assert processes.run(whole) == 0
    small = tmp_path / "small"
    small.mkdir()
    mount(small, "-t", "tmpfs", "-o", "size=48k", "none")
    cfg = config(*SETTINGS, f"output_dir={small}")
    assert processes.run(cfg, tmp_path / "log") == 1
    said = (tmp_path / "log").read_text()
    assert "no checkpoint at batch 1: [Errno 28] No space left on device" in said
    last = said.splitlines()[-1]
    assert last.endswith(" cannot be written: no space left on device."), last
    folder = prepare(cfg).folder
    assert folder.status().state is RunState.PLANNED  # not failed: the cause was outside of it
    assert not (folder.path / "failed.txt").exists()
    mount(small, "-o", "remount,size=10m")
    assert processes.run(cfg) == 0
    assert_same(folder, prepare(whole).folder)


@pytest.mark.slow
def test_a_sweep_that_a_full_disk_ends_is_refused_and_none_of_its_runs_failed(
    command, tmp_path, mount
):
    small = tmp_path / "small"
    small.mkdir()
    mount(small, "-t", "tmpfs", "-o", "size=48k", "none")
    words = ("-m", "scheme=1,2", f"output_dir={small}", "draw=false")
    sweep = command(*words, *SETTINGS)
    assert sweep.returncode == 2
    last = sweep.stderr.splitlines()[-1]
    assert last.startswith("error: the sweep cannot go on: "), sweep.stderr
    assert last.endswith(" cannot be written: no space left on device.")
    mount(small, "-o", "remount,size=10m")
    again = command(*words, *SETTINGS)
    assert (again.returncode, "failed" in again.stderr) == (0, False), again.stderr


def test_a_read_only_folder_is_refused_by_name_or_read(config, tmp_path, mount):
    finished, unfinished = config("seed=1"), config("seed=2", *SETTINGS)
    train(finished)
    folder = stopped(unfinished, batches=3)
    mount(tmp_path / "runs", "--bind", tmp_path / "runs")
    mount(tmp_path / "runs", "-o", "remount,bind,ro")
    assert train(finished).read_table()["batches"].max() == 6
    with pytest.raises(CannotWrite, match=rf"^{folder.path} cannot be written: read-only file sys"):
        train(unfinished)
    assert folder.status().state is RunState.PLANNED


@pytest.mark.parametrize("name", ["evaluations.csv", "config.yaml", "identity.json"])
@pytest.mark.parametrize("change", ["edited", "gone"])
def test_a_finished_run_that_was_changed_is_refused_by_name(config, name, change):
    cfg = config("k1=40")
    path = train(cfg).path / name
    if change == "edited":
        path.write_text(path.read_text().replace("40", "20").replace("1", "2", 1))
    else:
        path.unlink()
    with pytest.raises(DamagedRun, match=rf"^{path} is damaged, or was changed by hand: "):
        train(cfg)
    if name == "evaluations.csv":
        with pytest.raises(DamagedRun, match=rf"^{path} "):
            RunFolder(path.parent).read_table()
    shutil.rmtree(path.parent)  # as the message says
    assert train(cfg).is_finished


@pytest.mark.parametrize("content", ["", "null", '{"perplexity": 3}'])
def test_a_half_written_mark_does_not_make_a_run_finished(config, caplog, content):
    cfg = config()
    folder = train(cfg)
    expected = folder.read_table().drop(columns=["train_seconds", "train_cpu_seconds"])
    (folder.path / "finished.json").write_text(content)
    (folder.path / "evaluations.csv").write_text("batches\n7\n")
    assert folder.status() == RunStatus(RunState.PLANNED, 6)
    with pytest.raises(DamagedRun, match=r"evaluations\.csv is damaged"):
        folder.read_table()
    train(cfg)
    assert "finished.json is damaged; treating the run as unfinished." in caplog.text
    pd.testing.assert_frame_equal(
        folder.read_table().drop(columns=["train_seconds", "train_cpu_seconds"]), expected
    )


@pytest.mark.skipif(not UNREADABLE.exists(), reason="no file that cannot be read")
@pytest.mark.parametrize("names", [["finished.json"], [NEWEST, BEFORE]])
def test_what_cannot_be_read_at_the_moment_costs_nothing(config, names):
    cfg = config(*SETTINGS)
    folder = train(cfg) if names == ["finished.json"] else stopped(cfg, batches=10)
    for name in names:
        (folder.path / name).rename(folder.path / f"{name}-away")
        (folder.path / name).symlink_to(UNREADABLE)
    before = {path.name for path in folder.path.iterdir()}
    expected = f"^{folder.path / names[0]} cannot be read: invalid argument.$"
    for use in (train, lambda _: folder.status()):
        with pytest.raises(CannotRead, match=expected):
            use(cfg)
    assert {path.name for path in folder.path.iterdir()} == before
    for name in names:
        (folder.path / f"{name}-away").replace(folder.path / name)
    assert train(cfg).status() == RunStatus(RunState.FINISHED, 26)


@pytest.mark.parametrize("state", ["finished", "damaged", "stopped"])
def test_a_run_that_is_trained_again_keeps_what_a_user_has_put_into_its_folder(config, state):
    cfg = config(*SETTINGS)
    folder = stopped(cfg, batches=3) if state == "stopped" else train(cfg)
    if state == "damaged":
        (folder.path / "finished.json").write_text("")
    (folder.path / "plots").mkdir()
    users = [folder.path / name for name in ("plots/loss.png", "my-notes.txt", "checkpoint-3.pt")]
    for path in users:
        path.write_text("mine")
    left_over = folder.path / f".weights.pt.{uuid.uuid4().hex}"
    left_over.touch()
    train(cfg)
    assert [path.read_text() for path in users] == ["mine", "mine", "mine"]
    assert left_over.exists() == (state == "finished")


def test_an_unfinished_run_is_described_by_what_is_asked_for_not_by_what_was_edited(config):
    cfg = config(*SETTINGS)
    folder = stopped(cfg, batches=3)
    (folder.path / "config.yaml").write_text("k1: 7")
    (folder.path / "identity.json").write_text("{}")
    train(cfg)
    assert "k1: 100" in (folder.path / "config.yaml").read_text()
    assert json.loads((folder.path / "identity.json").read_text())["training"] == "multi-loss"
    provenance = json.loads((folder.path / "provenance.json").read_text())
    (earlier,) = provenance["earlier"]
    assert earlier.keys() == provenance.keys() - {"earlier"}


def test_a_run_that_is_in_the_way_of_a_file_is_refused_by_name(config):
    path = prepare(config()).folder.path
    path.parent.mkdir()
    path.write_text("in the way")
    with pytest.raises(CharRNNError, match=rf"^{path} cannot be written: not a directory\.$"):
        train(config())
