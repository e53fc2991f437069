"""From text to token indices and back. A token is a character, a word, a byte, or a note."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from charrnn import plugins
from charrnn.errors import BadInput, require_choice, shortened

SHOWN = 150
"""Tokens of a vocabulary in a refusal; the paper's corpora have at most 106."""
CODE_POINTS = 0x110000
"""Number of code points in Unicode."""


class Tokenization(ABC):
    """What a token is."""

    @property
    def name(self) -> str:
        """`characters`, `words`, `bytes` or `notes`."""
        return type(self).__name__.lower()

    @abstractmethod
    def split(self, text: str) -> list[str]:
        """The tokens of a short text."""

    @abstractmethod
    def join(self, symbols: list[str]) -> str:
        """The text that the tokens form."""

    def tokenize(self, text: str) -> tuple[np.ndarray, Vocabulary]:
        """Tokenise a whole corpus.

        Args:
            text: the corpus.

        Returns:
            Token indices (N,), as the smallest unsigned integers that fit, and the vocabulary.
        """
        symbols = self.split(text)
        unique = sorted(set(symbols))
        index = {symbol: i for i, symbol in enumerate(unique)}
        dtype = np.min_scalar_type(max(len(unique) - 1, 0))
        tokens = np.fromiter((index[symbol] for symbol in symbols), dtype, len(symbols))
        return tokens, Vocabulary(tuple(unique), self)


@dataclass(frozen=True)
class Vocabulary:
    """The sorted unique tokens of a corpus, the paper's V.

    Args:
        symbols: the tokens as text. A token's index is its position here.
        tokenization: what a token is.

    Examples:
        >>> tokens, vocabulary = CHARACTERS.tokenize("to be or not to be")
        >>> vocabulary.symbols
        (' ', 'b', 'e', 'n', 'o', 'r', 't')
        >>> vocabulary.encode("be not", field="sampling.prompt")
        array([1, 2, 0, 3, 4, 6])
        >>> vocabulary.decode(tokens[:5])
        'to be'
    """

    symbols: tuple[str, ...]
    tokenization: Tokenization

    def __len__(self) -> int:
        return len(self.symbols)

    def encode(self, text: str, field: str, value: object = None) -> np.ndarray:
        """Token indices (N,) of a text given by the user.

        Args:
            text: the text.
            field: the setting in which it was given.
            value: the setting's value, such as a file; None if it is the text itself.

        Raises:
            BadInput: if a token is not in the vocabulary.
        """
        symbols = self.tokenization.split(text)
        index = {symbol: i for i, symbol in enumerate(self.symbols)}
        unknown = sorted(set(symbols) - index.keys())
        if unknown:
            known = self.tokenization.join(list(self.symbols[:SHOWN]))
            more = f" and {len(self) - SHOWN} more" if len(self) > SHOWN else ""
            without = shortened([repr(symbol) for symbol in unknown])
            wanted = f"made of the corpus's tokens {known!r}{more}, without {without}"
            raise BadInput(field, repr(text) if value is None else value, wanted)
        return np.array([index[symbol] for symbol in symbols], dtype=np.int64)

    def decode(self, tokens: np.ndarray) -> str:
        """The text of token indices (N,)."""
        return self.tokenization.join([self.symbols[token] for token in tokens.tolist()])


class Characters(Tokenization):
    """A token is a character."""

    def split(self, text: str) -> list[str]:
        return list(text)

    def join(self, symbols: list[str]) -> str:
        return "".join(symbols)

    def tokenize(self, text: str) -> tuple[np.ndarray, Vocabulary]:
        # Look-ups in a table of all code points, without a loop over characters or a sort: well
        # under a second for 10 million characters.
        code_points = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
        present = np.zeros(CODE_POINTS, dtype=bool)
        present[code_points] = True
        unique = np.flatnonzero(present)
        index = np.zeros(CODE_POINTS, dtype=np.min_scalar_type(max(len(unique) - 1, 0)))
        index[unique] = np.arange(len(unique))
        return index[code_points], Vocabulary(tuple(map(chr, unique)), self)


class Notes(Tokenization):
    """Music: a line is a composition. A token is a note or a line end; spaces separate notes."""

    def split(self, text: str) -> list[str]:
        lines = text.split("\n")
        symbols = [symbol for line in lines for symbol in (*line.split(), "\n")]
        return symbols[:-1]  # the text after the last line end has no line end of its own

    def join(self, symbols: list[str]) -> str:
        return " ".join(symbols).replace(" \n", "\n").replace("\n ", "\n")

    def tokenize(self, text: str) -> tuple[np.ndarray, Vocabulary]:
        unique, tokens = np.unique(np.array(self.split(text)), return_inverse=True)
        dtype = np.min_scalar_type(max(len(unique) - 1, 0))
        return tokens.astype(dtype), Vocabulary(tuple(map(str, unique)), self)


class Words(Tokenization):
    r"""A token is a word, a white space, or another character.

    Examples:
        >>> Words().split("To be, or\nnot")
        ['To', ' ', 'be', ',', ' ', 'or', '\n', 'not']
    """

    def split(self, text: str) -> list[str]:
        return re.findall(r"\w+|\W", text)

    def join(self, symbols: list[str]) -> str:
        return "".join(symbols)


class Bytes(Tokenization):
    """A token is a byte of the text in UTF-8, written as the character of the same number.

    Examples:
        >>> Bytes().split("né")
        ['n', 'Ã', '©']
    """

    def split(self, text: str) -> list[str]:
        return list(text.encode("utf-8", "surrogateescape").decode("latin-1"))

    def join(self, symbols: list[str]) -> str:
        # Half a character, as a model may write it, stays what it is.
        return "".join(symbols).encode("latin-1").decode("utf-8", "surrogateescape")


CHARACTERS, NOTES = Characters(), Notes()
TOKENIZATIONS: dict[str, Tokenization] = {
    kind.name: kind for kind in (CHARACTERS, NOTES, Words(), Bytes())
}
PLUGINS = "charrnn.tokenizations"
"""Entry points in which a package declares tokenizations of its own: subclasses by name."""


def tokenization_called(name: str, field: str = "data.tokens") -> Tokenization:
    """A tokenization by its name: one of the project's, or of an installed package.

    Raises:
        CharRNNError: if there is none, or its package cannot be imported.
    """
    if name not in TOKENIZATIONS:
        require_choice(field, name, [*TOKENIZATIONS, *plugins.names(PLUGINS)])
        TOKENIZATIONS[name] = plugins.load(PLUGINS, name)()
        require_choice(field, name, [TOKENIZATIONS[name].name])
    return TOKENIZATIONS[name]
