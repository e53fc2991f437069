"""The norm of a gradient, as TensorBoard and the diagnostics show it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils import get_total_norm


def gradient_norm(module: nn.Module) -> Tensor:
    """L2 norm of all parameters' gradients, a tensor ()."""
    return get_total_norm(p.grad for p in module.parameters() if p.grad is not None)
