"""The corpus, its split and its batches as a Lightning data module."""

from __future__ import annotations

import pytorch_lightning as pl
import torch

from charrnn.data.corpora.base import Corpus, load_once
from charrnn.data.corpora.tokens import Tokens
from charrnn.datamodule.batches import TrainBatches
from charrnn.datamodule.epochs import Epochs
from charrnn.datamodule.parts import Parts
from charrnn.datamodule.split import split
from charrnn.errors import require, require_whole
from charrnn.schema.fields import Order, check_arguments


class CharDataModule(pl.LightningDataModule):
    r"""A corpus, split and batched as in Sections 4.1 and 4.2.

    Args:
        corpus: the corpus to read.
        k1: tokens between the starts of successive training sequences.
        k2: tokens in a training sequence.
        batch_size: sequences in a batch.
        order: `equidistant` (Eq. 8), `shuffled` or `random-lengths`, see TrainBatches.
        rotation: number of tokens by which the train split rotates after each epoch; None draws it.
        test_size: tokens at the end of the rotated corpus that form the test split.
        offset: number of tokens by which the corpus is rotated before the split; None draws it.
        seed: the data seed, for the offset, the rotations, the shuffling and the lengths.
        val_size: tokens at the end of the train split that are set aside as the validation split.
            The paper has none: with 0, the default, nothing is set aside, and validation reads the
            test split. Then what is chosen by validation, such as when to stop, is chosen on the
            test split.

    Attributes:
        test_tokens: after `setup`, the test split (test_size,).
        val_tokens: after `setup`, the validation split (val_size,), or else the test split.
        batches: after `setup`, the training batches, without end.
        endless: whether the Trainer sees one endless epoch, as a run's does, so that it can resume
            in the middle of a real one.

    Raises:
        BadInput: if an argument is out of its range.

    Examples:
        >>> import tempfile
        >>> from charrnn.data.corpora.base import TextFile
        >>> with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        ...     print("to be or not to be\n" * 50, end="", file=file, flush=True)
        ...     data = CharDataModule(TextFile(file.name), k1=4, k2=10, batch_size=8, test_size=100)
        ...     data.setup()
        >>> len(data.tokens.vocabulary), len(data.batches.train), len(data.test_tokens)
        (8, 850, 100)
        >>> next(iter(data.train_dataloader())).inputs_TB.shape
        torch.Size([10, 8])
    """

    identity_name = "eq8"

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
        val_size: int = 0,
    ) -> None:
        super().__init__()
        check_arguments("", k1=k1, k2=k2)
        check_arguments(
            "datamodule.",
            batch_size=batch_size,
            order=order,
            rotation=rotation,
            offset=offset,
            seed=seed,
        )
        unit = "tokens (k2 for context, one to score)"
        require_whole("datamodule.test_size", test_size, k2 + 1, unit)
        if val_size != 0:
            require_whole("datamodule.val_size", val_size, k2 + 1, f"{unit}, or 0")
        self.corpus, self.k1, self.k2, self.batch_size = corpus, k1, k2, batch_size
        self.order, self.rotation = order, rotation
        self.test_size, self.offset, self.seed = test_size, offset, seed
        self.val_size = val_size
        self.endless = False

    @property
    def tokens(self) -> Tokens:
        """The tokenised corpus, fetched or read on first use."""
        return load_once(self.corpus)

    def setup(self, stage: str | None = None) -> None:
        """Split the corpus and prepare the batches.

        Raises:
            BadInput: if the corpus is too short for the split or for one batch.
        """
        train, test = split(self.tokens.tokens, self.test_size, self.offset, self.seed)
        self.test_tokens = self.val_tokens = torch.from_numpy(test.astype("int64"))
        if self.val_size:
            fits = f"less than the {len(train)} train tokens"
            require(self.val_size < len(train), "datamodule.val_size", self.val_size, fits)
            self.val_tokens = torch.from_numpy(train[-self.val_size :].astype("int64"))
            train = train[: -self.val_size]
        self.batches = TrainBatches(
            train, self.k1, self.k2, self.batch_size, self.order, self.rotation, self.seed
        )

    def train_dataloader(self) -> Epochs | TrainBatches:
        """The training batches, time-major: an epoch at each iteration, or all if `endless`."""
        if self.endless:
            return self.batches
        fitting = self.trainer is not None and self.trainer.training
        read = self.trainer.fit_loop.total_batch_idx + 1 if fitting and self.trainer else 0
        return Epochs(self.batches, read)

    def val_dataloader(self) -> Parts:
        """The validation split in parts; by default that is the test split."""
        return Parts(self.val_tokens, self.k2)

    def test_dataloader(self) -> Parts:
        """The test split in parts."""
        return Parts(self.test_tokens, self.k2)

    def state_dict(self) -> dict[str, int]:
        assert self.trainer is not None
        return {"batches": self.trainer.global_step}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.batches.start = state_dict["batches"]
