"""The commands that use trained runs: which run is meant, and that its own numbers come back."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import math
import os
import re
import shutil
import signal
import sys

import numpy as np
import pandas as pd
import py_midicsv
import pytest
import reference
import torch
import yaml
from conftest import started
from helpers import model_and_parameters, put
from matplotlib.text import Text
from omegaconf import OmegaConf
from processes import DEADLINE, Command

from charrnn.api.results import results
from charrnn.cli import interruptible, refusing
from charrnn.commands.compare import draw
from charrnn.commands.trained_run import open_run
from charrnn.commands.which_run import Reference
from charrnn.data.corpora.base import load_once
from charrnn.data.music.midi_reading import read_notes
from charrnn.data.music.midi_writing import as_midi
from charrnn.evaluation.by_position import perplexity_by_position
from charrnn.evaluation.perplexity import windowed_perplexity
from charrnn.runs.folder import RunFolder
from charrnn.sampling.samplers import SAMPLERS, STREAMS, Choice
from charrnn.training.train_run import train


@pytest.fixture(scope="module")
def small(shared_config):
    """A finished run, for tests that change nothing."""
    return train(shared_config("num_batches=1", "backbone.hidden_size=2", "evaluate_at=[]"))


@pytest.fixture(scope="module")
def longer(shared_config):
    """One of ten batches."""
    return train(shared_config("num_batches=10", "k2=5", "k1=5"))


def values(out: str) -> dict[str, float]:
    """Procedure and perplexity of the rows that `charrnn eval` prints."""
    rows = (line.split() for line in out.splitlines())
    return {row[0]: float(row[1]) for row in rows if row[0] in ("windowed", "progressive")}


@pytest.mark.parametrize("scheme", [1, 2, 4])
def test_eval_gives_the_runs_own_table_and_that_of_the_same_text(config, charrnn, tmp_path, scheme):
    cfg = config(f"scheme={scheme}", "num_batches=20", "k2=30")
    folder = train(cfg)
    status, out, _ = charrnn("eval", folder.path)
    assert status == 0
    own = json.loads((folder.path / "finished.json").read_text())["perplexity"]
    assert values(out).keys() == {"windowed", "progressive"}
    for procedure, value in own.items():
        assert values(out)[procedure] == pytest.approx(value, rel=1e-6)
    assert "k2=30" in out
    assert out.splitlines()[-2:] == [
        "windowed: each token from exactly the 30 before it, from the initial state (Algorithm 4)",
        "progressive: the text read once, the state carried along (Algorithm 5)",
    ]
    run = open_run(folder)
    text = tmp_path / "test.txt"
    text.write_text(run.vocabulary.decode(run.datamodule().test_tokens.numpy()))
    assert values(charrnn("eval", folder.path, "--text", text)[1]) == values(out)
    (bits,) = (row.split()[2] for row in out.splitlines() if row.startswith("windowed "))
    assert float(bits) == pytest.approx(math.log2(values(out)["windowed"]), rel=1e-5)
    errors = [row.split()[3] for row in out.splitlines() if row.startswith(("wind", "prog"))][:2]
    table = run.evaluations.query("batches == 20")
    assert errors == [f"{error:.1%}" for error in table["standard_error"]]
    text.write_text("the hat is blue\n" * 20)
    status, _, err = charrnn("eval", folder.path, "--text", text)
    assert status == 2
    assert err.endswith("without 'b', 'i', 'l', 'u'.\n")
    assert len(err) < 300  # the text is not in it
    text.write_text("the hat")
    assert "longer than k2=30 tokens" in charrnn("eval", folder.path, "--text", text)[2]


def test_a_run_is_used_without_its_corpus(config, charrnn, text_file):
    folder = train(config("num_batches=2"))
    text_file.write_text("another text")
    from charrnn.data.corpora.base import load_once

    load_once.cache_clear()
    assert (
        "trained on a different text from the one that text is" in charrnn("eval", folder.path)[2]
    )
    text_file.unlink()
    load_once.cache_clear()
    assert "data.path=" in charrnn("eval", folder.path)[2]
    status, out, _ = charrnn("sample", folder.path, "--prompt", "the seat", "--length", 12)
    assert status == 0
    assert out.startswith("the seat")
    assert len(out) == len("the seat") + 12 + 1
    vocabulary = folder.path / "vocabulary.json"
    vocabulary.write_text(vocabulary.read_text().replace("e", "x"))
    assert "vocabulary.json is damaged" in charrnn("sample", folder.path)[2]


@pytest.mark.parametrize("procedure", ["windowed", "rolling", "progressive"])
def test_samples_are_those_of_the_algorithms(longer, charrnn, procedure):
    run = open_run(longer)
    vocabulary = run.vocabulary
    prompt = torch.from_numpy(vocabulary.encode("the seat of", "x"))
    texts = []
    for seed in (3, 4):
        draws = SAMPLERS[procedure](
            run.backbone, prompt, 5, Choice(temperature=0.8, top_k=4, seed=seed)
        )
        texts.append("the seat of" + vocabulary.decode(np.array(list(itertools.islice(draws, 9)))))
    words = ["--prompt", "the seat of", "--procedure", procedure, "--length", 9]
    words += ["--num-samples", 2, "--seed", 3, "--temperature", 0.8, "--top-k", 4]
    status, out, _ = charrnn("sample", longer.path, *words)
    assert status == 0
    assert out == f"{texts[0]}\n\n--- seed 4\n{texts[1]}\n"


def test_characters_appear_as_they_are_written(small, charrnn, monkeypatch):
    arrived, seen = io.BytesIO(), []
    rolling = STREAMS["rolling"]

    def watched(*arguments):
        for tokens in rolling(*arguments):
            seen.append(len(arrived.getvalue()))
            yield tokens

    monkeypatch.setitem(STREAMS, "rolling", watched)
    # As on a pipe: nothing arrives before it is flushed, or much has been written.
    stdout = io.TextIOWrapper(io.BufferedWriter(arrived))
    monkeypatch.setattr(sys, "stdout", stdout)
    assert charrnn("sample", small.path, "--prompt", "the", "--length", 5)[0] == 0
    assert seen == [0, 4, 5, 6, 7]  # before the first is drawn, nothing; the prompt with it
    assert len(arrived.getvalue()) == 3 + 5 + 1


@pytest.mark.parametrize("scheme", [1, 3, 4])
def test_a_scheme_samples_by_its_own_procedure(config, charrnn, caplog, tmp_path, scheme):
    folder = train(config(f"scheme={scheme}", "num_batches=20", "k2=5", "k1=5"))
    run = open_run(folder)
    vocabulary = run.vocabulary
    prompt = torch.from_numpy(vocabulary.encode("the seat", "x"))

    def drawn(procedure):
        draws = SAMPLERS[procedure](run.backbone, prompt, 5, Choice())
        return "the seat" + vocabulary.decode(np.array(list(itertools.islice(draws, 200)))) + "\n"

    def sampled(*words):
        return charrnn("sample", *words, "--prompt", "the seat", "--length", 200)[1]

    windowed, progressive = drawn("windowed"), drawn("progressive")
    assert windowed != progressive
    assert sampled(folder.path) == (windowed if scheme == 1 else progressive)
    if scheme == 3:
        best = ["best", "--runs", tmp_path / "runs"]
        assert sampled(*best[:1], "scheme=1", *best[1:]) == windowed
        assert sampled(*best[:1], "scheme=3", *best[1:]) == progressive


def test_a_prompt_shorter_than_k2_is_said_to_be_read_as_it_is(config, charrnn, caplog):
    folder = train(config("num_batches=1", "k2=5", "k1=5", "evaluate_at=[]"))
    caplog.set_level("INFO")
    said = "the prompt has 4 tokens, fewer than k2=5: read as it is."
    for prompt, expected in (("the ", [said]), ("the s", [])):
        caplog.clear()
        assert charrnn("sample", folder.path, "--prompt", prompt, "--length", 1)[0] == 0
        assert [text for text in caplog.messages if "read as it is" in text] == expected


def test_a_narrow_terminal_cuts_no_number(small, charrnn, monkeypatch, capsys):
    _, wide, _ = charrnn("eval", small.path)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for name, value in {"COLUMNS": "20", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    narrow = re.sub(r"\x1b\[[\d;]*m", "", charrnn("eval", small.path)[1])  # without bold type
    assert len(values(narrow)) == 2
    assert narrow.split() == wide.split()


def test_ctrl_c_ends_a_sample_and_shows_the_others(config, tmp_path):
    folder = train(config("num_batches=2", "k2=5", "k1=5"))
    words = ["--prompt", "the", "--length", 10**9, "--num-samples", 2, "--out", tmp_path / "a.txt"]
    with Command("charrnn", ["sample", folder.path, *words], text=False) as process:
        shown = process.stdout.read(50)
        process.send_signal(signal.SIGINT)
        out, complaints = process.communicate()
    assert process.returncode == 130
    assert complaints.splitlines()[-1] == b"ended by SIGINT."
    assert b"Traceback" not in complaints
    first, second = (shown + out).decode().split("\n\n--- seed 1\n")
    assert second.endswith("\n")
    assert (tmp_path / "a-1.txt").read_text() == second[:-1]
    run = open_run(folder)
    vocabulary = run.vocabulary
    prompt = torch.from_numpy(vocabulary.encode("the", "x"))
    for seed, text in ((0, first), (1, second[:-1])):
        assert len(text) >= 50 - 1  # it may be one token behind
        draws = SAMPLERS["rolling"](run.backbone, prompt, 5, Choice(seed=seed))
        drawn = np.array(list(itertools.islice(draws, len(text) - len("the"))))
        assert text == "the" + vocabulary.decode(drawn)


def test_ctrl_c_while_all_is_imported_is_no_traceback():
    with started("eval", "none", flags=["-X", "importtime"]) as process:
        for line in process.stderr:
            if line.endswith(b" torch.version\n"):
                break
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=DEADLINE)
    said = b"\n".join(x for x in complaints.splitlines() if not x.startswith(b"import time:"))
    assert process.returncode == 130, said.decode()
    assert b"Traceback" not in complaints
    assert b" charrnn.commands.trained_run\n" not in complaints  # imports had not finished


def test_ctrl_c_that_an_extension_module_hides_is_ctrl_c(capsys):
    with pytest.raises(SystemExit) as end, interruptible(), refusing():
        raise ImportError("initialization failed") from KeyboardInterrupt()
    assert end.value.code == 130
    assert capsys.readouterr().err == "ended by SIGINT.\n"


def test_a_terminal_is_sent_no_control_characters_of_a_corpus(
    config, charrnn, monkeypatch, text_file, tmp_path
):
    text_file.write_text("the \x1b[31mseat\x07\n" * 1000)
    folder = train(config("num_batches=1", "backbone.hidden_size=2", "evaluate_at=[]"))
    words = ["sample", folder.path, "--prompt", "t\x1b[3", "--length", 1]
    assert "t\x1b[3" in charrnn(*words)[1]  # a file or a pipe gets the text as it is
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", terminal)
    charrnn(*words, "--out", tmp_path / "a.txt")
    assert terminal.getvalue().startswith("t\\x1b[3")
    assert "\x1b" not in terminal.getvalue()
    assert (tmp_path / "a.txt").read_text().startswith("t\x1b[3")


def test_a_character_that_standard_output_does_not_have_is_replaced(
    config, charrnn, monkeypatch, text_file
):
    text_file.write_text("the séat of the hat\n" * 1000)
    folder = train(config("num_batches=1", "backbone.hidden_size=2", "evaluate_at=[]"))
    words = ["sample", folder.path, "--prompt", "the sé", "--length", 1]
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="ascii"))
    status, _, complaints = charrnn(*words)
    assert (status, out.getvalue()[:6]) == (0, b"the s?")
    assert "Traceback" not in complaints


def test_text_is_written_to_a_file_too(config, charrnn, tmp_path, text_file):
    text_file.write_text("the séat of the hat\n" * 1000)
    folder = train(config("num_batches=2"))
    words = ["sample", folder.path, "--prompt", "the sé", "--length", 9]
    status, out, _ = charrnn(*words, "--out", tmp_path / "one.txt")
    assert status == 0
    assert (tmp_path / "one.txt").read_text(encoding="utf-8") + "\n" == out
    assert len(out) == len("the sé") + 9 + 1
    status, out, _ = charrnn(*words, "--num-samples", 2, "--out", tmp_path / "two.txt")
    first, second = ((tmp_path / f"two-{n}.txt").read_text(encoding="utf-8") for n in (0, 1))
    assert out == f"{first}\n\n--- seed 1\n{second}\n"
    assert not (tmp_path / "two.txt").exists()
    status, out, err = charrnn(*words, "--num-samples", 2, "--out", "")
    assert (status, out) == (2, "")
    assert "--out=. cannot be used: it has to be the name of a file." in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--prompt", ""], "--prompt='' cannot be used: it has to be at least 1 token."),
        (["--prompt", "blue"], "without 'b', 'l', 'u'."),
        (["--length", "0"], "--length=0 cannot be used"),
        (["--num-samples", "0"], "--num-samples=0 cannot be used"),
        (["--temperature", "0"], "--temperature=0.0 cannot be used"),
        (["--top-k", "0"], "--top-k=0 cannot be used"),
        (["--seed", "-1"], "--seed=-1 cannot be used"),
        (["--length", 10**20], "--length=100000000000000000000 cannot be used: it has to be a"),
        (["--length", 10**20], " a whole number, at most 9223372036854775807."),
        (["--num-samples", 10**8], "=100000000 cannot be used: it has to be a whole number, at mo"),
        (["--num-samples", 1001], " a whole number, at most 1000."),
        (["--seed", 2**63], " a whole number, at most 9223372036854775807."),
        (["--seed", 2**63 - 1, "--num-samples", 2], "a whole number, at most 9223372036854775806."),
        (["--prompt", "bcdfgijklmnq"], "'l', 'm', 'n', and 1 more."),
    ],
)
def test_what_cannot_be_sampled_is_refused(small, charrnn, words, message):
    status, out, err = charrnn("sample", small.path, *words)
    assert (status, out) == (2, "")
    assert message in err


def test_runs_are_named_by_folder_prefix_hash_or_as_the_best(config, charrnn, tmp_path):
    slow = train(config("scheme=1", "num_batches=2"))
    fast = train(config("scheme=1", "num_batches=20", "optimizer.lr=0.01"))
    single = train(config("scheme=2", "num_batches=2"))
    (tmp_path / "runs" / "unfinished").mkdir()
    (tmp_path / "runs" / "unfinished" / "config.yaml").touch()

    def meant(*words):
        _, out, err = charrnn("eval", *words, "--runs", tmp_path / "runs")
        return out.partition("\n")[0].removeprefix("run: ") or err

    assert meant(slow.path) == slow.path.name
    assert meant(slow.path.name.rpartition("_")[2][:8]) == slow.path.name
    assert meant("text_single") == single.path.name
    assert "one run's name or hash (text_multi" in meant("text_multi")
    assert f"(no run in {tmp_path / 'runs'} matches, 4 searched)." in meant("nothing")
    field = "it has to be after 'best', which alone takes fields; how a run is sampled is chosen by"
    for words in ([slow.path, "scheme=1"], ["scheme=1"], ["scheme=1", "best"]):
        assert meant(*words).startswith(f"error: scheme=1 cannot be used: {field} --procedure of")
    twice = "error: k2=4 cannot be used: it has to be given once, and is 3 already.\n"
    assert meant("best", "k2=3", "k2=4") == twice
    for number in range(12):
        (tmp_path / "runs" / f"many{number:02}").mkdir()
        (tmp_path / "runs" / f"many{number:02}" / "config.yaml").touch()
    assert "(many00, many01, many02," in meant("many")
    assert "many09, and 2 more match)." in meant("many")
    os.rename(tmp_path / "runs" / "many00", tmp_path / "runs" / "k1=5")
    assert "is not finished" in meant("k1=")  # a folder's name may look like a field
    assert meant("").startswith("error: RUN='' cannot be used: it has to be a run's folder; ")
    text = f"error: {tmp_path} is not a run's folder: it has no config.yaml."
    assert " ".join(meant(tmp_path).split()) == text
    assert "is not finished" in meant(tmp_path / "runs" / "unfinished")
    assert meant("best") == fast.path.name
    assert meant("best", "scheme=3") == slow.path.name  # with the default learning rate
    assert meant("best", "corpus=text", "scheme=2") == single.path.name
    assert meant("best", "num_batches=2", "scheme=1") == slow.path.name
    assert "has corpus=text scheme=4" in meant("best", "corpus=text", "scheme=4")
    assert "it has to be 1, not 2:" in meant("best", "best")


def test_the_best_run_is_of_one_text(config, charrnn, text_file, tmp_path):
    small = ["num_batches=1", "k2=10", "k1=5", "backbone.hidden_size=2"]
    labels = {}
    for content in ("the seat of the hat\n" * 1000, "a seat of a hat\n" * 1000):
        text_file.write_text(content)
        load_once.cache_clear()
        run = train(config(*small))
        labels[run.path.name] = f"text@{hashlib.sha256(content.encode()).hexdigest()[:6]}"

    def meant(word):
        _, out, err = charrnn("eval", "best", f"corpus={word}", "--runs", tmp_path / "runs")
        return out.partition("\n")[0].removeprefix("run: ") or err

    known = " or ".join(sorted(labels.values()))
    several = f"error: corpus=text cannot be used: it has to be {known}: several texts have this"
    assert meant("text").startswith(several)
    text_file.write_text("the seat of the hat\n" * 1000)
    load_once.cache_clear()
    (first, label), (_, other) = labels.items()
    assert meant(label) == first
    assert meant(other).endswith("is on this machine now: give a text of your own.\n")
    table = results(tmp_path / "runs")
    assert dict(zip(table["run"], table["corpus"], strict=True)) == labels


def test_the_fields_of_the_best_run_are_values_and_a_misspelt_one_is_refused(
    config, charrnn, tmp_path
):
    small = ["num_batches=3", "k2=10", "k1=5", "backbone.hidden_size=2", "evaluate_at=[]"]
    plain = train(config("scheme=3", *small, "optimizer.lr=0.01"))
    last = train(config("scheme=3", *small, "k3=1", "optimizer.lr=0.1"))
    whole = train(config("scheme=1", *small, "k3=10", "optimizer.lr=0.001"))  # as k3=null
    unbiased = train(config("scheme=3", *small, "backbone.forget_bias=0", "optimizer.lr=0.2"))
    ends = {
        folder.path.name: json.loads((folder.path / "finished.json").read_text())["perplexity"]
        for folder in (plain, last, whole, unbiased)
    }

    def lowest(*folders):
        return min((folder.path.name for folder in folders), key=lambda name: ends[name][own])

    def meant(*words):
        _, out, err = charrnn("eval", "best", *words, "--runs", tmp_path / "runs")
        return out.partition("\n")[0].removeprefix("run: ") or " ".join(err.split())

    own = "progressive"
    assert lowest(plain, last, whole, unbiased) not in (plain.path.name, whole.path.name)
    assert lowest(plain, whole) == plain.path.name
    assert (
        meant("scheme=3") == whole.path.name
    )  # the others end lower, but are not the standard run
    assert meant("scheme=3", "k3=null") == whole.path.name
    assert meant("scheme=3", "k3=10") == whole.path.name
    assert meant("scheme=3", "k3=1") == last.path.name
    for zero in ("0", "0.0", "0e0"):
        assert meant(f"backbone.forget_bias={zero}") == unbiased.path.name
    for rate in ("1e-2", "0.01", "0.010"):
        assert meant(f"optimizer.lr={rate}") == plain.path.name
    assert meant("evaluate_at=[]", "optimizer.lr=1e-3", "backbone.peepholes='lasagne'") == (
        whole.path.name
    )
    assert meant("k3=null", "num_batches=4").startswith("error: no finished run in ")
    for word, said in {
        "gamma=128": "gamma=128 cannot be used: it has to be corpus, scheme or a field of ",
        "hidden_size=2": "has to be backbone.hidden_size; no run has a field 'hidden_size'.",
        "backbone.forgetbias=5": "has to be backbone.forget_bias",
        "scheme=9": "error: scheme=9 cannot be used: it has to be one of 1, 2, 3, 4, awd_lstm, ",
        "[=1": "error: [=1 cannot be used: it has to be corpus",
        "k1=[": "error: k1=[ cannot be used: it has to be a value as in YAML",
        "=": "error: = cannot be used: it has to be corpus",
    }.items():
        assert said in meant(word)


def tamper(folder, **changes):
    """Change the configuration of a finished run, and its checksum, by YAML of nodes."""
    content = (folder.path / "config.yaml").read_text()
    cfg = OmegaConf.create(content)
    for field, text in changes.items():
        OmegaConf.update(cfg, field, yaml.safe_load(text))
    content = OmegaConf.to_yaml(cfg)
    put(folder, "config.yaml", content.encode())


WRITES = (
    "{_target_: charrnn.files.write_atomically, content: taken over,"
    " path: {_target_: pathlib.Path, _args_: [written]}}"
)


@pytest.mark.parametrize(
    ("field", "text", "named"),
    [
        ("backbone.seed", WRITES, "backbone.seed would be called"),
        ("backbone.seed", f"[1, {{a: {WRITES}}}]", "backbone.seed.1.a would be called"),
        ("backbone.seed", "${evil}", "backbone.seed would be called or looked up"),
        ("backbone.seed", r"\${evil}", "backbone.seed would be called or looked up"),
        ("backbone", "${evil}", "backbone would be called or looked up"),
        ("data.path", WRITES, "data.path would be called"),
        ("datamodule.seed", WRITES, "datamodule.seed would be called"),
        ("model.start", WRITES, "model.start would be called"),
        ("backbone._target_", "charrnn.files.write_atomically", "backbone._target_=charrnn.files."),
        ("schemes.s3._target_", "charrnn.files.write_atomically", "schemes.s3._target_=charrnn."),
    ],
)
def test_nothing_in_a_folder_from_elsewhere_is_called(
    small, charrnn, caplog, tmp_path, field, text, named
):
    folder = RunFolder(shutil.copytree(small.path, tmp_path / "runs" / small.path.name))
    tamper(folder, evil=WRITES)
    assert charrnn("sample", folder.path, "--length", 1)[0] == 0  # what no part uses is let be
    tamper(folder, **{field: text})
    words = ["best", "scheme=3"] if field.startswith("schemes") else [folder.path]
    status, out, err = charrnn("eval", *words, "--runs", folder.path.parent)
    assert not (tmp_path / "written").exists()
    assert (status, out) == (2, "")
    said = err + caplog.text  # 'best' leaves such a run out
    assert f"{folder.path / 'config.yaml'}: {named}" in said.replace("\n", " ")
    assert "Traceback" not in err


def test_music_is_written_as_midi_that_another_parser_reads(config, charrnn, tmp_path):
    source = tmp_path / "pieces"
    source.mkdir()
    rng = np.random.default_rng(0)
    tunes = [list(map(str, rng.choice([60, 62, 64, 67], 900))) for _ in range(4)]
    for number, tune in enumerate(tunes):
        (source / f"{number}.mid").write_bytes(as_midi(tune))
        assert read_notes(source / f"{number}.mid") == list(map(int, tune))
    folder = train(config("data=midi", f"data.path={source}", "k2=20", "num_batches=2"))
    out = tmp_path / "out.mid"
    words = ["--prompt", "60 62\n64", "--length", 30, "--num-samples", 2, "--out", out]
    status, printed, _ = charrnn("sample", folder.path, *words)
    assert status == 0
    paths = [tmp_path / "out-0.mid", tmp_path / "out-1.mid"]
    assert printed.split() == list(map(str, paths))
    run = open_run(folder)
    vocabulary = run.vocabulary
    prompt = torch.from_numpy(vocabulary.encode("60 62\n64", "x"))
    for seed, path in enumerate(paths):
        draws = SAMPLERS["rolling"](run.backbone, prompt, 20, Choice(seed=seed))
        drawn = [vocabulary.symbols[token] for token in itertools.islice(draws, 30)]
        rows = [row.strip().split(", ") for row in py_midicsv.midi_to_csv(str(path))]
        struck = [(int(row[1]), row[4]) for row in rows if row[2] == "Note_on_c"]
        assert [note for _, note in struck] == [s for s in ["60", "62", "64", *drawn] if s != "\n"]
        # Half a beat a note, four beats at the end of a line; 480 ticks a beat.
        assert [onset for onset, _ in struck[:3]] == [0, 240, 2 * 240 + 4 * 480]
        assert int(next(row for row in rows if row[2] == "Header")[5]) == 480
    assert "bits per note" in charrnn("eval", folder.path)[1]


def test_perplexity_by_position_is_that_of_each_prefix_of_each_window():
    backbone, p = model_and_parameters()
    tokens = np.random.default_rng(1).integers(0, 7, 40)
    k2 = 6
    log_p = np.zeros((40 - k2, k2))
    with torch.no_grad():
        for start in range(40 - k2):
            window = torch.tensor(tokens[start : start + k2 + 1])[:, None]
            logits, _ = reference.run(p, window[:-1], reference.initial_state(p, 1))
            log_p[start] = [
                -reference.cross_entropy(y, t).item()
                for y, t in zip(logits, window[1:], strict=True)
            ]
    found = perplexity_by_position(backbone, torch.from_numpy(tokens), k2)
    np.testing.assert_allclose(found, np.exp(-log_p.mean(0)), rtol=1e-9)
    whole = windowed_perplexity(backbone, torch.from_numpy(tokens), k2)
    assert found[-1].item() == pytest.approx(whole.value, rel=1e-9)


def test_compare_prints_draws_and_writes_every_position(config, charrnn, tmp_path):
    multi = train(config("scheme=1", "num_batches=20", "k2=12", "k1=12"))
    single = train(config("scheme=2", "num_batches=20", "k2=10", "k1=10"))
    status, out, _ = charrnn("compare", multi.path, single.path, "--out", tmp_path / "c.png")
    assert status == 0
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    table = pd.read_csv(tmp_path / "c.csv")
    assert table["position"].tolist() == list(range(1, 11))  # the smaller k2
    own = json.loads((single.path / "finished.json").read_text())["perplexity"]["windowed"]
    assert table["second"].iloc[-1] == pytest.approx(own, rel=1e-6)
    (row,) = (line.split() for line in out.splitlines() if line.startswith("10 "))
    assert float(row[2]) == pytest.approx(own, abs=0.005)
    other = train(config("scheme=2", "num_batches=2", "datamodule.seed=1"))
    status, _, err = charrnn("compare", multi.path, other.path)
    assert status == 2
    assert "have different test splits" in err


def test_compare_says_how_both_are_read_and_what_they_are_by_their_own_procedure(
    config, charrnn, tmp_path
):
    small = ["num_batches=3", "k2=10", "k1=5", "backbone.hidden_size=4", "evaluate_at=[]"]
    single = train(config("scheme=2", *small)).path
    multi = train(config("scheme=3", *small)).path
    carried = train(config("scheme=4", *small)).path

    def compared(*words):
        status, out, _ = charrnn("compare", *words, "--runs", tmp_path / "runs")
        assert status == 0
        return out.partition("tokens read")[0].splitlines()

    def own(path, procedure):
        final = json.loads((path / "finished.json").read_text())["perplexity"][procedure]
        return f"{path.name} (final perplexity {final:.2f}, {procedure})"

    read = "table:  both read as windows of 10 tokens, each from the initial state"
    progressive = "its own procedure is progressive, one state carried along"
    trained_so = "trained and sampled with one state carried along"
    end = "; windows are not how it is used."
    assert compared(single, carried) == [
        f"first:  {own(single, 'windowed')}",
        f"second: {own(carried, 'progressive')}",
        read,
        f"second: {trained_so}{end}",
    ]
    assert compared(multi, single)[2:] == [read, f"first: {progressive}{end}"]
    # The same run, asked for as scheme 1, is read as it is used.
    assert compared("best", "scheme=1", single) == [
        f"first:  {own(multi, 'windowed')}",
        f"second: {own(single, 'windowed')}",
        read,
    ]
    references = [
        Reference(open_run(RunFolder(path)), procedure)
        for path, procedure in ((single, "windowed"), (carried, "progressive"))
    ]
    figure = draw(pd.DataFrame({"position": [1, 2], "first": [3, 2], "second": [4, 3]}), references)
    texts = [text.get_text() for text in figure.findobj(Text)]
    under = "both read as windows of 2 tokens, each from the initial state"
    assert f"{under}\nsecond: {trained_so}{end}" in texts
    assert f"first: {own(single, 'windowed').replace(' (', chr(10) + '(')}" in texts
