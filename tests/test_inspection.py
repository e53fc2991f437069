"""What is said about a corpus before a training, and about whatever is odd in a user's text."""

from __future__ import annotations

import hashlib
import unicodedata

import pytest

from charrnn.sweeps.grids import read_grid

PROSE = "Das Pferd frißt keinen Gurkensalat.\n" * 600
SPLIT = "10,500 tokens to train on, 11,100 to test on; 4 batches per epoch."
SMOKE = "19,700 tokens to train on, 300 to test on; 13 batches per epoch."
LETTERS = "été à la forêt\n" * 2000


def inspected(charrnn, tmp_path, content: bytes, *flags: object) -> list[str]:
    (tmp_path / "my.txt").write_bytes(content)
    status, out, err = charrnn("data", "inspect", tmp_path / "my.txt", *flags)
    assert (status, err) == (0, "")
    return out.splitlines()


def test_a_plain_text_takes_one_line(charrnn, tmp_path):
    (line,) = inspected(charrnn, tmp_path, PROSE.encode())
    assert line == f"my: 21,600 characters, 19 distinct; line ends: LF; UTF-8; {SPLIT}"
    (line,) = inspected(charrnn, tmp_path, PROSE.replace("ß", "s").encode())
    assert line == f"my: 21,600 characters, 18 distinct; line ends: LF; ASCII; {SPLIT}"


