"""Both perplexities of a split that comes in parts, one after the other (Eq. 9)."""

from __future__ import annotations

import torch
from torch import Tensor

from charrnn.backbone.network import Network
from charrnn.datamodule.parts import CHUNK, Part
from charrnn.evaluation.perplexity import (
    NOT_SCORED,
    Perplexity,
    perplexity_of,
    progressive_losses,
    windowed_losses,
)
from charrnn.evaluation.procedures import SAMPLING_PROCEDURES


class InParts:
    """Reads the parts of a split in their order; the values are those of the whole, to the bit.

    The progressive reading carries its state from part to part. A part that starts the split
    starts anew.

    Args:
        backbone: the model, in evaluation mode.
        k2: tokens that windowed sampling reads, and that are not scored.

    Examples:
        >>> from charrnn import Backbone
        >>> from charrnn.datamodule.parts import Parts
        >>> from charrnn.evaluation.perplexity import windowed_perplexity
        >>> backbone = Backbone(vocabulary_size=5, hidden_size=4, dense_size=None).eval()
        >>> tokens_N = torch.tensor([0, 1, 2, 3, 4] * 10)
        >>> reader = InParts(backbone, k2=10)
        >>> for part in Parts(tokens_N, k2=10):
        ...     reader.read(part)
        >>> whole = windowed_perplexity(backbone, tokens_N, k2=10)
        >>> reader.perplexities()["windowed"].value == whole.value
        True
    """

    def __init__(self, backbone: Network, k2: int) -> None:
        self.backbone, self.k2 = backbone, k2
        self._restart()

    def _restart(self) -> None:
        self.losses: dict[str, list[Tensor]] = {name: [] for name in SAMPLING_PROCEDURES}
        self.scored = dict.fromkeys(SAMPLING_PROCEDURES, 0)
        self.state = self.backbone.initial_state(1)

    def read(self, part: Part) -> None:
        """Score the next part."""
        if part.start == 0:
            self._restart()
        windowed, progressive = SAMPLING_PROCEDURES
        tokens_N, k2 = part.tokens_N, self.k2
        if len(tokens_N) > k2:
            self.losses[windowed] += windowed_losses(self.backbone, tokens_N, k2)
            self.scored[windowed] += len(tokens_N) - k2
        inputs_T, targets_T = tokens_N[:-1][:CHUNK], tokens_N[1:][:CHUNK].clone()
        context = max(0, k2 - 1 - part.start)
        targets_T[:context] = NOT_SCORED
        losses, self.state = progressive_losses(self.backbone, inputs_T, targets_T, self.state)
        self.losses[progressive] += losses
        self.scored[progressive] += max(0, len(targets_T) - context)

    def perplexities(self) -> dict[str, Perplexity]:
        """By each sampling procedure, of the parts so far; NaN before a token is scored."""
        return {
            name: perplexity_of(self.losses[name], scored)
            if (scored := self.scored[name])
            else Perplexity(torch.nan, 0, torch.nan)
            for name in SAMPLING_PROCEDURES
        }
