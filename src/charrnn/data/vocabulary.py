"""Text to token indices and back: a token is a character, or in music a note."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from charrnn.errors import BadInput, shortened

CODE_POINTS = 0x110000


class Tokenization(ABC):
    """What a token is."""

    @property
    def name(self) -> str:
        """`characters` or `notes`."""
        return type(self).__name__.lower()

    @abstractmethod
    def split(self, text: str) -> list[str]:
        """The tokens of a short text."""

    @abstractmethod
    def join(self, symbols: list[str]) -> str:
        """The text of tokens."""

    @abstractmethod
    def tokenize(self, text: str) -> tuple[np.ndarray, Vocabulary]:
        """Token indices (N,) of a whole corpus, smallest unsigned integers, and its vocabulary."""


@dataclass(frozen=True)
class Vocabulary:
    """The sorted unique tokens of a corpus, the paper's V. A token's index is its place in them."""

    symbols: tuple[str, ...]
    tokenization: Tokenization

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str, field: str, value: object = None) -> np.ndarray:
        """Indices (N,) of a text given by the user.

        Args:
            text: the text.
            field: how it was given.
            value: what was given, such as a file; None for the text itself.

        Raises:
            BadInput: if a token is not in the vocabulary.
        """
        symbols = self.tokenization.split(text)
        index = {symbol: i for i, symbol in enumerate(self.symbols)}
        unknown = sorted(set(symbols) - index.keys())
        if unknown:
            known = self.tokenization.join(list(self.symbols))
            without = shortened([repr(symbol) for symbol in unknown])
            wanted = f"made of the corpus's tokens {known!r}, without {without}"
            raise BadInput(field, repr(text) if value is None else value, wanted)
        return np.array([index[symbol] for symbol in symbols], dtype=np.int64)

    def decode(self, tokens: np.ndarray) -> str:
        """The text of token indices."""
        return self.tokenization.join([self.symbols[token] for token in tokens.tolist()])


class Characters(Tokenization):
    """A token is a character."""

    def split(self, text: str) -> list[str]:
        return list(text)

    def join(self, symbols: list[str]) -> str:
        return "".join(symbols)

    def tokenize(self, text: str) -> tuple[np.ndarray, Vocabulary]:
        # Look-ups in a table over all code points: 10 million characters take well under a second,
        # without a loop over characters or a sort.
        code_points = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
        present = np.zeros(CODE_POINTS, dtype=bool)
        present[code_points] = True
        unique = np.flatnonzero(present)
        index = np.zeros(CODE_POINTS, dtype=np.min_scalar_type(max(len(unique) - 1, 0)))
        index[unique] = np.arange(len(unique))
        return index[code_points], Vocabulary(tuple(map(chr, unique)), self)


class Notes(Tokenization):
    """Music: a line is a composition, a token a note or the end of a line; spaces part notes."""

    def split(self, text: str) -> list[str]:
        lines = text.split("\n")
        symbols = [symbol for line in lines for symbol in (*line.split(), "\n")]
        return symbols[:-1]  # the last line has no end, or is empty

    def join(self, symbols: list[str]) -> str:
        return " ".join(symbols).replace(" \n", "\n").replace("\n ", "\n")

    def tokenize(self, text: str) -> tuple[np.ndarray, Vocabulary]:
        unique, tokens = np.unique(np.array(self.split(text)), return_inverse=True)
        dtype = np.min_scalar_type(max(len(unique) - 1, 0))
        return tokens.astype(dtype), Vocabulary(tuple(map(str, unique)), self)


CHARACTERS, NOTES = Characters(), Notes()
TOKENIZATIONS: dict[str, Tokenization] = {kind.name: kind for kind in (CHARACTERS, NOTES)}
