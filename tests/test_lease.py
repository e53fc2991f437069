"""Who trains a run: real processes, real SIGKILL, and forged leases of other machines."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from unittest import mock

import processes
import pytest
from watching import wait_until

from charrnn.files import create_atomically
from charrnn.runs import lease
from charrnn.runs.folder import RunFolder
from charrnn.runs.lease import LeaseLost, Leases
from charrnn.runs.state import RunState
from charrnn.seals import sealed, unsealed
from charrnn.training.train_run import prepare, train

HOLD = """
import sys, time
from pathlib import Path
from charrnn.runs.lease import Leases
with Leases(Path(sys.argv[1])).held(lambda: print("waits", flush=True)):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(folder, seconds=60.0):
    command = [sys.executable, "-c", HOLD, folder, str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def waits(folder) -> bool:
    """Whether a lease is waited for. Whoever wants it has it in the end."""
    waited = []
    with Leases(folder).held(lambda: waited.append(True)):
        return bool(waited)


def forge(folder, **changes) -> None:
    """A lease by a process elsewhere: that of a child process which is gone, with changes."""
    with holder(folder) as process:
        assert process.stdout.readline() == "held\n"
        process.kill()
    (path,) = folder.iterdir()
    owner = unsealed(path.read_text(), ())
    path.write_text(json.dumps(sealed(owner | changes)))


def test_a_claim_is_waited_for_and_released(tmp_path):
    with holder(tmp_path, seconds=2) as process:
        assert process.stdout.readline() == "held\n"
        assert Leases(tmp_path).owner().pid == process.pid
        assert waits(tmp_path)
    assert process.returncode == 0
    assert Leases(tmp_path).owner() is None
    assert not waits(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the heartbeat tells")
@pytest.mark.parametrize("reaped", [True, False])
def test_a_claim_whose_process_was_killed_is_taken_over_at_once(tmp_path, reaped):
    with holder(tmp_path) as process:
        assert process.stdout.readline() == "held\n"
        process.kill()
        if reaped:
            process.wait()
        else:  # a zombie, whose parent is busy
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert Leases(tmp_path).owner() is None
        assert not waits(tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the heartbeat tells")
def test_a_process_that_got_the_number_of_a_dead_one_is_not_its_owner(tmp_path):
    forge(tmp_path, pid=os.getpid())
    assert Leases(tmp_path).owner() is None
    assert not waits(tmp_path)


def test_where_processes_are_hidden_one_that_is_not_seen_may_live(tmp_path, monkeypatch):
    monkeypatch.setattr(lease, "_kernel", lambda: None)
    forge(tmp_path, kernel=None)
    assert Leases(tmp_path).owner() is not None


HIDDEN = """
mount -t proc -o hidepid=2 proc /proc || exit
exec setpriv --regid="$1" --clear-groups --bounding-set=-sys_ptrace "$2" -c "$3" "$4" 60
"""


@pytest.mark.skipif(sys.platform != "linux", reason="hides processes as Linux does")
def test_a_claim_of_a_user_whose_processes_are_hidden_is_not_dead(tmp_path):
    def user(group: int):
        command = ["unshare", "--mount", "sh", "-c", HIDDEN, "sh"]
        command += [str(group), sys.executable, HOLD, tmp_path]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    with user(group=1001) as one:
        if one.stdout.readline() != "held\n":
            pytest.skip("this account cannot hide processes")
        with user(group=1002) as two:
            said = two.stdout.readline()
            two.kill()
        one.kill()
    assert said == "waits\n"


@pytest.mark.parametrize(
    "content",
    [pytest.param({"host": "elsewhere", "kernel": "another"}, marks=pytest.mark.slow), None],
)
def test_a_claim_from_elsewhere_is_dead_when_its_heartbeat_stops(tmp_path, monkeypatch, content):
    """Whatever the other machine's clock shows; and also if it died before it wrote who it is."""
    monkeypatch.setattr(lease, "STALE", 2.0)
    monkeypatch.setattr(lease, "POLL", 0.05)
    forge(tmp_path, **content or {})
    (path,) = tmp_path.iterdir()
    if content is None:
        path.write_text("")
    beat = "import os, sys, time\nfor n in range(8): os.utime(sys.argv[1], (n, n)); time.sleep(0.3)"
    with subprocess.Popen([sys.executable, "-c", beat, path]) as heart:
        assert waits(tmp_path)
        assert heart.poll() == 0


def test_a_claim_from_elsewhere_is_shown_as_long_as_it_lives(tmp_path):
    forge(tmp_path / "lease", host="elsewhere", kernel="another", batches=7)
    folder = RunFolder(tmp_path)
    status = folder.status()
    assert (status.state, status.batches) == (RunState.RUNNING, 7)
    assert status.owner.startswith("elsewhere:")
    (path,) = (tmp_path / "lease").iterdir()
    os.utime(path, (0, 0))
    assert folder.status().state is RunState.PLANNED


@pytest.mark.parametrize("successor", ["000002", "000003", "000002.released", None])
def test_who_has_lost_a_claim_writes_nothing_more(tmp_path, successor):
    """Without a successor's lease: somebody has removed the folder."""
    folder = RunFolder(tmp_path / "run")
    with folder.leased(lambda: None):
        folder.write("config.yaml", "mine")
        if successor:
            (tmp_path / "run" / "lease" / successor).touch()
        else:
            shutil.rmtree(tmp_path / "run" / "lease")
        how = "taken over by another process" if successor else "removed"
        with pytest.raises(LeaseLost, match=rf"run was {how} while it was being trained\.$"):
            folder.write("config.yaml", "still mine")
        folder.fail("Traceback")
    assert (tmp_path / "run" / "config.yaml").read_text() == "mine"
    assert not (tmp_path / "run" / "failed.txt").exists()


def contents(folder: RunFolder) -> dict[str, bytes]:
    """All that is written under a lease, by the path in the folder."""
    return {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file()}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the heartbeat tells")
@pytest.mark.parametrize("finished", [pytest.param(True, marks=pytest.mark.long), False])
def test_a_process_that_stood_still_leaves_the_run_to_who_took_it_over(
    config, tmp_path, monkeypatch, finished
):
    cfg = config("num_batches=300", "evaluate_at=[]", "checkpoint_share=0")  # writes at its end
    folder, log = prepare(cfg).folder, tmp_path / "log"
    process = processes.start(cfg, log)
    wait_until(lambda: folder.status().batches)
    os.kill(process.pid, signal.SIGSTOP)
    (file,) = (folder.path / "lease").iterdir()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"host": "elsewhere"}))
    monkeypatch.setattr(lease, "STALE", 0.1)
    if finished:
        assert train(cfg).is_finished
    else:
        with folder.leased(lambda: None):
            pass
    before = contents(folder)
    os.kill(process.pid, signal.SIGCONT)
    process.join(60)
    assert process.exitcode == 1
    assert log.read_text().endswith(
        f"LeaseLost: {folder.path} was taken over by another process while it was being trained.\n"
    )
    assert contents(folder) == before
    assert folder.status().state is (RunState.FINISHED if finished else RunState.PLANNED)


