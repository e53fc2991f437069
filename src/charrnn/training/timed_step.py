"""A training step without Lightning, and the time that it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, ParamSpec

import torch
from torch.optim import Optimizer

P = ParamSpec("P")


def make_step(loss: Callable[P, Any], optimizer: Optimizer) -> Callable[P, None]:
    """A function that trains once: loss, backward pass, update of the weights.

    Args:
        loss: computes a scalar loss of the parameters, such as a scheme's `training_step` of a
            batch. The step takes the same arguments.
        optimizer: updates the parameters.
    """

    def step(*args: P.args, **kwargs: P.kwargs) -> None:
        optimizer.zero_grad()
        loss(*args, **kwargs).backward()
        optimizer.step()

    return step


def seconds(action: Callable[[], object]) -> float:
    """Seconds that ``action`` takes, including the work that it leaves to a GPU."""
    _wait_for_gpu()
    started = time.perf_counter()
    action()
    _wait_for_gpu()
    return time.perf_counter() - started


def _wait_for_gpu() -> None:
    """Return when the GPU has finished; it works on after a call has returned."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
