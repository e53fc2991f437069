"""Several processes that train at the same time: what they measure, and what ends them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pandas as pd
import pytest
import torch

from charrnn.benchmark import __main__ as benchmark
from charrnn.benchmark import together
from charrnn.benchmark.case import Case
from charrnn.devices import has_gpu

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
def test_processes_that_fail_are_reported_once_and_give_no_rows(capsys):
    assert together.together([2, 1], IMPOSSIBLE, 0.1) == []
    error = capsys.readouterr().err
    assert error.startswith(
        "error: 2 of 2 processes failed at gamma=0,r=1,k2=100: backbone.hidden_size=0 cannot"
    )
    assert error.count("error:") == 1


class Processes:
    """Threads in place of the processes."""

    def __init__(self) -> None:
        self.started: list[ThreadPoolExecutor] = []

    def __call__(self, workers: int, context: object) -> ThreadPoolExecutor:
        self.started.append(ThreadPoolExecutor(workers))
        return self.started[-1]


def test_the_numbers_that_the_other_processes_reach_are_measured(monkeypatch, capsys):
    tries = iter(range(3))

    def prepare(case: Case) -> None:
        if next(tries) == 1:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

    processes = Processes()
    monkeypatch.setattr(together, "ProcessPoolExecutor", processes)
    monkeypatch.setattr(together, "_prepare", prepare)
    monkeypatch.setattr(together, "_train", lambda case, wanted: together.Pace(4.0))
    rows = together.together([1, 2, 3], TINY, 0.1)
    assert [(row["processes"], row["batches_per_s"], row["speed_up"]) for row in rows] == [
        (1, 250, 1),
        (2, 500, 2),
    ]
    assert f"error: 1 of 3 processes failed at {TINY.name}: CUDA out of memory." in (
        capsys.readouterr().err
    )
    for each in processes.started:
        with pytest.raises(RuntimeError, match="after shutdown"):
            each.submit(print)


@pytest.mark.parametrize(("mps", "name"), [(False, "together.csv"), (True, "together-mps.csv")])
def test_measurements_with_and_without_mps_have_a_table_each(mps, name, monkeypatch, tmp_path):
    monkeypatch.setattr(together, "ProcessPoolExecutor", Processes())
    monkeypatch.setattr(together, "_prepare", lambda case: None)
    monkeypatch.setattr(together, "_train", lambda case, wanted: together.Pace(4.0))
    for module in (together, benchmark):
        monkeypatch.setattr(module, "shares_gpus", lambda: mps)
    run(monkeypatch, tmp_path, "--together", "2")
    (table,) = tmp_path.iterdir()
    assert table.name == name
    assert pd.read_csv(table)["mps"].tolist() == [mps]


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
