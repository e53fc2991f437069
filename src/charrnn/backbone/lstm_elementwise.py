"""What one step of the LSTM computes beside its matrix product, in torch's own operations.

Shapes are those of charrnn.backbone.lstm: B sequences, H hidden units, G = 4H gate units.
"""

from __future__ import annotations

import torch
from torch import Tensor

from charrnn.schema.fields import Peepholes

sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
tanh_backward = torch.ops.aten.tanh_backward.grad_input


def activate_(
    z_BG: Tensor,
    c_BH: Tensor,
    new_h_BH: Tensor,
    new_c_BH: Tensor,
    tanh_c_BH: Tensor,
    W_peep_3H: Tensor | None,
    peepholes: Peepholes,
) -> None:
    """From the gates' pre-activations to the new state.

    Args:
        z_BG: the gates' sums over inputs and state; overwritten with the activated gates.
        c_BH: the cell state before the step.
        new_h_BH: written, the hidden state after the step.
        new_c_BH: written, the cell state after the step.
        tanh_c_BH: written, the hyperbolic tangent of ``new_c_BH``.
        W_peep_3H: peepholes of the input, forget and output gate, or None.
        peepholes: which cell states they see; see charrnn.backbone.lstm.PeepholeLSTM.
    """
    H = c_BH.shape[1]
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


def differentiate_(
    dh_BH: Tensor,
    dc_BH: Tensor,
    own_dh_BH: Tensor | None,
    own_dc_BH: Tensor | None,
    gates_BG: Tensor,
    tanh_c_BH: Tensor,
    previous_c_BH: Tensor,
    c_BH: Tensor,
    dz_BG: Tensor,
    dpeep_B3H: Tensor,
    W_peep_3H: Tensor | None,
    peepholes: Peepholes,
    grad_clip: float | None,
) -> None:
    """From the gradient of the new state to those of the pre-activations and the old cell state.

    Args:
        dh_BH: gradient of the hidden state after the step, through the next one; overwritten.
        dc_BH: the same of the cell state; overwritten with the gradient of the one before.
        own_dh_BH: gradient of the hidden state that does not come through the next step, or None.
        own_dc_BH: the same of the cell state, or None.
        gates_BG: the activated gates.
        tanh_c_BH: the hyperbolic tangent of ``c_BH``.
        previous_c_BH: the cell state before the step.
        c_BH: the cell state after the step.
        dz_BG: written, the clipped gradient of the pre-activations.
        dpeep_B3H: to which the gradient of the peepholes is added, from values before clipping.
        W_peep_3H: as in `activate_`.
        peepholes: as in `activate_`.
        grad_clip: bound on the elements of ``dz_BG``, or None.
    """
    B, H = c_BH.shape
    i_f_B2H, g_BH, o_BH = _split(gates_BG)
    dz_i_f_B2H, dz_g_BH, dz_o_BH = _split(dz_BG)

    if own_dh_BH is not None:
        dh_BH += own_dh_BH
    if own_dc_BH is not None:
        dc_BH += own_dc_BH

    # h = o * tanh(c)
    sigmoid_backward(dh_BH * tanh_c_BH, o_BH, grad_input=dz_o_BH)
    dc_BH += tanh_backward(dh_BH.mul_(o_BH), tanh_c_BH, grad_input=torch.empty_like(dc_BH))
    if W_peep_3H is not None and peepholes == "lasagne":
        dc_BH.addcmul_(dz_o_BH, W_peep_3H[2])
        dpeep_B3H[:, 2].addcmul_(dz_o_BH, c_BH)

    # c = f * previous_c + i * g
    di_f_B2H = torch.cat([dc_BH * g_BH, dc_BH * previous_c_BH], dim=1)
    sigmoid_backward(di_f_B2H, i_f_B2H, grad_input=dz_i_f_B2H)
    tanh_backward(dc_BH * i_f_B2H[:, :H], g_BH, grad_input=dz_g_BH)
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


def _split(gates_BG: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Views of the input and forget gates together, the cell candidate, and the output gate."""
    H = gates_BG.shape[1] // 4
    return gates_BG[:, : 2 * H], gates_BG[:, 2 * H : 3 * H], gates_BG[:, 3 * H :]
