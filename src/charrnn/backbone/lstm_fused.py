"""The recurrent layer's passes in C++ (lstm_fused.cpp); see charrnn.backbone.compiled."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

PEEPHOLES = ("none", "paper", "lasagne")
"""In the order of lstm_fused.cpp's enumeration."""


def forward(*arguments: Any) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Like charrnn.backbone.lstm_eager.forward."""
    *tensors, peepholes, for_backward = arguments
    return torch.ops.charrnn.forward(*tensors, PEEPHOLES.index(peepholes), for_backward)


def backward(*arguments: Any, num_clipped: Tensor | None) -> tuple[Tensor | None, ...]:
    """Like charrnn.backbone.lstm_eager.backward."""
    *tensors, peepholes, grad_clip = arguments
    kind = PEEPHOLES.index(peepholes)
    return torch.ops.charrnn.backward(*tensors, kind, grad_clip, num_clipped)


def step_(*arguments: Any) -> None:
    """Like charrnn.backbone.lstm_eager.step_."""
    inputs, tokens_B, before, after, W_hid_HG, W_peep_3H, peepholes = arguments
    kind = PEEPHOLES.index(peepholes)
    torch.ops.charrnn.step_(inputs, tokens_B, *before, *after, W_hid_HG, W_peep_3H, kind)
