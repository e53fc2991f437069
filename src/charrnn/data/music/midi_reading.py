"""From a folder of MIDI files to the paper's music format (Section 4.1).

Each line is a composition: its notes as decimal MIDI pitches, separated by single spaces.

symusic would read a file of 1,350 notes in 0.5 ms instead of mido's 22 ms, but it loses notes that
are never released, merges the tracks of format 2, refuses SMPTE time and needs pySmartDL.
"""

from __future__ import annotations

import io
import itertools
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mido import MidiFile  # type: ignore[import-untyped]
from mido.midifiles.meta import add_meta_spec  # type: ignore[import-untyped]

from charrnn.data.music.midi_chunks import plain
from charrnn.errors import CharRNNError, reason, require
from charrnn.files import read_file, require_writable, write_output

SUFFIXES = frozenset({".mid", ".midi", ".kar", ".rmi"})
"""Of MIDI files: .kar ones have the words of a song too, and .rmi ones are in a RIFF container."""
DRUMS = 9
"""MIDI's channel 10, counted from 0. Its pitches stand for percussion instruments."""
LONGEST_DELTA = 0x0FFFFFFF
"""The standard's largest time between two events, in ticks."""
LONGEST_RUN = 10_000
"""Bytes above 127 in a row, far more than any composition has."""
MIDI_FOLDER = "a folder of MIDI files"

log = logging.getLogger(__name__)


