"""Reading Humdrum kern: by hand, against a reading by durations, against music21, and junk."""

from __future__ import annotations

import contextlib
import hashlib
import json
import random
import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from fractions import Fraction

import pytest

from charrnn.data.corpora.scores import Masses
from charrnn.data.corpora.substitutes import MUSIC21, Chorales
from charrnn.data.fetching.archives import zip_members
from charrnn.data.fetching.packages import fetch_wheel, sha256_of
from charrnn.data.music.kern import UnreadableKern, kern_pitches
from charrnn.data.music.scores import score_lines


def kern(*lines: str, end: str = "\n") -> bytes:
    """A file: the fields of a line have spaces around `|` here, and tabs between them there."""
    return "".join(re.sub(r" *\| *", "\t", line) + end for line in lines).encode("latin-1")


def one_spine(*lines: str) -> list[int]:
    return kern_pitches(kern("**kern", *lines, "*-"), "x.krn")


@pytest.mark.parametrize(
    ("note", "pitch"),
    [
        *(("4c", 60), ("4cc", 72), ("4ccc", 84), ("4C", 48), ("4CC", 36), ("4CCC", 24)),
        *(("4d", 62), ("4e", 64), ("4f", 65), ("4g", 67), ("4a", 69), ("4b", 71), ("4B", 59)),
        *(("4f#", 66), ("4b-", 70), ("4f##", 67), ("4b--", 69), ("4fn", 65), ("4c-", 59)),
        *(("0c", 60), ("00c", 60), ("4.c", 60), ("8..c", 60), ("3%2c", 60), ("12cL", 60)),
        *(("(4.ee-^\\L)", 75), ("{8GG#'/J", 44), ("[4c", 60), ("4c;", 60), ("8cTtMmSW", 60)),
    ],
)
def test_a_note_by_hand(note, pitch):
    assert one_spine(note) == [pitch]


def test_rests_and_null_tokens_are_no_notes():
    assert one_spine("4r", "4c", ".", "4ryy", "2.r", "4d") == [60, 62]


def test_a_tied_note_counts_once():
    assert one_spine("[2c", "_1c", "4c]", "4c") == [60, 60]


def test_a_chord_is_sorted_and_its_notes_are_tied_one_by_one():
    # C E G with G tied; then G sounds on, and F and C are struck.
    assert one_spine("2G [2g 2e", "4c 4g] 4f") == [55, 64, 67, 60, 65]


def test_voices_are_merged_by_onset_and_a_unison_is_two_notes():
    score = kern(
        "!!!COM: Nobody",
        "**kern | **kern",
        "*clefF4 | *clefG2",
        "*MM120 | *MM120",
        "=1 | =1",
        "1C | 2g",  # 48 67
        ". | 4e",  # 64
        "!a comment | !",
        ". | 4c",  # 60
        "=2 | =2",
        "4c | 4c",  # 60 60
        "",
        "== | ==",
        "*- | *-",
    )
    assert kern_pitches(score, "x.krn") == [48, 67, 64, 60, 60, 60]


def test_a_grace_note_belongs_to_the_next_moment():
    # B before C and E, as in a MusicXML score: 60 64 71 in one moment. A last one has its own.
    score = kern("**kern | **kern", "4d | 4d", "bq | .", "4c | 4e", "8fQ | .", "*- | *-")
    assert kern_pitches(score, "x.krn") == [62, 62, 60, 64, 71, 65]


def test_other_spines_are_ignored():
    kinds = "**kern | **dynam | **text | **kern"
    score = kern(kinds, "4c | f | gag | 4e", ". | p | . | .", "* | * | * | *", "*- | *- | *- | *-")
    assert kern_pitches(score, "x.krn") == [60, 64]


def test_spines_split_join_trade_places_begin_and_end():
    score = kern(
        "**kern | **text",
        "4c | la",  # 60
        "*^ | *",
        "4d | 4f | la",  # 62 65
        "*^ | * | *",
        "4a | 4g | 4e | la",  # 64 67 69
        "*v | *v | *v | *",
        "4c | la",  # 60
        "*x | *x",
        "abc | 4c#",  # 61: the words come first now
        "* | *+",
        "abc | 4d | .",  # 62
        "* | * | **kern",
        "abc | 4d | 4c",  # 60 62
        "*- | * | *",
        "4e | 4f",  # 64 65
        "*- | *-",
        "**kern",
        "4g",  # 67: a second table
        "*-",
    )
    want = [60, 62, 65, 64, 67, 69, 60, 61, 62, 60, 62, 64, 65, 67]
    assert kern_pitches(score, "x.krn") == want


