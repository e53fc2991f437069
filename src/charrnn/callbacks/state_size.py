"""The size of a state: the one that scheme 4 carries from batch to batch is unbounded."""

from __future__ import annotations

import torch
from torch import Tensor

from charrnn.backbone.state import State

SATURATED = 0.99
"""A cell counts as saturated from this |tanh(c)|, where |c| is 2.65 and the slope 2 %."""


def state_size(state: list[State]) -> dict[str, Tensor]:
    """The size of a state, (B, H) in every layer, as four numbers, each a tensor ().

    Below, c is the cell state, or the hidden state of a recurrent cell that has no other; that one
    counts as saturated from |h| = SATURATED.

    ====================  =====================================================================
    ``mean_abs_cell``     mean of |c|, over layers, sequences and units
    ``max_abs_cell``      its maximum
    ``norm``              L2 norm of a sequence's whole state, h and c of all layers; its mean
    ``saturated_share``   share of cells with |tanh(c)| at least SATURATED; NaN if any is NaN
    ====================  =====================================================================
    """
    cells_BN = torch.cat([layer[-1] for layer in state], dim=1)
    whole_BN = torch.cat([part_BH for layer in state for part_BH in layer], dim=1)
    bounded = [layer[-1].tanh() if len(layer) > 1 else layer[0] for layer in state]
    saturated_BN = (torch.cat(bounded, dim=1).abs() >= SATURATED).to(cells_BN.dtype)
    return {
        "mean_abs_cell": cells_BN.abs().mean(),
        "max_abs_cell": cells_BN.abs().max(),
        "norm": whole_BN.norm(dim=1).mean(),
        "saturated_share": saturated_BN.where(~cells_BN.isnan(), torch.nan).mean(),
    }