class UnreadableMidi(CharRNNError):
    """A file that is not a MIDI file, or is damaged."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be read as MIDI ({reason}).")


class _UnreadMeta:
    """A meta event whose content is ignored, for mido's table of meta events.

    Meta events contain no notes. Without this, mido 1.3.3 refuses a whole file because of one
    invalid key signature, and drops the time before an unknown event, which shifts all later notes.
    """

    type = "unread"
    attributes: tuple[str, ...] = ()
    defaults: tuple[Any, ...] = ()

    def decode(self, message: Any, data: list[int]) -> None:
        """Take any ``data``."""


for _byte in range(0x100):
    add_meta_spec(type("_UnreadMeta", (_UnreadMeta,), {"type_byte": _byte}))


@dataclass(frozen=True)
class Summary:
    """How many MIDI files and notes went into a music text.

    Attributes:
        compositions: number of lines.
        notes: number of notes in all lines.
        unique: number of different notes.
        duplicates: files left out because an earlier file has the same notes.
        skipped: files left out because they cannot be read or have no notes.

    Examples:
        >>> print(Summary(compositions=2, notes=1500, unique=60, duplicates=1, skipped=3))
        2 compositions, 1,500 notes (60 unique); files left out: 1 duplicates, 3 without notes
    """

    compositions: int
    notes: int
    unique: int
    duplicates: int
    skipped: int

    def __str__(self) -> str:
        return (
            f"{self.compositions:,} compositions, {self.notes:,} notes ({self.unique} unique); "
            f"files left out: {self.duplicates} duplicates, {self.skipped} without notes"
        )


def build(folder: Path, out: Path) -> Summary:
    """Write the music text of all MIDI files below ``folder`` to the file ``out``.

    Raises:
        BadInput: if ``folder`` is not a folder or has no notes, or ``out`` cannot be written.
    """
    out = out.expanduser()
    require_writable(out, "OUT")
    text, summary = _collect(folder.expanduser(), "FOLDER")
    write_output(out, text, "OUT")
    return summary


def music_text(folder: Path, field: str) -> str:
    """The compositions of all MIDI files below ``folder``, sorted by relative path.

    Args:
        folder: the folder.
        field: how the user named it.

    Raises:
        BadInput: naming ``field``, if ``folder`` is not a folder, or has no notes.
    """
    return _collect(folder.expanduser(), field)[0]


def read_notes(path: Path) -> list[int]:
    """The pitches of one file, sorted by onset, and from low to high at the same onset.

    Every note-on with a velocity above 0 is a note; with velocity 0 it is a note-off, as in the
    standard. Drums are left out. Onsets are counted in ticks from the beginning, over all tracks;
    the tracks of format 2 are separate pieces, and follow each other. The same pitch twice at one
    onset is two notes, such as a unison of two voices: the paper drops only whole duplicate
    compositions.

    Raises:
        UnreadableMidi: if the file cannot be opened, is a link or device, or is incomplete.
    """
    midi = _parse(path)
    tracks = [list(_strikes(path, track)) for track in midi.tracks]
    pieces = tracks if midi.type == 2 else [list(itertools.chain.from_iterable(tracks))]
    strikes = [strike for piece in pieces for strike in sorted(piece)]
    notes = [pitch for _, pitch, channel in strikes if channel != DRUMS]
    if len(notes) < len(strikes):
        log.info("skipped: drum notes (%d) of %s", len(strikes) - len(notes), path)
    return notes


def _parse(path: Path) -> MidiFile:
    try:
        # A link may lead out of the folder, or to a file that is read anyway; a pipe never ends.
        if os.path.islink(path) or not os.path.isfile(path):
            raise UnreadableMidi(path, "not a plain file")
        content = read_file(path)
    except OSError as error:
        raise UnreadableMidi(path, reason(error)) from error
    # mido does not limit the bytes of a number, and its time grows with their square.
    if any(len(run) > LONGEST_RUN for run in re.findall(rb"[\x80-\xff]+", content)):
        raise UnreadableMidi(path, f"more than {LONGEST_RUN} bytes above 127 in a row")
    content, said = plain(content)
    if said:
        log.info("%s: %s", path, "; ".join(said))
    try:
        # From memory, so that a wrong length in a header cannot ask for more than the file has.
        midi = MidiFile(file=io.BytesIO(content))
    except (EOFError, OSError, ValueError) as error:
        raise UnreadableMidi(path, str(error) or "it ends too early") from error
    if midi.type not in (0, 1, 2):
        raise UnreadableMidi(path, f"format {midi.type} is not 0, 1 or 2")
    return midi


def _strikes(path: Path, track: Any) -> Iterator[tuple[int, int, int]]:
    """Onset in ticks, pitch and channel of every note in a track."""
    tick = 0
    for message in track:
        if message.time > LONGEST_DELTA:
            raise UnreadableMidi(path, "a time between two events is too long")
        tick += message.time
        if message.type == "note_on" and message.velocity > 0:
            yield tick, message.note, message.channel


def _collect(folder: Path, field: str) -> tuple[str, Summary]:
    """The music text of ``folder``, and its summary."""
    require(os.path.isdir(folder), field, folder, MIDI_FOLDER)
    paths = _midi_files(folder)
    first: dict[tuple[int, ...], Path] = {}
    duplicates = skipped = 0
    for path in paths:
        try:
            notes = tuple(read_notes(path))
        except UnreadableMidi as error:
            log.warning("skipped: %s", error)
            skipped += 1
            continue
        if not notes:
            log.warning("skipped: %s has no notes", path)
            skipped += 1
        elif notes in first:
            log.info("skipped: %s has the notes of %s", path, first[notes])
            duplicates += 1
        else:
            first[notes] = path
    kinds = ", ".join(sorted(SUFFIXES))
    wanted = f"a folder whose MIDI files ({kinds}) have notes ({len(paths)} files have none)"
    require(bool(first), field, folder, wanted)
    text = "".join(" ".join(map(str, notes)) + "\n" for notes in first)
    unique = len(set(itertools.chain.from_iterable(first)))
    return text, Summary(len(first), sum(map(len, first)), unique, duplicates, skipped)


def _midi_files(folder: Path) -> list[Path]:
    """The MIDI files below ``folder``, sorted by relative path. Links are not followed."""

    def report(error: OSError) -> None:
        log.warning("skipped: %s cannot be listed (%s)", error.filename, reason(error))

    found = [
        Path(root, name)
        for root, _, names in os.walk(folder, onerror=report)
        for name in names
        if Path(name).suffix.lower() in SUFFIXES
    ]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())
