"""The paper's four corpora: the authors' files, verified by their Git blob ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from charrnn.data.corpora.base import Corpus, path_given, read_text
from charrnn.data.corpora.tokens import Source, Tokens
from charrnn.data.fetching.download import RemoteFile, download, verify
from charrnn.data.fetching.packages import FetchError, cache_folder, sha256_of
from charrnn.data.vocabulary import NOTES, Tokenization

REPOSITORY = "github.com/cedricdeboom/character-level-rnn-datasets"
ADDRESS = (
    "https://raw.githubusercontent.com/cedricdeboom/character-level-rnn-datasets/master/datasets"
)


@dataclass(frozen=True)
class AuthorsCorpus(Corpus):
    """A corpus of the paper (Section 4.2).

    Args:
        path: the authors' file, if it is already on this machine; None downloads it once.

    Raises:
        BadInput: if ``path`` is not a path.
    """

    path: str | None = None

    file: ClassVar[RemoteFile]
    num_tokens: ClassVar[int]
    """Number of tokens that the paper states."""
    num_unique: ClassVar[int]
    """Number of unique tokens that the paper states."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.path is not None:
            path_given(self.path, f"a copy of {self.file.filename}")

    def source(self) -> Source:
        if self.path is None:
            path = download(self.file, cache_folder())
        else:
            path = path_given(self.path, f"a copy of {self.file.filename}")
            verify(path, self.file)
        origin = f"{REPOSITORY}, datasets/{self.file.filename}"
        return Source(origin, "see there", path, sha256_of(path))

    def read(self, source: Source) -> str:
        return read_text(source.path, field="data.path")

    def load_whole(self) -> Tokens:
        """All tokens; their number is the one that the paper states.

        Raises:
            FetchError: if the file cannot be fetched, has another content, or other counts.
        """
        loaded = super().load_whole()
        found = len(loaded.tokens), len(loaded.vocabulary)
        if found != (self.num_tokens, self.num_unique):
            raise FetchError(
                f"{loaded.source.path} has {found[0]:,} tokens, {found[1]} of them unique, but "
                f"the paper has {self.num_tokens:,} and {self.num_unique}: please report this."
            )
        return loaded


def _file(filename: str, blob_id: str) -> RemoteFile:
    return RemoteFile(f"{ADDRESS}/{filename}", filename, blob_id)


@dataclass(frozen=True)
class English(AuthorsCorpus):
    """All plays by William Shakespeare from Project Gutenberg."""

    name = "english"
    file = _file("shakespeare.txt", "8dc7d27dcfb2514eb9a535b398c873d4beca818b")
    num_tokens, num_unique = 6_347_705, 85


@dataclass(frozen=True)
class Finnish(AuthorsCorpus):
    """Texts by Juhani Aho and Eino Leino from Project Gutenberg."""

    name = "finnish"
    file = _file("finnish.txt", "7ddc8f923094ad1570e4cc8766d4b1ca25bd39e2")
    num_tokens, num_unique = 10_976_530, 106


@dataclass(frozen=True)
class Linux(AuthorsCorpus):
    """The C code in kernel/ of the Linux kernel, as of 22 November 2016."""

    name = "linux"
    file = _file("linux.txt", "9842f6825e079b00606c74fdc5d68b13d1b26f05")
    num_tokens, num_unique = 6_546_665, 97


@dataclass(frozen=True)
class Music(AuthorsCorpus):
    """Notes of the piano works of Bach, Beethoven, Chopin and Haydn from Classical Archives."""

    name = "music"
    tokenization: ClassVar[Tokenization] = NOTES
    file = _file("music.txt", "ad37dc2856d1e792575e21175e82a6221edde1aa")
    num_tokens, num_unique = 1_553_852, 90
