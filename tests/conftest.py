"""Configurations composed as the command line does, with all outputs below the test's folder."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import processes
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig
from processes import ROOT

from charrnn import cli
from charrnn.config import conf_folder, register_resolvers

# Processes import this checkout as well, wherever they are started.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
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
    """Runs `python src/train.py` on the small text at smoke scale, in a process of its own.

    The process is forked off one that has imported everything, unless ``forked`` is false.
    """

    def run(
        *overrides: str, defaults: bool = True, forked: bool = True
    ) -> subprocess.CompletedProcess[str]:
        flags = [word for word in overrides if word.startswith("-")]
        values = [word for word in overrides if not word.startswith("-")]
        words = [f"output_dir={tmp_path / 'runs'}", "jobs=1"]
        if defaults:
            words += ["data=textfile", f"data.path={text_file}", "scale=smoke", "sampling.length=5"]
        words = [*flags, *words, *values]
        if forked:
            return processes.run_command("src/train.py", words)
        return subprocess.run(
            [sys.executable, "src/train.py", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=ROOT,
            timeout=processes.DEADLINE,
        )

    return run


@pytest.fixture
def start(tmp_path, text_file):
    """Starts `python src/train.py` on the small text at smoke scale, and does not wait for it."""
    with ExitStack() as started:

        def sweep(*words: str) -> processes.Command:
            given = [f"output_dir={tmp_path / 'runs'}", "data=textfile", f"data.path={text_file}"]
            given += ["scale=smoke", "sampling.length=0"]
            words = [*words[:1], *given, *words[1:]]
            return started.enter_context(processes.Command("src/train.py", words, read=["stderr"]))

        yield sweep


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


@contextmanager
def started(*words, flags=(), **environment) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m charrnn` in a process that is not forked, and that heeds SIGINT."""
    with subprocess.Popen(
        [sys.executable, *flags, "-m", "charrnn", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, **environment},
        # A job in the background inherits an ignored SIGINT; Python then has no KeyboardInterrupt.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            yield process
        finally:
            process.kill()
