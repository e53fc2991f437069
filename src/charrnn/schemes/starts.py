"""From which state a training sequence starts, in schemes that do not carry it.

Sequences of k2 tokens that all start from one state show a model only the states that k2 tokens
lead to; what lies beyond, progressive sampling meets for the first time. The paper's cure is
scheme 4, which carries the state. Buitrago Ruiz and Gu (2025, arXiv 2507.02782) ask the same of
state-space models, and let sequences start from noise, or from states that other sequences have
reached. A start is a function of the initial state, of the states that the latest batch has
reached, and of the size of the noise; it returns a state for every sequence of the next batch. To
add one, write its function here and list it in STARTS.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from charrnn.backbone.state import State

States = list[State]
"""Of each layer, each tensor of shape (B, H)."""


def initial(initial: States, reached: States, noise: float) -> States:
    """The model's initial state, learned (Algorithm 1, line 1) or zero."""
    del reached, noise
    return initial


def noisy(initial: States, reached: States, noise: float) -> States:
    """Gaussian noise around the initial state, with standard deviation ``noise``.

    Examples:
        >>> [(h_BH, c_BH)] = noisy([(torch.ones(1000, 8), torch.ones(1000, 8))], [], noise=0.5)
        >>> f"{h_BH.mean():.1f} {h_BH.std():.1f}, {c_BH.mean():.1f} {c_BH.std():.1f}"
        '1.0 0.5, 1.0 0.5'
    """
    del reached
    return map_states(lambda x_BH: x_BH + noise * _normal_like(x_BH), initial)


def fitted(initial: States, reached: States, noise: float) -> States:
    """Gaussian noise with each unit's mean and variance over the states that were reached."""
    del noise
    return map_states(_like, reached or initial)


def passed(initial: States, reached: States, noise: float) -> States:
    """The states that were reached, each passed on to another sequence, drawn at random.

    Examples:
        >>> ends_BH = torch.tensor([[1.0], [2.0]])
        >>> passed([(torch.zeros(2, 1),) * 2], [(ends_BH, 10 * ends_BH)], noise=0)[0][1].tolist()
        [[20.0], [10.0]]
    """
    del noise
    if not reached:
        return initial
    batch_size = len(reached[0][0])
    lanes = int(torch.randint(1, max(batch_size, 2), ()))  # 0 would give each sequence its own
    return map_states(lambda x_BH: x_BH.roll(lanes, dims=0), reached)


Begin = Callable[[States, States, float], States]
STARTS: dict[str, Begin] = {
    "learned": initial,
    "zero": initial,
    "noise": noisy,
    "fitted-noise": fitted,
    "passed": passed,
}
FROM_REACHED = ("fitted-noise", "passed")
"""Starts that need the states that the latest batch has reached, which a checkpoint keeps then."""


def some_initial(share: float, initial: States, others: States) -> States:
    """The initial state for a share of the sequences, drawn at random; ``others`` for the rest."""
    if share == 0 or others is initial:  # do not draw: dropout uses the same random numbers
        return others
    first_BH = initial[0][0]
    starts_B1 = _moved(torch.rand(len(first_BH), 1) < share, first_BH)
    return map_states(lambda x0_BH, x_BH: torch.where(starts_B1, x0_BH, x_BH), initial, others)


def map_states(change: Callable[..., Tensor], *states: States) -> States:
    """A function applied to every tensor of states, or to those of several with the same place."""
    return [
        tuple(change(*parts) for parts in zip(*layers, strict=True))
        for layers in zip(*states, strict=True)
    ]


def _like(reached_BH: Tensor) -> Tensor:
    deviation_H, mean_H = torch.std_mean(reached_BH, dim=0, correction=0)
    return mean_H + deviation_H * _normal_like(reached_BH)


def _normal_like(x_BH: Tensor) -> Tensor:
    return _moved(torch.randn(x_BH.shape, dtype=x_BH.dtype), x_BH)


def _moved(drawn: Tensor, like: Tensor) -> Tensor:
    """What was drawn on the CPU, so that a run has the same starts on every device."""
    if like.is_cuda:  # it copies from pinned memory when it gets there, and nobody waits for it
        return drawn.pin_memory().to(like.device, non_blocking=True)
    return drawn.to(like.device)
