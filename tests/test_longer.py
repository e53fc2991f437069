"""Training longer: a finished run is continued, to the bits of one that was trained at once."""

from __future__ import annotations

import random
import shutil
import time

import pandas as pd
import processes
import pytest
from analysis.results import read_results
from processes import Moment
from test_resume import SETTINGS, results

from charrnn.errors import BadInput
from charrnn.runs.checkpoints import NEWEST, batches_in, batches_kept
from charrnn.runs.folder import RunFolder
from charrnn.runs.state import RunState, RunStatus
from charrnn.schemes.scheme_4 import Scheme4
from charrnn.training.train_run import prepare, train

# In the order in which a longer training ends: its last files, its mark, and the replacement of
# the shorter result, file by file, the mark last.
ENDS = [
    Moment("os.replace", "/longer/weights.pt", 1),
    Moment("os.replace", "/longer/finished.json", 1),
    Moment("os.replace", "PosixPath('*/longer/", 1),
    Moment("os.replace", "PosixPath('*/longer/", 4),
    Moment("os.replace", "longer/finished.json'), ", 1),
]


@pytest.fixture(scope="module")
def whole(shared_config):
    """A run of nine batches, trained at once."""
    return train(shared_config(*SETTINGS, "num_batches=9"))


@pytest.fixture(scope="module")
def shorter(tmp_path_factory, shared_config):
    """The folder of a run of four batches, to be copied."""
    folder = tmp_path_factory.mktemp("shorter")
    return train(shared_config(*SETTINGS, "num_batches=4", f"output_dir={folder}")).path


