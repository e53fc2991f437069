"""Schemes 1 and 3: multi-loss training (Algorithm 1), with windowed or progressive sampling."""

from __future__ import annotations

from torch import Tensor

from charrnn.datamodule.batches import Batch
from charrnn.schemes.base import Scheme


class MultiLoss(Scheme):
    """Algorithm 1, multi-loss training: every sequence starts from the learned initial state."""

    training_procedure = "multi-loss"

    def training_step(self, batch: Batch) -> Tensor:
        batch_size = batch.inputs_TB.shape[1]
        state = self.backbone.initial_state(batch_size)
        hidden_TBH, _ = self.read(batch.inputs_TB, state)
        return self.loss(hidden_TBH, batch.targets_TB)


class Scheme1(MultiLoss):
    """Multi-loss training, windowed sampling (Section 3.4).

    Examples:
        >>> from functools import partial
        >>> from torch.optim import Adam
        >>> from charrnn import Backbone, Scheme1
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=8, dense_size=None)
        >>> scheme = Scheme1(backbone, partial(Adam, lr=0.001), k1=20, k2=100)
        >>> scheme.training_procedure, scheme.sampling_procedure
        ('multi-loss', 'windowed')
    """

    sampling_procedure = "windowed"


class Scheme3(MultiLoss):
    """Multi-loss training, progressive sampling (Section 3.6).

    Examples:
        >>> from functools import partial
        >>> from torch.optim import Adam
        >>> from charrnn import Backbone, Scheme3
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=8, dense_size=None)
        >>> scheme = Scheme3(backbone, partial(Adam, lr=0.001), k1=20, k2=100)
        >>> scheme.training_procedure, scheme.sampling_procedure
        ('multi-loss', 'progressive')
    """

    sampling_procedure = "progressive"
