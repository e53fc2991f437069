"""What a signal does where Python discards exceptions, and before anything answers signals."""

from __future__ import annotations

import subprocess
import sys

import pytest
from processes import DEADLINE, ROOT, heed_signals
from test_signals import SENT

START = """
import os, signal, sys
from charrnn.stopping import STOP

sent = int(sys.argv[1])

class Sends:
    def __del__(self):
        os.kill(os.getpid(), sent)  # an exception that its handler raises here is discarded
"""


def run(script: str, *words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        preexec_fn=heed_signals,
        check=False,
    )


@SENT
def test_where_nothing_can_be_lost_a_signal_ends_the_process_at_once(sent):
    script = """
with STOP.listening(to_the_end=True):
    Sends()
    print("still there")
"""
    result = run(START + script, int(sent))
    assert result.returncode == 128 + sent
    assert result.stdout == ""
    assert result.stderr == f"ended by {sent.name}; give the same command again to go on.\n"


def test_a_signal_ends_a_process_that_is_importing_multiprocessing():
    script = """
sys.modules["multiprocessing"] = type(sys)("multiprocessing")  # still empty
with STOP.listening(to_the_end=True):
    os.kill(os.getpid(), sent)
"""
    result = run(START + script, 15)
    assert result.returncode == 143
    assert result.stderr == "ended by SIGTERM; give the same command again to go on.\n"


@SENT
def test_while_a_run_is_trained_a_signal_is_remembered_until_somebody_looks(sent):
    script = """
with STOP.listening(), STOP.remembering():
    Sends()
    print("batch")
    STOP.check()
    print("next batch")
"""
    result = run(START + script, int(sent))
    assert (result.returncode, result.stdout, result.stderr) == (128 + sent, "batch\n", "")


def test_a_signal_that_nobody_has_looked_for_counts_at_the_end_of_the_run():
    script = """
with STOP.listening():
    with STOP.remembering():
        Sends()
        print("last batch")
    print("next run")
"""
    result = run(START + script, 15)
    assert (result.returncode, result.stdout, result.stderr) == (143, "last batch\n", "")


def test_a_handler_that_was_there_before_is_called_last():
    """As that of submitit is, which queues the job again."""
    script = """
signal.signal(sent, lambda *_: print("queued again"))
with STOP.listening():
    try:
        Sends()
        print("prepared")
        STOP.check()
        print("trained")
    finally:
        print("released")
"""
    result = run(START + script, 12)
    assert result.stdout == "prepared\nreleased\nqueued again\n"
    assert (result.returncode, result.stderr) == (140, "")


@pytest.mark.parametrize("program", ["run_path('src/train.py'", "run_module('charrnn'"])
def test_ctrl_c_during_the_first_import_ends_the_process(program):
    script = f"""
import os, runpy, signal, sys

class Finder:
    def find_spec(self, name, *_):
        if name == "charrnn.cli":
            Sends()

class Sends:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Finder())
runpy.{program}, run_name="__main__")
"""
    result = run(script)
    assert (result.returncode, result.stdout, result.stderr) == (-2, "", "")
