"""A scheme: multi-loss training on the second half of each sequence."""

from torch import Tensor

from charrnn.datamodule.batches import Batch
from charrnn.schemes.base import Scheme


class HalfLoss(Scheme):
    """A loss on the last k2 / 2 positions, progressive sampling."""

    training_procedure = "half-loss"
    sampling_procedure = "progressive"

    @classmethod
    def own_k3(cls, k1: int, k2: int) -> int:
        return max(1, k2 // 2)

    def training_step(self, batch: Batch) -> Tensor:
        state = self.backbone.initial_state(batch.inputs_TB.shape[1])
        hidden_TBH, _ = self.read(batch.inputs_TB, state)
        return self.loss(hidden_TBH, batch.targets_TB)
