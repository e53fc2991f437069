"""Vocabulary, split, Eq. 8 and the corpora."""

from __future__ import annotations

import itertools
import sysconfig

import numpy as np
import pytest
import pytorch_lightning as pl
import torch
from helpers import fit

from charrnn.data.corpora.base import StandardLibrary, TextFile
from charrnn.data.vocabulary import CHARACTERS, NOTES
from charrnn.datamodule.batches import TrainBatches
from charrnn.datamodule.module import CharDataModule
from charrnn.datamodule.split import split
from charrnn.errors import BadInput


def eq8_offsets(N, B, k1, k2):
    """Eq. 8 with the end-of-epoch rule, as the authors' code states it."""
    i = 0
    while N // B * (B - 1) + i * k1 + k2 < N:
        yield [j * (N // B) + i * k1 for j in range(B)]
        i += 1


@pytest.mark.parametrize(
    ("N", "B", "k1", "k2"),
    [
        *[(103, 4, 3, 5), (103, 4, 5, 5), (100, 4, 5, 5), (96, 4, 7, 5), (24, 4, 1, 5)],
        # In the last two, sequences are longer than a lane, and only the last lane has room.
        *[(997, 64, 2, 9), (66, 8, 4, 8), (47, 12, 1, 13)],
    ],
)
def test_equidistant_batches_are_eq_8_to_the_last_of_the_epoch(N, B, k1, k2):
    train = np.arange(N)  # a token's value is its place
    batches = TrainBatches(train, k1, k2, B, rotation=0)
    expected = list(eq8_offsets(N, B, k1, k2))
    assert batches.per_epoch == len(expected)
    for epoch in range(2):
        found = list(batches.epoch(epoch))
        assert [batch.number for batch in found] == list(range(len(expected)))
        for batch, offsets in zip(found, expected, strict=True):
            for lane, offset in enumerate(offsets):
                assert batch.inputs_TB[:, lane].tolist() == list(range(offset, offset + k2))
                assert batch.targets_TB[:, lane].tolist() == list(
                    range(offset + 1, offset + k2 + 1)
                )


def test_a_hand_made_epoch():
    # 26 letters in 2 lanes of 13; sequences of 4 + 1; the last start in lane 1 is 13 + 6 = 19,
    # whose last target is letter 23; the next one, 22 + 4 = 26, would lie outside.
    train = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz", dtype=np.uint8)
    batches = list(TrainBatches(train, k1=3, k2=4, batch_size=2, rotation=0).epoch(0))
    texts = [[bytes(lane.tolist()).decode() for lane in b.inputs_TB.t().byte()] for b in batches]
    assert texts == [["abcd", "nopq"], ["defg", "qrst"], ["ghij", "tuvw"]]
    assert bytes(batches[-1].targets_TB[:, 1].byte().tolist()) == b"uvwx"


def test_the_train_split_rotates_after_each_epoch_by_the_given_amount():
    batches = TrainBatches(np.arange(50), k1=2, k2=3, batch_size=5, rotation=7)
    firsts = [int(next(batches.epoch(n)).inputs_TB[0, 0]) for n in range(9)]
    assert firsts == [0, 7, 14, 21, 28, 35, 42, 49, 6]


def test_drawn_rotations_differ_by_epoch_and_seed_and_can_be_repeated():
    def firsts(seed):
        batches = TrainBatches(np.arange(5000), 2, 3, 5, rotation=None, seed=seed)
        return [int(next(batches.epoch(n)).inputs_TB[0, 0]) for n in range(5)]

    assert firsts(1) == firsts(1)
    assert firsts(1)[0] == firsts(2)[0] == 0
    assert len(set(firsts(1))) == 5
    assert firsts(1)[1:] != firsts(2)[1:]


@pytest.mark.parametrize("k1", [3, 6])
def test_shuffled_has_the_same_starts_in_random_order(k1):
    N, B, k2 = 1001, 7, 6
    batches = TrainBatches(np.arange(N), k1, k2, B, order="shuffled", rotation=0)
    all_starts = [s for s in range(0, N, k1) if s + k2 < N]
    epochs = []
    for epoch in range(2):
        starts = [int(s) for batch in batches.epoch(epoch) for s in batch.inputs_TB[0]]
        assert len(starts) == batches.per_epoch * B == len(all_starts) // B * B
        assert set(starts) <= set(all_starts)
        assert len(set(starts)) == len(starts)
        assert starts != sorted(starts)
        epochs.append(starts)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("order", ["equidistant", "shuffled"])
def test_reading_can_start_at_any_batch_of_the_run(order):
    def read(start):
        batches = TrainBatches(np.arange(500), k1=7, k2=3, batch_size=9, order=order)
        batches.start = start
        rest = itertools.islice(batches, 30 - start)
        return [(batch.number, batch.inputs_TB.tolist()) for batch in rest]

    whole = read(0)
    assert sum(number == 0 for number, _ in whole) >= 4
    for start in range(1, 30):
        assert read(start) == whole[start:]


def test_split_rotates_and_cuts_off_the_end():
    train, test = split(np.arange(10), test_size=3, offset=4, seed=0)
    assert train.tolist() == [4, 5, 6, 7, 8, 9, 0]
    assert test.tolist() == [1, 2, 3]
    train, test = split(np.arange(10), test_size=3, offset=0, seed=0)
    assert [*train, *test] == list(range(10))


def test_the_drawn_offset_depends_on_the_data_seed_alone():
    firsts = [int(split(np.arange(10**6), 10, None, seed)[0][0]) for seed in (0, 0, 1)]
    assert firsts[0] == firsts[1] != firsts[2]


def test_vocabulary_is_sorted_and_the_round_trip_exact():
    text = "Äpfel, naïve – 😀\r\n\tzz"
    tokens, vocabulary = CHARACTERS.tokenize(text)
    assert list(vocabulary.symbols) == sorted(set(text))
    assert vocabulary.decode(tokens) == text
    assert tokens.dtype == np.uint8
    assert vocabulary.encode("zÄ", "x").tolist() == [vocabulary.symbols.index(c) for c in "zÄ"]


def test_more_than_256_unique_tokens_take_two_bytes():
    text = "".join(map(chr, range(300)))
    tokens, vocabulary = CHARACTERS.tokenize(text)
    assert (tokens.dtype, len(vocabulary)) == (np.uint16, 300)
    assert vocabulary.decode(tokens) == text


@pytest.mark.filterwarnings("ignore:You passed in a `val_dataloader`")
@pytest.mark.parametrize("endless", [True, False])
def test_lightning_reads_epoch_after_epoch_without_a_gap(tmp_path, endless):
    """The batches that reach training_step are those of Eq. 8, across the ends of epochs."""
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 400)))  # every character is unique
    path = tmp_path / "unique.txt"
    path.write_text(text, encoding="utf-8")
    datamodule = CharDataModule(
        TextFile(str(path)), k1=4, k2=5, batch_size=6, rotation=11, test_size=100, offset=0
    )
    datamodule.endless = endless
    seen = []

    class Spy(pl.LightningModule):
        def training_step(self, batch):
            seen.append((batch.number, batch.inputs_TB[0].tolist()))
            return torch.zeros((), requires_grad=True)

        def configure_optimizers(self):
            return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0)

    offsets = list(eq8_offsets(300, 6, 4, 5))
    steps = 3 * len(offsets) + 2
    fit(Spy(), datamodule, steps)
    expected = (
        (i, [(start + 11 * epoch) % 300 for start in starts])
        for epoch in itertools.count()
        for i, starts in enumerate(offsets)
    )
    assert seen == list(itertools.islice(expected, steps))


