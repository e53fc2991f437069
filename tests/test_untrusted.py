"""Folders of runs from somebody else: limits, and no import of what came with them."""

from __future__ import annotations

import sys
import time

import pytest
from helpers import put
from omegaconf import OmegaConf

from charrnn.commands.trained_run import open_run
from charrnn.errors import CharRNNError
from charrnn.runs.checkpoints import NEWEST, read_header, write_checkpoint
from charrnn.runs.folder import RunFolder
from charrnn.runs.state import RunState
from charrnn.training.train_run import prepare, train
from charrnn.untrusted import plain_yaml

SMALL = ("num_batches=1", "backbone.hidden_size=2", "evaluate_at=[]")
EVIL = "from pathlib import Path\nPath(__file__).with_name('imported').touch()\n"


def naming(folder: RunFolder, target: str) -> RunFolder:
    """The run, with another class for its scheme."""
    cfg = OmegaConf.load(folder.path / "config.yaml")
    cfg.model._target_ = target
    put(folder, "config.yaml", OmegaConf.to_yaml(cfg).encode())
    return folder


@pytest.mark.parametrize("where", ["in", "in a package", "beside"])
def test_a_class_that_came_with_a_run_is_not_imported(config, monkeypatch, where):
    folder = train(config(*SMALL))
    home = {"beside": folder.path.parent}.get(where, folder.path)
    (home / "evil.py").write_text(EVIL)
    target = "evil.Scheme"
    if where == "in a package":
        home = home.rename(home.with_name("downloaded"))
        folder, target = RunFolder(home), "downloaded.evil.Scheme"
    monkeypatch.syspath_prepend(folder.path.parent if where != "in" else folder.path)
    with pytest.raises(CharRNNError, match=r"would be imported from .*which may have come with"):
        open_run(naming(folder, target))
    assert not (home / "imported").exists()
    assert not {"evil", "downloaded.evil"} & {*sys.modules}


def test_a_class_of_the_users_own_is_imported(config, monkeypatch, tmp_path):
    (tmp_path / "mine").mkdir()
    own = "from charrnn.schemes.schemes_1_and_3 import Scheme1\nclass Mine(Scheme1):\n    pass\n"
    (tmp_path / "mine" / "own_scheme_of_mine.py").write_text(own)
    monkeypatch.syspath_prepend(tmp_path / "mine")
    run = open_run(naming(train(config(*SMALL)), "own_scheme_of_mine.Mine"))
    assert run.scheme.__name__ == "Mine"


def test_aliases_and_endless_texts_are_refused(config, charrnn):
    laughs = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 30))
    bomb = f"a0: &a0 [1]\n{laughs}".encode()
    for content in (bomb, b"a: " + b"x" * 1_000_001):
        with pytest.raises(ValueError, match=r"^it has "):
            plain_yaml(content)
    assert plain_yaml("a: [1, '${b}']\nb: '* & *'") == {"a": [1, "${b}"], "b": "* & *"}
    folder = train(config(*SMALL))
    put(folder, "config.yaml", bomb)
    started = time.process_time()
    status, _, err = charrnn("eval", folder.path)
    assert (status, err.count("\n")) == (2, 1)
    assert "config.yaml is damaged" in err
    assert time.process_time() - started < 5


def test_a_checkpoint_that_is_none_ends_in_a_sentence_and_is_no_failure_of_the_run(config):
    cfg = config(*SMALL)
    folder = prepare(cfg).folder
    folder.path.mkdir(parents=True)
    write_checkpoint(folder.path / NEWEST, 1, b"no pickle at all")
    assert read_header(folder.path / NEWEST)["batches"] == 1
    for _ in range(2):
        with pytest.raises(CharRNNError, match=rf"^{folder.path / NEWEST} is not a checkpoint "):
            train(cfg)
        assert folder.status().state is RunState.PLANNED
    (folder.path / NEWEST).unlink()  # as the message says
    assert train(cfg).is_finished
