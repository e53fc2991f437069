"""Notes to MIDI: what a model of music has written, to be listened to."""

from __future__ import annotations

import io
from collections.abc import Iterable

from mido import Message, MidiFile, MidiTrack  # type: ignore[import-untyped]

from charrnn.errors import CharRNNError

BEAT = 480  # Ticks; at MIDI's own tempo, 120 beats a minute.
NOTE, REST = BEAT // 2, 4 * BEAT
END_OF_LINE = "\n"


def as_midi(symbols: Iterable[str]) -> bytes:
    """Tokens of music as a MIDI file, format 0, one note after another.

    The paper's music says which notes follow each other, not when: each sounds for half a beat. The
    end of a line, that is of a composition, is a rest of four beats.

    Args:
        symbols: decimal MIDI pitches, and ends of lines.

    Raises:
        CharRNNError: if a token is no MIDI pitch.
    """
    track = MidiTrack()
    rest = 0
    for symbol in symbols:
        if symbol == END_OF_LINE:
            rest += REST if track else 0  # silence at the beginning says nothing
            continue
        if not (symbol.isdecimal() and int(symbol) <= 127):
            raise CharRNNError(f"the token {symbol!r} is no MIDI pitch from 0 to 127.")
        track.append(Message("note_on", note=int(symbol), velocity=64, time=rest))
        track.append(Message("note_off", note=int(symbol), velocity=64, time=NOTE))
        rest = 0
    buffer = io.BytesIO()
    MidiFile(type=0, ticks_per_beat=BEAT, tracks=[track]).save(file=buffer)
    return buffer.getvalue()
