"""Configurations composed as the command line does, with all outputs below the test's folder."""

from __future__ import annotations

import functools
import gc
import logging
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import processes
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig
from processes import ROOT

from charrnn import cli
from charrnn.backbone import compiled
from charrnn.backbone.acceleration import eager_only
from charrnn.config import conf_folder, register_resolvers

# Processes import this checkout as well, wherever they are started.
os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
# The models are small and the tests run side by side: more threads only wait for each other.
torch.set_num_threads(1)

# The tests write thousands of small files, each of which a run forces onto the disk before it goes
# on: in memory, where there is some, nothing waits for that.
MEMORY = Path("/dev/shm")
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > 4 * 2**30:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


# What is imported and collected is never freed, so the garbage collector need not look at it again.
gc.disable()


def pytest_collection_finish():
    gc.collect()
    gc.freeze()
    gc.enable()


# Files whose tests share a fixture that takes long.
ONE_WORKER = {"test_experiments.py", "test_report.py"}


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Send all tests of a file in `ONE_WORKER` to one worker, and every other test to any.

    The mark `xdist_group` would do that, but pytest-xdist 3.8 ignores it with pytest 9.2.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            path = Path(nodeid.partition("::")[0])
            return path.name if path.name in ONE_WORKER else nodeid

    return Scheduling(config, log)


@functools.cache
def composed(groups: tuple[str, ...]) -> bytes:
    """The configuration with these choices of files, which Hydra takes long to read, pickled."""
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return pickle.dumps(compose("train", [*groups]))


def is_group(name: str) -> bool:
    """Whether files of `conf/` are chosen by this name, and not a value given to a field."""
    return (conf_folder() / name).is_dir()


@pytest.fixture(autouse=True)
def log():
    """Takes back what Hydra, in this process, has made of the log."""
    root = logging.getLogger()
    handlers, level = [*root.handlers], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def write_text(folder: Path) -> Path:
    """20,000 characters, nine of them distinct."""
    path = folder / "text.txt"
    path.write_text("the seat of the hat\n" * 1000)
    return path


def small_config(folder: Path, *overrides: str) -> DictConfig:
    """A configuration on the small text of a folder, at smoke scale unless told otherwise.

    As sweeps do, it reads the files once for all configurations that choose the same ones.
    """
    defaults = [
        f"output_dir={folder / 'runs'}",
        "scale=smoke",
        "sampling.length=5",
        "sampling.log_length=3",
    ]
    if not any(override.startswith("data=") for override in overrides):
        defaults += ["data=textfile", f"data.path={folder / 'text.txt'}"]
    parsed = OverridesParser.create().parse_overrides([*defaults, *overrides])
    groups = (each.input_line for each in parsed if is_group(each.key_or_group))
    cfg = pickle.loads(composed(tuple(groups)))  # six times as fast as a deep copy
    values = [each for each in parsed if not is_group(each.key_or_group)]
    ConfigLoaderImpl._apply_overrides_to_config(values, cfg)
    return cfg


@pytest.fixture
def text_file(tmp_path) -> Path:
    """The small text."""
    return write_text(tmp_path)


@pytest.fixture
def config(tmp_path, text_file):
    """Composes configurations on the small text in the test's folder."""
    return functools.partial(small_config, tmp_path)


@pytest.fixture(scope="module")
def shared_config(tmp_path_factory):
    """The same in a folder of the tests of a file, for runs that they only read, or copy."""
    folder = tmp_path_factory.mktemp("shared")
    write_text(folder)
    return functools.partial(small_config, folder)


@pytest.fixture
def command(tmp_path, text_file):
    """Runs `python src/train.py` on the small text at smoke scale, in a process of its own.

    The process is forked off one that has imported everything.
    """

    def run(*overrides: str, defaults: bool = True) -> subprocess.CompletedProcess[str]:
        flags = [word for word in overrides if word.startswith("-")]
        values = [word for word in overrides if not word.startswith("-")]
        words = [f"output_dir={tmp_path / 'runs'}", "jobs=1"]
        if defaults:
            words += ["data=textfile", f"data.path={text_file}", "scale=smoke"]
            words += ["sampling.length=5", "sampling.log_length=3"]
        return processes.run_command("src/train.py", [*flags, *words, *values])

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
    """`python -m charrnn` in a process that is not forked, and that heeds signals."""
    with subprocess.Popen(
        [sys.executable, *flags, "-m", "charrnn", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={**os.environ, **environment},
        preexec_fn=processes.heed_signals,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(params=["fused", "eager"])
def passes(request):
    """With the compiled passes, and again with torch's operations."""
    if request.param == "fused":
        if not compiled.is_available():
            pytest.skip("there is no C++ compiler here")
        yield
    else:
        with eager_only():
            yield
