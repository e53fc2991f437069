"""The sizes of the networks and batches that are timed, and where."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BATCH = 64
VOCABULARY = 85
DENSE = 1024
PAPER_TOKENS = 6_347_705
"""Tokens of the paper's English corpus."""


@dataclass(frozen=True)
class Case:
    """Sizes of a network and its batches; by default Table 3's, on the English corpus.

    Attributes:
        hidden_size: units in a recurrent layer, gamma.
        num_layers: recurrent layers, r.
        k2: tokens in a sequence.
        vocabulary: distinct tokens.
        dense_size: units in the hidden dense layer.
        batch: sequences in a training batch.
        device: where the tensors are: `cpu` or `cuda`. The name does not include it.
        gates: products with the state in a step, per unit: 4 in an LSTM. Nor does it include these.
    """

    hidden_size: int
    num_layers: int = 1
    k2: int = 100
    vocabulary: int = VOCABULARY
    dense_size: int = DENSE
    batch: int = BATCH
    device: str = "cpu"
    gates: int = 4

    @property
    def name(self) -> str:
        """Its name in the tables, which includes all sizes that differ from the defaults."""
        parts = [f"gamma={self.hidden_size}", f"r={self.num_layers}", f"k2={self.k2}"]
        rest = (
            ("V", self.vocabulary, VOCABULARY),
            ("dense", self.dense_size, DENSE),
            ("batch", self.batch, BATCH),
        )
        return ",".join(
            parts + [f"{name}={value}" for name, value, usual in rest if value != usual]
        )

    def tokens(self, *shape: int) -> Tensor:
        """Random tokens."""
        generator = torch.Generator().manual_seed(0)
        return torch.randint(self.vocabulary, shape, generator=generator).to(self.device)