def test_line_ends_marks_and_encodings_do_not_matter():
    lines = ("!!!OTL: Agnus \x85 d\xe9i", "**kern", "4c", "4d", "*-")
    for end in ("\n", "\r\n", "\r"):
        assert kern_pitches(b"\xef\xbb\xbf" + kern(*lines, end=end), "x.krn") == [60, 62]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ((), "line 1: no line has a note"),
        (("**kern", "4r", "*-"), "line 4: no line has a note"),
        (("**kern", "4c"), "line 3: the file ends before its spines do"),
        (("4c", "*-"), r"line 1: no spine has begun, as \*\*kern would begin one"),
        (("*clefG2",), "line 1: no spine has begun"),
        (("**kern | **kern", "4c", "*- | *-"), "line 2: it has 1 fields for 2 spines"),
        (("**kern", "=1 | =1", "*-"), "line 2: it has 2 fields for 1 spines"),
        (("**kern", "*^", "*-"), "line 3: it has 1 fields for 2 spines"),
        (("**kern | **kern", "* | 4c"), "line 2: it has data among its interpretations"),
        (("**kern | **kern", "*x | *"), r"line 2: \*x exchanges two spines, not 1"),
        (("**kern | **kern", "*v | *"), r"line 2: \*v joins a spine with no other"),
        (("**kern | **text", "*v | *v"), r"line 2: \*v joins \*\*kern with \*\*text"),
        (("**kern", "4", "*-"), "line 2: '4' is not one note or rest"),
        (("**kern", "4cd", "*-"), "line 2: '4cd' is not one note or rest"),
        (("**kern", "4" + "c" * 9, "*-"), "line 2: '4ccccccccc' is not a pitch that MIDI has"),
        (("**kern", "4CCCCCC-", "*-"), "line 2: '4CCCCCC-' is not a pitch that MIDI has"),
    ],
)
def test_what_is_malformed_is_one_sentence_that_names_the_file(lines, reason):
    sentence = rf"^mass\.krn cannot be read as Humdrum kern \({reason}[^()]*\)\.$"
    with pytest.raises(UnreadableKern, match=sentence):
        kern_pitches(kern(*lines), "mass.krn")


def test_junk_is_read_or_refused_at_once():
    generator = random.Random(0)
    whole = kern(
        "**kern | **kern", "4c | 4e 4g", "*^ | *", "[4d | . | 4r", "*v | *v | *", "*- | *-"
    )
    words = [b"*^", b"*v", b"*x", b"*+", b"*-", b"**kern", b"*", b"4c", b".", b"\t", b"\n", b"\xff"]
    read = 0
    for _ in range(3_000):
        junk = bytearray(whole)
        for _ in range(generator.randint(1, 4)):
            place = generator.randrange(len(junk))
            word = generator.choice([*words, bytes([generator.randrange(256)])])
            junk[place : place + generator.randint(0, 3)] = word
        for content in (bytes(junk), generator.randbytes(40)):
            with contextlib.suppress(UnreadableKern):  # any other error fails the test
                assert all(0 <= pitch <= 127 for pitch in kern_pitches(content, "junk.krn"))
                read += 1
    assert 100 < read < 5_000  # the junk is neither all refused nor all harmless


def by_durations(text: str) -> list[int]:
    """The notes in the order of onsets that are sums of durations, whatever the lines say.

    Plain and slow, for well-formed files.
    """
    found: list[tuple[Fraction, int]] = []
    spines: list[tuple[str, Fraction]] = []  # kind, and the end of what has sounded so far
    for line in text.splitlines():
        fields = line.split("\t")
        if line.startswith("**"):
            spines = [(kind, Fraction(0)) for kind in fields]
        elif line.startswith("*"):
            after, joining = [], False
            for spine, field in zip(spines, fields, strict=True):
                after += [spine] * {"*^": 2, "*-": 0, "*v": 0 if joining else 1}.get(field, 1)
                joining = field == "*v"
            spines = after
        elif line and line[0] not in "!=":
            for place, ((kind, now), field) in enumerate(zip(spines, fields, strict=True)):
                if kind != "**kern" or field == ".":
                    continue
                for token in field.split(" "):
                    if not any(mark in token for mark in "r]_"):
                        letter = re.search("[a-gA-G]", token)[0]
                        octave = token.count(letter) * (1 if letter.islower() else -1)
                        octave += 3 if letter.islower() else 4
                        step = "c d ef g a b".index(letter.lower())
                        alter = token.count("#") - token.count("-")
                        found.append((now, 12 * octave + 12 + step + alter))
                spines[place] = kind, now + length(field.split(" ")[0])
    return [pitch for _, pitch in sorted(found)]


def length(token: str) -> Fraction:
    """Length of a note in whole notes."""
    if "q" in token:
        return Fraction(0)
    digits, of, dots = re.search(r"(\d+)(?:%(\d+))?(\.*)", token).groups()
    plain = (
        Fraction(2 ** len(digits)) if set(digits) == {"0"} else Fraction(int(of or 1), int(digits))
    )
    return plain * (2 - Fraction(1, 2 ** len(dots)))


@pytest.fixture(scope="module")
def scores() -> dict[str, bytes]:
    """The kern files of the corpus, by name."""
    return zip_members(fetch_wheel(MUSIC21), lambda name: name.endswith(".krn"))


