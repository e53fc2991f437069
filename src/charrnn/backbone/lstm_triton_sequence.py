"""A few sequences through an LSTM layer in one kernel on a GPU, without a backward pass.

Progressive sampling reads a single sequence. Each of its steps computes so little that a GPU mostly
waits for the next kernel to start, even in a CUDA graph. Here a whole sequence is one kernel.
"""

from __future__ import annotations

import triton
import triton.language as tl
from torch import Tensor

from charrnn.backbone.lstm_triton import cell, peepholes_given
from charrnn.backbone.state import State
from charrnn.schema.fields import Peepholes

MOST_SEQUENCES = 16
"""Each of them takes a multiprocessor of its own. For many, matrix products are faster."""
MOST_UNITS = 128
"""Every step reads all weights, which take 256 KiB here; more, and one multiprocessor is slower
than products on all of them."""
WARPS = 16


def fits(B: int, H: int) -> bool:
    """Whether this kernel is the faster way for so many sequences and units."""
    return B <= MOST_SEQUENCES and H <= MOST_UNITS


def read(
    sums_TBG: Tensor, state: State, W_hid_HG: Tensor, W_peep_3H: Tensor | None, peepholes: Peepholes
) -> State:
    """All hidden and cell states, each (T + 1, B, H), of which step 0 is the one given.

    Args:
        sums_TBG: the gates' sums over the inputs, bias included.
        state: the state before the first step, each (B, H).
        W_hid_HG: as in charrnn.backbone.lstm_autograd.run.
        W_peep_3H: as there.
        peepholes: as there.
    """
    T, B, G = sums_TBG.shape
    h, c = (part.new_empty(T + 1, B, G // 4) for part in state)
    h[0], c[0] = state
    peeps, kind = peepholes_given(W_peep_3H, peepholes, c)
    units = max(16, triton.next_power_of_2(G // 4))
    tensors = sums_TBG.contiguous(), h, c, W_hid_HG.contiguous(), peeps
    _read[(B,)](*tensors, T, B, G // 4, kind, units, num_warps=WARPS, num_stages=1)
    return h, c


@triton.jit(do_not_specialize=["T"])
def _read(sums, h, c, W, peeps, T, B, H, KIND: tl.constexpr, UNITS: tl.constexpr):
    sequence = tl.program_id(0)
    unit = tl.arange(0, UNITS)
    inside = unit < H
    rows, columns = unit[:, None], unit[None, :]
    weights = W + rows * 4 * H + columns
    within = (rows < H) & (columns < H)
    sums += sequence * 4 * H + unit
    h += sequence * H + unit
    c += sequence * H + unit
    before = tl.load(c, inside, 0.0)
    for _ in range(T):
        hidden = tl.load(h, inside, 0.0)[:, None]
        i = tl.load(sums, inside, 0.0) + tl.sum(hidden * tl.load(weights, within, 0.0), 0)
        f = tl.load(sums + H, inside, 0.0) + tl.sum(hidden * tl.load(weights + H, within, 0.0), 0)
        g = tl.load(sums + 2 * H, inside, 0.0)
        g += tl.sum(hidden * tl.load(weights + 2 * H, within, 0.0), 0)
        o = tl.load(sums + 3 * H, inside, 0.0)
        o += tl.sum(hidden * tl.load(weights + 3 * H, within, 0.0), 0)
        i, f, g, o, before, squashed = cell(i, f, g, o, before, peeps, unit, inside, H, KIND)
        sums += B * 4 * H
        h += B * H
        c += B * H
        tl.store(h, o * squashed, inside)
        tl.store(c, before, inside)
        # The next step reads hidden states that other threads have written.
        tl.debug_barrier()
