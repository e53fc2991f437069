"""Corpora, and the two that need no download: Python's standard library and any text file."""

from __future__ import annotations

import codecs
import functools
import platform
import sysconfig
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

import charset_normalizer

from charrnn.data.cache import read_cached, write_cached
from charrnn.data.corpora.tokens import Source, Tokens, hash_of
from charrnn.data.vocabulary import CHARACTERS, Tokenization, tokenization_called
from charrnn.errors import BadInput, reason, require, require_choice
from charrnn.files import read_file
from charrnn.schema.fields import check_arguments

LOOKED_AT = 100_000
"""Bytes by which an encoding is guessed."""


@dataclass(frozen=True)
class Corpus(ABC):
    """A named text. Nothing is read before `load`. Corpora with equal arguments are equal.

    Args:
        first: number of tokens, from the beginning, that are used; None uses all. It shows how much
            of a result is the corpus's length.

    Raises:
        BadInput: if ``first`` is not a whole number, at least 1.
    """

    first: int | None = field(default=None, kw_only=True)

    tokenization: ClassVar[Tokenization] = CHARACTERS
    """What a token is: a character, or a note."""
    is_users: ClassVar[bool] = False
    """Whether `path` names files of the user's: they may change, and others may have their name."""

    def __post_init__(self) -> None:
        check_arguments("data.", first=self.first)

    @property
    @abstractmethod
    def name(self) -> str:
        """The name of the whole corpus."""

    @property
    def full_name(self) -> str:
        """The name in tables, figures and folder names: `shakespeare`, or `shakespeare-266672`."""
        return self.name if self.first is None else f"{self.name}-{self.first}"

    @property
    def title(self) -> str:
        """What log lines call it: its name, or the path of the user's files."""
        return str(vars(self)["path"]) if self.is_users else self.full_name

    @abstractmethod
    def source(self) -> Source:
        """The corpus's source on this machine, fetched if necessary, and verified.

        Raises:
            BadInput: if a source given by the user cannot be used.
            FetchError: if a source cannot be fetched.
        """

    @abstractmethod
    def read(self, source: Source) -> str:
        """The whole text, read from its source."""

    def load(self) -> Tokens:
        """The tokens that are used: the first ones, or all.

        Raises:
            BadInput: if the corpus has fewer than are asked for.
            CharRNNError: if the source cannot be fetched or read.
        """
        whole = self.load_whole()
        if self.first is None:
            return whole
        wanted = f"at most {len(whole.tokens)}, the number of tokens in {self.name}"
        require(self.first <= len(whole.tokens), "data.first", self.first, wanted)
        return replace(whole.beginning(self.first), name=self.full_name)

    def load_whole(self) -> Tokens:
        """All tokens, whatever ``first`` is; from the cache if the same source was read before.

        Raises:
            CharRNNError: if the source cannot be fetched or read.
        """
        source = self.source()
        key = f"{self.name}-{source.sha256}" if source.sha256 else None
        found = read_cached(key) if key else None
        if found is None:
            text = self.read(source)
            tokens, vocabulary = self.tokenization.tokenize(text)
            found = tokens, vocabulary, hash_of(text)
            if key:
                write_cached(key, *found)
        return Tokens(self.name, *found, source)


