"""Processes of their own that can be killed: forked off a server that has imported all."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import pkgutil
import runpy
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, NamedTuple
from unittest import mock

from omegaconf import DictConfig, OmegaConf

ROOT = Path(__file__).parent.parent
DEADLINE = 600
"""Seconds in which whatever a test waits for comes, however busy the machine is."""

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "charrnn.cli",
        "hydra_plugins.charrnn_launcher",
        "hydra_plugins.charrnn_sweeper",
        "hydra_plugins.hydra_joblib_launcher.joblib_launcher",
        "hydra_plugins.hydra_ray_launcher.ray_launcher",
        "hydra_plugins.charrnn_submitit",
        "analysis.report.content",
        "tensorboard.compat.tensorflow_stub",
        "tests.warm",
    ]
)


def heed_signals() -> None:
    """Heed what this process may ignore: SIGINT in the background, and SIGHUP under nohup."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


class Command:
    """A Python program in a forked process, without the seconds that imports take.

    It is used like `subprocess.Popen`. The process leads a group of its own, so that a test can
    end everything that the program has started.

    Args:
        program: a path such as `src/train.py`, or a module as after `python -m`.
        words: its arguments.
        read: the streams that the test reads, from pipes; a pipe that nobody reads fills up, and
            then stops the process. What is written to others is lost.
        text: whether streams are read as text.
        environment: variables that replace this process's own.
        folder: where it runs.
    """

    def __init__(
        self,
        program: str,
        words: Sequence[object],
        read: Sequence[str] = ("stdout", "stderr"),
        text: bool = True,
        environment: Mapping[str, str] | None = None,
        folder: Path = ROOT,
    ) -> None:
        self.args = [program, *map(str, words)]
        environment = {**os.environ, **(environment or {})}
        pipes = {name: FORKS.Pipe(duplex=False) for name in read}
        theirs = {name: end for name, (_, end) in pipes.items()}
        self._process = FORKS.Process(target=_be, args=(self.args, theirs, environment, folder))
        self._process.start()
        for end in theirs.values():
            end.close()
        mode = {"mode": "r", "encoding": "utf-8"} if text else {"mode": "rb"}
        self._streams = {name: _stream(ours, mode) for name, (ours, _) in pipes.items()}

    def __enter__(self) -> Command:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def stdout(self) -> IO:
        """Standard output, if it is read."""
        return self._streams["stdout"]

    @property
    def stderr(self) -> IO:
        """Standard error, if it is read."""
        return self._streams["stderr"]

    @property
    def pid(self) -> int:
        """Of the process, and of its group."""
        pid = self._process.pid
        assert pid is not None
        return pid

    @property
    def returncode(self) -> int | None:
        """The exit status; minus the signal's number if one ended the process."""
        return self._process.exitcode

    def poll(self) -> int | None:
        """The same."""
        return self.returncode

    def wait(self, timeout: float = DEADLINE) -> int:
        """Wait for the end of the process; its exit status."""
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def communicate(self, timeout: float = DEADLINE) -> tuple[str, str]:
        """Wait for the end of the process; what it has written and was not read yet."""
        with ThreadPoolExecutor(2) as pool:
            streams = (self._streams.get(name) for name in ("stdout", "stderr"))
            both = [pool.submit(_rest, stream) for stream in streams]
            try:
                out, err = (future.result(timeout) for future in both)
            except BaseException:
                self.close()  # ends the threads, too
                raise
        self.wait(timeout)
        return out, err

    def send_signal(self, sent: int) -> None:
        """Send the process a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, sent)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def close(self) -> None:
        """End the process and all that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()  # it may not lead its group yet
        self._process.join()
        for stream in self._streams.values():
            stream.close()


def _stream(connection: Connection, mode: dict[str, str]) -> IO:
    stream = open(os.dup(connection.fileno()), **mode)  # noqa: SIM115
    connection.close()
    return stream


def _rest(stream: IO | None) -> str | bytes:
    return "" if stream is None or stream.closed else stream.read()


def run_command(
    program: str,
    words: Sequence[object],
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
) -> subprocess.CompletedProcess[str]:
    """Run a Python program to its end, as `Command` does."""
    with Command(program, words, environment=environment, folder=folder) as command:
        out, err = command.communicate()
    return subprocess.CompletedProcess(command.args, command.returncode, out, err)


def _be(
    args: list[str], pipes: dict[str, Connection], environment: dict[str, str], folder: Path
) -> None:
    """Become the program."""
    os.setsid()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.dup2(pipes[name].fileno() if name in pipes else nowhere, number)
    for pipe in pipes.values():
        pipe.close()
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", buffering=1, closefd=False)  # noqa: SIM115
    heed_signals()
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv = list(args)
    program = args[0]
    try:
        if program.endswith(".py"):
            program = str(ROOT / program)
            sys.path.insert(0, str(Path(program).parent))
            runpy.run_path(program, run_name="__main__")
        else:
            runpy.run_module(program, run_name="__main__", alter_sys=True)
    finally:
        # As at the end of any Python program, which multiprocessing leaves out: else joblib's
        # workers would be waited for until they have idled for minutes.
        threading._shutdown()
        atexit._run_exitfuncs()


class Moment(NamedTuple):
    """Before the ``call``-th call of a function that has ``text`` in its arguments."""

    function: str
    text: str = ""
    call: int = 2


def start(
    cfg: DictConfig,
    log: Path | None = None,
    killed_at: Moment | None = None,
    sent: int = signal.SIGKILL,
) -> multiprocessing.Process:
    """Train a run, like `python src/train.py`, without the seconds that imports take.

    Args:
        cfg: of the run.
        log: where its lines go.
        killed_at: when the process gets a signal.
        sent: the signal.
    """
    plain = OmegaConf.to_container(cfg, resolve=True)
    process = FORKS.Process(target=_train, args=(plain, log, killed_at, sent))
    process.start()
    return process


def run(cfg: DictConfig, log: Path | None = None) -> int:
    """Train a run; the process's exit status."""
    process = start(cfg, log)
    process.join(DEADLINE)
    return process.exitcode


def _train(plain: dict, log: Path | None, killed_at: Moment | None, sent: int) -> None:
    import logging

    from charrnn.training.train_run import train

    file = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(file, 1)
    os.dup2(file, 2)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    heed_signals()
    if killed_at:
        _kill_at(killed_at, sent)
    train(OmegaConf.create(plain))


def _kill_at(moment: Moment, sent: int) -> None:
    function, calls = pkgutil.resolve_name(moment.function), []

    def called(*arguments, **named):
        if not moment.text or moment.text in str(arguments):
            calls.append(True)
            if len(calls) == moment.call:
                os.kill(os.getpid(), sent)
        return function(*arguments, **named)

    mock.patch(moment.function, called).start()
