"""Several processes that train at the same time: what they measure, and what ends them."""

from __future__ import annotations

import threading

import pandas as pd
import pytest

from charrnn.benchmark import __main__ as benchmark
from charrnn.benchmark import together
from charrnn.benchmark.case import Case
from charrnn.devices import has_gpu
from charrnn.errors import CharRNNError

TINY = Case(4, num_layers=2, k2=3, vocabulary=7, dense_size=5, batch=2)
IMPOSSIBLE = Case(0)


def run(monkeypatch, out, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["benchmark", "--out", str(out), *words])
    benchmark.main()


@pytest.mark.slow
def test_processes_that_train_at_the_same_time_are_measured(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(benchmark, "CORE", TINY)
    run(monkeypatch, tmp_path, "--together", "1,2", "--gamma", "4", "--seconds", "0.3")
    table = pd.read_csv(tmp_path / "together.csv")
    assert capsys.readouterr().out.count(TINY.name) == 2
    assert list(table["case"]) == [TINY.name] * 2
    assert list(table["processes"]) == [1, 2]
    alone, both = table.to_dict("records")
    assert alone["batches_per_s"] == pytest.approx(1000 / alone["ms_median"])
    assert alone["speed_up"] == 1
    assert both["speed_up"] == pytest.approx(both["batches_per_s"] / alone["batches_per_s"])
    # The rates of two processes add up.
    assert both["ms_min"] <= both["ms_median"] <= both["ms_max"]
    assert both["batches_per_s"] == pytest.approx(1000 / both["ms_min"] + 1000 / both["ms_max"])
    assert table[["gpu_gb_of_one", "gpu_gb_of_all"]].isna().all(axis=None)  # the CPU has none


@pytest.mark.slow
def test_a_process_that_fails_ends_the_rows_with_its_error(capsys):
    assert list(together.together([2, 3], IMPOSSIBLE, 0.1)) == []
    error = capsys.readouterr().err
    assert "--together 2 failed at gamma=0,r=1,k2=100: backbone.hidden_size=0 cannot" in error
    assert "--together 3" not in error


def test_a_process_that_fails_does_not_leave_the_others_waiting(monkeypatch):
    barrier = threading.Barrier(2)
    monkeypatch.setattr(together, "_barrier", barrier)
    with pytest.raises(CharRNNError, match="hidden_size=0"):
        together._train(IMPOSSIBLE, 0.1)
    assert barrier.broken


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        (["--together", "1,0"], "--together=1,0 cannot be used: it has to be whole numbers"),
        (["--together", "two"], "--together=two cannot be used"),
        (["--together", ""], "--together= cannot be used"),
        (["--together", "1", "--gamma", "5.5"], "--gamma=5.5 cannot be used"),
        (["--device", "tpu"], "--device=tpu cannot be used: it has to be one of cpu, gpu"),
        pytest.param(
            ["--device", "gpu"],
            "torch finds no GPU",
            marks=pytest.mark.skipif(has_gpu(), reason="there is a GPU"),
        ),
    ],
)
def test_bad_options_are_refused_before_anything_is_measured(
    words, refusal, monkeypatch, tmp_path, capsys
):
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, tmp_path / "out", *words)
    assert ended.value.code == 2
    assert refusal in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
