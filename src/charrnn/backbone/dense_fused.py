"""The dense layers' passes in C++ (dense_fused.cpp); see charrnn.backbone.compiled."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from charrnn.backbone.compiled import can_compute

AT_A_TIME = 5 << 17
"""Bytes of the hidden dense layer's result that are computed at a time. That result is the largest
array of a training step: if it did not stay in the cache, each pass over it would wait for memory.
Measured on a core with 2 MiB of its own cache.
"""


def fits(hidden: Tensor, dense: nn.Linear, output: nn.Linear) -> bool:
    """Whether `logits` can compute these layers: nothing of a user's has a part in them.

    Args:
        hidden: the hidden states.
        dense: the hidden dense layer.
        output: the output layer.
    """
    alike = hidden.dtype == dense.weight.dtype and not torch.is_autocast_enabled("cpu")
    return alike and _is_plain(dense) and _is_plain(output) and can_compute(hidden)


def logits(hidden: Tensor, dense: nn.Linear, output: nn.Linear, slope: float) -> Tensor:
    """The logits (..., V) of hidden states (..., H), through both layers and a leaky ReLU.

    Args:
        hidden: the hidden states.
        dense: the hidden dense layer.
        output: the output layer.
        slope: of the leaky ReLU below zero.
    """
    hidden_NH = hidden.reshape(-1, hidden.shape[-1]).contiguous()
    parameters = dense.weight, dense.bias, output.weight, output.bias
    if torch.is_grad_enabled():
        logits_NV = _DenseLayers.apply(hidden_NH, *parameters, slope)
    else:
        logits_NV, _ = _forward(hidden_NH, *parameters, slope, False)
    return logits_NV.unflatten(0, hidden.shape[:-1]) if hidden.dim() > 1 else logits_NV[0]


def rows_at_a_time(dense_size: int, like: Tensor) -> int:
    """How many rows are computed at a time.

    Args:
        dense_size: units of the hidden dense layer.
        like: a tensor of the same precision.
    """
    return max(1, AT_A_TIME // (dense_size * like.element_size()))


def _is_plain(layer: nn.Linear) -> bool:
    """Whether a layer is torch's own, and only its parameters matter."""
    hooks = layer._forward_hooks, layer._forward_pre_hooks
    return type(layer) is nn.Linear and not any((*hooks, layer._backward_hooks))


def _forward(hidden_NH: Tensor, *parameters_slope_and_keep: Any) -> tuple[Tensor, Tensor]:
    *parameters, slope, keep = parameters_slope_and_keep
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
        inputs = hidden_NH, W_DH, bias_D, W_out_VD, bias_out_V
        logits_NV, active_ND = _forward(*inputs, slope, True)
        ctx.save_for_backward(*inputs, active_ND)
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
    hidden_NH, W_DH, bias_D, W_out_VD, bias_out_V = inputs
    active_ND = nn.functional.leaky_relu(nn.functional.linear(hidden_NH, W_DH, bias_D), slope)
    logits_NV = nn.functional.linear(active_ND, W_out_VD, bias_out_V)
    needed = [each for each in inputs if each.requires_grad]
    found = iter(torch.autograd.grad(logits_NV, needed, dlogits_NV, create_graph=True))
    return [next(found) if each.requires_grad else None for each in inputs]
