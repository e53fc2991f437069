"""Scheme 2: single-loss training (Algorithm 2)."""

from __future__ import annotations

from charrnn.schemes.schemes_1_and_3 import MultiLoss


class SingleLoss(MultiLoss):
    """Algorithm 2, single-loss training: Algorithm 1 with a loss on the last position only."""

    training_procedure = "single-loss"
    k3_is_free = False

    @classmethod
    def own_k3(cls, k1: int, k2: int) -> int:
        del k1, k2
        return 1


class Scheme2(SingleLoss):
    """Single-loss training, windowed sampling (Section 3.5).

    Examples:
        >>> from functools import partial
        >>> from torch.optim import Adam
        >>> from charrnn import Backbone, Scheme2
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=8, dense_size=None)
        >>> scheme = Scheme2(backbone, partial(Adam, lr=0.001), k1=20, k2=100)
        >>> scheme.training_procedure, scheme.sampling_procedure
        ('single-loss', 'windowed')
    """

    sampling_procedure = "windowed"
