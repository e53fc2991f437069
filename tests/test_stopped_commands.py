"""Signals to commands and sweeps: while they start, without a terminal, with several workers."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest
from processes import ROOT, heed_signals
from test_signals import ENDLESS, SENT_TO_COMMANDS
from watching import end, finished, training, wait_until

from charrnn.runs.checkpoints import batches_kept


@pytest.mark.slow
@SENT_TO_COMMANDS
def test_while_it_starts_a_command_ends_with_one_line(text_file, tmp_path, sent):
    """Not forked off a process that has imported everything: most of the start is imports."""
    words = ["data=textfile", f"data.path={text_file}", f"output_dir={tmp_path / 'runs'}"]
    for wait in (0.0, 0.4, 1.2):
        with subprocess.Popen(
            [sys.executable, "src/train.py", "scale=smoke", *words, *ENDLESS],
            stderr=subprocess.PIPE,
            cwd=ROOT,
            preexec_fn=heed_signals,
        ) as process:
            process.stderr.readline()  # charrnn 0.2.0: starting
            time.sleep(wait)
            process.send_signal(sent)
            rest = process.stderr.read().decode().splitlines()
        assert process.returncode == 128 + sent
        # A fast machine may have a lease, or a batch, by then.
        ways = "give the same command again to go on", "the same command (starts|resumes) from .*"
        assert re.search(rf"ended by {sent.name}; ({'|'.join(ways)})\.$", rest[-1])
        assert "Exception ignored" not in "".join(rest)


@pytest.mark.long
def test_under_nohup_a_run_outlives_its_terminal(config, tmp_path):
    """SIGHUP is ignored from the start, and stays so; other signals are answered."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        words = ["src/train.py", "scale=smoke", f"output_dir={tmp_path / 'runs'}", *ENDLESS]
        words += ["data=textfile", f"data.path={tmp_path / 'text.txt'}"]
        process = subprocess.Popen([sys.executable, *words], cwd=ROOT, stderr=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGHUP, before)
    with process:
        wait_until(lambda: [f for f in training(tmp_path).values() if len(f.read_table())])
        process.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        assert process.poll() is None
        process.terminate()
        log = process.stderr.read().decode()
    assert process.returncode == 143
    assert re.search(r"ended by SIGTERM; the same command resumes from batch \d+\.$", log.strip())


@pytest.mark.slow
def test_a_terminal_that_is_closed_and_a_pipe_that_nobody_reads_cost_nothing(text_file, tmp_path):
    words = [sys.executable, "src/train.py", "scale=smoke", "log_every=1", "checkpoint_share=0"]
    words += ["data=textfile", f"data.path={text_file}", "num_batches=1000000", "evaluate_at=dense"]
    for way in ("terminal", "pipe"):
        ours, theirs = pty.openpty() if way == "terminal" else os.pipe()
        runs = tmp_path / way
        with subprocess.Popen(
            [*words, f"output_dir={runs / 'runs'}"],
            cwd=ROOT,
            stderr=theirs,
            stdout=theirs,
            start_new_session=True,
            preexec_fn=heed_signals,
        ) as process:
            os.close(theirs)
            wait_until(lambda runs=runs: [f for f in training(runs).values() if f.status().batches])
            (folder,) = training(runs).values()
            os.close(ours)
            time.sleep(0.5)
            assert process.poll() is None, "it does not need whoever reads"
            process.send_signal(signal.SIGHUP)
            time.sleep(0.01)
            process.send_signal(signal.SIGHUP)  # by the kernel and by the shell
        assert process.returncode == 129
        assert batches_kept(folder.path) > 0
        assert folder.error() is None


@SENT_TO_COMMANDS
def test_in_a_sweep_the_remaining_runs_are_not_started(start, tmp_path, sent):
    sweep = start("-m", "k1=20,40", "jobs=1", *ENDLESS)
    wait_until(lambda: [f for f in training(tmp_path).values() if len(f.read_table())], sweep)
    sweep.send_signal(sent)
    log = end(sweep)
    assert sweep.returncode == 128 + sent
    assert "run 2 of 2" not in log
    assert log.count("the same command resumes from batch") == 1
    assert log.count("ended by") == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("launcher", "sent", "to"),
    [
        ("basic", signal.SIGINT, "the group"),
        ("submitit_local", signal.SIGTERM, "the sweep"),
        *(
            pytest.param(*case, marks=pytest.mark.long)
            for case in (
                ("joblib", signal.SIGINT, "the group"),
                ("submitit_local", signal.SIGINT, "the group"),
                ("basic", signal.SIGTERM, "the sweep"),
                ("joblib", signal.SIGTERM, "the sweep"),
            )
        ),
    ],
)
def test_every_worker_keeps_its_run(start, tmp_path, launcher, to, sent):
    """Ctrl-C, which all processes of a terminal get, and a signal to the sweep only."""
    all_at_once = launcher == "submitit_local"  # which refuses jobs=2
    words = ["jobs=auto" if all_at_once else "jobs=2"]
    words += [] if launcher == "basic" else [f"launcher={launcher}"]
    sweep = start("-m", "k1=20,40,60", *words, *ENDLESS)
    at_once = 3 if all_at_once else 2
    wait_until(
        lambda: len([f for f in training(tmp_path).values() if len(f.read_table())]) == at_once,
        sweep,
    )
    folders = list(training(tmp_path).values())
    if to == "the group":
        os.killpg(sweep.pid, sent)
    else:
        sweep.send_signal(sent)
    log = end(sweep)
    assert sweep.returncode == 128 + sent, log
    assert not training(tmp_path)
    assert not finished(tmp_path)
    for folder in folders:
        assert batches_kept(folder.path) > 0
        assert folder.error() is None
    if launcher != "submitit_local":  # whose own processes answer Ctrl-C with a traceback
        assert "Traceback" not in log
    assert f"ended by {sent.name}; give the same command again to go on." in log.splitlines()
    runs = list((tmp_path / "runs").glob("*/identity.json"))
    assert len(runs) == at_once


@pytest.mark.slow
def test_submitit_queues_a_job_again_after_its_checkpoint_is_written(start, config, tmp_path):
    """SIGUSR2 is what SLURM warns a job with. The local executor starts the job again at once."""
    words = "num_batches=600", "checkpoint_share=0", "evaluate_at=[1]"
    sweep = start("-m", "k1=20", "launcher=submitit_local", *words)
    wait_until(lambda: [f for f in training(tmp_path).values() if len(f.read_table())], sweep)
    ((worker, folder),) = training(tmp_path).items()
    os.kill(worker, signal.SIGUSR2)
    log = end(sweep)
    assert sweep.returncode == 0, log
    (written,) = (tmp_path / "runs" / ".submitit").glob("*_log.err")
    said = written.read_text()
    kept = re.search(r"ended by SIGUSR2; the same command resumes from batch (\d+)\.\n", said)
    assert kept, said
    resumed = said.index(f"resuming from batch {kept[1]}.")
    assert kept.start() < said.index("Requeued job") < resumed
    assert not folder.error()
    assert len(finished(tmp_path)) == 1
