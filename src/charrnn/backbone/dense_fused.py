"""The dense layers' passes in C++ (dense_fused.cpp); see charrnn.backbone.compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from charrnn.backbone.compiled import can_compute

AT_A_TIME = 5 << 17
"""Bytes of the hidden dense layer's result that are computed at a time. That result is the largest
array of a training step: if it did not stay in the cache, each pass over it would wait for memory.
Measured on a core with 2 MiB of its own cache.
"""


def fits(hidden: Tensor, dense: nn.Linear, dropout: nn.Dropout, output: nn.Linear) -> bool:
    """Whether `logits` computes what these layers do: they are torch's own, and nothing is dropped.

    Args:
        hidden: the hidden states.
        dense: the hidden dense layer.
        dropout: before either of the other two layers.
        output: the output layer.
    """
    linear = type(dense) is type(output) is nn.Linear and type(dropout) is nn.Dropout
    if not linear or any(map(is_changed, (dense, dropout, output))) or _has_any_global_hook():
        return False
    if dense.bias is None or output.bias is None or (dropout.training and dropout.p > 0):
        return False
    alike = hidden.dtype == dense.weight.dtype and not torch.is_autocast_enabled("cpu")
    return alike and can_compute(hidden)


def logits(hidden: Tensor, dense: nn.Linear, output: nn.Linear, slope: float) -> Tensor:
    """The logits (..., V) of hidden states (..., H), through both layers and a leaky ReLU.

    Args:
        hidden: the hidden states (..., H).
        dense: the hidden dense layer, from H to D units.
        output: the output layer, from D units to V logits.
        slope: of the leaky ReLU below zero.
    """
    hidden_NH = hidden.reshape(-1, hidden.shape[-1]).contiguous()
    parameters = dense.weight, dense.bias, output.weight, output.bias
    if torch.is_grad_enabled():
        logits_NV = _DenseLayers.apply(hidden_NH, *parameters, slope)
    else:
        logits_NV, _ = _forward(hidden_NH, parameters, slope, keep=False)
    return logits_NV.unflatten(0, hidden.shape[:-1]) if hidden.dim() > 1 else logits_NV[0]


def rows_at_a_time(dense_size: int, like: Tensor) -> int:
    """How many rows are computed at a time, at least one.

    Args:
        dense_size: units of the hidden dense layer.
        like: a tensor of the same precision.
    """
    return max(1, AT_A_TIME // (dense_size * like.element_size()))


def is_changed(layer: nn.Module) -> bool:
    """Whether something of a user's is called with the layer, or in its place."""
    before, after = layer._forward_pre_hooks, layer._forward_hooks
    hooks = *before, *after, *layer._backward_pre_hooks, *layer._backward_hooks
    return bool(hooks) or "forward" in vars(layer)


def _forward(
    hidden_NH: Tensor, parameters: Sequence[Tensor], slope: float, keep: bool
) -> tuple[Tensor, Tensor]:
    at_a_time = rows_at_a_time(len(parameters[0]), hidden_NH)
    return torch.ops.charrnn.dense_forward(hidden_NH, *parameters, slope, at_a_time, keep)


class _DenseLayers(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        hidden_NH: Tensor,
        W_DH: Tensor,
        bias_D: Tensor,
        W_out_VD: Tensor,
        bias_out_V: Tensor,
        slope: float,
    ) -> Tensor:
        parameters = W_DH, bias_D, W_out_VD, bias_out_V
        logits_NV, active_ND = _forward(hidden_NH, parameters, slope, keep=True)
        ctx.save_for_backward(hidden_NH, *parameters, active_ND)
        ctx.slope = slope
        return logits_NV

    @staticmethod
    def backward(ctx: Any, dlogits_NV: Tensor) -> tuple[Tensor | None, ...]:
        *inputs, active_ND = ctx.saved_tensors
        if torch.is_grad_enabled():  # torch's own operations know second derivatives
            return *_differentiable_gradients(inputs, ctx.slope, dlogits_NV), None
        hidden_NH, W_DH, _, W_out_VD, _ = inputs
        at_a_time = rows_at_a_time(len(W_DH), hidden_NH)
        arguments = dlogits_NV.contiguous(), hidden_NH, active_ND, W_DH, W_out_VD
        return *torch.ops.charrnn.dense_backward(*arguments, ctx.slope, at_a_time), None


def _differentiable_gradients(
    inputs: list[Tensor], slope: float, dlogits_NV: Tensor
) -> list[Tensor | None]:
    # Views: the gradients of the inputs themselves would also follow how those came about.
    own = [each.view_as(each) for each in inputs]
    hidden_NH, W_DH, bias_D, W_out_VD, bias_out_V = own
    active_ND = nn.functional.leaky_relu(nn.functional.linear(hidden_NH, W_DH, bias_D), slope)
    logits_NV = nn.functional.linear(active_ND, W_out_VD, bias_out_V)
    needed = [each for each in own if each.requires_grad]
    found = iter(torch.autograd.grad(logits_NV, needed, dlogits_NV, create_graph=True))
    return [next(found) if each.requires_grad else None for each in own]
