"""Reading the notes of a Humdrum `**kern` score in the paper's order: by onset, from low to high.

A file is a table: a column, called a spine, is a voice, and a line is a moment. The format is that
of https://www.humdrum.org/rep/kern/ and https://www.humdrum.org/guide/ch05/. music21 reads it too,
but takes about a second for a file that this module reads in milliseconds, and has to be installed.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from charrnn.data.music.musicxml import MIDDLE_C, SEMITONES
from charrnn.errors import CharRNNError

PITCH = re.compile(r"([a-gA-G])\1*[#n-]*")
"""A letter, repeated for further octaves, and its accidentals: `cc#` is C sharp 5."""
TIED_ON = re.compile(r"[\]_]")
"""Marks of a note that only continues an earlier one: the end, or the middle, of a tie."""
GRACE = re.compile(r"[qQ]")
"""Marks of a note that takes no time. Appoggiaturas have their own marks, and do take time."""
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
HIGHEST = 127
"""The highest pitch in MIDI; the lowest is 0."""


class UnreadableKern(CharRNNError):
    """A file that is not a score in `**kern`, or is damaged."""

    def __init__(self, name: str, line: int, reason: str) -> None:
        super().__init__(f"{name} cannot be read as Humdrum kern (line {line}: {reason}).")


def kern_pitches(content: bytes, name: str) -> list[int]:
    """MIDI pitches of all notes of a score, sorted by onset, then from low to high.

    All notes of a line begin together, and the next line is later, so that durations need not be
    added up. A tied note counts once. A grace note has the onset of the next note that takes time.
    If two voices strike the same pitch together, both notes count. A repeated section counts once,
    as it is written. Everything else is ignored: rests, bar lines, tempo, keys, text, dynamics.

    Args:
        content: the file. Its comments may have any encoding.
        name: how an error names it.

    Raises:
        UnreadableKern: if the table or a note is not as the format demands, or there is no note.
    """
    spines: list[str] = []
    notes: list[int] = []
    moment: list[int] = []  # the notes that begin together
    number = 0
    text = content.removeprefix(BYTE_ORDER_MARK).decode("latin-1")
    for number, line in enumerate(re.split(r"\r\n?|\n", text), 1):
        if not line.strip() or line.startswith("!"):  # nothing, or a comment
            continue
        fields = line.split("\t")
        try:
            if line.startswith("*"):
                spines = _spines_after(spines, fields)
                continue
            _check_count(spines, fields)
            if line.startswith("="):  # a bar line
                continue
            found = list(_struck(spines, fields))
        except ValueError as error:
            raise UnreadableKern(name, number, str(error)) from error
        moment += [pitch for pitch, _ in found if pitch is not None]
        if any(takes_time for _, takes_time in found):
            notes += sorted(moment)
            moment = []
    notes += sorted(moment)
    if spines or not notes:
        problem = "the file ends before its spines do" if spines else "no line has a note"
        raise UnreadableKern(name, number, problem)
    return notes


def _check_count(spines: list[str], fields: list[str]) -> None:
    if not spines:
        raise ValueError("no spine has begun, as **kern would begin one")
    if len(fields) != len(spines):
        raise ValueError(f"it has {len(fields)} fields for {len(spines)} spines")


def _struck(spines: list[str], fields: list[str]) -> Iterator[tuple[int | None, bool]]:
    """For every note or rest of a line: the pitch that it strikes, if any; whether it takes time.

    Raises:
        ValueError: if one is neither a note nor a rest.
    """
    for spine, field in zip(spines, fields, strict=True):
        if spine != "**kern" or field == ".":  # a point says that nothing new begins
            continue
        yield from map(_note, field.split())  # the notes of a chord


@functools.lru_cache(maxsize=10_000)  # a score has few different notes
def _note(token: str) -> tuple[int | None, bool]:
    takes_time = GRACE.search(token) is None
    if "r" in token:
        return None, takes_time
    pitch = _midi_pitch(token)
    return (None if TIED_ON.search(token) else pitch), takes_time


def _midi_pitch(token: str) -> int:
    found = list(PITCH.finditer(token))
    if len(found) != 1:
        raise ValueError(f"{token[:20]!r} is not one note or rest")
    letter, written = found[0][1], found[0][0]
    octaves = written.count(letter) - 1  # c is middle C, and C the one below
    octaves = octaves if letter.islower() else -1 - octaves
    alter = written.count("#") - written.count("-")
    pitch = MIDDLE_C + 12 * octaves + SEMITONES[letter.upper()] + alter
    if not 0 <= pitch <= HIGHEST:
        raise ValueError(f"{token[:20]!r} is not a pitch that MIDI has")
    return pitch


def _spines_after(spines: list[str], fields: list[str]) -> list[str]:
    """The kinds of the spines after a line of interpretations, which can change what they are.

    Args:
        spines: the kind of each spine before it, such as `**kern`; "" if it is not known yet.
        fields: the line. `*^` splits a spine, a row of `*v` joins spines, two `*x` exchange theirs,
            `*+` adds one to the right, `*-` ends one, and `**` and a word says what kind one is.

    Raises:
        ValueError: if that cannot be done.
    """
    if not all(field.startswith("*") for field in fields):
        raise ValueError("it has data among its interpretations")
    if not spines and all(field.startswith("**") for field in fields):
        return fields
    _check_count(spines, fields)
    before = list(spines)
    traded = [place for place, field in enumerate(fields) if field == "*x"]
    if traded:
        if len(traded) != 2:
            raise ValueError(f"*x exchanges two spines, not {len(traded)}")
        one, other = traded
        before[one], before[other] = before[other], before[one]
    after: list[str] = []
    for place, (spine, field) in enumerate(zip(before, fields, strict=True)):
        if field == "*v":
            if "*v" not in (*fields[max(place - 1, 0) : place], *fields[place + 1 : place + 2]):
                raise ValueError("*v joins a spine with no other")
            if place and fields[place - 1] == "*v":
                if spine != before[place - 1]:
                    raise ValueError(f"*v joins {before[place - 1]} with {spine}")
                continue
        after += {"*^": [spine, spine], "*+": [spine, ""], "*-": []}.get(
            field, [field if field.startswith("**") else spine]
        )
    return after
