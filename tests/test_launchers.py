"""Launchers for real: joblib, submitit's local executor, a Ray cluster of two nodes."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from conftest import ROOT
from watching import end, finished, training, wait_until

from charrnn.config import conf_folder
from charrnn.help import everything
from charrnn.training.lifecycle import prepare


@pytest.mark.parametrize("launcher", ["joblib", "submitit_local"])
def test_a_sweep_reports_what_failed(command, config, tmp_path, launcher):
    blocked = prepare(config("k1=20")).folder.path
    blocked.parent.mkdir()
    blocked.write_text("in the way")
    result = command("-m", "k1=20,40", f"launcher={launcher}", "jobs=2")
    assert result.returncode == 1
    assert f"failed: k1=20: {blocked} cannot be written: not a directory." in result.stderr
    assert "1 of 2 cells have no result." in result.stderr
    assert len(finished(tmp_path)) == 1
    if launcher == "joblib":
        assert result.stderr.count(": finished in") == 1
        return
    logs = (tmp_path / "runs" / ".submitit").glob("*/*_log.err")
    assert sum(": finished in" in log.read_text() for log in logs) == 1


def test_a_worker_of_joblib_that_is_killed_delays_the_sweep_only(start, tmp_path):
    """The pool goes down with it, and up again."""
    sweep = start("-m", "k1=20,40", "launcher=joblib", "jobs=2", "num_batches=300")
    wait_until(lambda: len(training(tmp_path)) == 2)
    victim = next(iter(training(tmp_path)))
    assert victim != sweep.pid
    os.kill(victim, signal.SIGKILL)
    log = end(sweep)
    assert sweep.returncode == 0, log
    assert "the launcher gave up: TerminatedWorkerError" in log
    assert len(finished(tmp_path)) == 2


def test_a_launcher_that_cannot_work_here_is_one_sentence(command, tmp_path):
    result = command("-m", "k1=20,40", "launcher=slurm")
    assert result.returncode == 1
    assert 'the launcher gave up: RuntimeError: Could not detect "srun"' in result.stderr
    assert "2 of 2 cells have no result." in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("launcher", ["joblib", "slurm", "submitit_local"])
def test_fail_fast_is_refused_where_it_would_not_be_heard(command, launcher):
    result = command("-m", "k1=20,40", f"launcher={launcher}", "fail_fast=true")
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith("error: fail_fast=True cannot be used")


def test_a_launcher_that_is_not_installed_names_what_to_install(tmp_path):
    """Hidden from a real process by a finder that does not find it."""
    hide = (
        "import importlib.util as util, sys; find = util.find_spec;"
        "util.find_spec = lambda name, *rest: None if 'submitit' in name "
        "else find(name, *rest);"
        f"sys.argv[1:] = ['-m', 'k1=20,40', 'launcher=slurm', 'output_dir={tmp_path}'];"
        "from charrnn.cli import train; train()"
    )
    command = [sys.executable, "-c", hide]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 2
    assert "pip install 'charrnn[slurm]'" in result.stderr.splitlines()[-1]


def test_the_options_of_every_launcher_are_in_the_help():
    text = everything(conf_folder())
    for field in ("launcher.partition=null", "launcher.array_parallelism=64"):
        assert f"    {field}\n" in text
    assert "    launcher.ray.init.address=null\n" in text


@pytest.fixture
def cluster(tmp_path):
    """The address of a Ray cluster of two nodes with a core each, each a process of its own."""
    address = f"127.0.0.1:{free_port()}"
    head = ["--head", f"--port={address.rpartition(':')[2]}", "--include-dashboard=false"]
    nodes = []
    for number, words in enumerate([head, [f"--address={address}"]], start=1):
        command = [Path(sys.executable).with_name("ray"), "start", "--block", *words]
        command += [f"--node-ip-address=127.0.0.{number}", "--num-cpus=1"]
        environment = {
            **os.environ,
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONPATH": str(ROOT / "src"),
            "TEST_NODE": str(number),
        }
        command += [f"--object-store-memory={80 * 2**20}"]
        log = tmp_path / f"node{number}.log"
        with log.open("w") as out:
            nodes.append(subprocess.Popen(command, env=environment, stdout=out, stderr=out))
        wait_until(lambda log=log: "Ray runtime started" in log.read_text())
    yield address
    for node in reversed(nodes):
        node.terminate()
        node.wait(30)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def node_of(pid: int) -> str | None:
    """The node that a worker process belongs to."""
    with suppress(OSError):
        environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
        return next((word[-1] for word in environment if word.startswith("TEST_NODE=")), None)


def test_a_sweep_on_a_ray_cluster_of_two_nodes(start, tmp_path, cluster):
    words = "-m", "k1=20,40,60,80", "launcher=ray", f"launcher.ray.init.address='{cluster}'"
    sweep = start(*words)
    nodes = set()
    while sweep.poll() is None and len(nodes) < 2:
        nodes |= {node_of(pid) for pid in training(tmp_path)} - {None}
        time.sleep(0.1)
    log = end(sweep)
    assert sweep.returncode == 0, log
    assert nodes == {"1", "2"}
    assert len(finished(tmp_path)) == 4
    assert re.search(r"\[k1=40\]   batch      6   perplexity: windowed", log)