@pytest.mark.long
def test_the_order_of_the_lines_is_that_of_the_durations(scores):
    """Every fourth file; all of them agreed when this was written."""
    assert len(scores) == 1_327
    for name, content in list(scores.items())[::4]:
        assert kern_pitches(content, name) == by_durations(content.decode("latin-1")), name


MUSIC21_READS = """
import json, sys
sys.path[:0] = sys.argv[1:3]
from music21 import converter
for path in sys.argv[3:]:
    score, found = converter.parseFile(path, forceSource=True), []
    for note in score.recurse().notes:
        onset = note.getOffsetInHierarchy(score)
        for one in note.notes if note.isChord else [note]:
            if one.tie is None or one.tie.type == "start":
                found.append((onset, one.pitch.midi))
    print(json.dumps([pitch for _, pitch in sorted(found)]))
"""
NEEDED = ("jsonpickle", "webcolors", "more-itertools", "chardet", "requests", "urllib3", "idna")
"""What importing music21 takes, beside packages that are installed for other reasons."""


@pytest.mark.long
def test_music21_reads_the_same_notes(tmp_path):
    """A sample of each composer, and a quartet with grace notes."""
    corpus, wheel = "music21/corpus", fetch_wheel(MUSIC21)
    names = [
        *(f"{corpus}/palestrina/{piece}.krn" for piece in ("Agnus", "Kyrie_06_b", "Credo_45_a")),
        f"{corpus}/chopin/mazurka06-2.krn",
        f"{corpus}/beethoven/opus18no1/movement3.krn",
        f"{corpus}/monteverdi/madrigal.3.13.mxl",
        f"{corpus}/mozart/k80/movement3.mxl",
        f"{corpus}/schumann_clara/polonaise_op1n4.mxl",
        f"{corpus}/schumann_robert/opus48no2.mxl",
    ]
    needed, music21 = tmp_path / "needed", tmp_path / "music21"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(needed)]
    run = {"capture_output": True, "text": True, "check": False, "timeout": 300}
    if subprocess.run([*pip, *NEEDED, "certifi", "charset-normalizer"], **run).returncode:
        pytest.skip("what music21 needs cannot be installed from here")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(music21)
    files = [str(music21 / name) for name in names]
    command = [sys.executable, "-c", MUSIC21_READS, str(music21), str(needed), *files]
    result = subprocess.run(command, **run)
    assert result.returncode == 0, result.stderr
    ours = score_lines(zip_members(wheel, lambda name: name in names))
    theirs = dict(zip(names, map(json.loads, result.stdout.splitlines()), strict=True))
    for name, line in zip(sorted(names), ours, strict=True):
        assert list(map(int, line.split())) == theirs[name], name


def wheel_with(members: dict[str, bytes], folder, monkeypatch) -> None:
    """Put a small wheel where the corpus's own one would be cached."""
    monkeypatch.setenv("CHARRNN_DATA", str(folder))
    path = folder / MUSIC21.filename
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"music21/corpus/{name}", content)
    monkeypatch.setattr(Masses, "wheel", replace(MUSIC21, sha256=sha256_of(path)))


def test_masses_are_a_line_each_and_duplicates_and_old_versions_are_left_out(tmp_path, monkeypatch):
    def piece(*notes: str) -> bytes:
        return kern("**kern", *notes, "*-")

    members = {
        "palestrina/Kyrie.krn": piece("4c", "4d"),
        "palestrina/Agnus.krn": piece("4e"),
        "palestrina/Kyrie_2.krn": piece("2c", "1d"),  # the same notes
        "chopin/mazurka.krn": piece("4f"),
        "chopin/mazurka_old.krn": piece("4a"),
        "bach/bwv1.krn": piece("4g"),  # in chorales
    }
    wheel_with(members, tmp_path, monkeypatch)
    loaded = Masses().load()
    assert loaded.vocabulary.decode(loaded.tokens) == "65\n64\n60 62\n"
    wheel_with({**members, "palestrina/Agnus.krn": b"**kern\n4e"}, tmp_path, monkeypatch)
    with pytest.raises(
        UnreadableKern, match=r"^music21/corpus/palestrina/Agnus\.krn cannot be read"
    ):
        Masses().load()


@pytest.mark.long
def test_masses_are_what_they_say():
    loaded = Masses().load()
    assert (len(loaded.tokens), len(loaded.vocabulary)) == (744_619, 69)
    assert loaded.sha256 == "3eaf7844c03f7ab3d12c852c952071a43925387d9ee822866db1cce5f5250237"
    text = loaded.vocabulary.decode(loaded.tokens)
    assert hashlib.sha256(text.encode()).hexdigest() == loaded.sha256  # an exact round trip
    assert len(text.splitlines()) == 1_372
    chorales = Chorales().load()
    others = chorales.vocabulary.decode(chorales.tokens).splitlines()
    assert not set(others) & set(text.splitlines())
