"""Checksums that files carry: whatever bit of a file is flipped, nothing else is read from it."""

from __future__ import annotations

import hashlib
import json

import pandas as pd
import pytest

from charrnn import seals
from charrnn.seals import Damaged

FIELDS = {"batches": 6, "perplexity": {"windowed": 7.25}, "sha256": {"a": "b"}}


def flips(content: bytes):
    for at in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[at] ^= 1 << bit
            yield bytes(changed)


def cuts(content: bytes):
    return (content[:size] for size in range(len(content)))


def test_a_binary_file_is_what_was_sealed_or_damaged():
    file = seals.with_seal(b"the seat of the hat")
    assert file == hashlib.sha256(b"the seat of the hat").digest() + b"the seat of the hat"
    assert seals.without_seal(file) == b"the seat of the hat"
    for changed in (*flips(file), *cuts(file)):
        with pytest.raises(Damaged):
            seals.without_seal(changed)


def test_an_object_is_what_was_sealed_or_damaged():
    text = json.dumps(seals.sealed(FIELDS)).encode()
    assert seals.unsealed(text, ()) == FIELDS
    read = damaged = 0
    for changed in (*flips(text), *cuts(text)):
        try:
            assert seals.unsealed(changed, FIELDS) == FIELDS
            read += 1
        except Damaged:
            damaged += 1
    assert damaged > 9 * len(text) - 40
    assert read < 40  # white space may be of another kind


def test_a_table_is_what_was_sealed_or_damaged():
    table = pd.DataFrame({"scheme": [1, "bptt"], "k1": [20, 40], "run": ["a", ""]})
    text = seals.sealed_table(table).encode()
    expected = [["1", "20", "a"], ["bptt", "40", ""]]
    assert seals.unsealed_table(text).to_numpy().tolist() == expected
    damaged = 0
    for changed in (*flips(text), *cuts(text)):
        try:
            found = seals.unsealed_table(changed)
        except Damaged:
            damaged += 1
        else:
            assert found.to_numpy().tolist() == expected
            assert list(found) == ["scheme", "k1", "run"]
    assert damaged > 9 * len(text) - 40


def test_what_earlier_versions_wrote_has_no_seal():
    assert seals.unsealed(json.dumps(FIELDS), FIELDS) == FIELDS
    assert seals.unsealed_table("scheme,k1\n1,20\n").to_numpy().tolist() == [["1", "20"]]
    with pytest.raises(Damaged):  # a field that they did not have
        seals.unsealed(json.dumps(FIELDS | {"sea1": "0"}), FIELDS)


def test_a_table_that_was_overwritten_is_damaged():
    text = seals.sealed_table(pd.DataFrame({"k1": [20]})).encode()
    for content in (bytes(len(text) - 1) + b"\n", text[:3] + bytes(70) + text[73:]):
        with pytest.raises(Damaged):
            seals.unsealed_table(content)


def test_numbers_come_back_to_the_bit():
    table = pd.DataFrame({"seconds": [0.1 + 0.2, 1e-300], "name": ["a", "b"]})
    found = seals.unsealed_numbers(seals.sealed_table(table))
    assert found["seconds"].tolist() == [0.30000000000000004, 1e-300]


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, "null", "[1]", "\ud800", ""])
def test_what_is_no_object_is_damaged(text):
    with pytest.raises(Damaged):
        seals.unsealed(text, ())