COUNT = """
import os, signal, sys, time
from pathlib import Path
import charrnn.runs.lease
from charrnn.runs.lease import Leases
charrnn.runs.lease.POLL = 0.001
folder = Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for n in range(20):
    if child := os.fork():
        time.sleep(0.02)
        os.waitpid(child, 0)
        continue
    with Leases(folder / "lease").held(lambda: None):
        with open(folder / "holder", "x"):  # fails if another one is in here
            number = int((folder / "number").read_text())
            time.sleep(0.002)
            (folder / "number").write_text(str(number + 1))
        (folder / "holder").unlink()
        if n % 2:
            os.kill(os.getpid(), signal.SIGKILL)
    os._exit(0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the heartbeat tells")
def test_many_that_want_one_claim_and_die_with_it_have_it_one_after_the_other(tmp_path):
    (tmp_path / "number").write_text("0")
    command = [sys.executable, "-c", COUNT, tmp_path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    contenders = [subprocess.Popen(command, **pipes) for _ in range(5)]
    for contender in contenders:
        assert contender.stdout.readline() == "ready\n"
    for contender in contenders:
        contender.communicate("go\n", timeout=60)
        assert contender.returncode == 0
    assert (tmp_path / "number").read_text() == "100"


def test_processes_that_want_one_run_train_it_once(config, tmp_path):
    cfg = config("num_batches=40")
    logs = [tmp_path / f"log-{n}" for n in range(4)]
    contenders = [processes.start(cfg, log) for log in logs]
    for contender in contenders:
        contender.join(60)
        assert contender.exitcode == 0
    said = [log.read_text() for log in logs]
    assert sum("finished in" in text for text in said) == 1
    assert sum("trained before, reused" in text for text in said) == 3
    folder = prepare(cfg).folder
    assert dataclasses.astuple(folder.status()) == (RunState.FINISHED, 40, None, None)
    assert {path.suffix for path in (folder.path / "lease").iterdir()} == {".released"}


def test_a_run_that_is_finished_while_it_is_being_claimed_is_reused(config, monkeypatch, caplog):
    """Another process trains it, and removes the leases, after this one has made the folder."""
    cfg, latest, ended = config(), lease._latest, []

    def latest_in_the_end(folder):
        if not ended:
            ended.append(processes.run(cfg))
        return latest(folder)

    monkeypatch.setattr(lease, "_latest", latest_in_the_end)
    with caplog.at_level("INFO"):
        assert train(cfg).is_finished
    assert ended == [0]
    assert "trained before, reused" in caplog.text


@pytest.mark.parametrize("links", [True, False])
def test_a_file_is_created_by_one_process_only_of_all_that_try(tmp_path, monkeypatch, links):
    """With hard links, and on a file system that has none."""
    if not links:
        refuse = mock.Mock(side_effect=PermissionError(1, "Operation not permitted"))
        monkeypatch.setattr(os, "link", refuse)
    assert create_atomically(tmp_path / "lease", "mine")
    assert not create_atomically(tmp_path / "lease", "yours")
    assert (tmp_path / "lease").read_text() == "mine"
    assert list(tmp_path.iterdir()) == [tmp_path / "lease"]
    with pytest.raises(FileNotFoundError):
        create_atomically(tmp_path / "nowhere" / "lease", "mine")
