"""From MIDI files to the music format. Every expected list of notes is worked out by hand."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from mido import Message, MetaMessage, MidiFile, MidiTrack

from charrnn.data.music.midi_reading import Summary, UnreadableMidi, build, music_text, read_notes
from charrnn.errors import BadInput

C, D, E, F, G, A = 60, 62, 64, 65, 67, 69
BEAT = 480
END = b"\x00\xff\x2f\x00"


def on(pitch, time=0, channel=0, velocity=64):
    return Message("note_on", note=pitch, time=time, channel=channel, velocity=velocity)


def off(pitch, time=0, channel=0):
    return Message("note_off", note=pitch, time=time, channel=channel)


def tune(*pitches):
    """A track of notes one after another."""
    return [message for pitch in pitches for message in (on(pitch), off(pitch, BEAT))]


def write(path, *tracks, form=1):
    """Write a MIDI file of format ``form``; the times in ``tracks`` are since the event before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    MidiFile(type=form, ticks_per_beat=BEAT, tracks=[MidiTrack(track) for track in tracks]).save(
        path
    )
    return path


def write_bytes(path, *tracks, form=0):
    """Write tracks of raw events behind their headers."""
    content = b"MThd\x00\x00\x00\x06" + bytes([0, form, 0, len(tracks), 1, 0xE0])
    for track in tracks:
        content += b"MTrk" + len(track).to_bytes(4, "big") + track
    path.write_bytes(content)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "piece.mid"


def test_notes_come_in_the_order_of_their_onsets(path):
    assert read_notes(write(path, tune(E, C, D))) == [E, C, D]


def test_a_chord_is_read_from_low_to_high(path):
    chord = [on(G), on(C), on(E), off(G, BEAT), off(C), off(E), on(A), on(F), off(A, BEAT), off(F)]
    assert read_notes(write(path, chord)) == [C, E, G, F, A]


def test_a_note_that_begins_while_another_sounds_comes_after_it(path):
    # A sounds from tick 0 to 960, C from 480 to 1440 and D from 960 on: C is lower, but later.
    track = [on(A), on(C, 480), off(A, 480), on(D), off(C, 480), off(D)]
    assert read_notes(write(path, track)) == [A, C, D]


def test_tracks_are_merged_by_onset(path):
    melody = [on(G), off(G, 480), on(E, 480), off(E, 480)]  # at ticks 0 and 960
    bass = [on(40), off(40, 480), on(41), off(41, 480), on(42), off(42, 480)]  # at 0, 480 and 960
    assert read_notes(write(path, melody, bass, form=1)) == [40, G, 41, 42, E]


def test_a_unison_of_two_tracks_or_channels_is_two_notes(path):
    twice = [on(C), on(C, channel=1), off(C, BEAT), off(C, channel=1)]
    assert read_notes(write(path, twice, tune(E))) == [C, C, E]
    assert read_notes(write(path, tune(C), tune(C))) == [C, C]


def test_drums_are_left_out_and_logged(path, caplog):
    caplog.set_level(logging.INFO)
    mixed = [on(C), on(36, channel=9), off(C, BEAT), off(36, channel=9), on(D, channel=10)]
    assert read_notes(write(path, mixed, form=0)) == [C, D]
    assert caplog.messages == [f"skipped: drum notes (1) of {path}"]


def test_running_status_is_understood(path):
    # One status byte 0x90 for all: E on, C on, E and C off by velocity 0, G on.
    events = bytes([0, 0x90, E, 64, 10, C, 64, 10, E, 0, 0, C, 0, 10, G, 64])
    assert read_notes(write_bytes(path, events + END)) == [E, C, G]


def test_velocity_0_ends_a_note(path):
    track = [on(E), on(E, BEAT, velocity=0), on(C), on(C, BEAT, velocity=0)]
    assert read_notes(write(path, track)) == [E, C]


def test_a_note_without_an_end_and_one_without_length_count(path):
    assert read_notes(write(path, [on(C), on(D, 10), off(D), on(E, 10)])) == [C, D, E]


def test_format_0_has_many_channels_in_one_track(path):
    track = [on(E, channel=3), on(C, channel=1), off(E, 10, channel=3), on(D, channel=2)]
    assert read_notes(write(path, track, form=0)) == [C, E, D]


def test_the_tracks_of_format_2_follow_each_other(path):
    assert read_notes(write(path, tune(E, G), tune(C, D), form=2)) == [E, G, C, D]


