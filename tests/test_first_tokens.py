"""`data.first`: a corpus cut to its first tokens is another corpus, with another name."""

from __future__ import annotations

import hashlib
import json

import pytest
from omegaconf import OmegaConf
from test_corpora import CONTENT, Tiny

import charrnn
from charrnn.config import conf_folder
from charrnn.data.corpora.base import StandardLibrary, TextFile
from charrnn.data.corpora.for_figures import AUTHORS, SUBSTITUTES
from charrnn.data.corpora.substitutes import MidiFolder
from charrnn.errors import BadInput
from charrnn.training.train_run import prepare

OPTIONS = sorted(conf_folder().glob("data/*.yaml"))


def test_the_first_characters_are_a_corpus_of_their_own(text_file):
    loaded = TextFile(str(text_file), first=8).load()  # of "the seat of the hat"
    assert loaded.name == "text-8"
    assert loaded.vocabulary.symbols == (" ", "a", "e", "h", "s", "t")
    assert loaded.tokens.tolist() == [5, 3, 2, 0, 4, 2, 1, 5]
    assert loaded.sha256 == hashlib.sha256(b"the seat").hexdigest()
    assert loaded.describe()["origin"] == "the user's text file, its first 8 tokens"


def test_music_is_cut_by_notes(tmp_path, monkeypatch):
    monkeypatch.setenv("CHARRNN_DATA", str(tmp_path / "cache"))
    path = tmp_path / "mine.txt"
    path.write_bytes(CONTENT)  # 60 62, 64
    texts = ("60", "60 62", "60 62\n", "60 62\n64", "60 62\n64\n")
    for first, text in enumerate(texts, 1):
        loaded = Tiny(str(path), first=first).load()  # the counts of the whole are still checked
        assert loaded.vocabulary.decode(loaded.tokens) == text
        assert (loaded.name, len(loaded.tokens)) == (f"tiny-{first}", first)
        assert loaded.sha256 == hashlib.sha256(text.encode()).hexdigest()
    whole = Tiny(str(path)).load()  # what is cached is the whole
    assert (whole.name, len(whole.tokens)) == ("tiny", 5)


@pytest.mark.parametrize("first", [0, -1, 2.5, 1e3, True, "10", "all", [5]])
@pytest.mark.parametrize("corpus", [StandardLibrary, TextFile, MidiFolder, Tiny])
def test_what_is_not_a_number_of_tokens_is_refused(corpus, first):
    path = () if corpus is StandardLibrary else ("x.txt",)
    with pytest.raises(BadInput, match=r"^data\.first=.* a whole number, at least 1 token\."):
        corpus(*path, first=first)


def test_more_tokens_than_there_are_is_refused_with_their_number(text_file):
    assert len(TextFile(str(text_file), first=20_000).load().tokens) == 20_000
    wanted = r"^data\.first=20001 cannot be used: .* at most 20000, the number of tokens in text\.$"
    with pytest.raises(BadInput, match=wanted):
        TextFile(str(text_file), first=20_001).load()


def test_a_cut_corpus_gives_another_run(config):
    whole, null, cut, other = (
        prepare(config(*words))
        for words in ([], ["data.first=null"], ["data.first=9000"], ["data.first=9001"])
    )
    assert whole.identity == null.identity
    names = [run.identity["corpus"]["name"] for run in (whole, cut, other)]
    assert names == ["text", "text-9000", "text-9001"]
    assert len({json.dumps(run.identity) for run in (whole, cut, other)}) == 3
    assert len({run.identity["corpus"]["sha256"] for run in (whole, cut, other)}) == 3
    assert len(cut.datamodule.tokens.tokens) == 9_000


def test_a_sweep_over_lengths_says_which_is_which(command, tmp_path):
    result = command("-m", "data.first=null,9000", "num_batches=1", "draw=false")
    assert result.returncode == 0, result.stderr
    found = {
        json.loads(path.read_text())["corpus"]["name"]: path.parent.name
        for path in (tmp_path / "runs").glob("*/identity.json")
    }
    assert found.keys() == {"text", "text-9000"}
    assert found["text-9000"].startswith("text-9000_")


@pytest.mark.parametrize("option", OPTIONS, ids=lambda path: path.stem)
def test_every_corpus_can_be_cut(option):
    node = OmegaConf.load(option)
    assert node.first is None
    arguments = {"path": "x"} if OmegaConf.is_missing(node, "path") else {}
    corpus = charrnn.corpus(option.stem, first=7, **arguments)
    assert corpus.full_name == f"{corpus.name}-7"
    assert charrnn.corpus(option.stem, **arguments) != corpus


def test_the_corpora_of_figures_are_whole():
    assert all(corpus.first is None for corpus in (*AUTHORS, *SUBSTITUTES))
