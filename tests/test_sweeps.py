"""Sweeps as they are lived with: killed, started twice, several runs at once, planned."""

from __future__ import annotations

import os
import signal

import pandas as pd
import pytest
from processes import run_command
from watching import end, finished, training, wait_until

from charrnn.runs.state import RunState
from charrnn.sweeps.cells import Cell
from charrnn.sweeps.grids import write_grid
from charrnn.training.train_run import prepare, train

SERIAL_AND_PARALLEL = [1, pytest.param(2, marks=pytest.mark.long)]
"""Values of jobs=; workers of their own import everything once more."""
SIX = ("-m", "scheme=2,4", "k1=20,40,60")


@pytest.mark.slow
@pytest.mark.parametrize("jobs", SERIAL_AND_PARALLEL)
def test_a_sweep_that_is_killed_trains_only_what_was_missing(start, tmp_path, jobs):
    first = start(*SIX, f"jobs={jobs}")
    wait_until(lambda: len(finished(tmp_path)) >= 2, first)
    first.kill()
    first.wait()
    wait_until(lambda: not training(tmp_path))  # workers end with the sweep that started them
    before = finished(tmp_path)
    assert 2 <= len(before) < 6
    second = start(*SIX, f"jobs={jobs}")
    log = end(second)
    assert second.returncode == 0, log
    assert f"6 cells, 6 distinct runs, {6 - len(before)} of them to train" in log
    assert log.count(": finished in ") == 6 - len(before)
    after = finished(tmp_path)
    assert len(after) == 6
    assert {run: after[run] for run in before} == before


@pytest.mark.slow
def test_two_sweeps_started_together_train_each_run_once(start, tmp_path):
    sweeps = [start(*SIX, "jobs=1"), start(*SIX, "jobs=1")]
    logs = [end(sweep) for sweep in sweeps]
    assert [sweep.returncode for sweep in sweeps] == [0, 0], logs
    assert sum(log.count(": finished in ") for log in logs) == 6
    assert len(finished(tmp_path)) == 6
    assert len(pd.read_csv(tmp_path / "runs" / "grids" / "sweep-smoke.csv")) == 6


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_its_own_run_only(start, tmp_path):
    words = "-m", "k1=20,40,60", "jobs=2", "num_batches=300", "evaluate_at=[1]"
    sweep = start(*words)
    wait_until(lambda: len(training(tmp_path)) == 2, sweep)
    victim, folder = next(iter(training(tmp_path).items()))
    assert victim != sweep.pid
    os.kill(victim, signal.SIGKILL)
    log = end(sweep)
    assert sweep.returncode == 1
    assert "RuntimeError: its process ended (SIGKILL)" in log
    assert "1 of 3 cells have no result." in log
    assert len(finished(tmp_path)) == 2
    assert folder.status().state is RunState.PLANNED
    again = start(*words)
    log = end(again)
    assert again.returncode == 0, log
    assert log.count(": finished in ") == 1


@pytest.mark.parametrize("jobs", SERIAL_AND_PARALLEL)
def test_the_first_failure_ends_the_sweep_if_asked_to(start, config, tmp_path, jobs):
    folder = prepare(config("k1=20", "num_batches=1000000")).folder.path
    folder.parent.mkdir()
    folder.write_text("in the way")
    # Whatever ran beside it, or after it, would take hours.
    words = "k1=20,40,60", "num_batches=1000000", "evaluate_at=[3]"
    sweep = start("-m", *words, f"jobs={jobs}", "fail_fast=true")
    log = end(sweep)
    assert sweep.returncode == 1
    assert f"failed: k1=20: {folder} cannot be written" in log
    assert "failed: k1=60: not trained to its end (planned)" in log
    assert not training(tmp_path)


@pytest.mark.slow
def test_a_failed_run_is_tried_again_on_demand_only(start, config, tmp_path):
    train(config("k1=20"))
    failed = prepare(config("k1=40")).folder.path
    failed.mkdir()
    (failed / "failed.txt").write_text("Traceback\nRuntimeError: out of luck\n")
    again = start("-m", "k1=20,40", "scheme=1,3", "jobs=1")
    log = end(again)
    assert again.returncode == 1
    assert "4 cells, 2 distinct runs, 0 of them to train" in log
    assert "2 of 4 cells have no result." in log
    assert "failed: k1=40 scheme=3: RuntimeError: out of luck (it failed before;" in log
    tried = start("-m", "k1=20,40", "scheme=1,3", "jobs=1", "retry_failed=true")
    log = end(tried)
    assert tried.returncode == 0, log
    assert log.count(": finished in ") == 1


