"""From the files of scores to the paper's music format: a line of notes for each."""

from __future__ import annotations

from collections.abc import Mapping

from charrnn.data.music.kern import kern_pitches
from charrnn.data.music.musicxml import mxl_document, score_pitches


def score_lines(files: Mapping[str, bytes]) -> list[str]:
    """The notes of every score, as decimal MIDI pitches with spaces between them, and a line end.

    Args:
        files: the content of each file by its name, which ends with `.krn` for Humdrum kern, `.mxl`
            for compressed MusicXML, and anything else for plain MusicXML.

    Raises:
        UnreadableKern: if a kern file is damaged.
    """
    scores = (_pitches(name, content) for name, content in files.items())
    return [" ".join(map(str, pitches)) + "\n" for pitches in scores]


def _pitches(name: str, content: bytes) -> list[int]:
    if name.endswith(".krn"):
        return kern_pitches(content, name)
    return score_pitches(mxl_document(content) if name.endswith(".mxl") else content)
