"""The recurrent layer as one function with its backward pass written out.

Two modules have that function's passes, `forward` and `backward`, and a single step of it, with the
same signatures and, to rounding, the same results: charrnn.backbone.fused for CPUs,
charrnn.backbone.eager for all else. Shapes are those of charrnn.backbone.lstm: T time steps,
B sequences, I inputs, H hidden units, G = 4H gate units (i, f, g, o).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charrnn.backbone import eager, fused
from charrnn.backbone.state import Peepholes, State

_eager_only: ContextVar[bool] = ContextVar("eager_only", default=False)


@contextlib.contextmanager
def eager_only() -> Iterator[None]:
    """Within it, CPUs too take the eager path."""
    token = _eager_only.set(True)
    try:
        yield
    finally:
        _eager_only.reset(token)


def run(
    x: Tensor,
    state: State,
    W_in_IG: Tensor,
    bias_G: Tensor,
    W_hid_HG: Tensor,
    W_peep_3H: Tensor | None,
    peepholes: Peepholes,
    grad_clip: float | None,
    num_clipped: Tensor | None = None,
) -> State:
    """One layer over a whole sequence, differentiable if gradients are enabled.

    Args:
        x: tokens (T, B) of an integer type, taken as one-hot vectors, or features (T, B, I).
        state: the state before the first step.
        W_in_IG: weights of the input.
        bias_G: biases of the gates.
        W_hid_HG: weights of the hidden state.
        W_peep_3H: peepholes of input, forget and output gate, or None.
        peepholes: what they look at, see charrnn.backbone.lstm.PeepholeLSTM.
        grad_clip: bound on the gradients at the gates' pre-activations, or None.
        num_clipped: a whole number (), to which the backward pass adds how many of their
            elements, of T * B * G, the bound holds; None counts none.

    Returns:
        Hidden and cell states after every step, each (T, B, H).
    """
    arguments = (x, *state, W_in_IG, bias_G, W_hid_HG, W_peep_3H, peepholes)
    if torch.is_grad_enabled():
        return _Recurrence.apply(*arguments, grad_clip, num_clipped)
    h, c, _ = _passes(W_hid_HG).forward(*arguments, False)
    return h[1:], c[1:]


def step_(
    inputs: Tensor,
    tokens_B: Tensor | None,
    before: State,
    after: State,
    W_hid_HG: Tensor,
    W_peep_3H: Tensor | None,
    peepholes: Peepholes,
) -> None:
    """One time step, from ``before`` to ``after``, which is written.

    Args:
        inputs: the inputs' part of the gates, bias included, (B, G); or a table of it (I, G).
        tokens_B: the rows of that table to take; None for (B, G).
        before: the state before the step.
        after: where the state after it goes; other memory than ``before``.
        W_hid_HG: as in `run`.
        W_peep_3H: as in `run`.
        peepholes: as in `run`.
    """
    arguments = (inputs, tokens_B, before, after, W_hid_HG, W_peep_3H, peepholes)
    _passes(W_hid_HG).step_(*arguments)


def _passes(like: Tensor) -> ModuleType:
    """The module whose passes run tensors of that device and precision."""
    fits = like.device.type == "cpu" and like.dtype in fused.DTYPES and not _eager_only.get()
    return fused if fits and fused.is_available() else eager


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        h_BH: Tensor,
        c_BH: Tensor,
        W_in_IG: Tensor,
        bias_G: Tensor,
        W_hid_HG: Tensor,
        W_peep_3H: Tensor | None,
        peepholes: Peepholes,
        grad_clip: float | None,
        num_clipped: Tensor | None,
    ) -> State:
        ctx.set_materialize_grads(False)
        ctx.passes, ctx.peepholes = _passes(W_hid_HG), peepholes
        ctx.grad_clip, ctx.num_clipped = grad_clip, num_clipped
        h, c, kept = ctx.passes.forward(
            x, h_BH, c_BH, W_in_IG, bias_G, W_hid_HG, W_peep_3H, peepholes, True
        )
        ctx.save_for_backward(x, h, c, W_in_IG, W_hid_HG, W_peep_3H, *kept)
        return h[1:], c[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh_TBH: Tensor | None, dc_TBH: Tensor | None) -> tuple[Any, ...]:
        x, h, c, W_in_IG, W_hid_HG, W_peep_3H, *kept = ctx.saved_tensors
        gradients = ctx.passes.backward(
            dh_TBH,
            dc_TBH,
            x,
            h,
            c,
            kept,
            W_in_IG,
            W_hid_HG,
            W_peep_3H,
            ctx.peepholes,
            ctx.grad_clip,
            ctx.num_clipped,
        )
        return *gradients, None, None, None
