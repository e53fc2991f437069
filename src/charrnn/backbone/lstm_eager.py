"""The recurrent layer's passes in torch's own operations, on any device.

Shapes are those of charrnn.backbone.lstm_autograd. The state before the first step is step 0, so h
and c have T + 1 steps, and step t goes from h[t] to h[t + 1]. What a step does beside its matrix
product is in charrnn.backbone.lstm_elementwise; on GPUs charrnn.backbone.lstm_triton has the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

import torch
from torch import Tensor, nn

from charrnn.backbone import lstm_elementwise
from charrnn.backbone.acceleration import may_use_triton
from charrnn.backbone.state import State
from charrnn.schema.fields import Peepholes

FEW = 16
"""Sequences whose sums over the inputs are computed for all steps at once, without a backward pass:
it spares every step a kernel. For more sequences that would take too much memory."""


def forward(
    x: Tensor,
    h_BH: Tensor,
    c_BH: Tensor,
    W_in_IG: Tensor,
    bias_G: Tensor,
    W_hid_HG: Tensor,
    W_peep_3H: Tensor | None,
    peepholes: Peepholes,
    for_backward: bool,
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """All hidden and cell states, each (T + 1, B, H), and tensors that only `backward` needs."""
    T, B, H = *x.shape[:2], len(W_hid_HG)
    h, c = (state.new_empty(T + 1, B, H) for state in (h_BH, c_BH))
    h[0], c[0] = h_BH, c_BH
    if not for_backward:
        tanh_c_BH = c.new_empty(B, H)
        for t, z_BG in enumerate(_sums_of_steps(x, W_in_IG, bias_G)):
            before, after = (h[t], c[t]), (h[t + 1], c[t + 1])
            _step_(z_BG, before, after, tanh_c_BH, W_hid_HG, W_peep_3H, peepholes)
        return h, c, []
    gates_TBG = _input_sums(x, W_in_IG, bias_G)
    tanh_c_TBH = c.new_empty(T, B, H)
    for t in range(T):
        before, after = (h[t], c[t]), (h[t + 1], c[t + 1])
        _step_(gates_TBG[t], before, after, tanh_c_TBH[t], W_hid_HG, W_peep_3H, peepholes)
    return h, c, [gates_TBG, tanh_c_TBH]


def backward(
    dh_TBH: Tensor | None,
    dc_TBH: Tensor | None,
    x: Tensor,
    h: Tensor,
    c: Tensor,
    kept: list[Tensor],
    W_in_IG: Tensor,
    W_hid_HG: Tensor,
    W_peep_3H: Tensor | None,
    peepholes: Peepholes,
    grad_clip: float | None,
    num_clipped: Tensor | None,
) -> tuple[Tensor | None, ...]:
    """Gradients of x (None for tokens), h0, c0, W_in, the bias, W_hid and the peepholes.

    Lasagne clips the gradient at the gates' pre-activations, so the gradients of W_in, the bias,
    W_hid and the layer below are computed from clipped values. The peephole terms are added after
    the clipped node, so their gradients use the values before clipping.
    """
    gates_TBG, tanh_c_TBH = kept
    T, B, H = tanh_c_TBH.shape
    dh_BH, dc_BH = h.new_zeros(B, H), h.new_zeros(B, H)
    dpeep_B3H = h.new_zeros(B, 3, H)
    dz_TBG = torch.empty_like(gates_TBG)
    # Contiguous: products with it are up to a quarter faster than with a transposed view.
    W_hid_GH = W_hid_HG.t().contiguous()
    differentiate_ = _elementwise(h).differentiate_
    for t in reversed(range(T)):
        own = (None if each is None else each[t] for each in (dh_TBH, dc_TBH))
        kept_of_t = gates_TBG[t], tanh_c_TBH[t], c[t], c[t + 1]
        written = dz_TBG[t], dpeep_B3H
        differentiate_(dh_BH, dc_BH, *own, *kept_of_t, *written, W_peep_3H, peepholes, grad_clip)
        torch.mm(dz_TBG[t], W_hid_GH, out=dh_BH)

    dz_NG = dz_TBG.flatten(0, 1)
    if num_clipped is not None and grad_clip is not None:
        num_clipped += (dz_NG.abs() >= grad_clip).sum()
    dW_hid_HG = h[:-1].flatten(0, 1).t() @ dz_NG
    dpeep_3H = dpeep_B3H.sum(0) if W_peep_3H is not None else None
    if x.is_floating_point():
        dx, dW_in_IG = dz_TBG @ W_in_IG.t(), x.flatten(0, 1).t() @ dz_NG
        dbias_G = dz_NG.sum(0)
    else:
        dx, dW_in_IG = None, _sums_by_token(x.flatten(), dz_NG, len(W_in_IG))
        dbias_G = dW_in_IG.sum(0)
    return dx, dh_BH, dc_BH, dW_in_IG, dbias_G, dW_hid_HG, dpeep_3H


def step_(
    inputs: Tensor,
    tokens_B: Tensor | None,
    before: State,
    after: State,
    W_hid_HG: Tensor,
    W_peep_3H: Tensor | None,
    peepholes: Peepholes,
) -> None:
    """One step without a backward pass; see charrnn.backbone.lstm_autograd.step_."""
    z_BG = inputs.clone() if tokens_B is None else inputs.index_select(0, tokens_B)
    tanh_c_BH = torch.empty_like(after[1])
    _step_(z_BG, before, after, tanh_c_BH, W_hid_HG, W_peep_3H, peepholes)


def _step_(
    z_BG: Tensor,
    before: State,
    after: State,
    tanh_c_BH: Tensor,
    W_hid_HG: Tensor,
    W_peep_3H: Tensor | None,
    peepholes: Peepholes,
) -> None:
    """One step, which writes ``after`` and ``tanh_c_BH``.

    ``z_BG`` holds the gates' sums over the inputs, and is overwritten with the activated gates.
    """
    h_BH, c_BH = before
    z_BG.addmm_(h_BH, W_hid_HG)
    _elementwise(z_BG).activate_(z_BG, c_BH, *after, tanh_c_BH, W_peep_3H, peepholes)


def _sums_of_steps(x: Tensor, W_in_IG: Tensor, bias_G: Tensor) -> Iterator[Tensor]:
    """The gates' sums over the inputs of each step, (B, G), in memory that may be overwritten."""
    if x.shape[1] <= FEW:
        yield from _input_sums(x, W_in_IG, bias_G)
    elif x.is_floating_point():
        for x_BI in x:
            yield torch.addmm(bias_G, x_BI, W_in_IG)
    else:
        # Add the bias to the whole table once: for each step it would cost as much as the step.
        table_IG = W_in_IG + bias_G
        for tokens_B in x:
            yield table_IG.index_select(0, tokens_B)


def _input_sums(x: Tensor, W_in_IG: Tensor, bias_G: Tensor) -> Tensor:
    """The gates' sums over the inputs of all steps, (T, B, G)."""
    if x.is_floating_point():
        return nn.functional.linear(x, W_in_IG.t(), bias_G)
    return nn.functional.embedding(x, W_in_IG + bias_G)


def _elementwise(like: Tensor) -> ModuleType:
    """The module that computes what is not a matrix product, for tensors such as ``like``."""
    if not may_use_triton(like):
        return lstm_elementwise
    from charrnn.backbone import lstm_triton  # cannot be imported where there is no Triton

    return lstm_triton


def _sums_by_token(tokens_N: Tensor, values_NG: Tensor, num_tokens: int) -> Tensor:
    """For every token the sum of its rows of the values, (num_tokens, G)."""
    if values_NG.is_cuda:
        # There index_add_ adds in any order, and no two runs would have the same bits.
        one_hot_IN = values_NG.new_zeros(num_tokens, len(tokens_N))
        return one_hot_IN.scatter_(0, tokens_N[None], 1.0) @ values_NG
    sums_IG = values_NG.new_zeros(num_tokens, values_NG.shape[1])
    return sums_IG.index_add_(0, tokens_N, values_NG)
