"""What the MIDI standard allows in a file, and mido does not read: chunks, RIFF and escapes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mido import Message  # type: ignore[import-untyped]
from mido.midifiles import midifiles  # type: ignore[import-untyped]

RIFF, HEADER, TRACK = b"RIFF", b"MThd", b"MTrk"
BEFORE_CONTENT = 8
"""Bytes of a chunk's name and length."""
COUNT = slice(10, 12)
"""Where a file's header counts its tracks."""


def without_contents(file: Any, delta: int, clip: bool = False) -> Message:
    """Read past a system exclusive message, in mido's place, which refuses bytes of an escape.

    Such messages have no notes; only their time matters.
    """
    del clip  # mido's
    midifiles.read_bytes(file, midifiles.read_variable_int(file))
    return Message("sysex", time=delta)


midifiles.read_sysex = without_contents


def plain(content: bytes) -> tuple[bytes, list[str]]:
    """The file as mido reads it: header and tracks alone, with their right number.

    Args:
        content: of the file, which may be in a RIFF container, have unknown chunks between its
            tracks, which the standard says to skip, and more tracks than its header counts.

    Returns:
        The content, and in a few words each what was left out or wrong. Content that is neither
        complete nor MIDI is returned as it is, for mido to refuse.
    """
    if content[:4] == RIFF:
        body = content[12:]
        parts = _chunks(body, "little", even=True)
        inside = (part for name, _, part in parts if name == b"data")
        content = next(inside, content)
    if content[:4] != HEADER or len(content) < COUNT.stop:
        return content, []
    header, *others = _chunks(content, "big")
    tracks = [chunk for chunk in others if chunk[0] == TRACK]
    unknown = len(others) - len(tracks)
    counted = int.from_bytes(content[COUNT], "big")
    said = [f"unknown chunks left out: {unknown}"] if unknown else []
    if len(tracks) > counted:
        said.append(f"its header counts {counted} of {len(tracks)} tracks")
    elif not unknown:
        return content, []
    number = max(counted, len(tracks)).to_bytes(2, "big")
    name, size, fields = header
    chunks = [(name, size, fields[:2] + number + fields[4:]), *tracks]
    return b"".join(name + size.to_bytes(4, "big") + part for name, size, part in chunks), said


def _chunks(content: bytes, order: Any, even: bool = False) -> Iterator[tuple[bytes, int, bytes]]:
    """Name, length and content of each chunk; the last one may be cut short of its length."""
    place = 0
    while place + BEFORE_CONTENT <= len(content):
        size = int.from_bytes(content[place + 4 : place + BEFORE_CONTENT], order)
        start = place + BEFORE_CONTENT
        yield content[place : place + 4], size, content[start : start + size]
        place = start + size + (size % 2 if even else 0)
