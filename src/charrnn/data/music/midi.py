"""From a folder of MIDI files to the paper's music format (Section 4.1).

A line is a composition: its notes as decimal MIDI pitches, with single spaces between them.

mido and not symusic, which takes 0.5 ms a file of 1,350 notes to mido's 22, but loses notes that
are never released, plays format 2's tracks at once, refuses SMPTE time and needs pySmartDL.
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

from charrnn.errors import BadInput, CharRNNError, require
from charrnn.files import write_atomically

SUFFIXES = frozenset({".mid", ".midi"})
DRUMS = 9  # MIDI's channel 10, counted from 0: its pitches name instruments.
LONGEST_DELTA = 0x0FFFFFFF  # Ticks: the standard's bound.
LONGEST_RUN = 10_000  # Bytes above 127 in a row, far more than any composition has.

log = logging.getLogger(__name__)


class UnreadableMidi(CharRNNError):
    """A file that is no MIDI file, or a broken one."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} cannot be read as MIDI ({reason}).")


class _UnreadMeta:
    """A meta event whose content is left alone, for mido's table of meta events.

    No meta event holds a note. mido 1.3.3 refuses a whole file for a key signature out of range,
    and forgets the time before a type that it does not know, which moves all notes after it.
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
    """What became of a folder of MIDI files.

    Attributes:
        compositions: lines of the music text.
        notes: tokens of all lines.
        unique: different notes among them.
        duplicates: files left out because an earlier one has the same notes.
        skipped: files left out because they cannot be read or have no notes.
    """

    compositions: int
    notes: int
    unique: int
    duplicates: int
    skipped: int


def build(folder: Path, out: Path) -> Summary:
    """Write the music text of all MIDI files below ``folder`` to the file ``out``, in one step.

    Raises:
        BadInput: if ``folder`` is not a folder or has no notes, or ``out`` cannot be written.
    """
    out = out.expanduser()
    require(out.parent.is_dir(), "out", out, "a file in a folder that is there")
    text, summary = _collect(folder.expanduser())
    try:
        write_atomically(out, text)
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise BadInput("out", out, f"a file that can be written ({reason})") from error
    return summary


def music_text(folder: Path) -> str:
    """The compositions of all MIDI files below ``folder``, in the order of their relative paths.

    Raises:
        BadInput: if ``folder`` is not a folder, or has no notes.
    """
    return _collect(folder.expanduser())[0]


def read_notes(path: Path) -> list[int]:
    """The pitches of one file: by onset, simultaneous notes from low to high; no drums.

    A note is a note-on with a velocity above 0; with velocity 0 it is a note-off, as the standard
    has it. An onset is counted in ticks from the beginning, over all tracks; the tracks of format
    2 are pieces of their own, and follow each other. A pitch struck twice at one onset is two
    notes: the paper drops whole compositions only, and a unison is played by two voices.

    Raises:
        UnreadableMidi: if the file cannot be opened, is a link or device, or is not whole.
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
        # A link leads to a file that is found elsewhere, or away from here; a pipe never ends.
        if os.path.islink(path) or not os.path.isfile(path):
            raise UnreadableMidi(path, "not a plain file")
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableMidi(path, (error.strerror or str(error)).lower()) from error
    # mido has no bound on the bytes of a number, and needs the square of their count.
    if any(len(run) > LONGEST_RUN for run in re.findall(rb"[\x80-\xff]+", content)):
        raise UnreadableMidi(path, f"more than {LONGEST_RUN} bytes above 127 in a row")
    try:
        # From memory: a length in a broken header cannot ask for more than the file has.
        midi = MidiFile(file=io.BytesIO(content))
    except (EOFError, OSError, ValueError) as error:
        raise UnreadableMidi(path, str(error) or "it ends too early") from error
    if midi.type not in (0, 1, 2):
        raise UnreadableMidi(path, f"format {midi.type} is not 0, 1 or 2")
    return midi


def _strikes(path: Path, track: Any) -> Iterator[tuple[int, int, int]]:
    """Onset in ticks, pitch and channel of every note-on of a track."""
    tick = 0
    for message in track:
        if message.time > LONGEST_DELTA:
            raise UnreadableMidi(path, "a time that is too long")
        tick += message.time
        if message.type == "note_on" and message.velocity > 0:
            yield tick, message.note, message.channel


def _collect(folder: Path) -> tuple[str, Summary]:
    """The music text of ``folder`` and what became of its files."""
    require(os.path.isdir(folder), "data.path", folder, "a folder of MIDI files")
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
    wanted = f"a folder with notes in its .mid and .midi files (of {len(paths)}, none has any)"
    require(bool(first), "data.path", folder, wanted)
    text = "".join(" ".join(map(str, notes)) + "\n" for notes in first)
    unique = len(set(itertools.chain.from_iterable(first)))
    return text, Summary(len(first), sum(map(len, first)), unique, duplicates, skipped)


def _midi_files(folder: Path) -> list[Path]:
    """The MIDI files below ``folder``, sorted by relative path; linked folders are not entered."""

    def report(error: OSError) -> None:
        log.warning("skipped: %s cannot be listed (%s)", error.filename, error.strerror)

    found = [
        Path(root, name)
        for root, _, names in os.walk(folder, onerror=report)
        for name in names
        if Path(name).suffix.lower() in SUFFIXES
    ]
    return sorted(found, key=lambda path: path.relative_to(folder).as_posix())
