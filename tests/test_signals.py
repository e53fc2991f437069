"""Real signals to real processes: what was trained is kept, and the bits stay the same."""

from __future__ import annotations

import os
import random
import signal
import time

import processes
import pytest
from processes import Command, Moment
from test_resume import SETTINGS, assert_same, files_in_the_making
from watching import end, training, wait_until

from charrnn.runs.checkpoints import batches_kept
from charrnn.runs.folder import RunFolder
from charrnn.stopping import SIGNALS, TOGETHER
from charrnn.training.train_run import prepare

ENDLESS = ("num_batches=1000000", "evaluate_at=[1]", "checkpoint_share=0")
"""A run that ends by a signal only, and keeps no checkpoint unless it is told to end."""
COMMON = signal.SIGINT, signal.SIGTERM
SENT = pytest.mark.parametrize("sent", SIGNALS, ids=lambda sent: sent.name)
SENT_TO_COMMANDS = pytest.mark.parametrize(
    "sent",
    [pytest.param(s, marks=[] if s in COMMON else pytest.mark.long) for s in SIGNALS],
    ids=[sent.name for sent in SIGNALS],
)
"""For tests that start processes: the commonest signals, and before a release all of them."""

MOMENTS = [
    Moment("charrnn.backbone.network.Backbone.recur"),
    Moment("charrnn.evaluation.perplexity.token_losses"),
    Moment("os.replace", "/.evaluations.csv."),
    Moment("charrnn.runs.lease.Lease.trained"),
]
"""In a forward pass, in an evaluation, while its table is written, and between two batches."""


def last_line(log) -> str:
    return log.read_text().splitlines()[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("scheme", "share"), [pytest.param(1, 0, marks=pytest.mark.long), (4, 1000)]
)
def test_hit_by_every_signal_in_turn_a_run_ends_with_the_same_bits(config, tmp_path, scheme, share):
    """At chosen and at random moments, without any other checkpoint and with one per batch."""
    settings = (
        *SETTINGS,
        f"evaluate_at={[*range(1, 60)]}",
        f"scheme={scheme}",
        f"checkpoint_share={share}",
    )
    settings += ("num_batches=60", "schemes.s4.reset=0.3", "schemes.s4.recompute=true")
    whole = config(*settings, f"output_dir={tmp_path / 'whole'}")
    assert processes.run(whole) == 0
    cfg, log, draw = config(*settings), tmp_path / "log", random.Random(scheme)
    folder = prepare(cfg).folder
    moments = [*MOMENTS, *([Moment("os.replace", "/.checkpoint-next.pt.")] if share else [])]
    for number, sent in enumerate((*SIGNALS, *SIGNALS)):
        before = batches_kept(folder.path)
        if number < len(moments):
            process = processes.start(cfg, log, moments[number], sent)
        else:
            process = processes.start(cfg, log)
            wait_until(lambda before=before: len(rows(folder, after=before)))
            time.sleep(draw.uniform(0, 0.02))
            os.kill(process.pid, sent)
        process.join()
        assert process.exitcode == 128 + sent
        kept = batches_kept(folder.path)
        assert kept > before
        # Nothing is trained that is not kept.
        assert folder.read_table()["batches"].max() == kept
        words = f"ended by {sent.name}; the same command resumes from batch {kept}."
        assert last_line(log).endswith(words)
        assert log.read_text().count("ended by") == number + 1
        assert not files_in_the_making(folder)
    assert "Traceback" not in log.read_text()
    assert processes.run(cfg) == 0
    assert_same(folder, prepare(whole).folder)


def rows(folder: RunFolder, after: int):
    """The evaluations after so many batches."""
    table = folder.read_table()
    return table[table["batches"] > after] if len(table) else table


@SENT_TO_COMMANDS
@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (Moment("charrnn.training.fit.build_scheme", call=1), "starts from the beginning"),
        (Moment("charrnn.callbacks.clock.Clock.start", call=1), "starts from the beginning"),
        (Moment("charrnn.training.train_run._write_samples", call=1), "resumes from batch 3"),
    ],
)
def test_before_the_first_batch_and_after_the_last_one_a_run_ends_at_once(
    config, tmp_path, text_file, sent, moment, words
):
    cfg, log = config("num_batches=3", "keep_last=false", "checkpoint_share=0"), tmp_path / "log"
    process = processes.start(cfg, log, moment, sent)
    process.join()
    assert process.exitcode == 128 + sent
    assert (
        last_line(log)
        == f"scheme 1, {text_file}, k1=20: ended by {sent.name}; the same command {words}."
    )
    assert prepare(cfg).folder.error() is None
    assert processes.run(cfg) == 0


@SENT_TO_COMMANDS
def test_the_command_ends_with_one_line_and_the_status_that_a_shell_expects(
    start, config, tmp_path, sent
):
    sweep = start("num_batches=100000", *ENDLESS)
    wait_until(lambda: training(tmp_path), sweep)
    (folder,) = training(tmp_path).values()
    wait_until(lambda: len(folder.read_table()), sweep)
    sweep.send_signal(sent)
    log = end(sweep)
    assert sweep.returncode == 128 + sent
    kept = batches_kept(folder.path)
    assert kept > 0
    assert log.splitlines()[-1].endswith(
        f"k1=20: ended by {sent.name}; the same command resumes from batch {kept}."
    )
    assert log.count("ended by") == 1
    assert "Traceback" not in log


@pytest.mark.parametrize(
    "second",
    [signal.SIGINT, pytest.param(signal.SIGHUP, marks=pytest.mark.slow)],
    ids=lambda sent: sent.name,
)
def test_a_second_signal_ends_a_run_at_once_and_nothing_is_half_written(
    config, tmp_path, text_file, second
):
    # An evaluation after the third batch that would take minutes.
    slow = ("backbone.hidden_size=512", "datamodule.test_size=19000", "datamodule.batch_size=1")
    words = [*slow, "evaluate_at=[3]", "num_batches=1000", "k1=100", "scale=smoke", "jobs=1"]
    words += ["data=textfile", f"data.path={text_file}", f"output_dir={tmp_path / 'runs'}"]
    with Command("src/train.py", words, read=["stderr"]) as process:
        wait_until(lambda: [f for f in training(tmp_path).values() if f.status().batches], process)
        (folder,) = training(tmp_path).values()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)  # such as `make` sends: the same one
        time.sleep(2 * TOGETHER)
        assert process.poll() is None
        # On a busy machine the first ones may be answered late, and then this one belongs to them:
        # whoever sees that nothing happens sends it again.
        while process.poll() is None:
            process.send_signal(second)
            time.sleep(2 * TOGETHER)
        log = end(process)
    assert process.returncode == 128 + second
    assert log.splitlines()[-1] == (
        f"ended at once by {second.name}; the same command goes on from the last checkpoint."
    )
    assert "Traceback" not in log
    assert not files_in_the_making(folder)


def test_six_times_ctrl_c_prints_no_traceback(start, tmp_path):
    for wait in (0.01, 0.1):
        sweep = start(*ENDLESS)
        wait_until(lambda: training(tmp_path), sweep)
        for _ in range(6):
            sweep.send_signal(signal.SIGINT)
            time.sleep(wait)
        log = end(sweep)
        assert sweep.returncode == 130
        assert "Traceback" not in log
        assert "ended" in log.splitlines()[-1]
