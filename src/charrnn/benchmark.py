"""How fast a training step is beside torch's own LSTM: `python -m charrnn.benchmark --help`.

The two are run in turn, in one process, so that a machine whose speed drifts slows both.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from rich.progress import track
from torch import Tensor, nn

from charrnn.backbone import LEAKINESS, Backbone
from charrnn.console import console
from charrnn.data.batches import Batch
from charrnn.files import write_atomically
from charrnn.provenance import machine
from charrnn.schemes import Scheme1

BATCH, K2, VOCABULARY, DENSE = 64, 100, 85, 1024

Step = Callable[[], None]


def our_step(batch: Batch, hidden_size: int, num_layers: int) -> Step:
    """Loss, backward pass and Adam of scheme 1."""
    backbone = Backbone(VOCABULARY, num_layers, hidden_size, DENSE)
    scheme = Scheme1(backbone, torch.optim.Adam, k1=K2, k2=K2)
    return _step(lambda: scheme.training_step(batch), list(scheme.parameters()))


def torch_step(batch: Batch, hidden_size: int, num_layers: int) -> Step:
    """The same with torch.nn.LSTM on one-hot input: no peepholes, clipping or learned start."""
    lstm = nn.LSTM(VOCABULARY, hidden_size, num_layers)
    dense = nn.Sequential(
        nn.Linear(hidden_size, DENSE), nn.LeakyReLU(LEAKINESS), nn.Linear(DENSE, VOCABULARY)
    )

    def loss() -> Tensor:
        hidden_TBH, _ = lstm(nn.functional.one_hot(batch.inputs_TB, VOCABULARY).float())
        return nn.functional.cross_entropy(
            dense(hidden_TBH).flatten(0, 1), batch.targets_TB.flatten()
        )

    return _step(loss, [*lstm.parameters(), *dense.parameters()])


def _step(loss: Callable[[], Tensor], parameters: list[nn.Parameter]) -> Step:
    optimizer = torch.optim.Adam(parameters)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()

    return step


def measure_alternating(steps: dict[str, Step], repeats: int) -> pd.DataFrame:
    """Milliseconds of each step (rows: repeats, columns: names), after one warm-up each."""
    for step in steps.values():
        step()
    times = np.empty((repeats, len(steps)))
    for row in track(range(repeats), "measuring", console=console, transient=True):
        for column, step in enumerate(steps.values()):
            started = time.perf_counter()
            step()
            times[row, column] = 1000 * (time.perf_counter() - started)
    return pd.DataFrame(times, columns=list(steps))


def train_step_rows(hidden_size: int, num_layers: int, repeats: int) -> pd.DataFrame:
    """The benchmark's table for one architecture."""
    tokens_TB = torch.randint(VOCABULARY, (K2 + 1, BATCH))
    batch = Batch(tokens_TB[:-1], tokens_TB[1:], number=0)
    steps = {
        "ours": our_step(batch, hidden_size, num_layers),
        "nn.LSTM": torch_step(batch, hidden_size, num_layers),
    }
    times = measure_alternating(steps, repeats)
    ratios = times.div(times["nn.LSTM"], axis=0)
    return pd.DataFrame(
        {
            "loop": "train-step",
            "implementation": times.columns,
            "case": f"gamma={hidden_size},r={num_layers},k2={K2}",
            "threads": torch.get_num_threads(),
            "ms_median": times.median().to_numpy(),
            "ms_min": times.min().to_numpy(),
            "ms_max": times.max().to_numpy(),
            "ratio_to_nn_lstm": ratios.median().to_numpy(),
        }
    )


def main() -> None:
    """Measure, print the table and write it as CSV."""
    parser = argparse.ArgumentParser(description="Compare the training step with torch.nn.LSTM.")
    parser.add_argument(
        "--out", type=Path, default=Path("multirun/benchmark"), help="folder of the table"
    )
    parser.add_argument("--repeats", type=int, default=11, help="steps measured of each")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    cases = [(512, 1), (128, 1), (128, 2)]
    table = pd.concat([train_step_rows(*case, arguments.repeats) for case in cases])
    processor = machine()["processor"]
    print(f"{processor}; torch {torch.__version__}; batch {BATCH}, |V|={VOCABULARY}, dense {DENSE}")
    print(table.round(3).to_string(index=False))
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / "train-step.csv"
    write_atomically(path, table.to_csv(index=False))
    print(path)


if __name__ == "__main__":
    main()
