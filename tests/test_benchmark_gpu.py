"""The benchmark on a GPU: its rows, its floors as CUDA graphs, several processes at once."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import torch

from charrnn.benchmark import __main__ as benchmark
from charrnn.benchmark import floors, loops
from charrnn.benchmark.case import Case
from charrnn.devices import gpu_name, has_gpu

pytestmark = pytest.mark.skipif(not has_gpu(), reason="there is no GPU")

TINY = Case(4, num_layers=2, k2=3, vocabulary=7, dense_size=5, batch=2)
ON_GPU = replace(TINY, device="cuda")


def measured(monkeypatch, out, *words: str) -> pd.DataFrame:
    command = ["benchmark", "--device", "gpu", "--out", str(out)]
    monkeypatch.setattr("sys.argv", [*command, *words])
    benchmark.main()
    (path,) = out.glob("*.csv")
    return pd.read_csv(path)


def test_every_loop_is_measured_on_the_gpu(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(loops, "PASS", 9)
    monkeypatch.setattr(benchmark, "QUICK", [(loop, TINY) for loop in loops.LOOPS])
    table = measured(monkeypatch, tmp_path, "--quick", "--seconds", "1e-9", "--rounds", "1")
    assert set(table["machine"]) == {gpu_name()}
    assert gpu_name() in capsys.readouterr().out
    for loop in loops.LOOPS:
        rows = table[table["loop"] == loop]
        peer = {"train-step-gru": "nn.GRU", "train-step-rnn": "nn.RNN"}.get(loop, "nn.LSTM")
        assert {"ours", "floor", peer} <= set(rows["implementation"])
        assert (rows["ms_min"] > 0).all()
    steps = table[table["loop"] == "train-step"]["implementation"]
    assert {"ours, eager", "autograd-loop", "ours, TF32", "nn.LSTM, TF32"} <= set(steps)


def test_a_replayed_floor_computes_its_products():
    floor = floors.sampling_progressive(ON_GPU)
    forward = floor.products
    forward.logits_NV.zero_()
    floor()
    dense_ND = forward.scored_NH @ forward.weights.dense
    torch.testing.assert_close(forward.logits_NV, dense_ND @ forward.weights.output)


def test_everything_of_a_step_is_on_the_gpu():
    before = torch.cuda.memory_allocated()
    entries = loops.train_step(ON_GPU)
    assert loops.random_batch(ON_GPU).inputs_TB.is_cuda
    assert all(weight.is_cuda for weight in loops.our_backbone(ON_GPU).parameters())
    assert torch.cuda.memory_allocated() > before
    for entry in entries.values():
        entry.run()


@pytest.mark.slow
def test_processes_share_the_gpu(monkeypatch, tmp_path):
    monkeypatch.setattr(benchmark, "CORE", TINY)
    table = measured(monkeypatch, tmp_path, "--together", "1,2", "--gamma", "4", "--seconds", "0.3")
    assert list(table["processes"]) == [1, 2]
    assert (table["batches_per_s"] > 0).all()
    # Reserved in blocks of 2 MiB at least, and a process has a CUDA context beside them.
    assert (table["gpu_gb_of_one"] >= 2 * 2**20 / 1e9).all()
    assert (table["gpu_gb_of_all"] > table["gpu_gb_of_one"]).all()