@pytest.mark.parametrize(
    "meta",
    [b"\xff\x60\x00", b"\xff\x59\x02\x08\x00", b"\xff\x54\x01\xff", b"\xff\x51\x00"],
    ids=["unknown", "9 sharps", "no such frame rate", "empty tempo"],
)
def test_only_the_time_of_a_meta_event_matters(path, meta):
    # The meta event is at tick 96 and C after it; D is at 16.
    late = b"\x60" + meta + bytes([0, 0x90, C, 64])
    early = bytes([16, 0x90, D, 64])
    assert read_notes(write_bytes(path, late + END, early + END, form=1)) == [D, C]


def test_a_file_cut_anywhere_is_unreadable(path):
    whole = write(path, tune(C, D)).read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(UnreadableMidi, match=r"piece.mid cannot be read as MIDI \(.+\)\.$"):
            read_notes(path)


def test_a_file_with_a_wrong_byte_is_read_or_unreadable(path):
    header = [MetaMessage("time_signature"), MetaMessage("text", text="x"), Message("pitchwheel")]
    whole = write(path, header, [Message("sysex", data=[1, 2]), *tune(C, D)]).read_bytes()
    refused = 0
    for place in range(len(whole)):
        for value in (0, 0x7F, 0x80, 0xF0, 0xF4, 0xFF):
            path.write_bytes(whole[:place] + bytes([value]) + whole[place + 1 :])
            try:
                read_notes(path)
            except UnreadableMidi:
                refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        (b"\x81" * 1_000_000, "more than 10000 bytes above 127 in a row"),
        (b"\x81" * 9_000 + bytes([0, 0x90, C, 64]), "a time between two events is too long"),
        (b"\x00\xf0\xff\xff\xff\x7f", "Message length 268435455 exceeds maximum length 1000000"),
        (b"\x00\x3c\x40", "running status without last_status"),
        (bytes([0, 0x90, 0xC8, 64]), "data byte must be in range 0..127"),
    ],
)
def test_numbers_without_sense_are_refused_at_once(path, events, reason):
    with pytest.raises(UnreadableMidi, match=reason):
        read_notes(write_bytes(path, events))


@pytest.mark.parametrize("content", [b"", b"no music", b"RIFF\x00\x00\x00\x00RMIDdata"])
def test_a_file_that_is_not_midi_is_unreadable(path, content):
    path.write_bytes(content)
    with pytest.raises(UnreadableMidi, match=r"cannot be read as MIDI"):
        read_notes(path)


def test_what_mido_does_not_read_is_read_and_what_is_left_out_is_said(path, caplog):
    """An escape, a chunk between tracks, a header that counts too few tracks, and RIFF."""
    caplog.set_level(logging.INFO)
    first, second = (b"\x00\x90" + bytes([pitch, 64]) + END for pitch in (C, D))
    escape = b"\x60\xf7\x03\xf3\x01\xff"
    write_bytes(path, escape + first, second, form=1)
    assert read_notes(path) == [D, C]  # the escape takes its time
    assert caplog.messages == []
    content = write_bytes(path, first, second, form=1).read_bytes()
    between = content.index(b"MTrk", 20)
    path.write_bytes(content[:between] + b"XFIH\x00\x00\x00\x03abc" + content[between:])
    assert read_notes(path) == [C, D]
    path.write_bytes(content[:10] + b"\x00\x01" + content[12:])
    assert read_notes(path) == [C, D]
    size = len(content).to_bytes(4, "little")
    before = b"RIFF\x00\x00\x00\x00RMIDDISP\x01\x00\x00\x00a\x00"
    path.write_bytes(before + b"data" + size + content)
    assert read_notes(path) == [C, D]
    assert caplog.messages == [
        f"{path}: unknown chunks left out: 1",
        f"{path}: its header counts 1 of 2 tracks",
    ]
    path.write_bytes(content[:10] + b"\x00\x03" + content[12:])
    with pytest.raises(UnreadableMidi):
        read_notes(path)


def test_karaoke_and_riff_files_are_read_beside_others(tmp_path):
    for suffix, pitch in ((".KAR", C), (".mid", D), (".rmi", E)):
        write(tmp_path / f"piece{suffix}", tune(pitch))
    assert music_text(tmp_path, "data.path") == f"{C}\n{D}\n{E}\n"


