"""Lasagne's Adam, which the paper's experiments used. The other optimizers are torch's own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn, optim


class AdamLasagne(optim.Adam):
    """Adam with epsilon before the bias correction, as Lasagne computes it.

    ``step = lr * sqrt(1 - b2^t) / (1 - b1^t) * m / (sqrt(v) + eps)``. torch's Adam divides sqrt(v)
    by sqrt(1 - b2^t) before it adds epsilon, so dividing epsilon by the same factor at every step
    gives Lasagne's step.

    Args:
        params: the parameters to learn.
        lr: learning rate.
        betas: decay rates of the running averages of the gradient (m) and of its square (v).
        eps: added to sqrt(v).
    """

    identity_name = "adam_lasagne"

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 0.001,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        super().__init__(params, lr=lr, betas=betas, eps=eps, fused=True)
        for group in self.param_groups:
            group["lasagne_eps"], group["steps"] = eps, 0

    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            group["steps"] += 1
            bias_correction = 1 - group["betas"][1] ** group["steps"]
            group["eps"] = group["lasagne_eps"] / bias_correction**0.5
        return super().step(closure)
