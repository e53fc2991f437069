"""Scheme bptt: truncated backpropagation through time (Section 2.1)."""

from __future__ import annotations

from torch import Tensor

from charrnn.datamodule.batches import Batch
from charrnn.schemes.scheme_4 import ConditionalMultiLoss


class TruncatedBPTT(ConditionalMultiLoss):
    """Section 2.1: every k1 tokens the losses since the last time go back k2 steps.

    Each token's loss counts once, so only the last k1 positions of a window have one; the k2 - k1
    tokens before them lengthen the way back. An epoch's first time comes after k2 tokens instead of
    k1, so that no way back is shorter, and all k2 positions have a loss then; it is their average,
    as at any time. Tokens are read anew with the present weights, as Algorithm 3 does; a single
    pass over the text would keep what earlier weights have computed, and its gradient would be that
    of no one model.
    """

    training_procedure = "truncated-bptt"
    k3_is_free = False

    @classmethod
    def own_k3(cls, k1: int, k2: int) -> int:
        return min(k1, k2)

    def training_step(self, batch: Batch) -> Tensor:
        opens = batch.number == 0
        self.weights_N = self.weigh(self.k2 if opens else self.own_k3(self.k1, self.k2))
        return super().training_step(batch)


class BPTT(TruncatedBPTT):
    """Truncated backpropagation through time (Section 2.1), progressive sampling."""

    sampling_procedure = "progressive"
