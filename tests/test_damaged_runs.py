"""Folders of runs that are damaged, or from elsewhere: named in one sentence, and left out."""

from __future__ import annotations

import io
import shutil

import pytest
import torch
from helpers import put
from omegaconf import OmegaConf

from charrnn.commands.trained_run import open_run
from charrnn.errors import CharRNNError
from charrnn.runs.folder import RunFolder
from charrnn.training.train_run import train

SMALL = ("scheme=3", "num_batches=1", "backbone.hidden_size=2", "evaluate_at=[]")
DAMAGED = "is damaged, or was changed by hand: restore it, or remove "
WHOLE = "cannot be used: it has to be a whole number, at least 1 token."
CONTENTS = [
    ("config.yaml", b"- 1\n", f" {DAMAGED}"),
    ("config.yaml", b"a: [", f" {DAMAGED}"),
    ("config.yaml", b"\xff\xfe", f" {DAMAGED}"),
    ("config.yaml", b"", f": k1=None {WHOLE}"),
    ("identity.json", b"{", f" {DAMAGED}"),
    ("identity.json", b"[]", f" {DAMAGED}"),
    ("identity.json", b'{"corpus": {"name": "text"}}', f" {DAMAGED}"),
    ("finished.json", b"{", f" {DAMAGED}"),
    ("finished.json", b"\xff", f" {DAMAGED}"),
    ("finished.json", b'{"perplexity": [2]}', f" {DAMAGED}"),
    ("finished.json", b'{"perplexity": {"windowed": "2"}}', f" {DAMAGED}"),
    ("finished.json", b'{"perplexity": {"dreamt": 2}}', f" {DAMAGED}"),
    ("finished.json", b'{"perplexity": {"windowed": 2}, "sha256": [1]}', f" {DAMAGED}"),
    ("finished.json", b'{"perplexity": {"windowed": 2}, "sha256": {"a": 1}}', f" {DAMAGED}"),
]
SETTINGS = [
    ("k2", None, f": k2=None {WHOLE}"),
    ("k2", "${seed}", f": k2=${{seed}} {WHOLE}"),
    ("precision", 16, ": precision=16 cannot be used: it has to be 32 or 64 or bf16-mixed."),
    ("precision", [32], ": precision=[32] cannot be used: it has to be 32 or 64 or bf16-mixed."),
    ("schemes", 3, ": schemes=3 cannot be used: it has to be schemes by name."),
    ("scale", None, ": scale=None cannot be used: it has to be a scale with its values."),
    ("backbone", 3, ": backbone._target_=None is not a Network that can be imported here."),
    ("model", None, ": model._target_=None is not a Scheme that can be imported here."),
]


def replace(folder: RunFolder, name: str, content: bytes) -> None:
    """Put a file in another's place, its checksum too, as in a folder from elsewhere."""
    if name == "finished.json":
        (folder.path / name).write_bytes(content)
    else:
        put(folder, name, content)


def configured(folder: RunFolder, field: str, value: object) -> None:
    """Change a setting of a finished run; None removes it."""
    values = OmegaConf.to_container(OmegaConf.load(folder.path / "config.yaml"))
    values.pop(field)
    values |= {} if value is None else {field: value}
    replace(folder, "config.yaml", OmegaConf.to_yaml(OmegaConf.create(values)).encode())


def test_a_damaged_run_is_named_in_a_sentence_and_left_out_of_the_best(
    config, charrnn, caplog, tmp_path
):
    whole = train(config(*SMALL))
    runs = tmp_path / "runs"
    said = []

    def copied() -> RunFolder:  # before the whole one by name, which decides between equals
        return RunFolder(shutil.copytree(whole.path, runs / f"a{len(said):02}"))

    for name, content, message in CONTENTS:
        replace(folder := copied(), name, content)
        said.append(f"{folder.path / name}{message}")
    for field, value, message in SETTINGS:
        configured(folder := copied(), field, value)
        said.append(f"{folder.path / 'config.yaml'}{message}")
    for number, message in enumerate(said):
        with pytest.raises(CharRNNError) as refusal:
            open_run(RunFolder(runs / f"a{number:02}"))
        sentence = str(refusal.value)
        assert sentence.startswith(message)
        assert sentence.count(". ") == 0
        status, out, err = charrnn("eval", runs / f"a{number:02}")
        assert (status, out, err) == (2, "", f"error: {sentence}\n")
    status, out, _ = charrnn("eval", "best", "--runs", runs)
    assert status == 0
    assert out.startswith(f"run: {whole.path.name}\n")
    left_out = [text for text in caplog.messages if text.startswith("left out: ")]
    assert len(left_out) == len(said)
    for text, message in zip(left_out, said, strict=True):
        assert text.startswith(f"left out: {message}")


def test_a_scheme_that_cannot_be_had_leaves_that_run_out_alone(config, charrnn, caplog, tmp_path):
    whole = train(config(*SMALL))
    other = RunFolder(shutil.copytree(whole.path, tmp_path / "runs" / "a"))
    configured(other, "schemes", {"s3": {"_target_": "elsewhere.Scheme"}})
    _, out, _ = charrnn("eval", "best", "scheme=3", "--runs", tmp_path / "runs")
    assert out.startswith(f"run: {whole.path.name}\n")
    refusal = f"{other.path / 'config.yaml'}: schemes.s3._target_=elsewhere.Scheme is not a Scheme"
    assert caplog.messages.count(f"left out: {refusal} that can be imported here.") == 1


def test_weights_that_are_none_are_damaged(config, charrnn):
    folder = train(config(*SMALL))
    torch.save([1], buffer := io.BytesIO())
    replace(folder, "weights.pt", buffer.getvalue())
    status, out, err = charrnn("sample", folder.path)
    assert (status, out) == (2, "")
    assert f"{folder.path / 'weights.pt'} {DAMAGED}" in err
