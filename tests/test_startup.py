"""What a command imports: nothing slow where nothing is computed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from charrnn.training.train_run import train

SLOW = ("torch", "pytorch_lightning", "matplotlib", "tensorboard", "hydra", "scipy")
RUNNER = """
import atexit, json, runpy, sys
out, script = sys.argv[1:3]
sys.argv = sys.argv[2:]
atexit.register(lambda: open(out, "w").write(json.dumps(sorted(sys.modules))))
if script.endswith(".py"):
    runpy.run_path(script, run_name="__main__")
else:
    runpy.run_module(script, run_name="__main__", alter_sys=True)
"""


@pytest.fixture
def imported(tmp_path):
    """Runs a command in a process of its own: its status and the slow packages it has imported.

    No command warns of anything, not even while it imports.
    """

    def run(*words) -> tuple[int, set[str]]:
        out = tmp_path / "modules.json"
        command = [sys.executable, "-c", RUNNER, out, *words]
        result = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            timeout=300,
        )
        assert "Warning" not in result.stderr
        modules = {name.partition(".")[0] for name in json.loads(out.read_text())}
        return result.returncode, modules & {*SLOW}

    return run


@pytest.mark.parametrize(
    "words",
    [
        [ROOT / "src" / "train.py", "--help"],
        [ROOT / "src" / "train.py", "scheme=2", "-h"],
        ["charrnn", "--help"],
        ["charrnn", "train", "--help"],
        ["charrnn", "help", "scheme", "all"],
        *(["charrnn", name, "--help"] for name in ("plan", "status", "sample", "eval", "compare")),
        ["charrnn", "data", "--help"],
    ],
    ids=lambda words: " ".join(Path(word).name for word in words),
)
def test_help_imports_nothing_slow(imported, words):
    assert imported(*words) == (0, set())


def test_status_imports_nothing_slow(imported, config, tmp_path):
    train(config("num_batches=1", "backbone.hidden_size=2", "sampling.length=0"))
    assert imported("charrnn", "status", "--runs", tmp_path / "runs") == (0, set())
    assert imported("charrnn", "status", "--runs", tmp_path / "nowhere") == (2, set())


@pytest.mark.slow
def test_import_charrnn_imports_nothing_slow(imported, tmp_path):
    script = tmp_path / "notebook.py"
    script.write_text("import charrnn\ncharrnn.__version__\ndir(charrnn)\n")
    assert imported(script) == (0, set())
    script.write_text("import charrnn\ncharrnn.results\n")
    assert imported(script) == (0, set())
    script.write_text("import charrnn\ncharrnn.Scheme4\n")
    status, slow = imported(script)
    assert status == 0
    assert {"torch", "pytorch_lightning"} <= slow


def test_scale_auto_needs_no_torch_where_there_is_no_driver(imported, monkeypatch, tmp_path):
    from charrnn import config, devices

    script = tmp_path / "scale.py"
    script.write_text(
        "from charrnn import config\n"
        "from charrnn import devices\n"
        "devices.GPU_FILES = ()\n"
        "assert config.scale_for_this_machine() == 'quick'\n"
    )
    assert imported(script) == (0, set())
    monkeypatch.setattr(devices, "GPU_FILES", [str(tmp_path)])
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert config.scale_for_this_machine() == "paper"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert config.scale_for_this_machine() == "quick"


def test_the_first_line_of_a_run_comes_before_anything_slow(tmp_path):
    """A process that stops at the first slow import has said its line already."""
    stop = "import sys; sys.modules['torch'] = sys.modules['hydra'] = None; "
    run = f"sys.argv = ['train.py', 'k1=0']; sys.path.insert(0, {str(ROOT / 'src')!r}); "
    command = [sys.executable, "-c", f"{stop}{run}from charrnn.cli import train; train()"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    first, *rest = result.stderr.splitlines()
    assert first.endswith(": starting; loading PyTorch takes a few seconds")
    assert rest[-1].startswith("ModuleNotFoundError: import of hydra halted")


@pytest.mark.slow
def test_a_finished_run_is_reused_without_what_training_takes(imported, text_file, tmp_path):
    asked = ["data=textfile", f"data.path={text_file}", "scale=smoke", "num_batches=1", "jobs=1"]
    asked += ["sampling.length=0", f"output_dir={tmp_path / 'runs'}"]
    sweep = (ROOT / "src" / "train.py", "-m", "scheme=1,3,4", *asked)
    status, slow = imported(*sweep)
    assert status == 0
    assert {"torch", "pytorch_lightning"} <= slow
    assert imported(*sweep) == (0, {"hydra"})
    assert imported(ROOT / "src" / "train.py", "scheme=4", *asked) == (0, {"hydra"})