def test_stdlib_is_real_ascii_code_without_its_tests():
    library = StandardLibrary()
    text = library.read(library.source())
    assert text.isascii()
    assert 5_000_000 < len(text) < 20_000_000
    assert "class OrderedDict(dict):" in text
    assert "class TestCase(object):" in text  # unittest itself
    # Only the tests of unittest and of idlelib, which are skipped, define these.
    assert "class Test_TestCase(" not in text
    assert "class ConfigDialogTest(" not in text


def test_stdlib_is_all_of_its_modules_in_path_order(tmp_path, monkeypatch):
    modules = {"b.py": "β2", "a/c.py": "1", "test/d.py": "no", "a/tests/e.py": "no", "f.txt": "no"}
    for name, text in modules.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(sysconfig, "get_path", lambda _: str(tmp_path))
    loaded = StandardLibrary().load()
    assert loaded.vocabulary.decode(loaded.tokens) == "12"


@pytest.mark.slow
def test_stdlib_is_tokenised_and_decoded_exactly():
    library = StandardLibrary()
    loaded = library.load()
    assert loaded.vocabulary.decode(loaded.tokens) == library.read(library.source())


def test_a_text_file_is_taken_exactly_as_it_is(tmp_path):
    path = tmp_path / "my corpus.txt"
    path.write_bytes("a\r\nb\n\nÄ".encode())
    loaded = TextFile(str(path)).load()
    assert loaded.name == "my corpus"
    assert loaded.vocabulary.decode(loaded.tokens) == "a\r\nb\n\nÄ"