def test_the_only_run_of_a_sweep_that_fails_elsewhere_meanwhile_is_not_tried_again(
    start, config, tmp_path
):
    folder = prepare(config("k1=20", "sampling.length=0")).folder
    with folder.leased(lambda: None):
        sweep = start("-m", "k1=20", "jobs=1")
        lines = iter(sweep.stderr.readline, "")
        assert any("already being trained by another process; waiting" in line for line in lines)
        folder.fail("Traceback\nMemoryError: all is full\n")
    log = end(sweep)
    assert sweep.returncode == 1
    assert "failed before: MemoryError: all is full (retry_failed=true tries it again)" in log
    assert folder.status().error == "MemoryError: all is full"


def test_the_status_of_every_cell(config, tmp_path):
    finished_run = train(config("k1=20"))
    failed = prepare(config("k1=40")).folder.path
    failed.mkdir()
    (failed / "failed.txt").write_text("Traceback\nRuntimeError: out of luck\n")
    damaged = train(config("k1=80")).path / "finished.json"
    damaged.write_text(damaged.read_text()[:20])
    cells = [cell(config(f"k1={k1}", f"scheme={n}")) for k1 in (20, 40, 60, 80) for n in (1, 3)]
    write_grid(cells, tmp_path / "runs" / "grids" / "mine-smoke.csv")
    status = run_command("charrnn", ["status", "--runs", tmp_path / "runs"])
    assert status.returncode == 0, status.stderr
    lines = [line.split() for line in status.stdout.splitlines()]
    first = ["mine-smoke", "text", "1", "20", "100", "1", "16", "0"]
    table = finished_run.read_table()
    windowed = table[table["procedure"] == "windowed"]["perplexity"]
    assert lines[1] == [*first, f"{windowed.iloc[-1]:.2f}", "finished"]
    assert lines[3][8:] == ["failed:", "RuntimeError:", "out", "of", "luck"]
    assert lines[5][8:] == ["waiting"]
    assert lines[7][8:12] == ["damaged:", str(damaged), "is", "damaged,"]
    assert " ".join(lines[-1]) == "8 cells of 4 runs: 2 finished, 2 failed, 2 waiting, 2 damaged"


def cell(cfg) -> Cell:
    return Cell([], cfg, "", prepare(cfg).folder)


@pytest.mark.slow
def test_a_plan_counts_what_figures_share_and_writes_nothing(tmp_path):
    """At smoke scale, 2 values of k1 and of k2: Figure 9 has 32 cells and, since scheme 3 is
    scheme 1, 24 runs; Figure 11 has 24 cells, of 3 x 6 runs the 3 with k1 = k2 = 100 shared."""
    words = ["plan", "fig9", "fig10", "fig11", "scale=smoke", "corpora=authors"]
    nothing = {"CHARRNN_DATA": str(tmp_path / "nothing")}
    result = run_command("charrnn", [*words, f"output_dir={tmp_path / 'runs'}"], nothing)
    assert result.returncode == 0, result.stderr
    assert "fig10: the cells of fig9" in result.stdout
    assert "56 cells, 39 distinct runs: 39 planned; 39 to train" in result.stdout
    assert "finnish: not fetched yet; planned with |V| = 106" in result.stdout
    assert "time left: " in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_list_of_corpora_without_its_own_quotes_is_no_sweep_of_plans(charrnn):
    words = ["plan", "fig9", "scale=smoke", "scheme=1", "k1=20"]
    status, out, err = charrnn(*words, "corpora=stdlib,shakespeare")
    assert (status, out) == (2, "")
    assert "corpora=stdlib cannot be used: it has to be the same in all cells" in " ".join(
        err.split()
    )
    assert """'corpora="shakespeare,chorales"'""" in err


def test_the_plan_of_a_sweep_on_the_command_line(start, config, tmp_path):
    train(config("k1=20"))
    before = sorted(tmp_path.rglob("*"))
    plan = start("-m", "k1=20,40", "scheme=1,3", "plan=true")
    assert end(plan)
    assert plan.returncode == 0
    assert sorted(tmp_path.rglob("*")) == before


def test_a_glob_that_finds_nothing_is_one_sentence(charrnn):
    status, _, said = charrnn("train", "-m", "scheme=glob(*)", "scale=smoke", "plan=true")
    assert status == 2
    assert "glob() found nothing: it chooses among the options of a group." in said
