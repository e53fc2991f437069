"""What stays in single precision under autocast: recurrence and losses."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor


def without_autocast(like: Tensor) -> contextlib.AbstractContextManager[object]:
    """A context in which autocast changes no precision on the device of ``like``."""
    device = like.device.type
    if not torch.is_autocast_enabled(device):
        return contextlib.nullcontext()
    return torch.autocast(device, enabled=False)


def at_least_single(values: Tensor) -> Tensor:
    """The values, in single precision if they have less.

    Examples:
        >>> at_least_single(torch.zeros(2, dtype=torch.bfloat16)).dtype
        torch.float32
        >>> at_least_single(torch.zeros(2, dtype=torch.float64)).dtype
        torch.float64
    """
    return values.to(torch.promote_types(values.dtype, torch.float32))
