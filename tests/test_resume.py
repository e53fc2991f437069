"""A run that is killed, at whatever moment, ends with the bits of one that is not."""

from __future__ import annotations

import random
import re
import shutil
import time
from pathlib import Path

import pandas as pd
import processes
import pytest
from processes import Moment
from tensorboard.backend.event_processing.plugin_event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from charrnn.runs.checkpoints import BEFORE, NEWEST, NEXT, batches_in, batches_kept
from charrnn.runs.folder import RunFolder
from charrnn.training.train_run import prepare, train

# 3 batches are an epoch; dropout draws random numbers; evaluations and checkpoints take about
# as much of the time as training, so that random moments lie in all of them.
SETTINGS = ("num_batches=26", "k1=100", "backbone.dropout=0.25", "checkpoint_share=1000")
EVERY_BATCH = f"evaluate_at={[*range(1, 26)]}"


def results(folder: RunFolder) -> tuple[pd.DataFrame, bytes]:
    """Table and weights."""
    table = folder.read_table()
    times = ["train_seconds", "train_cpu_seconds"]
    assert all(table[column].is_monotonic_increasing for column in times)
    return table.drop(columns=times), (folder.path / "weights.pt").read_bytes()


def assert_same(one: RunFolder, two: RunFolder) -> None:
    assert one.path.name == two.path.name
    (table, weights), (other_table, other_weights) = results(one), results(two)
    pd.testing.assert_frame_equal(table, other_table, check_exact=True)
    assert weights == other_weights


def files_in_the_making(folder: RunFolder) -> set[str]:
    """What a process leaves that is killed while it writes, temporary names cut short."""
    names = (path.name for path in folder.path.iterdir())
    return {re.sub(r"\.\w{32}$", "", name) for name in names if name.startswith((".", NEXT))}


MOMENTS = {
    # An evaluation: in the midst of the perplexity's sum, and when its table is being written.
    Moment("charrnn.evaluation.perplexity.token_losses"): set(),
    Moment("os.replace", "/.evaluations.csv."): {".evaluations.csv"},
    # A checkpoint: being written; written, beside the newest one; and when there is no newest one.
    Moment("os.replace", "/.checkpoint-next.pt."): {".checkpoint-next.pt"},
    Moment("os.replace", "/checkpoint-before.pt"): {NEXT},
    Moment("os.replace", "/checkpoint-next.pt'), "): {NEXT},
}
"""Moments to be killed at, and the files that are in the making then."""


@pytest.mark.parametrize(
    ("scheme", "optimizer"),
    [
        pytest.param(1, "adam_lasagne", marks=pytest.mark.long),
        pytest.param(2, "rmsprop", marks=pytest.mark.long),
        pytest.param(4, "adam", marks=pytest.mark.slow),
    ],
)
def test_killed_at_random_and_at_chosen_moments_a_run_ends_with_the_same_bits(
    config, tmp_path, scheme, optimizer
):
    settings = (*SETTINGS, EVERY_BATCH, f"scheme={scheme}", f"optimizer={optimizer}")
    settings += ("schemes.s4.reset=0.3", "schemes.s4.recompute=true")  # draws and carries otherwise
    whole = config(*settings, f"output_dir={tmp_path / 'whole'}")
    assert processes.run(whole) == 0
    cfg, folder = config(*settings), prepare(config(*settings)).folder
    draw, chosen, kills = random.Random(scheme), list(MOMENTS), 0
    for reached in range(23):
        if reached % 3 == 0 and chosen:
            moment = chosen.pop()
            process = processes.start(cfg, killed_at=moment)
            process.join()
            assert process.exitcode == -9
            assert files_in_the_making(folder) >= MOMENTS[moment]
        else:
            process = processes.start(cfg)
            while process.is_alive() and batches_kept(folder.path) <= reached:
                time.sleep(0.001)
            time.sleep(draw.uniform(0, 0.03))
            process.kill()
            process.join()
        kills += process.exitcode == -9
        assert not folder.is_finished or process.exitcode == 0
    assert kills >= 20
    assert not chosen
    # A long text leaves time between the weights and the mark that the run is finished.
    process = processes.start(config(*settings, "sampling.length=5000"))
    while process.is_alive() and not (folder.path / "weights.pt").exists():
        pass
    process.kill()
    process.join()
    assert not folder.is_finished
    assert processes.run(cfg, tmp_path / "log") == 0
    assert "resuming from batch 26." in (tmp_path / "log").read_text()
    assert_same(folder, prepare(whole).folder)
    left = {path.name for path in folder.path.iterdir()}
    assert {name for name in left if name.startswith(("checkpoint", "."))} == {NEWEST}


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def of_another_run(path):
    path.write_bytes(path.read_bytes().replace(b'"run": "text', b'"run": "tale', 1))