@pytest.mark.parametrize("scheme", [1, 4])
def test_a_run_continued_twice_has_the_bits_of_one_trained_at_once(config, tmp_path, scheme):
    settings = (*SETTINGS, f"scheme={scheme}", "checkpoint_share=0")
    whole = train(config(*settings, "num_batches=26", f"output_dir={tmp_path / 'whole'}"))
    for batches in (7, 8, 26):
        folder = train(config(*settings, f"num_batches={batches}"))
        assert folder.status() == RunStatus(RunState.FINISHED, batches)
        assert batches_in(folder.path / NEWEST) == batches
    assert folder.path.name == whole.path.name
    (table, weights), (expected, expected_weights) = results(folder), results(whole)
    assert weights == expected_weights
    # The ends of the shorter trainings were evaluated, too.
    shared = table[table["batches"].isin(expected["batches"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(shared, expected, check_exact=True)
    assert set(table["batches"]) - set(expected["batches"]) == {7, 8}
    diagnostics = folder.read_diagnostics().set_index("batches")
    expected_diagnostics = whole.read_diagnostics().set_index("batches")
    assert diagnostics.loc[expected_diagnostics.index].equals(expected_diagnostics)
    for name in ("sample-windowed.txt", "sample-progressive.txt"):
        assert (folder.path / name).exists() == (whole.path / name).exists()
        if (whole.path / name).exists():
            assert (folder.path / name).read_text() == (whole.path / name).read_text()
    assert not (folder.path / "longer").exists()


@pytest.mark.slow
@pytest.mark.parametrize("most", [4, pytest.param(12, marks=pytest.mark.long)])
def test_a_kill_while_a_run_is_continued_loses_neither_the_result_nor_the_way_on(
    config, tmp_path, most
):
    settings = (*SETTINGS, "scheme=4")
    whole = train(config(*settings, "num_batches=60", f"output_dir={tmp_path / 'whole'}"))
    short, long = (config(*settings, f"num_batches={n}") for n in (9, 60))
    folder = train(short)
    before = results(folder)
    draw, kills = random.Random(0), 0
    while kills < most:
        process = processes.start(long)
        reached = batches_kept(folder.path / "longer")
        while process.is_alive() and batches_kept(folder.path / "longer") <= reached:
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.02))
        process.kill()
        process.join()
        kills += 1
        if process.exitcode != -9:
            break
        # The shorter result is whole, can be asked for, and the longer one is under way.
        pd.testing.assert_frame_equal(results(folder)[0], before[0])
        assert results(folder)[1] == before[1]
        assert train(short).status(9) == RunStatus(RunState.FINISHED, 9)
        assert batches_in(folder.path / NEWEST) == 9
        assert folder.status(60).state is RunState.PLANNED
        assert folder.status(60).batches >= reached
    assert kills >= 3
    train(long)
    assert results(folder)[1] == results(whole)[1]


@pytest.mark.parametrize("moment", ENDS, ids=range(len(ENDS)))
def test_a_kill_while_the_longer_result_replaces_the_shorter_one(config, whole, shorter, moment):
    long = config(*SETTINGS, "num_batches=9")
    folder = prepare(long).folder
    shutil.copytree(shorter, folder.path)
    moment = moment._replace(text=moment.text.replace("*", str(folder.path)))
    process = processes.start(long, killed_at=moment)
    process.join()
    assert process.exitcode == -9
    # Whichever result it is, it is whole.
    batches = folder.status().batches
    assert batches in (4, 9)
    assert set(folder.read_table()["batches"]) >= {1, 3, batches}
    assert folder.read_weights().keys() == whole.read_weights().keys()
    folder.verify(prepare(long).identity)
    assert folder.status(4).state is RunState.FINISHED
    train(long)
    assert results(folder)[1] == results(whole)[1]
    assert not (folder.path / "longer").exists()
    assert folder.status() == RunStatus(RunState.FINISHED, 9)


def test_a_shorter_run_is_read_off_a_longer_one_if_that_was_evaluated_there(config):
    folder = train(config("num_batches=6", "evaluate_at=[2,4]"))
    before = (folder.path / "finished.json").read_bytes()
    assert train(config("num_batches=4")).path == folder.path
    assert folder.status(4) == RunStatus(RunState.FINISHED, 4)
    assert set(folder.read_table(4)["batches"]) == {2, 4}
    assert folder.status(5) == RunStatus(RunState.NOT_EVALUATED, 5)
    with pytest.raises(BadInput) as refusal:
        train(config("num_batches=5"))
    assert str(refusal.value) == (
        f"num_batches=5 cannot be used: it has to be one at which the longer run {folder.path} was "
        "evaluated (2, 4, 6) or a larger one; to train it separately, choose another output_dir."
    )
    assert (folder.path / "finished.json").read_bytes() == before


def test_of_an_unfinished_run_no_batch_is_thrown_away(config):
    folder = prepare(config(*SETTINGS, "num_batches=300")).folder
    process = processes.start(config(*SETTINGS, "num_batches=300"))
    while batches_kept(folder.path) < 10:
        assert process.is_alive()
        time.sleep(0.001)
    process.kill()
    process.join()
    kept = max(batches_in(path) for path in folder.path.glob("checkpoint*.pt"))
    with pytest.raises(BadInput, match=r"num_batches=3 cannot be used: it has to be at least \d+"):
        train(config(*SETTINGS, "num_batches=3"))
    assert max(batches_in(path) for path in folder.path.glob("checkpoint*.pt")) == kept


def test_without_its_last_checkpoint_a_run_is_continued_from_the_beginning(config, whole, caplog):
    folder = train(config(*SETTINGS, "num_batches=4", "keep_last=false"))
    assert not list(folder.path.glob("checkpoint*"))
    train(config(*SETTINGS, "num_batches=9"))
    assert "no checkpoint of it was kept: training starts from the beginning." in caplog.messages
    assert results(folder)[1] == results(whole)[1]
    # It is evaluated where the shorter run ended, so that that remains a result.
    assert set(folder.read_table()["batches"]) == {*whole.read_table()["batches"], 4}
    assert folder.status(4) == RunStatus(RunState.FINISHED, 4)
    train(config(*SETTINGS, "num_batches=9", "keep_last=false"))  # reused, and tidied
    assert not list(folder.path.glob("checkpoint*"))


def test_a_longer_training_that_fails_leaves_the_shorter_result(config, monkeypatch):
    folder = train(config("num_batches=3", "scheme=4"))

    def fail(self, batch):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(Scheme4, "training_step", fail)
    with pytest.raises(RuntimeError, match="out of luck"):
        train(config("num_batches=6", "scheme=4"))
    assert folder.status(3) == RunStatus(RunState.FINISHED, 3)
    assert folder.status(6) == RunStatus(RunState.FAILED, 3, error="RuntimeError: out of luck")
    monkeypatch.undo()
    train(config("num_batches=6", "scheme=4"))
    assert folder.status() == RunStatus(RunState.FINISHED, 6)


def test_a_copy_of_a_longer_result_is_read_wherever_its_files_are(config, tmp_path):
    """As a process leaves them that dies between two renames."""
    folder = train(config("num_batches=3"))
    short = RunFolder(shutil.copytree(folder.path, tmp_path / "copies" / folder.path.name))
    train(config("num_batches=6"))
    shutil.copytree(folder.path, short.path / "longer", ignore=shutil.ignore_patterns("lease"))
    names = [path.name for path in (short.path / "longer").iterdir() if path.suffix != ".json"]
    for name in names:
        (short.path / "longer" / name).replace(short.path / name)
        assert short.status() == RunStatus(RunState.FINISHED, 6)
        assert short.read_table().equals(folder.read_table())
        assert short.read_vocabulary() == folder.read_vocabulary()


def test_a_sweep_over_lengths_trains_one_run_and_reads_the_shorter_ones_off_it(
    command, config, tmp_path
):
    done = command("-m", "num_batches=2,6,4", "evaluate_at=[1]", "draw=false")
    assert done.returncode == 0, done.stderr
    assert "3 cells, 1 distinct runs, 1 of them to train" in done.stderr
    (folder,) = [RunFolder(path.parent) for path in (tmp_path / "runs").glob("*/finished.json")]
    assert sorted(set(folder.read_table()["batches"])) == [1, 2, 4, 6]
    grid = pd.read_csv(tmp_path / "runs" / "grids" / "sweep-smoke.csv")
    assert sorted(grid["num_batches"]) == [2, 4, 6]
    assert set(grid["run"]) == {folder.path.name}
    drawn = read_results(tmp_path / "runs" / "grids" / "sweep-smoke.csv")
    assert set(drawn.cells["state"]) == {"finished"}
    last = drawn.curves.groupby("num_batches")["batches"].max()
    assert dict(last) == {2: 2, 4: 4, 6: 6}