@dataclass(frozen=True)
class StandardLibrary(Corpus):
    """The source code of this Python's standard library, without its tests, ASCII only.

    It is available on every machine without a network and has 11 to 12 million characters. The text
    depends on the Python version; its hash is recorded.
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
    r"""Any text file, as it is but for a byte-order mark, which is removed.

    Args:
        path: the file. Its name without the extension becomes the corpus's name.
        tokens: what a token is, see charrnn.data.vocabulary.tokenization_called.
        encoding: how the file is encoded, by a name that Python knows.
        newlines: `keep`, or `normalize`: CRLF and CR become LF.

    Raises:
        BadInput: if an argument cannot be used.

    Examples:
        >>> import tempfile
        >>> with tempfile.NamedTemporaryFile("w", prefix="hamlet", suffix=".txt") as file:
        ...     print("to be or not to be", file=file, flush=True)
        ...     tokens = TextFile(file.name).load()
        >>> tokens.vocabulary.symbols
        ('\n', ' ', 'b', 'e', 'n', 'o', 'r', 't')
        >>> tokens.tokens
        array([7, 5, 1, 2, 3, 1, 5, 6, 1, 4, 5, 7, 1, 7, 5, 1, 2, 3, 0],
              dtype=uint8)
    """

    path: str
    tokens: str = "characters"
    encoding: str = "utf-8"
    newlines: Literal["keep", "normalize"] = "keep"
    is_users: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        path_given(self.path, "a text file")
        require_choice("data.newlines", self.newlines, ("keep", "normalize"))
        require_encoding("data.encoding", self.encoding)

    @property
    def tokenization(self) -> Tokenization:  # type: ignore[override]
        """What a token is."""
        return tokenization_called(self.tokens)

    @property
    def name(self) -> str:
        return Path(str(self.path)).stem

    def source(self) -> Source:
        read_as = [self.encoding] if codecs.lookup(self.encoding).name != "utf-8" else []
        read_as += ["line ends normalised"] if self.newlines == "normalize" else []
        path = path_given(self.path, "a text file")
        return Source("the user's text file", "unknown", path, encoding=", ".join(read_as) or None)

    def read(self, source: Source) -> str:
        return self.text("data.path")

    def text(self, field: str) -> str:
        """The whole text.

        Args:
            field: how the user has named the file.

        Raises:
            BadInput: naming ``field``, if the file cannot be read or has another encoding.
        """
        path = path_given(self.path, "a text file")
        text = read_text(path, field, self.encoding).removeprefix("\ufeff")
        require(text != "", field, path, "a text; this one is empty")
        if self.newlines == "normalize":
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        return text


def path_given(value: object, wanted: str) -> Path:
    """The path that the user gave as ``data.path``; a name such as 1984 arrives as a number.

    Args:
        value: the field's value.
        wanted: what it should be the path of.

    Raises:
        BadInput: if it is not a path.
    """
    usable = isinstance(value, str | int) and not isinstance(value, bool) and value != ""
    require(usable, "data.path", "null" if value is None else value, f"the path of {wanted}")
    return Path(str(value)).expanduser()


def require_encoding(field: str, name: str) -> None:
    """Refuse the name of an encoding that Python does not know.

    Raises:
        BadInput: naming ``field``.
    """
    try:
        "".encode(name)
    except (LookupError, TypeError) as error:
        wanted = "an encoding that Python knows, such as utf-8, utf-16, latin-1 or cp1252"
        raise BadInput(field, name, wanted) from error


def read_text(path: Path, field: str, encoding: str = "utf-8") -> str:
    """A text file, exactly as it is.

    Raises:
        BadInput: naming ``field``, if the file cannot be read or has another encoding.
    """
    try:
        content = read_file(path)
        return content.decode(encoding)
    except UnicodeError as error:
        where = f"byte {error.start}" if isinstance(error, UnicodeDecodeError) else "something"
        wanted = f"a {encoding.upper()} text file ({where} is not{_likely(content, field)})"
        raise BadInput(field, path, wanted) from error
    except OSError as error:
        raise BadInput(field, path, f"a readable text file ({_why(path, error)})") from error


def _why(path: Path, error: OSError) -> str:
    """Why a file cannot be read; where it was looked for, and how a number came to be its name."""
    missing = isinstance(error, FileNotFoundError)
    where = f" in {Path.cwd()}" if missing and not path.is_absolute() else ""
    number = missing and path.name.isdecimal()
    quote = "; a name such as 1_000 is a number unless it has quotes: '\"1_000\"'" if number else ""
    return f"{reason(error)}{where}{quote}"


def _likely(content: bytes, field: str) -> str:
    """The encoding that a file probably has, as the end of a sentence."""
    found = charset_normalizer.from_bytes(content[:LOOKED_AT]).best()
    if found is None:
        return ""
    how = "data.encoding=" if field == "data.path" else "--encoding "
    return f"; it looks like {how}{found.encoding}"


@functools.lru_cache(maxsize=8)
def load_once(corpus: Corpus) -> Tokens:
    """The tokens of ``corpus``, read once per process: the cells of a sweep share them."""
    return corpus.load()