def stopped(cfg, batches: int) -> RunFolder:
    """A run that was killed after so many batches or a few more."""
    folder = prepare(cfg).folder
    process = processes.start(cfg)
    while batches_kept(folder.path) < batches:
        assert process.is_alive()
        time.sleep(0.001)
    process.kill()
    process.join()
    # Between two renames there is none for a moment.
    return folder if (folder.path / NEWEST).exists() else stopped(cfg, batches + 1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    """Where the first test that needs them puts runs for all tests of this file."""
    return tmp_path_factory.mktemp("shared")


@pytest.fixture
def whole(config, shared) -> RunFolder:
    """The run with `SETTINGS`, trained without a break."""
    return train(config(*SETTINGS, f"output_dir={shared / 'whole'}"))


@pytest.fixture
def halfway(config, shared) -> RunFolder:
    """The same, stopped after 10 batches or a few more."""
    cfg = config(*SETTINGS, f"output_dir={shared / 'halfway'}")
    if not prepare(cfg).folder.path.exists():
        stopped(cfg, batches=10)
    folder = prepare(config(*SETTINGS)).folder
    shutil.copytree(prepare(cfg).folder.path, folder.path)
    return folder


@pytest.mark.parametrize("damage", [flip, truncate, empty, of_another_run])
def test_of_a_damaged_checkpoint_the_one_before_is_taken(config, tmp_path, whole, halfway, damage):
    cfg, folder = config(*SETTINGS), halfway
    newest, before = (folder.path / name for name in (NEWEST, BEFORE))
    assert batches_in(before) == batches_in(newest) - 1
    damage(newest)
    assert processes.run(cfg, tmp_path / "log") == 0
    said = (tmp_path / "log").read_text().splitlines()
    assert said.count(f"{newest} is damaged and is ignored.") == 1
    (line,) = [line for line in said if line.startswith("resuming from batch ")]
    assert 9 <= int(line.removeprefix("resuming from batch ").rstrip(".")) < 26
    assert_same(folder, whole)


def test_with_both_checkpoints_damaged_a_run_starts_anew(config, tmp_path, whole, halfway):
    folder = halfway
    for name in (NEWEST, BEFORE):
        flip(folder.path / name)
    assert processes.run(config(*SETTINGS), tmp_path / "log") == 0
    said = (tmp_path / "log").read_text()
    assert said.count("is damaged and is ignored.") == 2
    assert "resuming" not in said
    assert_same(folder, whole)


def test_a_resumed_run_says_that_its_bits_may_differ_and_keeps_earlier_evaluations(
    config, tmp_path
):
    settings = (*SETTINGS, "num_batches=12")
    folder = stopped(config(*settings, "evaluate_at=[2,3]"), batches=4)
    (folder.path / "evaluations.csv").write_text("half a li")
    assert processes.run(config(*settings, "evaluate_at=[11]", "threads=2"), tmp_path / "log") == 0
    said = (tmp_path / "log").read_text()
    expected = (
        r"made on a CPU with threads=1, (\w+) passes, this is a CPU with threads=2, \1 passes"
    )
    assert re.search(expected, said)
    assert sorted(set(folder.read_table()["batches"])) == [2, 3, 11, 12]


def test_tensorboard_reads_a_resumed_run_without_gaps_and_repetitions(config):
    cfg = config(*SETTINGS, EVERY_BATCH, "scheme=2", "log_every=1")
    for batches in (4, 11, 17):
        folder = stopped(cfg, batches)
        truncate(folder.path / NEWEST)
    assert processes.run(cfg) == 0
    (written,) = (folder.path.parent / "tensorboard").iterdir()
    events = EventAccumulator(str(written), size_guidance={"tensors": 0}).Reload()
    (perplexity,) = (tag for tag in events.Tags()["tensors"] if tag.startswith("perplexity/text@"))
    for tag in (perplexity, "train/loss", "sample/text_summary"):
        assert [event.step for event in events.Tensors(tag)] == [64 * b for b in range(1, 27)]
    shown = [float(make_ndarray(e.tensor_proto)) for e in events.Tensors(perplexity)]
    own = folder.read_table().query("procedure == 'windowed'")["perplexity"]
    assert shown == pytest.approx(own.tolist(), rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", [1, 4])
def test_told_to_stop_a_run_keeps_its_last_batch_and_ends_with_the_same_bits(
    config, tmp_path, scheme
):
    """Without any other checkpoint; at and between the ends of epochs."""
    settings = (*SETTINGS, EVERY_BATCH, f"scheme={scheme}", "checkpoint_share=0")
    whole = config(*settings, f"output_dir={tmp_path / 'whole'}")
    assert processes.run(whole) == 0
    cfg, folder = config(*settings), prepare(whole).folder
    folder = RunFolder(tmp_path / "runs" / folder.path.name)
    for batches in (1, 9, 17):
        process = processes.start(cfg, tmp_path / "log")
        while len(rows := folder.read_table()) == 0 or rows["batches"].max() < batches:
            assert process.is_alive()
            time.sleep(0.01)
        process.terminate()
        process.join()
        assert process.exitcode == 143
        kept = batches_kept(folder.path)
        assert kept >= batches
        last = (tmp_path / "log").read_text().splitlines()[-1]
        assert last.endswith(f"ended by SIGTERM; the same command resumes from batch {kept}.")
    assert processes.run(cfg) == 0
    assert_same(folder, prepare(whole).folder)


@pytest.mark.slow
def test_the_command_goes_on_after_a_kill(config, command, tmp_path, text_file):
    settings = (*SETTINGS, "scheme=4", "num_batches=60")
    whole = config(*settings, f"output_dir={tmp_path / 'whole'}")
    assert processes.run(whole) == 0
    folder = RunFolder(tmp_path / "runs" / prepare(whole).folder.path.name)
    words = [f"output_dir={tmp_path / 'runs'}", "data=textfile", f"data.path={text_file}"]
    words += ["scale=smoke", "sampling.length=5", *settings]
    with processes.Command("src/train.py", words, read=[]) as process:
        while batches_kept(folder.path) < 20:
            assert process.poll() is None
            time.sleep(0.001)
        process.kill()
        process.wait()
    assert not folder.is_finished
    again = command(*settings)
    assert again.returncode == 0
    (line,) = [line for line in again.stderr.splitlines() if line.startswith("resuming from batch")]
    assert int(line.removeprefix("resuming from batch ").rstrip(".")) >= 20
    assert_same(folder, prepare(whole).folder)
