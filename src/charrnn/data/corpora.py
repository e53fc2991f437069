"""What a corpus is, and the two that need no download: the standard library and the user's file."""

from __future__ import annotations

import functools
import hashlib
import platform
import sysconfig
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from charrnn.data.cache import read_cached, write_cached
from charrnn.data.vocabulary import CHARACTERS, Tokenization, Vocabulary
from charrnn.errors import BadInput, require


@dataclass(frozen=True)
class Source:
    """Where a corpus comes from.

    Attributes:
        origin: package and version, file, or repository.
        licence: of the texts or of the package that carries them.
        path: of the archive, file or folder on this machine.
        sha256: hash of the archive or file; None if it is whatever lies on this machine.
    """

    origin: str
    licence: str
    path: Path
    sha256: str | None = None


@dataclass(frozen=True, eq=False)
class Tokens:
    """A corpus ready for use.

    Attributes:
        name: the corpus's name in tables, figures and folder names.
        tokens: token indices (N,), the smallest unsigned integers that hold |V|.
        vocabulary: the sorted unique tokens.
        sha256: hash of the text in UTF-8: which corpus this really was.
        source: where the text comes from.
    """

    name: str
    tokens: np.ndarray
    vocabulary: Vocabulary
    sha256: str
    source: Source

    def describe(self) -> dict[str, str | int | None]:
        """What is recorded of it beside a result."""
        return {
            "name": self.name,
            "origin": self.source.origin,
            "licence": self.source.licence,
            "source_sha256": self.source.sha256,
            "tokens": len(self.tokens),
            "unique": len(self.vocabulary),
            "sha256": self.sha256,
        }


@dataclass(frozen=True)
class Corpus(ABC):
    """A text with a name. Nothing is read before `load`; equal corpora have equal arguments."""

    tokenization: ClassVar[Tokenization] = CHARACTERS
    """What a token is."""

    @property
    @abstractmethod
    def name(self) -> str:
        """The corpus's name in tables, figures and folder names."""

    @abstractmethod
    def source(self) -> Source:
        """The corpus's source on this machine, fetched if need be, and verified.

        Raises:
            BadInput: if a source named by the user cannot be used.
            FetchError: if a source cannot be fetched.
        """

    @abstractmethod
    def read(self, source: Source) -> str:
        """The whole text out of its source."""

    def load(self) -> Tokens:
        """The tokens, from the cache if they were read from the same source before.

        Raises:
            CharRNNError: if the source cannot be had or read.
        """
        source = self.source()
        key = f"{self.name}-{source.sha256}" if source.sha256 else None
        found = read_cached(key) if key else None
        if found is None:
            text = self.read(source)
            tokens, vocabulary = self.tokenization.tokenize(text)
            found = tokens, vocabulary, hashlib.sha256(text.encode()).hexdigest()
            if key:
                write_cached(key, *found)
        return Tokens(self.name, *found, source)


@dataclass(frozen=True)
class StandardLibrary(Corpus):
    """The sources of the running Python's standard library, without its tests, ASCII only.

    Real code on every machine without a network, 11 to 12 million characters; which ones depends
    on the Python version, and the hash tells.
    """

    name = "stdlib"
    SKIPPED: ClassVar = frozenset({"test", "tests", "idle_test", "site-packages", "dist-packages"})

    def source(self) -> Source:
        origin = f"standard library of Python {platform.python_version()}"
        return Source(origin, "PSF-2.0", Path(sysconfig.get_path("stdlib")))

    def read(self, source: Source) -> str:
        root = source.path
        modules = sorted(
            path.relative_to(root)
            for path in root.rglob("*.py")
            if self.SKIPPED.isdisjoint(path.relative_to(root).parts)
        )
        return b"".join((root / m).read_bytes() for m in modules).decode("ascii", "ignore")


@dataclass(frozen=True)
class TextFile(Corpus):
    """Any UTF-8 text file, exactly as it is.

    Args:
        path: the file. Its stem becomes the corpus's name.
    """

    path: str

    @property
    def name(self) -> str:
        return Path(str(self.path)).stem

    def source(self) -> Source:
        require(self.path is not None, "data.path", "null", "a text file")
        return Source("a file of the user's", "unknown", Path(str(self.path)).expanduser())

    def read(self, source: Source) -> str:
        return read_text(source.path, field="data.path")


def read_text(path: Path, field: str) -> str:
    """A text file, exactly as it is.

    Raises:
        BadInput: naming ``field``, if it cannot be read or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(field, path, f"a UTF-8 text file (byte {error.start} is not)") from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadInput(field, path, f"a readable text file ({reason})") from error


@functools.lru_cache(maxsize=8)
def load_once(corpus: Corpus) -> Tokens:
    """The tokens of ``corpus``, read once a process: the cells of a sweep share them."""
    return corpus.load()
