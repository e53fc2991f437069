"""What makes recurrent layers fast, and can be switched off: torch's own operations give the same.

On a CPU that is the passes of charrnn.backbone.compiled; on a GPU the kernels of
charrnn.backbone.lstm_triton and the CUDA graphs of charrnn.backbone.cuda_graphs.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import logging
import os
from collections.abc import Iterator

import torch
from torch import Tensor

from charrnn.errors import reason

log = logging.getLogger(__name__)

DTYPES = (torch.float32, torch.float64)
"""The precisions that compiled passes and kernels support."""

# Of all threads: on a GPU, backward passes run in one of their own.
_eager_only = 0


@contextlib.contextmanager
def eager_only() -> Iterator[None]:
    """A context in which every layer computes with torch's own operations, one by one."""
    global _eager_only
    _eager_only += 1
    try:
        yield
    finally:
        _eager_only -= 1


def is_eager_only() -> bool:
    """Whether nothing but torch's own operations is to be used: here, or in the whole process.

    ``CHARRNN_FUSED=0`` in the environment says so for the process.
    """
    return _eager_only > 0 or os.environ.get("CHARRNN_FUSED") == "0"


def may_use_triton(like: Tensor) -> bool:
    """Whether Triton's kernels can compute with tensors such as ``like``."""
    fits = like.is_cuda and like.dtype in DTYPES and not is_eager_only()
    return fits and triton_works()


@functools.cache
def triton_works() -> bool:
    """Whether Triton, which comes with torch on Linux, can compile and start a kernel here."""
    if importlib.util.find_spec("triton") is None:
        log.warning("Triton is missing, which only costs speed")
        return False
    try:
        from charrnn.backbone import lstm_triton

        lstm_triton.try_out()
    # Whatever it is: no C compiler, a GPU or a driver that is too old.
    except Exception as error:
        log.warning("Triton's kernels are not used, which only costs speed: %s", reason(error))
        return False
    return True
