"""The files of `--out`: refused before any work, and kept whatever ends a command."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import started
from helpers import put
from processes import DEADLINE, Command

from charrnn.data.music.midi_reading import read_notes
from charrnn.data.music.midi_writing import as_midi
from charrnn.sampling.samplers import STREAMS, Diverged
from charrnn.training.train_run import train

SMALL = ("num_batches=1", "backbone.hidden_size=2", "evaluate_at=[]")


def refusal(charrnn, command: str, *words: object) -> str:
    """What is said of runs that are not there: nothing, if `--out` is looked at first."""
    runs = {"sample": ["none"], "compare": ["none", "none"]}[command]
    status, out, err = charrnn(command, *runs, *words)
    assert (status, out) == (2, "")
    assert err.startswith("error: --out=")
    return err.removeprefix("error: --out=").rstrip("\n")


def test_a_figure_is_a_png_so_that_its_table_is_another_file(charrnn, tmp_path):
    (tmp_path / "x.csv").write_text("mine")
    for name in ("x.csv", "cmp-0.5", "x.PDF", "x"):
        said = f"{name} cannot be used: it has to be the name of a .png, such as {name}.png."
        assert refusal(charrnn, "compare", "--out", name) == said
    said = ". cannot be used: it has to be the name of a .png, such as compare.png."
    assert refusal(charrnn, "compare", "--out", "") == said
    assert (tmp_path / "x.csv").read_text() == "mine"


@pytest.mark.parametrize(
    ("command", "words", "path", "wanted"),
    [
        ("sample", ["nowhere/a.txt"], "nowhere/a.txt", "in a folder, which nowhere is not."),
        ("sample", ["file/a.txt"], "file/a.txt", "in a folder, which file is not."),
        ("sample", ["folder"], "folder", "a file or a new name, not that of a folder or a device."),
        ("sample", ["pipe"], "pipe", "a file or a new name, not that of a folder or a device."),
        ("sample", ["~no one/a.txt"], "~no one/a.txt", "in a folder, which ~no one is not."),
        ("sample", ["b.txt", "--num-samples", 3], "b-2.txt", "a file or a new name, not that of a"),
        ("compare", ["nowhere/a.png"], "nowhere/a.png", "in a folder, which nowhere is not."),
        ("compare", ["file/a.png"], "file/a.png", "in a folder, which file is not."),
        ("compare", ["c.png"], "c.png", "a file or a new name, not that of a folder or a device."),
        ("compare", ["d.png"], "d.csv", "a file or a new name, not that of a folder or a device."),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work(
    charrnn, tmp_path, command, words, path, wanted
):
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for folder in ("folder", "b-2.txt", "c.png", "d.csv"):
        (tmp_path / folder).mkdir()
    before = sorted(tmp_path.iterdir())
    said = refusal(charrnn, command, "--out", *words)
    assert said.startswith(f"{path} cannot be used: it has to be {wanted}")
    assert sorted(tmp_path.iterdir()) == before


def test_a_folder_that_cannot_be_written_to_is_refused(charrnn, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    said = "cannot be used: it has to be in a folder that can be written to, not .."
    assert refusal(charrnn, "sample", "--out", "a.txt") == f"a.txt {said}"
    assert refusal(charrnn, "compare", "--out", "a.png") == f"a.png {said}"


def test_a_tilde_is_the_home_folder(config, charrnn, monkeypatch, tmp_path):
    folder = train(config(*SMALL))
    monkeypatch.setenv("HOME", str(tmp_path))
    words = ["--runs", "~/runs", "--prompt", "the", "--length", 1, "--out", "~/a.txt"]
    assert charrnn("sample", folder.path.name, *words)[0] == 0
    assert len((tmp_path / "a.txt").read_text()) == 4


def test_files_that_nobody_named_go_beside_the_runs(config, charrnn, tmp_path):
    folder = train(config(*SMALL))
    digest = folder.path.name.rpartition("_")[2]
    status, out, _ = charrnn("compare", digest, digest, "--runs", tmp_path / "runs")
    assert status == 0
    figure = tmp_path / "runs" / "figures" / f"compare-{digest}-{digest}.png"
    assert out.endswith(f"{figure}\n{figure.with_suffix('.csv')}\n")
    assert figure.exists()
    (tmp_path / "runs" / "figures").rename(tmp_path / "elsewhere")
    (tmp_path / "runs" / "figures").touch()
    status, _, err = charrnn("compare", digest, digest, "--runs", tmp_path / "runs")
    assert status == 2
    assert err.startswith(
        f"error: --runs={tmp_path / 'runs'} cannot be used: it has to be a folder"
    )


def ended(process: subprocess.Popen | Command) -> bytes:
    """What a process without trouble complains of, once nobody reads what it says."""
    process.stdout.close()
    complaints = process.stderr.read()
    assert process.wait(timeout=DEADLINE) == 0
    assert b"Traceback" not in complaints
    assert b"Exception ignored" not in complaints
    return complaints


@pytest.mark.slow
def test_a_reader_that_has_had_enough_costs_no_file(config, tmp_path):
    folder = train(config(*SMALL))
    words = ["--prompt", "the", "--length", 10**9, "--num-samples", 2, "--out", tmp_path / "a.txt"]
    with Command("charrnn", ["sample", folder.path, *words], text=False) as process:
        shown = process.stdout.read(20).decode()
        assert str(tmp_path / "a-1.txt").encode() in ended(process)
    texts = [(tmp_path / f"a-{n}.txt").read_text() for n in (0, 1)]
    assert texts[0].startswith(shown)
    assert texts[1].startswith("the")
    assert len(texts[0]) == len(texts[1])
    words = ["compare", folder.path, folder.path, "--out", tmp_path / "c.png"]
    with started(*words, PYTHONUNBUFFERED="") as process:  # what is said leaves at the end
        ended(process)
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    assert pd.read_csv(tmp_path / "c.csv")["position"].iloc[0] == 1


def ending(error: BaseException):
    """Streams of tokens 0, 1, 2, 0, ... and 1, 2, 0, 1, ... that end so after 7 steps."""

    def streams(backbone, prompt_N, k2, choice, num_samples):
        for step in range(7):
            yield [(step + stream) % 3 for stream in range(num_samples)]
        raise error

    return streams


def test_a_model_that_diverges_leaves_no_file(config, charrnn, monkeypatch, tmp_path):
    folder = train(config(*SMALL))
    weights = folder.read_weights()
    words = ["--prompt", "the", "--num-samples", 2, "--out", tmp_path / "a.txt"]
    with monkeypatch.context() as patch:
        patch.setitem(STREAMS, "rolling", ending(Diverged("late.")))
        status, out, err = charrnn("sample", folder.path, *words)
    assert (status, out, err) == (2, "the\n a\n a\n", "error: late.\n")  # no second sample
    folder.write_weights({name: torch.full_like(w, torch.nan) for name, w in weights.items()})
    put(folder, "weights.pt", (folder.path / "weights.pt").read_bytes())
    status, out, err = charrnn("sample", folder.path, *words)
    assert (status, out) == (2, "")
    assert "the model's predictions are not finite" in err
    assert not list(tmp_path.glob("a*.txt"))


def test_ctrl_c_keeps_music_as_far_as_it_is(config, charrnn, monkeypatch, tmp_path):
    source = tmp_path / "pieces"
    source.mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        tune = map(str, rng.choice([60, 62, 64], 900))
        (source / f"{number}.mid").write_bytes(as_midi(tune))
    folder = train(config("data=midi", f"data.path={source}", "k2=20", *SMALL))
    monkeypatch.setitem(STREAMS, "rolling", ending(KeyboardInterrupt()))
    words = ["--prompt", "64", "--length", 30, "--num-samples", 2, "--out", tmp_path / "a.mid"]
    status, out, _ = charrnn("sample", folder.path, *words)
    paths = [tmp_path / "a-0.mid", tmp_path / "a-1.mid"]
    assert (status, out.split()) == (130, list(map(str, paths)))
    # The tokens are the end of a line, 60 and 62; only notes are read back.
    assert read_notes(paths[0]) == [64, 60, 62, 60, 62]
    assert read_notes(paths[1]) == [64, 60, 62, 60, 62, 60]
    status, out, _ = charrnn("sample", folder.path, *words[:4], "--runs", tmp_path / "runs")
    digest = folder.path.name.rpartition("_")[2]
    assert out == f"{tmp_path / 'runs' / 'samples' / f'sample-{digest}-0.mid'}\n"
    assert read_notes(Path(out.strip())) == [64, 60, 62, 60, 62]