def test_an_unknown_format_is_unreadable(path):
    with pytest.raises(UnreadableMidi, match=r"format 7 is not 0, 1 or 2"):
        read_notes(write_bytes(path, bytes([0, 0x90, C, 64]) + END, form=7))


def test_links_pipes_and_files_that_cannot_be_opened_are_unreadable(tmp_path):
    (tmp_path / "link.mid").symlink_to(write(tmp_path / "piece.mid", tune(C)))
    (tmp_path / "dangling.mid").symlink_to(tmp_path / "nowhere.mid")
    os.mkfifo(tmp_path / "pipe.mid")
    for name in ("link.mid", "dangling.mid", "pipe.mid", "absent.mid"):
        with pytest.raises(UnreadableMidi, match=r"not a plain file"):
            read_notes(tmp_path / name)
    if Path("/proc/kmsg").exists():
        with pytest.raises(UnreadableMidi, match=r"not a regular file"):
            read_notes(Path("/proc/kmsg"))


def test_a_folder_becomes_a_line_a_composition(tmp_path):
    write(tmp_path / "b.MID", tune(D, E))
    write(tmp_path / "a" / "deep" / "z.Midi", tune(C, 108))
    write(tmp_path / "c.midi", tune(G, 5))
    write(tmp_path / "c.mid.bak", tune(A))
    assert music_text(tmp_path, field="data.path") == "60 108\n62 64\n67 5\n"


def test_duplicates_are_dropped_by_their_notes(tmp_path):
    write(tmp_path / "a.mid", tune(C, D))
    write(tmp_path / "b.mid", [on(C), on(D, 7)], form=0)
    write(tmp_path / "c.mid", tune(D, C))
    assert music_text(tmp_path, field="data.path") == "60 62\n62 60\n"


def test_build_writes_the_text_and_says_what_became_of_the_files(tmp_path, caplog):
    caplog.set_level(logging.INFO)
    folder, out = tmp_path / "midi", tmp_path / "music.txt"
    a = write(folder / "a.mid", tune(C, D, C))
    b = write(folder / "b.mid", tune(C, D, C))
    c = write(folder / "c.mid", tune(C, E))
    drums = write(folder / "drums.mid", [on(36, channel=9), off(36, BEAT, channel=9)])
    cut = folder / "cut.mid"
    cut.write_bytes(c.read_bytes()[:-1])
    link = folder / "link.mid"
    link.symlink_to(c)
    summary = build(folder, out)
    assert summary == Summary(compositions=2, notes=5, unique=3, duplicates=1, skipped=3)
    counts = "files left out: 1 duplicates, 3 without notes"
    assert str(summary) == f"2 compositions, 5 notes (3 unique); {counts}"
    assert out.read_bytes() == b"60 62 60\n60 64\n"
    assert caplog.messages == [
        f"skipped: {b} has the notes of {a}",
        f"skipped: {cut} cannot be read as MIDI (it ends too early).",
        f"skipped: drum notes (1) of {drums}",
        f"skipped: {drums} has no notes",
        f"skipped: {link} cannot be read as MIDI (not a plain file).",
    ]


def test_a_folder_without_notes_is_refused_and_nothing_is_written(tmp_path):
    folder, out = tmp_path / "midi", tmp_path / "music.txt"
    folder.mkdir()
    with pytest.raises(BadInput, match=r"^FOLDER=.*midi cannot be used.*\(0 files have none\)"):
        build(folder, out)
    (folder / "text.mid").write_text("no music")
    with pytest.raises(BadInput, match=r"^FOLDER=.*\(1 files have none\)"):
        build(folder, out)
    assert not out.exists()


def test_what_is_not_a_folder_is_refused(tmp_path):
    for folder in (tmp_path / "absent", write(tmp_path / "piece.mid", tune(C))):
        with pytest.raises(BadInput, match=r"^data\.path=.*a folder of MIDI files"):
            music_text(folder, field="data.path")


def test_a_place_that_cannot_be_written_is_refused(tmp_path):
    write(tmp_path / "piece.mid", tune(C))
    with pytest.raises(BadInput, match=r"^OUT=.*in an existing folder, which .*absent is not"):
        build(tmp_path, tmp_path / "absent" / "music.txt")
    (tmp_path / "taken").mkdir()
    with pytest.raises(BadInput, match=r"^OUT=.*a file or a new name, not a folder or a device"):
        build(tmp_path, tmp_path / "taken")
