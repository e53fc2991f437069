"""Texts in other encodings, with other line ends, and in other tokens."""

from __future__ import annotations

import pytest

from charrnn.data.corpora.base import TextFile
from charrnn.data.inspection import summary
from charrnn.data.vocabulary import tokenization_called
from charrnn.errors import BadInput, CharRNNError
from charrnn.training.train_run import train

TEXT = "Élan vital — naïve café\nça va\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_text_is_the_same_in_every_encoding(tmp_path, encoding):
    (tmp_path / "text.txt").write_bytes(TEXT.encode(encoding))
    named = "utf-8" if encoding == "utf-8-sig" else encoding
    tokens = TextFile(str(tmp_path / "text.txt"), encoding=named).load()
    assert tokens.vocabulary.decode(tokens.tokens) == TEXT
    assert summary(tokens).endswith("UTF-8" if named == "utf-8" else f"; {encoding}")


def test_a_text_in_another_encoding_is_refused_with_the_likely_one(tmp_path):
    (tmp_path / "text.txt").write_bytes((TEXT * 20).encode("utf-16"))
    with pytest.raises(BadInput, match=r"a UTF-8 text file \(byte 0 is not; .*=utf_16\)"):
        TextFile(str(tmp_path / "text.txt")).load()
    with pytest.raises(BadInput, match=r"data.encoding=klingon .* latin-1 or cp1252"):
        TextFile("text.txt", encoding="klingon")


def test_line_ends_are_kept_or_normalised(tmp_path):
    (tmp_path / "text.txt").write_bytes(b"a\r\nb\rc\n")
    kept, normal = (
        TextFile(str(tmp_path / "text.txt"), newlines=how).load() for how in ("keep", "normalize")
    )
    assert kept.vocabulary.decode(kept.tokens) == "a\r\nb\rc\n"
    assert normal.vocabulary.decode(normal.tokens) == "a\nb\nc\n"
    assert summary(normal).endswith("line ends: LF; line ends normalised")


@pytest.mark.parametrize(
    ("tokens", "number", "distinct"), [("characters", 30, 16), ("words", 14, 9), ("bytes", 36, 19)]
)
def test_tokens_form_the_text_again(tmp_path, tokens, number, distinct):
    (tmp_path / "text.txt").write_text(TEXT)
    found = TextFile(str(tmp_path / "text.txt"), tokens=tokens).load()
    assert (len(found.tokens), len(found.vocabulary)) == (number, distinct)
    assert found.vocabulary.decode(found.tokens) == TEXT
    with pytest.raises(CharRNNError, match=r"^data.tokens=letters .*characters, notes, words"):
        tokenization_called("letters")


@pytest.mark.parametrize("tokens", ["words", "bytes"])
def test_a_model_of_other_tokens_is_sampled_and_evaluated(config, charrnn, text_file, tokens):
    folder = train(config(f"data.tokens={tokens}", "k2=20"))
    runs = ("--runs", str(folder.path.parent))
    status, written, said = charrnn("sample", "best", *runs, "--prompt", "the hat", "--length", "9")
    assert (status, written.startswith("the hat")) == (0, True), said
    status, table, said = charrnn("eval", "best", *runs, "--text", text_file)
    assert (status, f"bits per {tokens[:-1]}" in table) == (0, True), said


def test_a_text_is_evaluated_in_its_own_encoding_or_the_runs(config, charrnn, tmp_path):
    text = "naïve café\r\n" * 400
    path, other = tmp_path / "naive.txt", tmp_path / "other.txt"
    path.write_bytes(text.encode("latin-1"))
    how = ["data.encoding=latin-1", "data.newlines=normalize", "k2=20"]
    folder = train(config("data=textfile", f"data.path={path}", *how))
    command = ["eval", "best", "--runs", folder.path.parent, "--text"]
    status, own, said = charrnn(*command, path)
    assert (status, "4400 tokens" in own) == (0, True), said
    other.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert charrnn(*command, other, "--encoding", "utf-8")[1].replace("other", "naive") == own
    other.write_bytes(text.encode("utf-16"))
    status, _, said = charrnn(*command, other, "--encoding", "utf-8")
    assert (status, said.endswith("looks like --encoding utf_16).\n")) == (2, True), said
    status, _, said = charrnn(*command, other, "--encoding", "klingon")
    assert (status, said.startswith("error: --encoding=klingon cannot be")) == (2, True), said
    assert charrnn(*command[:-1], "--encoding", "utf-8")[0] == 2  # without --text


def test_inspect_reads_and_proposes_encodings(charrnn, tmp_path):
    (tmp_path / "text.txt").write_bytes((TEXT * 20).encode("utf-16"))
    status, _, said = charrnn("data", "inspect", "text.txt")
    assert (status, said.startswith("error: FILE=text.txt cannot be used: ")) == (2, True)
    assert said.endswith("looks like --encoding utf_16).\n")
    status, out, _ = charrnn("data", "inspect", "text.txt", "--encoding", "utf_16")
    assert status == 0
    assert out.startswith("text: 600 characters, 16 distinct; line ends: LF; utf_16.")


def test_texts_of_gutenberg_may_be_older_than_utf_8(charrnn, tmp_path):
    (tmp_path / "text.txt").write_bytes(TEXT.replace("—", "-").encode("latin-1"))
    assert charrnn("data", "build", "gutenberg", "text.txt", "out.txt")[0] == 2
    words = ("--encoding", "latin-1")
    assert charrnn("data", "build", "gutenberg", *words, "text.txt", "out.txt")[0] == 0
    assert (tmp_path / "out.txt").read_text() == TEXT.replace("—", "-")
