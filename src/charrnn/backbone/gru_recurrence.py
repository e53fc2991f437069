"""The recurrence of a GRU layer, given its sums over the inputs; equations and shapes as in gru.

`run` has a hand-written backward pass. `run_normalised`, which few will use, leaves it to autograd:
charrnn.backbone.cuda_graphs_autograd calls it. The reset gate comes after the matrix product if
there is a bias ``b_new_H`` that it multiplies.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from charrnn.backbone.clipping import clip_, clip_gradient
from charrnn.backbone.cuda_graphs import replay
from charrnn.backbone.precision import without_autocast

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward.grad_input


def run(
    sums_TBG: Tensor,
    h_BH: Tensor,
    W_hid_HG: Tensor,
    b_new_H: Tensor | None,
    grad_clip: float | None,
    num_clipped: Tensor | None,
) -> Tensor:
    """The hidden states after every step (T, B, H), differentiable if gradients are enabled.

    Args:
        sums_TBG: the gates' sums over the inputs, biases included.
        h_BH: the state before the first step.
        W_hid_HG: weights of the hidden state.
        b_new_H: bias of the candidate's product with the state, if that comes before the reset
            gate; else None.
        grad_clip: bound on the gradients at the gates' pre-activations, or None.
        num_clipped: where the clipped ones are counted, or None.
    """
    arguments = sums_TBG, h_BH, W_hid_HG, b_new_H
    if torch.is_grad_enabled():
        return _Recurrence.apply(*arguments, grad_clip, num_clipped)
    h, *_ = replay(_forward, *arguments)
    return h[1:]


def run_normalised(
    sums_TBG: Tensor,
    h_BH: Tensor,
    W_hid_HG: Tensor,
    b_new_H: Tensor | None,
    gains_G: Tensor,
    grad_clip: float | None,
    num_clipped: Tensor | None,
) -> Tensor:
    """`run` with layer normalisation of the sums over the state, by these gains."""
    H = h_BH.shape[1]
    W_ru, W_n = W_hid_HG[:, : 2 * H], W_hid_HG[:, 2 * H :]
    gains_ru, gains_n = gains_G[: 2 * H], gains_G[2 * H :]
    states = []
    for sums_ru, sums_n in zip(sums_TBG[..., : 2 * H], sums_TBG[..., 2 * H :], strict=True):
        ru = _layer_norm(h_BH @ W_ru, gains_ru) + sums_ru
        r_BH, u_BH = clip_gradient(ru, grad_clip, num_clipped).sigmoid().chunk(2, dim=1)
        if b_new_H is None:
            n_BH = _layer_norm((r_BH * h_BH) @ W_n, gains_n)
        else:
            n_BH = r_BH * (_layer_norm(h_BH @ W_n, gains_n) + b_new_H)
        n_BH = clip_gradient(sums_n + n_BH, grad_clip, num_clipped).tanh()
        h_BH = torch.lerp(n_BH, h_BH, u_BH)
        states.append(h_BH)
    return torch.stack(states)


def normalised(sums: Tensor, gains_G: Tensor) -> Tensor:
    """Layer normalisation (..., G), of the reset and update gate together, and of the candidate."""
    H = sums.shape[-1] // 3
    sizes = 2 * H, H
    parts = zip(sums.split(sizes, dim=-1), gains_G.split(sizes), strict=True)
    return torch.cat([_layer_norm(part, gains) for part, gains in parts], dim=-1)


def _layer_norm(sums: Tensor, gains: Tensor) -> Tensor:
    return nn.functional.layer_norm(sums, gains.shape, gains)


def _forward(
    sums_TBG: Tensor, h_BH: Tensor, W_hid_HG: Tensor, b_new_H: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor | None]:
    """All hidden states (T + 1, B, H), and what `backward` needs of every step.

    That is reset and update gates (T, B, 2H), candidates (T, B, H), and the candidates' products
    with the state (T, B, H) if the reset gate comes after them.
    """
    T, (B, H) = len(sums_TBG), h_BH.shape
    h, n_TBH = sums_TBG.new_empty(T + 1, B, H), sums_TBG.new_empty(T, B, H)
    ru_TB2H = sums_TBG.new_empty(T, B, 2 * H)
    products_TBH = None if b_new_H is None else torch.empty_like(n_TBH)
    h[0] = h_BH
    W_ru, W_n = W_hid_HG[:, : 2 * H].contiguous(), W_hid_HG[:, 2 * H :].contiguous()
    for t, sums_BG in enumerate(sums_TBG):
        sums_ru, sums_n = sums_BG[:, : 2 * H], sums_BG[:, 2 * H :]
        r_BH, u_BH = torch.addmm(sums_ru, h[t], W_ru, out=ru_TB2H[t]).sigmoid_().chunk(2, dim=1)
        if b_new_H is None or products_TBH is None:
            torch.addmm(sums_n, r_BH * h[t], W_n, out=n_TBH[t]).tanh_()
        else:
            torch.addmm(b_new_H, h[t], W_n, out=products_TBH[t])
            torch.addcmul(sums_n, r_BH, products_TBH[t], out=n_TBH[t]).tanh_()
        torch.lerp(n_TBH[t], h[t], u_BH, out=h[t + 1])
    return h, ru_TB2H, n_TBH, products_TBH


class _Recurrence(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        sums_TBG: Tensor,
        h_BH: Tensor,
        W_hid_HG: Tensor,
        b_new_H: Tensor | None,
        grad_clip: float | None,
        num_clipped: Tensor | None,
    ) -> Tensor:
        ctx.grad_clip, ctx.num_clipped = grad_clip, num_clipped
        h, *kept = replay(_forward, sums_TBG, h_BH, W_hid_HG, b_new_H)
        ctx.save_for_backward(h, *kept, W_hid_HG)
        return h[1:]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dh_TBH: Tensor) -> tuple[Any, ...]:
        arguments = dh_TBH, *ctx.saved_tensors, ctx.grad_clip
        with without_autocast(dh_TBH):
            return replay(_backward, *arguments, num_clipped=ctx.num_clipped)


def _backward(
    dh_TBH: Tensor,
    h: Tensor,
    ru_TB2H: Tensor,
    n_TBH: Tensor,
    products_TBH: Tensor | None,
    W_hid_HG: Tensor,
    grad_clip: float | None,
    num_clipped: Tensor | None,
) -> tuple[Tensor | None, ...]:
    """Gradients of the sums, h0, W_hid and b_new; None for the clipping's arguments."""
    T, B, H = dh_TBH.shape
    dz_TBG, dh_BH = dh_TBH.new_empty(T, B, 3 * H), torch.zeros_like(h[0])
    dru_B2H, dn_BH = h.new_empty(B, 2 * H), torch.empty_like(dh_BH)
    dproducts_TBH = torch.empty_like(n_TBH)
    # Contiguous: products with them are faster than with transposed views.
    W_2HH, W_HH = (part.t().contiguous() for part in W_hid_HG.split((2 * H, H), dim=1))
    for t in reversed(range(T)):
        dz_ru, dz_n = dz_TBG[t, :, : 2 * H], dz_TBG[t, :, 2 * H :]
        r_BH, u_BH = ru_TB2H[t].chunk(2, dim=1)
        dh_BH += dh_TBH[t]

        # h = u * previous_h + (1 - u) * n
        torch.mul(dh_BH, h[t] - n_TBH[t], out=dru_B2H[:, H:])
        torch.mul(dh_BH, 1 - u_BH, out=dn_BH)
        dh_BH.mul_(u_BH)
        tanh_backward(dn_BH, n_TBH[t], grad_input=dz_n)
        clip_(dz_n, grad_clip, num_clipped)

        if products_TBH is None:  # n = tanh(sums + (r * previous_h) W)
            dproduct_BH = torch.mm(dz_n, W_HH, out=dproducts_TBH[t])
            torch.mul(dproduct_BH, h[t], out=dru_B2H[:, :H])
            dh_BH.addcmul_(dproduct_BH, r_BH)
        else:  # n = tanh(sums + r * (previous_h W + b))
            torch.mul(dz_n, products_TBH[t], out=dru_B2H[:, :H])
            dproduct_BH = torch.mul(dz_n, r_BH, out=dproducts_TBH[t])
            dh_BH.addmm_(dproduct_BH, W_HH)
        sigmoid_backward(dru_B2H, ru_TB2H[t], grad_input=dz_ru)
        clip_(dz_ru, grad_clip, num_clipped)
        dh_BH.addmm_(dz_ru, W_2HH)

    h_NH, dz_NG = h[:-1].flatten(0, 1), dz_TBG.flatten(0, 1)
    dW_ru = h_NH.t() @ dz_NG[:, : 2 * H]
    db_new_H: Tensor | None = None
    if products_TBH is None:
        dW_n = (ru_TB2H[..., :H] * h[:-1]).flatten(0, 1).t() @ dz_NG[:, 2 * H :]
    else:
        dproducts_NH = dproducts_TBH.flatten(0, 1)
        dW_n, db_new_H = h_NH.t() @ dproducts_NH, dproducts_NH.sum(0)
    return dz_TBG, dh_BH, torch.cat([dW_ru, dW_n], dim=1), db_new_H, None, None
