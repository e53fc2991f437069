"""The data as Lightning takes it."""

from __future__ import annotations

from typing import get_args

import pytorch_lightning as pl
import torch

from charrnn.data.corpora import Corpus, Tokens, load_once
from charrnn.datamodule.batches import Order, TrainBatches, split
from charrnn.errors import require_choice, require_whole


class CharDataModule(pl.LightningDataModule):
    """A corpus, split and batched as in Section 4.1 and 4.2.

    Args:
        corpus: where the tokens come from.
        k1, k2: see TrainBatches.
        batch_size: sequences in a batch.
        order: `equidistant` (Eq. 8) or `shuffled`.
        rotation: tokens by which the train split rotates after each epoch; None draws them.
        test_size: tokens at the end of the rotated corpus that form the test split.
        offset: tokens by which the corpus is rotated before it is split; None draws them.
        seed: the data seed, of everything drawn here.

    Raises:
        BadInput: if an argument is out of its range.

    Example:
        >>> from pathlib import Path
        >>> from charrnn import CharDataModule, corpus
        >>> _ = Path("hats.txt").write_text("the seat of the hat " * 100)
        >>> hats = corpus("textfile", path="hats.txt")
        >>> data = CharDataModule(hats, k1=20, k2=40, batch_size=8, test_size=200)
        >>> data.setup()
        >>> len(data.test_tokens)
        200
        >>> batch = next(iter(data.train_dataloader()))
        >>> batch.inputs_TB.shape  # 40 tokens of 8 sequences
        torch.Size([40, 8])
    """

    def __init__(
        self,
        corpus: Corpus,
        k1: int,
        k2: int,
        batch_size: int = 64,
        order: Order = "equidistant",
        rotation: int | None = None,
        test_size: int = 11_100,
        offset: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_whole("k1", k1, 1, "token")
        require_whole("k2", k2, 1, "token")
        require_whole("datamodule.batch_size", batch_size, 1, "sequence")
        require_whole(
            "datamodule.test_size", test_size, k2 + 1, "token, k2 to start from and one to score"
        )
        require_whole("datamodule.seed", seed, 0)
        require_choice("datamodule.order", order, get_args(Order))
        for field, value in (("datamodule.rotation", rotation), ("datamodule.offset", offset)):
            if value is not None:
                require_whole(field, value, 0, "token")
        self.corpus, self.k1, self.k2, self.batch_size = corpus, k1, k2, batch_size
        self.order, self.rotation = order, rotation
        self.test_size, self.offset, self.seed = test_size, offset, seed

    @property
    def tokens(self) -> Tokens:
        """The tokenised corpus, fetched or read at the first call."""
        return load_once(self.corpus)

    def setup(self, stage: str | None = None) -> None:
        """Split the corpus; `train_dataloader` and `test_tokens` can be used from here on.

        Raises:
            BadInput: if the corpus is too short for the split or for one batch.
        """
        train, test = split(self.tokens.tokens, self.test_size, self.offset, self.seed)
        self.test_tokens = torch.from_numpy(test.astype("int64"))
        """The test split (test_size,)."""
        self.batches = TrainBatches(
            train, self.k1, self.k2, self.batch_size, self.order, self.rotation, self.seed
        )

    def train_dataloader(self) -> TrainBatches:
        """The batches of one epoch after another, each time-major.

        To Lightning they are one epoch without an end: it can go on in the midst of that.
        """
        return self.batches

    def state_dict(self) -> dict[str, int]:
        assert self.trainer is not None
        return {"batches": self.trainer.global_step}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.batches.start = state_dict["batches"]