ODD = {
    "CRLF": (
        PROSE.replace("\n", "\r\n").encode(),
        "line ends: CRLF; UTF-8",
        ["lines end with CRLF, as on Windows, which is two tokens; convert them to LF."],
    ),
    "CR": (
        PROSE.replace("\n", "\r").encode(),
        "line ends: CR; UTF-8",
        ["lines end with CR, as on old Macs, and not with LF; convert them to LF."],
    ),
    "mixed line ends": (
        (PROSE + "one\r\ntwo\rthree\r").encode(),
        "line ends: LF, CRLF, CR; UTF-8",
        [
            "lines end in different ways, 600 with LF and 1 with CRLF and 2 with CR; convert them"
            " to LF."
        ],
    ),
    "byte-order mark": (
        b"\xef\xbb\xbf" + PROSE.encode(),
        "line ends: LF; UTF-8",
        [],
    ),
    "UTF-16": (
        PROSE.replace("ß", "s").encode("utf-16-le"),
        "line ends: LF; ASCII",
        [
            "21,600 characters are NUL, so the file is probably UTF-16 and not UTF-8; "
            "convert it with iconv -f UTF-16 -t UTF-8."
        ],
    ),
    "a few NULs": (
        (PROSE + "\0\0").encode(),
        "line ends: LF; UTF-8",
        ["2 characters are NUL, which does not belong in a text."],
    ),
    "one character": (
        b"a" * 30_000,
        "1 distinct; line ends: none; ASCII",
        ["the text is one character, 'a', again and again; nothing can be learned."],
    ),
    "normal forms": (
        (LETTERS + unicodedata.normalize("NFD", "forêt")).encode(),
        "line ends: LF; UTF-8",
        [
            "some letters with accents are written as one character and some as two, so they are "
            "different tokens; convert the text to one normal form, such as NFC."
        ],
    ),
    "control characters": (
        (PROSE + "\x0c\x0c\x1b\t\x85").encode(),
        "line ends: LF; UTF-8",
        ["4 characters are control characters (U+000C, U+001B, U+0085), each a token of its own."],
    ),
    "many distinct": (
        (PROSE + "".join(map(chr, range(0x4E00, 0x4E00 + 1500)))).encode(),
        "23,100 characters, 1,519 distinct; line ends: LF; UTF-8",
        [
            "1,519 distinct characters is a lot; the paper's corpora have at most 106, and "
            "every one makes the model wider."
        ],
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_whatever_is_odd_about_a_text_is_said_in_a_sentence(charrnn, tmp_path, name):
    content, words, sentences = ODD[name]
    first, *rest = inspected(charrnn, tmp_path, content)
    assert words in first
    assert rest == [f"my: {sentence}" for sentence in sentences]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_one_normal_form_is_not_odd(charrnn, tmp_path, form):
    (line,) = inspected(charrnn, tmp_path, unicodedata.normalize(form, LETTERS).encode())
    assert line.startswith("my: ")


def test_a_short_text_is_said_to_be_short(charrnn, tmp_path):
    few = ("--test-size", 300, "--k2", 30, "--batch-size", 4, "--k1", 20)
    first, one, two = inspected(charrnn, tmp_path, PROSE[:460].encode(), *few)
    assert first.endswith("; 160 tokens to train on, 300 to test on; 1 batch per epoch.")
    assert one == "my: 160 tokens is very little to train on; a model soon knows it by heart."
    assert two == "my: an epoch is less than 2 batches; a smaller k1 or a longer text gives more."
    first, rest = inspected(charrnn, tmp_path, PROSE[:9000].encode())
    assert first == "my: 9,000 characters, 19 distinct; line ends: LF; UTF-8."
    at = "k2=100, a batch of 64 and a test split of 11,100 tokens"
    assert rest == f"my: the text is too short for {at}; a run would refuse it."


def test_a_file_that_is_no_text_is_refused(charrnn, tmp_path):
    (tmp_path / "my.txt").write_bytes("ein Text".encode("utf-16"))
    status, out, err = charrnn("data", "inspect", tmp_path / "my.txt")
    assert (status, out) == (2, "")
    assert "a UTF-8 text file (byte 0 is not" in err
    status, _, err = charrnn("data", "inspect", tmp_path / "my.txt", "--k1", 0)
    assert status == 2
    assert err == "error: --k1=0 cannot be used: it has to be a whole number, at least 1 token.\n"


def test_a_run_says_what_its_text_is_and_a_finished_one_does_not(command, text_file):
    line = f"text: 20,000 characters, 9 distinct; line ends: LF; ASCII; {SMOKE}"
    first, again = command(), command()
    assert first.stderr.splitlines().count(line) == 1
    assert "characters" not in again.stderr
    text_file.write_text(text_file.read_text().replace("\n", "\r"))
    odd = command()
    assert "text: lines end with CR, as on old Macs" in odd.stderr


def test_two_texts_of_one_name_are_announced_with_their_files_and_told_apart(command, tmp_path):
    files = [tmp_path / folder / "mine.txt" for folder in ("one", "other")]
    digests = []
    for path, letter in zip(files, "ab", strict=True):
        path.parent.mkdir()
        path.write_text(f"the {letter} \n" * 4000)
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
    paths = ",".join(map(str, files))
    sweep = ("-m", "scheme=1,2", f"data.path={paths}", "num_batches=1", "jobs=1", "draw=false")
    done = command(*sweep)
    assert done.returncode == 0, done.stderr
    labels = [f"mine@{digest[:6]}" for digest in digests]
    for label, path in zip(labels, files, strict=True):
        assert f"{label} ({path}): 28,000 characters" in done.stderr
        assert f": scheme 2, {path}, k1=20, on the CPU: " in done.stderr
        assert done.stdout.count(f"{label} ") == 2  # rows of the table
    assert "each corpus by itself" in done.stdout
    grid = read_grid(tmp_path / "runs" / "grids" / "sweep-smoke.csv")
    assert sorted(grid["corpus"]) == sorted([*labels, *labels])
    assert grid["run"].nunique() == 4


def test_a_sweep_says_it_once_per_corpus(command, text_file, tmp_path):
    (tmp_path / "other.txt").write_text("what a hat\r\n" * 2000)
    files = f"data.path={text_file},{tmp_path / 'other.txt'}"
    result = command("-m", "k1=20,100", files, "draw=false")
    assert result.returncode == 0, result.stderr
    text = f"text: 20,000 characters, 9 distinct; line ends: LF; ASCII; {SMOKE}"
    said = [line for line in result.stderr.splitlines() if " distinct; " in line or "CRLF" in line]
    assert said == [
        text.replace("13 b", "3 to 13 b"),
        "other: 24,000 characters, 7 distinct; line ends: CRLF; ASCII; 23,700 tokens to train on, "
        "300 to test on; 3 to 15 batches per epoch.",
        "other: lines end with CRLF, as on Windows, which is two tokens; convert them to LF.",
    ]
