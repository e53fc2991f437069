"""Pretended GPUs: how many a process finds is in its environment, and training is on the CPU.

Copied to a folder as `sitecustomize.py`, this module acts in every process that has the folder in
its PYTHONPATH. In jobs of submitit FAKE_GPUS_OF_JOBS counts, elsewhere FAKE_GPUS.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from charrnn import devices

MEETING = 300
"""Seconds in which all runs that are to overlap have started."""


def visible() -> list[str]:
    """The GPUs of this process, by the names that CUDA_VISIBLE_DEVICES has for them."""
    in_a_job = "SUBMITIT_LOCAL_JOB_ID" in os.environ
    number = int(os.environ.get("FAKE_GPUS_OF_JOBS" if in_a_job else "FAKE_GPUS", "0"))
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    return [str(n) for n in range(number)] if given is None else given.split(",") * bool(given)


def meet(_: int) -> None:
    """Wait until as many runs as FAKE_AT_ONCE says hold a GPU at the same time."""
    folder = Path(__file__).parent / "met"
    folder.mkdir(exist_ok=True)
    (folder / str(os.getpid())).touch()
    deadline = time.monotonic() + MEETING
    while len(list(folder.iterdir())) < int(os.environ.get("FAKE_AT_ONCE", "1")):
        assert time.monotonic() < deadline, "the other runs have not started"
        time.sleep(0.05)


devices.has_gpu = lambda: bool(visible())
devices.num_gpus = lambda: len(visible())
devices.gpu_name = lambda index=0: f"pretended {visible()[index]}"
devices._use = meet
devices.Place.for_trainer = lambda _: {"accelerator": "cpu", "devices": 1}
