"""Launchers for real: joblib, submitit's local executor, a Ray cluster of two nodes."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import ray_cluster
from hydra.core.utils import JobReturn, JobStatus
from lost_gpu import ERROR
from processes import run_command
from ray_cluster import ADDRESS, Network, node_of
from watching import end, finished, training, wait_until

from charrnn.config import conf_folder
from charrnn.help import everything
from charrnn.training.train_run import prepare
from hydra_plugins.charrnn_launcher import Worker


@pytest.mark.slow
@pytest.mark.parametrize(
    "launcher", [pytest.param("joblib", marks=pytest.mark.long), "submitit_local"]
)
def test_a_sweep_reports_what_failed(command, config, tmp_path, launcher):
    blocked = prepare(config("k1=20")).folder.path
    blocked.parent.mkdir()
    blocked.write_text("in the way")
    at_once = ["jobs=2"] if launcher == "joblib" else []
    result = command("-m", "k1=20,40", f"launcher={launcher}", *at_once)
    assert result.returncode == 1
    assert f"failed: k1=20: {blocked} cannot be written: not a directory." in result.stderr
    assert "1 of 2 cells have no result." in result.stderr
    assert len(finished(tmp_path)) == 1
    if launcher == "joblib":
        assert result.stderr.count(": finished in") == 1
        return
    logs = (tmp_path / "runs" / ".submitit").glob("*_log.err")
    assert sum(": finished in" in log.read_text() for log in logs) == 1


@pytest.mark.long
def test_a_worker_of_joblib_that_is_killed_delays_the_sweep_only(start, tmp_path):
    """The pool goes down with it, and up again."""
    sweep = start("-m", "k1=20,40", "launcher=joblib", "jobs=2", "num_batches=300")
    wait_until(lambda: training(tmp_path), sweep)
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
    (tmp_path / "hide.py").write_text(
        "import importlib.util as util; find = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if 'submitit' in name else find(name, *rest)\n"
        "from charrnn.cli import train; train()\n"
    )
    words = ["-m", "k1=20,40", "launcher=slurm", f"output_dir={tmp_path / 'runs'}"]
    result = run_command(str(tmp_path / "hide.py"), words)
    assert result.returncode == 2
    assert "pip install 'charrnn[slurm]'" in result.stderr.splitlines()[-1]


def test_the_options_of_every_launcher_are_in_the_help():
    text = everything(conf_folder())
    for field in ("launcher.partition=null", "launcher.array_parallelism=64"):
        assert f"    {field} (slurm)\n" in text
    assert "    launcher.ray.init.address=null (ray)\n" in text


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[Network]:
    """A Ray cluster of two nodes, for all tests that need one."""
    with ray_cluster.cluster(tmp_path_factory.mktemp("ray")) as network:
        yield network


@pytest.mark.slow
def test_a_sweep_on_a_ray_cluster_of_two_nodes(tmp_path, text_file, cluster):
    words = ["-m", "k1=20,40,60,80", "launcher=ray", f"launcher.ray.init.address='{ADDRESS}'"]
    words += [f"output_dir={tmp_path / 'runs'}", "data=textfile", f"data.path={text_file}"]
    # As long as the second node's worker may need to start, lest the first one trains them all.
    words += ["scale=smoke", "sampling.length=0", "num_batches=300"]
    log = tmp_path / "log"
    sweep = cluster.start([sys.executable, "src/train.py", *words], log)
    nodes = set()
    while sweep.poll() is None:
        nodes |= {node_of(pid) for pid in training(tmp_path)} - {None}
        time.sleep(0.02)
    assert sweep.returncode == 0, log.read_text()
    assert nodes == {"1", "2"}
    assert len(finished(tmp_path)) == 4
    assert re.search(r"\[k1=40\]   batch    300   perplexity: windowed", log.read_text())


@pytest.mark.parametrize("before", [0.0, 0.5])
def test_a_worker_that_dies_before_its_first_run_costs_that_run_only(before):
    launcher = SimpleNamespace(hydra_context=None, config=None, task_function=None)
    worker = Worker(launcher)
    worker.connection.send((0, ["k1=20"]))  # which nobody reads
    time.sleep(before)
    worker.process.kill()
    lost = worker.receive()
    assert isinstance(lost, JobReturn)
    assert lost.status is JobStatus.FAILED
    assert str(lost._return_value) == "its process ended (SIGKILL)"


@pytest.mark.slow
def test_a_new_process_goes_on_with_a_run_that_has_lost_its_gpu_but_not_for_ever(tmp_path, start):
    """After some errors every call of CUDA fails until the process ends, pretended here.

    The first run is tried in the sweep's own process and in two new ones, the second in two.
    """
    given = "lost._target_=lost_gpu.LosesGPU", f"lost.file={tmp_path / 'lost'}", "lost.times=4"
    settings = (f"+callbacks.{each}" for each in given)
    sweep = start("-m", "k1=20,40", "jobs=1", "num_batches=6", *settings)
    log = end(sweep)
    assert sweep.returncode == 1, log
    assert f"failed: k1=20: RuntimeError: {ERROR}" in log
    assert (tmp_path / "lost").read_text() == 5 * "lost\n"
    assert log.count("a new one goes on with the run (attempt 2 of 3)") == 2
    (run,) = finished(tmp_path)
    assert "k1-40" in run


@pytest.mark.slow
def test_a_new_process_goes_on_with_the_run_of_one_that_crashed(tmp_path, start):
    """A real SIGSEGV, from the first process that gets to its third batch."""
    given = "lost._target_=lost_gpu.Crashes", f"lost.file={tmp_path / 'lost'}", "lost.times=1"
    settings = (f"+callbacks.{each}" for each in given)
    sweep = start("-m", "k1=20,40", "jobs=2", "num_batches=6", *settings)
    log = end(sweep)
    assert sweep.returncode == 0, log
    assert "ended (SIGSEGV): a new one goes on with the run (attempt 2 of 3)" in log
    assert (tmp_path / "lost").read_text() == 3 * "lost\n"
    assert len(finished(tmp_path)) == 2
