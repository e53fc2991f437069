"""Signals that end a training: after the current batch, with a checkpoint.

`STOP` is the one place that answers them. What the first signal does depends on where it comes:

- While a run is being trained it is remembered, and the training looks after every batch whether
  there was one.
- While a sweep waits for its workers they are told to stop, and then the sweep ends.
- Anywhere else, such as during imports, nothing can be lost, and the process ends at once. It is
  not ended by an exception. Python discards one that is raised in a destructor or in the callback
  of a weak reference, and imports are full of them: the signal would be lost.

A second signal ends the process at once, wherever it is, which does no more harm than SIGKILL.

- A signal that was ignored when the program started, as SIGHUP is under nohup, stays ignored.
- A handler that a launcher had installed, such as submitit's, which queues the job again, is called
  when the checkpoint has been written and the run's lease released. In such a process every signal
  is remembered.
- Lightning installs handlers of its own when it starts to train; `Stop.take_back` replaces them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from types import FrameType
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2")
SIGNALS = tuple(getattr(signal, name) for name in NAMES if hasattr(signal, name))
"""The signals that end a training; not every system has all of them."""
TOGETHER = 0.25
"""Seconds: signals that follow the first one within them belong to it. A terminal that is closed,
`timeout` and `make` all send several."""
AGAIN = "give the same command again to go on"
"""What a user can do after a signal."""
SHOW_CURSOR = b"\x1b[?25h"
"""What a terminal shows its cursor for, which a progress bar hides."""

Handler = Callable[[int, FrameType | None], Any] | int


class Stopped(SystemExit):
    """A signal has ended the training; the exit status is the one that a shell expects.

    Args:
        signum: the signal's number.

    Examples:
        >>> Stopped(signal.SIGTERM).code, Stopped(signal.SIGTERM).name
        (143, 'SIGTERM')
    """

    def __init__(self, signum: int) -> None:
        super().__init__(int(signum))  # what it is pickled with
        self.code, self.name = 128 + signum, signal.Signals(signum).name


class Stop:
    """What signals have asked of this process.

    Attributes:
        received: the signals so far, first to last.
        said: whether the user has been told what becomes of the run.
        pass_on: tells the processes that train for this one to stop, and waits for them. None if
            there are none.
    """

    def __init__(self) -> None:
        self.received: list[int] = []
        self.said = False
        self.pass_on: Callable[[], object] | None = None
        self._since = 0.0
        self._remembers = self._is_worker = self._is_over = False

    @contextmanager
    def listening(self, worker: bool = False, to_the_end: bool = False) -> Iterator[None]:
        """Answer signals. Inside another such block, or in another thread, this does nothing.

        Args:
            worker: whether another process of the project decides when this one ends at once. Then
                a second signal does nothing: that process may have passed on the first.
            to_the_end: whether signals are answered until the process ends. Then Ctrl-C while
                Python shuts down prints no traceback.

        Raises:
            Stopped: in the block, at its start or at its end, if a signal ends the program.
        """
        before = self._install()
        if before:
            self._is_worker, self._is_over = worker, False
        try:
            self.check()
            with self.remembering() if any(map(_is_foreign, before.values())) else nullcontext():
                yield
        except Stopped:
            self._restore(before, to_the_end)
            for signum in self.received:
                handler = before.get(signum)
                if callable(handler) and _is_foreign(handler):
                    handler(signum, None)
            raise
        finally:
            self._restore(before, to_the_end)

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """Remember a signal that comes in the block, which has to call `check` now and then.

        Raises:
            Stopped: at the end of the block, if a signal has come and nobody has looked.
        """
        before, self._remembers = self._remembers, True
        try:
            yield
        finally:
            self._remembers = before
        self.check()  # last: from the line before on, a signal ends the process by itself

    def take_back(self) -> None:
        """Replace the handlers that another library has just installed."""
        self._install()

    def check(self) -> None:
        """End the program if a signal has come.

        Raises:
            Stopped: if so.
        """
        if self.received:
            raise Stopped(self.received[0])

    def _install(self) -> dict[int, Handler]:
        """Install the handler. Returns the handlers that it replaces."""
        if threading.current_thread() is not threading.main_thread():
            return {}
        before = {}
        for signum in SIGNALS:
            handler = signal.getsignal(signum)
            # None: a handler that is not Python's, and that could not be put back.
            if handler not in (None, signal.SIG_IGN, self._handle):
                before[signum] = handler
                signal.signal(signum, self._handle)
        return before

    def _restore(self, before: dict[int, Handler], to_the_end: bool) -> None:
        if to_the_end:
            self._is_over = bool(before) or self._is_over
            return
        for signum, handler in before.items():
            signal.signal(signum, handler)

    def _handle(self, signum: int, _: FrameType | None) -> None:
        now = time.monotonic()
        if self._is_over:
            _end_at_once(signum)
        self.received.append(signum)
        if len(self.received) == 1:
            self._since = now
            self._answer(signum)
        elif not self._is_worker and now - self._since > TOGETHER:
            _say(f"ended at once by {signal.Signals(signum).name}; the same command goes on from ")
            _say("the last checkpoint.\n")
            _end_at_once(signum)

    def _answer(self, signum: int) -> None:
        """Do what the first signal asks for."""
        if self._remembers:
            return
        if self.pass_on is not None:
            self.pass_on()
            raise Stopped(signum)  # so that the launcher ends its workers
        if not self._is_worker:
            _say(f"ended by {signal.Signals(signum).name}; {AGAIN}.\n")
        _end_at_once(signum)


def _is_foreign(handler: Handler) -> bool:
    """Whether another library has installed a handler."""
    return callable(handler) and handler is not signal.default_int_handler


def _say(text: str) -> None:
    """Write to standard error, past Python's streams, which may be in the midst of a write."""
    with suppress(OSError):
        os.write(2, text.encode())


def _end_at_once(signum: int) -> None:
    """End this process and its workers. Files are written whole or not at all, so none is half."""
    try:
        # The module may be missing, or be in the midst of its own import.
        active_children = getattr(sys.modules.get("multiprocessing"), "active_children", tuple)
        for worker in active_children():
            worker.kill()
        if os.isatty(2):
            os.write(2, SHOW_CURSOR)
    finally:  # whatever else goes wrong
        os._exit(128 + signum)


STOP = Stop()
"""Of this process."""
