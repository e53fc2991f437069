"""Scheme bptt: truncated backpropagation through time (Section 2.1)."""

from __future__ import annotations

from torch import Tensor

from charrnn.datamodule.batches import Batch
from charrnn.schemes.scheme_4 import ConditionalMultiLoss


class TruncatedBPTT(ConditionalMultiLoss):
    """Section 2.1: every k1 tokens, the losses of these tokens are backpropagated through k2 steps.

    The loss of each token counts once, so only the last k1 positions of a sequence have a loss; the
    k2 - k1 tokens before them make the backpropagation longer. The first update of an epoch comes
    after k2 tokens, so that its backpropagation is just as long, and all k2 positions have a loss
    then. The loss is always the average over these positions. The tokens of a sequence are read
    again with the current weights, as in Algorithm 3: a single pass over the text would mix states
    that were computed with different weights, and its gradient would belong to no single model.
    """

    training_procedure = "truncated-bptt"
    k3_is_free = False

    @classmethod
    def own_k3(cls, k1: int, k2: int) -> int:
        return min(k1, k2)

    def training_step(self, batch: Batch) -> Tensor:
        starts_epoch = batch.number == 0
        self.k3 = self.k2 if starts_epoch else self.own_k3(self.k1, self.k2)
        return super().training_step(batch)


class BPTT(TruncatedBPTT):
    """Truncated backpropagation through time (Section 2.1), progressive sampling."""

    sampling_procedure = "progressive"