def test_music_is_tokenised_by_note_and_line():
    text = "60 64 67\n64\n100 60\n"
    tokens, vocabulary = NOTES.tokenize(text)
    assert vocabulary.symbols == ("\n", "100", "60", "64", "67")
    assert tokens.tolist() == [2, 3, 4, 0, 3, 0, 1, 2, 0]
    assert tokens.dtype == np.uint8
    assert vocabulary.decode(tokens) == text
    assert vocabulary.encode("64\n60", "x").tolist() == [3, 0, 2]
    with pytest.raises(BadInput, match=r"^x='60 61' .* without '61'"):
        vocabulary.encode("60 61", "x")


def datamodule(tmp_path, text="abcdefghij" * 100, **settings):
    path = tmp_path / "text.txt"
    path.write_text(text)
    settings = {"k1": 2, "k2": 5, "batch_size": 4, "test_size": 50} | settings
    return CharDataModule(TextFile(str(path)), **settings)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"k1": 0}, "k1=0"),
        ({"k1": 2.5}, "k1=2.5"),
        ({"k2": 0}, "k2=0"),
        ({"batch_size": 0}, "datamodule.batch_size=0"),
        ({"order": "random"}, "datamodule.order=random"),
        ({"rotation": -1}, "datamodule.rotation=-1"),
        ({"offset": -1}, "datamodule.offset=-1"),
        ({"test_size": 5}, "datamodule.test_size=5"),
        ({"test_size": 1000}, "datamodule.test_size=1000"),
        ({"k2": 700, "test_size": 800}, "k2=700"),
        ({"k2": 300, "test_size": 400}, "datamodule.batch_size=4"),
        ({"batch_size": 190}, "datamodule.batch_size=190"),
        ({"batch_size": 951}, "datamodule.batch_size=951"),
        ({"order": "shuffled", "k1": 400}, "k1=400"),
    ],
)
def test_bad_settings_are_refused_by_name_and_value(tmp_path, settings, field):
    with pytest.raises(BadInput, match=f"^{field} cannot be used: it has to be "):
        datamodule(tmp_path, **settings).setup()


def test_the_longest_k2_that_fits_is_accepted(tmp_path):
    # 750 train tokens in 4 lanes of 187, and 2 tokens more. The last lane starts at 561: a sequence
    # of 188 + 1 tokens ends with token 749, one of 189 + 1 does not fit. With k2=186 there is one
    # more batch, k1 = 2 tokens later.
    for k2, batches in ((188, 1), (187, 1), (186, 2)):
        module = datamodule(tmp_path, k2=k2, test_size=250)
        module.setup()
        assert len(list(module.train_dataloader())) == batches
    with pytest.raises(BadInput, match=r"^datamodule.batch_size=4 .* holds k2 \+ 1 = 190 tokens"):
        datamodule(tmp_path, k2=189, test_size=250).setup()


def test_a_batch_exists_exactly_where_the_rule_of_the_epoch_allows_it():
    for N, B, k2 in itertools.product(range(1, 20), range(1, 22), range(1, 9)):
        if B <= N and list(eq8_offsets(N, B, 3, k2)):
            batches = TrainBatches(np.arange(N), 3, k2, B)
            assert batches.per_epoch == len(list(eq8_offsets(N, B, 3, k2)))
        else:
            with pytest.raises(BadInput):
                TrainBatches(np.arange(N), 3, k2, B)


@pytest.mark.parametrize("content", [None, b"caf\xe9"])
def test_a_missing_or_non_utf8_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "file.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput, match=r"^data.path=.*file.txt cannot be used: .* UTF-8|readable"):
        TextFile(str(path)).load()
