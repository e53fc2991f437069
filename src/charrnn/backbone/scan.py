"""Linear recurrences, h(n) = a(n) h(n-1) + b(n) element by element, as a differentiable function.

On a GPU all steps are computed in log2(T) rounds by an associative scan (Blelloch 1990): the maps
h -> a h + b of neighbouring steps are composed, then those of neighbouring pairs, and so on. With
a from 0 to 1 no round can overflow. A CPU computes the T steps one by one, which is less work.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def linear_recurrence(a_TBH: Tensor, b_TBH: Tensor, h_BH: Tensor) -> Tensor:
    """The states h (T, B, H) after every step.

    Args:
        a_TBH: the factors, from 0 to 1.
        b_TBH: what is added.
        h_BH: the state before the first step.

    Examples:
        >>> a, b = torch.tensor([0.5, 0.5, 1.0]), torch.tensor([1.0, 0.0, 2.0])
        >>> linear_recurrence(a[:, None, None], b[:, None, None], torch.ones(1, 1)).flatten()
        tensor([1.5000, 0.7500, 2.7500])
    """
    if torch.is_grad_enabled():
        return _LinearRecurrence.apply(a_TBH, b_TBH, h_BH)
    return _run(a_TBH, b_TBH, h_BH)


def one_by_one(a_TBH: Tensor, b_TBH: Tensor, h_BH: Tensor) -> Tensor:
    """`linear_recurrence` step by step."""
    h_TBH = torch.empty_like(b_TBH)
    for t in range(len(b_TBH)):
        torch.addcmul(b_TBH[t], a_TBH[t], h_TBH[t - 1] if t else h_BH, out=h_TBH[t])
    return h_TBH


def in_rounds(a_TBH: Tensor, b_TBH: Tensor, h_BH: Tensor) -> Tensor:
    """`linear_recurrence` by an associative scan."""
    a_TBH, b_TBH, distance = a_TBH.clone(), b_TBH.clone(), 1
    b_TBH[0].addcmul_(a_TBH[0], h_BH)
    while distance < len(b_TBH):
        later_a, later_b = a_TBH[distance:], b_TBH[distance:]
        # New tensors, because what is read and what is written overlap.
        later_b.copy_(later_b + later_a * b_TBH[:-distance])
        later_a.copy_(later_a * a_TBH[:-distance])
        distance *= 2
    return b_TBH


def _run(a_TBH: Tensor, b_TBH: Tensor, h_BH: Tensor) -> Tensor:
    return (in_rounds if b_TBH.is_cuda else one_by_one)(a_TBH, b_TBH, h_BH)


class _LinearRecurrence(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a_TBH: Tensor, b_TBH: Tensor, h_BH: Tensor) -> Tensor:
        h_TBH = _run(a_TBH, b_TBH, h_BH)
        ctx.save_for_backward(a_TBH, h_TBH, h_BH)
        return h_TBH

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh_TBH: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        a_TBH, h_TBH, h_BH = ctx.saved_tensors
        # The gradient of b is the same kind of recurrence, from the last step to the first.
        factors_TBH = torch.cat([a_TBH[1:], torch.zeros_like(a_TBH[:1])]).flip(0)
        db_TBH = _run(factors_TBH, dh_TBH.flip(0), torch.zeros_like(h_BH)).flip(0)
        previous_TBH = torch.cat([h_BH[None], h_TBH[:-1]])
        return db_TBH * previous_TBH, db_TBH, db_TBH[0] * a_TBH[0]
