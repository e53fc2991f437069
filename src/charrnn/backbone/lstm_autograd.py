"""The recurrent layer as one differentiable function with a hand-written backward pass.

Its passes, `forward` and `backward`, and a single step exist twice, with the same signatures and,
up to rounding, the same results: in charrnn.backbone.lstm_fused for CPUs, and in
charrnn.backbone.lstm_eager for everything else, where GPUs replay them as CUDA graphs. Shapes are
those of charrnn.backbone.lstm: T time steps, B sequences, I inputs, H hidden units, G = 4H gate
units (i, f, g, o).
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from charrnn.backbone import lstm_eager as eager
from charrnn.backbone import lstm_fused as fused
from charrnn.backbone.compiled import can_compute, is_available
from charrnn.backbone.cuda_graphs import replay
from charrnn.backbone.precision import without_autocast
from charrnn.backbone.state import State
from charrnn.schema.fields import Peepholes


def prepare_cpu() -> None:
    """Make this process ready to compute on a CPU. Call this before the first batch.

    The fused passes are compiled if necessary, so that compiling does not count as training time.
    Numbers below 1e-38 become zero from now on: computing with them would take a hundred times as
    long, and change no result.
    """
    torch.set_flush_denormal(True)
    is_available()


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
        x: tokens (T, B) of an integer type, which stand for one-hot vectors, or features (T, B, I).
        state: the state before the first step, each (B, H).
        W_in_IG: weights of the input.
        bias_G: biases of the gates.
        W_hid_HG: weights of the hidden state.
        W_peep_3H: peepholes of the input, forget and output gate, or None.
        peepholes: which cell states they see; see charrnn.backbone.lstm.PeepholeLSTM.
        grad_clip: bound on the gradients at the gates' pre-activations, or None.
        num_clipped: an integer scalar, to which the backward pass adds how many of these T * B * G
            gradients it clipped; None does not count.

    Returns:
        Hidden and cell states after every step, each (T, B, H).
    """
    arguments = (x, *state, W_in_IG, bias_G, W_hid_HG, W_peep_3H, peepholes)
    if torch.is_grad_enabled():
        return _Recurrence.apply(*arguments, grad_clip, num_clipped)
    h, c, _ = replay(_passes(W_hid_HG).forward, *arguments, False)
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
    """One time step, from ``before`` to ``after``, which it overwrites.

    Args:
        inputs: the gates' sums over the inputs, bias included, (B, G); or a table (I, G) of them.
        tokens_B: the rows of the table to use; None if ``inputs`` is not a table.
        before: the state before the step, each (B, H).
        after: memory for the state after the step, not shared with ``before``.
        W_hid_HG: as in `run`.
        W_peep_3H: as in `run`.
        peepholes: as in `run`.
    """
    arguments = (inputs, tokens_B, before, after, W_hid_HG, W_peep_3H, peepholes)
    _passes(W_hid_HG).step_(*arguments)


def _passes(like: Tensor) -> ModuleType:
    """The module with the passes for the device and precision of ``like``."""
    return fused if can_compute(like) else eager


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
        weights = W_in_IG, bias_G, W_hid_HG, W_peep_3H
        h, c, kept = replay(ctx.passes.forward, x, h_BH, c_BH, *weights, peepholes, True)
        ctx.save_for_backward(x, h, c, W_in_IG, W_hid_HG, W_peep_3H, *kept)
        return h[1:], c[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh_TBH: Tensor | None, dc_TBH: Tensor | None) -> tuple[Any, ...]:
        x, h, c, W_in_IG, W_hid_HG, W_peep_3H, *kept = ctx.saved_tensors
        with without_autocast(W_hid_HG):
            given = dh_TBH, dc_TBH, x, h, c, kept, W_in_IG, W_hid_HG, W_peep_3H
            settings = ctx.peepholes, ctx.grad_clip
            count = {"num_clipped": ctx.num_clipped}
            gradients = replay(ctx.passes.backward, *given, *settings, **count)
        return *gradients, None, None, None
