"""A tokenised corpus, and where it comes from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from charrnn.data.vocabulary import Vocabulary


@dataclass(frozen=True)
class Source:
    """Where a corpus comes from.

    Attributes:
        origin: package and version, file, or repository.
        licence: the licence of the texts, or of the package that contains them.
        path: the archive, file or folder on this machine.
        sha256: hash of the archive or file; None if the source is not pinned to one content.
        encoding: how its text was read, in words; None where that is plain.
    """

    origin: str
    licence: str
    path: Path
    sha256: str | None = None
    encoding: str | None = None


@dataclass(frozen=True, eq=False)
class Tokens:
    """A tokenised corpus.

    Attributes:
        name: the corpus's name in tables, figures and folder names.
        tokens: token indices (N,), as the smallest unsigned integers that can hold |V|.
        vocabulary: the sorted unique tokens.
        sha256: SHA-256 of the text in UTF-8; it identifies the text.
        source: where the text comes from.
    """

    name: str
    tokens: np.ndarray
    vocabulary: Vocabulary
    sha256: str
    source: Source

    def beginning(self, first: int) -> Tokens:
        """The first tokens of a corpus as a corpus, which may have a smaller vocabulary.

        Args:
            first: their number.

        Examples:
            >>> from charrnn.data.vocabulary import CHARACTERS
            >>> tokens, vocabulary = CHARACTERS.tokenize("to be or not")
            >>> source = Source("a test", "none", Path("test.txt"))
            >>> whole = Tokens("test", tokens, vocabulary, hash_of("to be or not"), source)
            >>> whole.beginning(5).vocabulary.symbols, whole.beginning(5).source.origin
            ((' ', 'b', 'e', 'o', 't'), 'a test, its first 5 tokens')
        """
        text = self.vocabulary.decode(self.tokens[:first])
        tokens, vocabulary = self.vocabulary.tokenization.tokenize(text)
        source = replace(self.source, origin=f"{self.source.origin}, its first {first:,} tokens")
        return Tokens(self.name, tokens, vocabulary, hash_of(text), source)

    def describe(self) -> dict[str, str | int | None]:
        """What is recorded about the corpus along with a result."""
        return {
            "name": self.name,
            "origin": self.source.origin,
            "licence": self.source.licence,
            "source_sha256": self.source.sha256,
            "tokens": len(self.tokens),
            "unique": len(self.vocabulary),
            "sha256": self.sha256,
        }


def hash_of(text: str) -> str:
    """The SHA-256 of a text in UTF-8, in hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
