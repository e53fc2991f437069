"""What a run, or a sweep, says about its corpora before it trains."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass

from charrnn.data.corpora.base import TextFile
from charrnn.data.corpora.labels import labels
from charrnn.data.corpora.tokens import Tokens
from charrnn.data.inspection import oddities, short_splits, split_summary, summary
from charrnn.data.vocabulary import CHARACTERS
from charrnn.datamodule.module import CharDataModule

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class UsedCorpus:
    """A corpus as a run uses it.

    Attributes:
        tokens: the corpus.
        is_user_text: whether it is a text file of the user's, in which something may be odd.
        train: tokens of the train split.
        test: tokens of the test split.
        per_epoch: batches per epoch.
    """

    tokens: Tokens
    is_user_text: bool
    train: int
    test: int
    per_epoch: int

    @classmethod
    def of(cls, datamodule: CharDataModule) -> UsedCorpus:
        """The corpus of a data module that is set up."""
        batches = datamodule.batches
        is_user_text = isinstance(datamodule.corpus, TextFile)
        sizes = len(batches.train), len(datamodule.test_tokens), batches.per_epoch
        return cls(datamodule.tokens, is_user_text, *sizes)


def announce(runs: Iterable[UsedCorpus]) -> None:
    """Log a line for every corpus and split of the runs, and a warning for whatever is odd."""
    groups: dict[tuple[str, str, int, int], list[UsedCorpus]] = {}
    for run in runs:
        key = run.tokens.name, run.tokens.sha256, run.train, run.test
        groups.setdefault(key, []).append(run)
    warned, called = set(), labels((name, sha256) for name, sha256, _, _ in groups)
    for (name, sha256, train, test), same in groups.items():
        tokens, per_epoch = same[0].tokens, [run.per_epoch for run in same]
        label = called[name, sha256]
        shown = label if label == name else f"{label} ({tokens.source.path})"
        log.info("%s; %s.", summary(tokens, shown), split_summary(train, test, per_epoch))
        if same[0].is_user_text:
            of_characters = tokens.vocabulary.tokenization is CHARACTERS
            odd = oddities(tokens) if of_characters and sha256 not in warned else ()
            warned.add(sha256)
            for sentence in (*odd, *short_splits(train, per_epoch)):
                log.warning("%s: %s", label, sentence)
