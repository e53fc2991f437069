"""Configurations composed as the command line does, with all outputs below the test's folder."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig

from charrnn import cli
from charrnn.config import conf_folder, register_resolvers

ROOT = Path(__file__).parent.parent

# The models are small and the tests run side by side: more threads only wait for each other.
torch.set_num_threads(1)


@pytest.fixture
def text_file(tmp_path) -> Path:
    """20,000 characters, seven of them distinct."""
    path = tmp_path / "text.txt"
    path.write_text("the seat of the hat\n" * 1000)
    return path


@pytest.fixture
def config(tmp_path, text_file):
    """Composes a configuration on the small text, at smoke scale unless told otherwise."""
    register_resolvers()

    def make(*overrides: str) -> DictConfig:
        defaults = [
            f"output_dir={tmp_path / 'runs'}",
            "scale=smoke",
            "sampling.length=5",
            "sampling.log_length=3",
        ]
        if not any(override.startswith("data=") for override in overrides):
            defaults += ["data=textfile", f"data.path={text_file}"]
        with initialize_config_dir(str(conf_folder()), version_base="1.3"):
            return compose("train", [*defaults, *overrides])

    return make


@pytest.fixture
def command(tmp_path, text_file):
    """Runs `python src/train.py` on the small text at smoke scale, in a process of its own."""

    def run(*overrides: str, defaults: bool = True) -> subprocess.CompletedProcess[str]:
        flags = [word for word in overrides if word.startswith("-")]
        values = [word for word in overrides if not word.startswith("-")]
        words = [f"output_dir={tmp_path / 'runs'}", "jobs=1"]
        if defaults:
            words += ["data=textfile", f"data.path={text_file}", "scale=smoke", "sampling.length=5"]
        return subprocess.run(
            [sys.executable, ROOT / "src" / "train.py", *flags, *words, *values],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            timeout=300,
        )

    return run


@pytest.fixture
def start(tmp_path, text_file):
    """Starts `python src/train.py` on the small text at smoke scale, and does not wait for it."""
    started = []

    def sweep(*words: str) -> subprocess.Popen[str]:
        given = [f"output_dir={tmp_path / 'runs'}", "data=textfile", f"data.path={text_file}"]
        given += ["scale=smoke", "sampling.length=0"]
        process = subprocess.Popen(
            [sys.executable, ROOT / "src" / "train.py", *words[:1], *given, *words[1:]],
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        started.append(process)
        return process

    yield sweep
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def charrnn(monkeypatch, capsys, tmp_path):
    """Runs a command in this process: its status, and what it printed and complained of."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["charrnn", *map(str, words)])
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = end.code
        return (status, *capsys.readouterr())

    return run


def started(*words, flags=(), **environment):
    """`charrnn` in a process of its own, which heeds SIGINT."""
    return subprocess.Popen(
        [sys.executable, *flags, "-m", "charrnn", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **environment},
        # A job in the background inherits an ignored SIGINT; Python then has no KeyboardInterrupt.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
