"""The LSTM with layer normalisation (Ba et al. 2016, Eq. 20 to 22), under plain autograd.

The gates' sums over the inputs and over the state are normalised, and so is the cell state on its
way to the hidden state. Shapes are those of charrnn.backbone.lstm. On a GPU, `run` is replayed by
charrnn.backbone.cuda_graphs_autograd.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from charrnn.backbone.clipping import clip_gradient
from charrnn.backbone.state import State
from charrnn.schema.fields import Peepholes


def input_sums(x: Tensor, W_in_IG: Tensor, bias_G: Tensor, gains_G: Tensor) -> Tensor:
    """The normalised sums over the inputs, bias included, (T, B, G), of tokens or features."""
    if x.is_floating_point():
        return normalised(x @ W_in_IG, gains_G) + bias_G
    return nn.functional.embedding(x, normalised(W_in_IG, gains_G) + bias_G)


def run(
    sums_TBG: Tensor,
    h_BH: Tensor,
    c_BH: Tensor,
    W_hid_HG: Tensor,
    W_peep_3H: Tensor | None,
    gains_G: Tensor,
    cell_2H: Tensor,
    peepholes: Peepholes,
    grad_clip: float | None,
    num_clipped: Tensor | None,
) -> State:
    """One layer over a whole sequence; see charrnn.backbone.lstm_autograd.run.

    Args:
        sums_TBG: from `input_sums`.
        h_BH: the hidden state before the first step.
        c_BH: the cell state before it.
        W_hid_HG: weights of the hidden state.
        W_peep_3H: peepholes of the input, forget and output gate, or None.
        gains_G: gains of the sums over the state.
        cell_2H: gain and shift of the normalised cell state.
        peepholes: which cell states the gates see.
        grad_clip: bound on the gradients at the gates' pre-activations, or None.
        num_clipped: where the clipped ones are counted, or None.
    """
    states = []
    for sums_BG in sums_TBG:
        sums_BG = sums_BG + normalised(h_BH @ W_hid_HG, gains_G)
        i, f, g, o = clip_gradient(sums_BG, grad_clip, num_clipped).chunk(4, dim=1)
        before_BH = c_BH
        if W_peep_3H is not None:
            i, f = i + W_peep_3H[0] * before_BH, f + W_peep_3H[1] * before_BH
        c_BH = f.sigmoid() * before_BH + i.sigmoid() * g.tanh()
        if W_peep_3H is not None:
            o = o + W_peep_3H[2] * (c_BH if peepholes == "lasagne" else before_BH)
        h_BH = o.sigmoid() * normalised(c_BH, cell_2H[0], cell_2H[1]).tanh()
        states.append((h_BH, c_BH))
    hidden, cells = zip(*states, strict=True)
    return torch.stack(hidden), torch.stack(cells)


def normalised(sums: Tensor, gains: Tensor, shift: Tensor | None = None) -> Tensor:
    """Layer normalisation over the last axis."""
    return nn.functional.layer_norm(sums, gains.shape, gains, shift)
