"""Writing notes to a MIDI file, to listen to what a model of music has generated."""

from __future__ import annotations

import io
from collections.abc import Iterable

from mido import Message, MidiFile, MidiTrack  # type: ignore[import-untyped]

from charrnn.errors import CharRNNError

BEAT = 480
"""Ticks per beat; MIDI's default tempo is 120 beats per minute."""
NOTE = BEAT // 2
"""Length of a note, in ticks."""
REST = 4 * BEAT
"""Silence between two compositions, in ticks."""
END_OF_LINE = "\n"


def as_midi(symbols: Iterable[str]) -> bytes:
    """Tokens of music as a MIDI file, format 0, one note after another.

    The paper's music format has the order of the notes but not their times, so each note sounds for
    half a beat. The end of a line, which is the end of a composition, becomes a rest of four beats.

    Args:
        symbols: decimal MIDI pitches and line ends.

    Returns:
        The content of the file.

    Raises:
        CharRNNError: if a token is not a MIDI pitch.
    """
    track = MidiTrack()
    rest = 0
    for symbol in symbols:
        if symbol == END_OF_LINE:
            rest += REST if track else 0  # no rest before the first note
            continue
        if not (symbol.isdecimal() and int(symbol) <= 127):
            raise CharRNNError(f"the token {symbol!r} is not a MIDI pitch from 0 to 127.")
        track.append(Message("note_on", note=int(symbol), velocity=64, time=rest))
        track.append(Message("note_off", note=int(symbol), velocity=64, time=NOTE))
        rest = 0
    buffer = io.BytesIO()
    MidiFile(type=0, ticks_per_beat=BEAT, tracks=[track]).save(file=buffer)
    return buffer.getvalue()
