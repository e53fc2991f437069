"""Reading the notes of a MusicXML score in the paper's order: by onset, then from low to high."""

from __future__ import annotations

from fractions import Fraction
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from charrnn.data.fetching.archives import zip_members

SEMITONES = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
MIDDLE_C_OCTAVE, MIDDLE_C = 4, 60


def mxl_document(content: bytes) -> bytes:
    """The score inside a compressed MusicXML file; the file's container entry names it."""
    members = zip_members(content, lambda _: True)
    container = ElementTree.fromstring(members["META-INF/container.xml"])
    root = next(element for element in container.iter() if element.tag.endswith("rootfile"))
    return members[root.get("full-path", "")]


def score_pitches(xml: bytes) -> list[int]:
    """MIDI pitches of all notes in a partwise score, sorted by onset, then from low to high.

    A tied note counts once. A grace note has the onset of the note that it precedes. If two parts
    play the same pitch at the same onset, both notes count.

    Args:
        xml: the document, from a trusted source.
    """
    notes: list[tuple[Fraction, int]] = []
    for part in ElementTree.fromstring(xml).iter("part"):
        notes += _part_notes(part)
    return [pitch for _, pitch in sorted(notes)]


def _part_notes(part: Element) -> list[tuple[Fraction, int]]:
    """Onset, in quarter notes from the start, and pitch of every note in a part."""
    notes = []
    now, onset, divisions = Fraction(0), Fraction(0), Fraction(1)
    for element in part.iterfind("measure/*"):
        if element.tag == "attributes" and element.find("divisions") is not None:
            divisions = Fraction(element.findtext("divisions", ""))
        duration = Fraction(element.findtext("duration", "0")) / divisions
        if element.tag == "backup":
            now -= duration
        elif element.tag == "forward":
            now += duration
        elif element.tag == "note":
            if element.find("chord") is None:
                onset, now = now, now + duration
            pitch = element.find("pitch")
            tied_on = any(tie.get("type") == "stop" for tie in element.iterfind("tie"))
            if pitch is not None and not tied_on:
                notes.append((onset, _midi_pitch(pitch)))
    return notes


def _midi_pitch(pitch: Element) -> int:
    step = SEMITONES[pitch.findtext("step", "")]
    octave = int(pitch.findtext("octave", ""))
    alter = round(float(pitch.findtext("alter", "0")))
    return MIDDLE_C + 12 * (octave - MIDDLE_C_OCTAVE) + step + alter
