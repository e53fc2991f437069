"""What one step of the LSTM computes beside its matrix product, in one kernel on a GPU.

The functions are those of charrnn.backbone.lstm_elementwise, with the same results up to rounding.
They save a GPU most of its work: with torch's own operations, a step starts some ten kernels
forward and twenty backward, and starting them takes longer than what they compute.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor
from triton.language.extra import libdevice

from charrnn.schema.fields import Peepholes

BLOCK = 256
"""Units that one program computes; few, so that even one step keeps all multiprocessors busy."""
NONE, PAPER, LASAGNE = tl.constexpr(0), tl.constexpr(1), tl.constexpr(2)
KINDS = {"none": 0, "paper": 1, "lasagne": 2}


def activate_(
    z_BG: Tensor,
    c_BH: Tensor,
    new_h_BH: Tensor,
    new_c_BH: Tensor,
    tanh_c_BH: Tensor,
    W_peep_3H: Tensor | None,
    peepholes: Peepholes,
) -> None:
    """Like charrnn.backbone.lstm_elementwise.activate_."""
    B, H = c_BH.shape
    peeps, kind = _peepholes(W_peep_3H, peepholes, c_BH)
    tensors = z_BG, c_BH, new_h_BH, new_c_BH, tanh_c_BH, peeps
    _activate[_programs(B * H)](*tensors, B * H, H, kind, BLOCK)


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
    """Like charrnn.backbone.lstm_elementwise.differentiate_."""
    B, H = c_BH.shape
    peeps, kind = _peepholes(W_peep_3H, peepholes, c_BH)
    own = own_dh_BH, own_dc_BH
    kept = gates_BG, tanh_c_BH, previous_c_BH, c_BH
    tensors = dh_BH, dc_BH, *own, *kept, dz_BG, dpeep_B3H, peeps
    _differentiate[_programs(B * H)](*tensors, B * H, H, grad_clip, kind, BLOCK)


def try_out() -> None:
    """Compile and start a kernel.

    Raises:
        Exception: of many kinds, if that does not work here.
    """
    z_BG, c_BH = torch.zeros(1, 4, device="cuda"), torch.zeros(1, 1, device="cuda")
    written = [torch.empty_like(c_BH) for _ in range(3)]
    activate_(z_BG, c_BH, written[0], written[1], written[2], None, "none")


def _peepholes(
    W_peep_3H: Tensor | None, peepholes: Peepholes, unread: Tensor
) -> tuple[Tensor, int]:
    """The weights and kind that a kernel is given; without peepholes, some tensor and NONE."""
    if W_peep_3H is None:
        return unread, KINDS["none"]
    return W_peep_3H.contiguous(), KINDS[peepholes]


def _programs(units: int) -> tuple[int]:
    return (triton.cdiv(units, BLOCK),)


@triton.jit
def _sigmoid(x):
    return 1.0 / (1.0 + libdevice.exp(-x))


@triton.jit
def _bounded(x, CLIP: tl.constexpr):
    # A clamp would turn NaN into a number.
    return tl.where(x > CLIP, CLIP, tl.where(x < -CLIP, -CLIP, x))


@triton.jit
def _activate(z, c, new_h, new_c, tanh_c, peeps, size, H, KIND: tl.constexpr, SIZE: tl.constexpr):
    at = tl.program_id(0) * SIZE + tl.arange(0, SIZE)
    inside = at < size
    unit = at % H
    gates = z + (at // H) * 4 * H + unit
    i = tl.load(gates, inside)
    f = tl.load(gates + H, inside)
    g = tl.load(gates + 2 * H, inside)
    o = tl.load(gates + 3 * H, inside)
    before = tl.load(c + at, inside)
    if KIND != NONE:
        i += before * tl.load(peeps + unit, inside)
        f += before * tl.load(peeps + H + unit, inside)
    i = _sigmoid(i)
    f = _sigmoid(f)
    g = libdevice.tanh(g)
    after = f * before + i * g
    if KIND == PAPER:
        o += before * tl.load(peeps + 2 * H + unit, inside)
    if KIND == LASAGNE:
        o += after * tl.load(peeps + 2 * H + unit, inside)
    o = _sigmoid(o)
    squashed = libdevice.tanh(after)
    tl.store(gates, i, inside)
    tl.store(gates + H, f, inside)
    tl.store(gates + 2 * H, g, inside)
    tl.store(gates + 3 * H, o, inside)
    tl.store(new_c + at, after, inside)
    tl.store(tanh_c + at, squashed, inside)
    tl.store(new_h + at, o * squashed, inside)


@triton.jit
def _differentiate(
    dh,
    dc,
    own_dh,
    own_dc,
    gates,
    tanh_c,
    previous_c,
    c,
    dz,
    dpeep,
    peeps,
    size,
    H,
    CLIP: tl.constexpr,
    KIND: tl.constexpr,
    SIZE: tl.constexpr,
):
    at = tl.program_id(0) * SIZE + tl.arange(0, SIZE)
    inside = at < size
    sequence = at // H
    unit = at % H
    gates += sequence * 4 * H + unit
    dz += sequence * 4 * H + unit
    dpeep += sequence * 3 * H + unit
    i = tl.load(gates, inside)
    f = tl.load(gates + H, inside)
    g = tl.load(gates + 2 * H, inside)
    o = tl.load(gates + 3 * H, inside)
    squashed = tl.load(tanh_c + at, inside)
    before = tl.load(previous_c + at, inside)
    d_after = tl.load(dc + at, inside)
    d_hidden = tl.load(dh + at, inside)
    if own_dh is not None:
        d_hidden += tl.load(own_dh + at, inside)
    if own_dc is not None:
        d_after += tl.load(own_dc + at, inside)

    # h = o * tanh(c)
    dz_o = d_hidden * squashed * (1.0 - o) * o
    d_after += d_hidden * o * (1.0 - squashed * squashed)
    if KIND == LASAGNE:
        d_after += dz_o * tl.load(peeps + 2 * H + unit, inside)
        seen = tl.load(c + at, inside)
        tl.store(dpeep + 2 * H, tl.load(dpeep + 2 * H, inside) + dz_o * seen, inside)

    # c = f * previous_c + i * g
    dz_i = d_after * g * (1.0 - i) * i
    dz_f = d_after * before * (1.0 - f) * f
    dz_g = d_after * i * (1.0 - g * g)
    d_before = d_after * f
    if KIND != NONE:
        d_before += dz_i * tl.load(peeps + unit, inside)
        d_before += dz_f * tl.load(peeps + H + unit, inside)
        tl.store(dpeep, tl.load(dpeep, inside) + dz_i * before, inside)
        tl.store(dpeep + H, tl.load(dpeep + H, inside) + dz_f * before, inside)
    if KIND == PAPER:
        d_before += dz_o * tl.load(peeps + 2 * H + unit, inside)
        tl.store(dpeep + 2 * H, tl.load(dpeep + 2 * H, inside) + dz_o * before, inside)
    tl.store(dc + at, d_before, inside)

    if CLIP is not None:
        dz_i = _bounded(dz_i, CLIP)
        dz_f = _bounded(dz_f, CLIP)
        dz_g = _bounded(dz_g, CLIP)
        dz_o = _bounded(dz_o, CLIP)
    tl.store(dz, dz_i, inside)
    tl.store(dz + H, dz_f, inside)
    tl.store(dz + 2 * H, dz_g, inside)
    tl.store(dz + 3 * H, dz_o, inside)
