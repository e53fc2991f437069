"""The peak memory of a run, measured in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from charrnn.benchmark.case import PAPER_TOKENS, Case

# A process inherits the peak of the one that starts it, so a small process starts the run.
PEAK_OF = """
import resource, subprocess, sys
subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def peak_memory(case: Case, tokens: int = PAPER_TOKENS) -> int:
    """Peak resident bytes of a real run of scheme 1: two batches, one evaluation, one text.

    The run uses one thread, in a process of its own, and reads a random text.

    Args:
        case: sizes of the network and its batches.
        tokens: length of the text.
    """
    with tempfile.TemporaryDirectory() as folder:
        letters = np.random.default_rng(0).integers(35, 35 + case.vocabulary, tokens, dtype=np.int8)
        text = Path(folder) / "text.txt"
        text.write_bytes(letters.tobytes())
        settings = {
            "scale": "paper",
            "data": "textfile",
            "data.path": text,
            "output_dir": f"{folder}/runs",
            "backbone.hidden_size": case.hidden_size,
            "backbone.num_layers": case.num_layers,
            "backbone.dense_size": case.dense_size,
            "datamodule.batch_size": case.batch,
            "datamodule.test_size": 612 + case.k2,
            "k2": case.k2,
            "num_batches": 2,
            "evaluate_at": "[]",
            "threads": 1,
            "sampling.length": 5,
        }
        run = [sys.executable, "-c", "from charrnn.cli import main; main()", "train"]
        run += [f"{name}={value}" for name, value in settings.items()]
        environment = os.environ | {"CHARRNN_DATA": f"{folder}/data"}
        peak = subprocess.run(
            [sys.executable, "-c", PEAK_OF, *run],
            env=environment,
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
    return int(peak) * (1 if sys.platform == "darwin" else 1024)
