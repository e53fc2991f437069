"""The recurrent layer's passes in torch's own operations, on any device.

Shapes are those of charrnn.backbone.lstm_autograd. The state before the first step is step 0, so h
and c have T + 1 steps, and step t goes from h[t] to h[t + 1].
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from charrnn.backbone.state import State
from charrnn.schema.fields import Peepholes

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward.grad_input


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
        # Add the bias to the whole table once: inside the loop it would cost as much as a step.
        table_IG = None if x.is_floating_point() else W_in_IG + bias_G
        for t in range(T):
            if table_IG is None:
                z_BG = torch.addmm(bias_G, x[t], W_in_IG)
            else:
                z_BG = table_IG.index_select(0, x[t])
            before, after = (h[t], c[t]), (h[t + 1], c[t + 1])
            _step_(z_BG, before, after, tanh_c_BH, W_hid_HG, W_peep_3H, peepholes)
        return h, c, []
    if x.is_floating_point():
        gates_TBG = nn.functional.linear(x, W_in_IG.t(), bias_G)
    else:
        gates_TBG = nn.functional.embedding(x, W_in_IG + bias_G)
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
    di_f_B2H = h.new_empty(B, 2 * H)
    dg_BH, do_BH = torch.empty_like(dh_BH), torch.empty_like(dh_BH)
    dz_TBG = torch.empty_like(gates_TBG)
    # Contiguous: products with it are up to a quarter faster than with a transposed view.
    W_hid_GH = W_hid_HG.t().contiguous()
    for t in reversed(range(T)):
        dz_BG, tanh_c_BH = dz_TBG[t], tanh_c_TBH[t]
        previous_c_BH, c_BH = c[t], c[t + 1]
        i_f_B2H, g_BH, o_BH = _split(gates_TBG[t])
        dz_i_f_B2H, dz_g_BH, dz_o_BH = _split(dz_BG)
        if dh_TBH is not None:
            dh_BH += dh_TBH[t]
        if dc_TBH is not None:
            dc_BH += dc_TBH[t]

        # h = o * tanh(c)
        torch.mul(dh_BH, tanh_c_BH, out=do_BH)
        sigmoid_backward(do_BH, o_BH, grad_input=dz_o_BH)
        dc_BH += tanh_backward(dh_BH.mul_(o_BH), tanh_c_BH, grad_input=dg_BH)
        if W_peep_3H is not None and peepholes == "lasagne":
            dc_BH.addcmul_(dz_o_BH, W_peep_3H[2])
            dpeep_B3H[:, 2].addcmul_(dz_o_BH, c_BH)

        # c = f * previous_c + i * g
        torch.mul(dc_BH, g_BH, out=di_f_B2H[:, :H])
        torch.mul(dc_BH, previous_c_BH, out=di_f_B2H[:, H:])
        torch.mul(dc_BH, i_f_B2H[:, :H], out=dg_BH)
        sigmoid_backward(di_f_B2H, i_f_B2H, grad_input=dz_i_f_B2H)
        tanh_backward(dg_BH, g_BH, grad_input=dz_g_BH)
        dc_BH.mul_(i_f_B2H[:, H:])
        if W_peep_3H is not None:
            dc_BH.addcmul_(dz_i_f_B2H[:, :H], W_peep_3H[0])
            dc_BH.addcmul_(dz_i_f_B2H[:, H:], W_peep_3H[1])
            dpeep_B3H[:, :2].addcmul_(dz_i_f_B2H.view(B, 2, H), previous_c_BH.unsqueeze(1))
            if peepholes == "paper":
                dc_BH.addcmul_(dz_o_BH, W_peep_3H[2])
                dpeep_B3H[:, 2].addcmul_(dz_o_BH, previous_c_BH)

        if grad_clip is not None:
            dz_BG.clamp_(-grad_clip, grad_clip)
        torch.mm(dz_BG, W_hid_GH, out=dh_BH)

    dz_NG = dz_TBG.flatten(0, 1)
    if num_clipped is not None and grad_clip is not None:
        num_clipped += (dz_NG.abs() >= grad_clip).sum()
    dW_hid_HG = h[:-1].flatten(0, 1).t() @ dz_NG
    dpeep_3H = dpeep_B3H.sum(0) if W_peep_3H is not None else None
    if x.is_floating_point():
        dx, dW_in_IG = dz_TBG @ W_in_IG.t(), x.flatten(0, 1).t() @ dz_NG
        dbias_G = dz_NG.sum(0)
    else:
        dx, dW_in_IG = None, torch.zeros_like(W_in_IG).index_add_(0, x.flatten(), dz_NG)
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


def _split(gates_BG: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Views of the input and forget gates together, the cell candidate, and the output gate."""
    H = gates_BG.shape[1] // 4
    return gates_BG[:, : 2 * H], gates_BG[:, 2 * H : 3 * H], gates_BG[:, 3 * H :]


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
    (h_BH, c_BH), (new_h_BH, new_c_BH) = before, after
    H = c_BH.shape[1]
    z_BG.addmm_(h_BH, W_hid_HG)
    i_f_B2H, g_BH, o_BH = _split(z_BG)
    i_BH, f_BH = i_f_B2H[:, :H], i_f_B2H[:, H:]
    if W_peep_3H is not None:
        i_f_B2H.view(-1, 2, H).addcmul_(c_BH.unsqueeze(1), W_peep_3H[:2])
    i_f_B2H.sigmoid_()
    g_BH.tanh_()
    torch.mul(f_BH, c_BH, out=new_c_BH)
    new_c_BH.addcmul_(i_BH, g_BH)
    if W_peep_3H is not None:
        o_BH.addcmul_(new_c_BH if peepholes == "lasagne" else c_BH, W_peep_3H[2])
    o_BH.sigmoid_()
    torch.tanh(new_c_BH, out=tanh_c_BH)
    torch.mul(o_BH, tanh_c_BH, out=new_h_BH)
