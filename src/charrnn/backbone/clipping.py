"""Lasagne's gradient clipping: the identity, with a gradient whose elements are bounded."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def clip_gradient(sums: Tensor, grad_clip: float | None, num_clipped: Tensor | None) -> Tensor:
    """The pre-activations as they are; the gradient that arrives at them is clipped.

    Args:
        sums: the gates' pre-activations, of any shape.
        grad_clip: bound on each element of their gradient; None does not clip.
        num_clipped: an integer scalar, to which the backward pass adds how many it clipped, or
            None.
    """
    if grad_clip is None or not torch.is_grad_enabled():
        return sums
    return _ClipGradient.apply(sums, grad_clip, num_clipped)


def clip_(dz: Tensor, grad_clip: float | None, num_clipped: Tensor | None) -> None:
    """Clip a gradient in place, and count the clipped elements."""
    if grad_clip is not None:
        dz.clamp_(-grad_clip, grad_clip)
        if num_clipped is not None:
            num_clipped += (dz.abs() >= grad_clip).sum()


class _ClipGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, sums: Tensor, grad_clip: float, num_clipped: Tensor | None) -> Tensor:
        ctx.grad_clip, ctx.num_clipped = grad_clip, num_clipped
        return sums.view_as(sums)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dz: Tensor) -> tuple[Tensor, None, None]:
        dz = dz.clone()
        clip_(dz, ctx.grad_clip, ctx.num_clipped)
        return dz, None, None
