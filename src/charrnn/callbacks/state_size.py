"""How large a state has grown: what scheme 4 carries from batch to batch has no bound."""

from __future__ import annotations

import torch
from torch import Tensor

from charrnn.backbone.state import State

SATURATED = 0.99
"""From this |tanh(c)| on, where |c| is 2.65 and the slope 2%, a cell counts as saturated."""


def state_size(state: list[State]) -> dict[str, Tensor]:
    """The size of a state (B, H) of every layer, in four numbers, each a tensor ().

    ====================  =====================================================================
    ``mean_abs_cell``     mean of |c|, over layers, sequences and units
    ``max_abs_cell``      its maximum
    ``norm``              L2 norm of a sequence's whole state, h and c of all layers; its mean
    ``saturated_share``   share of the cells with |tanh(c)| of at least SATURATED; NaN if one is
    ====================  =====================================================================
    """
    cells_BN = torch.cat([c_BH for _, c_BH in state], dim=1)
    whole_BN = torch.cat([part_BH for layer in state for part_BH in layer], dim=1)
    saturated_BN = (cells_BN.tanh().abs() >= SATURATED).to(cells_BN.dtype)
    return {
        "mean_abs_cell": cells_BN.abs().mean(),
        "max_abs_cell": cells_BN.abs().max(),
        "norm": whole_BN.norm(dim=1).mean(),
        "saturated_share": saturated_BN.where(~cells_BN.isnan(), torch.nan).mean(),
    }
