"""The one console: log lines and progress bars share it and do not break each other."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn, TextIO, cast

from rich.console import Console
from rich.table import Table

from charrnn.errors import CharRNNError, reason


class StandardError(io.TextIOBase):
    """Standard error, for as long as anybody reads it.

    Whoever reads may be gone: a terminal that was closed, or a pipe to a program that Ctrl-C has
    ended too. A training goes on without its log, or ends with a checkpoint.
    """

    encoding = property(lambda self: self._stream.encoding)

    @property
    def _stream(self) -> TextIO:
        # While a progress bar is shown, rich puts something in the stream's place.
        return getattr(sys.stderr, "rich_proxied_file", sys.stderr)

    def write(self, text: str) -> int:
        with self._forgiving():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._forgiving():
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except OSError:  # what is left in the stream's buffer must have somewhere to go
            with open(os.devnull, "wb") as nowhere, suppress(OSError):
                os.dup2(nowhere.fileno(), self._stream.fileno())


console = Console(file=cast("TextIO", StandardError()), highlight=False)


class ConsoleHandler(logging.Handler):
    """Prints every message on the console as it is."""

    def emit(self, record: logging.LogRecord) -> None:
        console.print(self.format(record), markup=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def print_table(table: Table, fits: bool = True) -> None:
    """Print a table on standard output; in a file or a pipe every row takes one line.

    Args:
        table: what to print.
        fits: whether to fit it to a terminal by wrapping words and cutting long ones.
    """
    table.box, table.pad_edge = None, False
    printed, terminal = io.StringIO(), sys.stdout.isatty()
    width = None if fits and terminal else 1000
    Console(file=printed, force_terminal=terminal, highlight=False, width=width).print(table)
    print(printed.getvalue(), end="")  # rich would end the program if the pipe is closed


@contextmanager
def to_a_pipe() -> Iterator[None]:
    """Print on standard output, and go on quietly if its reader is gone."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse(error: CharRNNError | OSError) -> NoReturn:
    """End the program with one sentence."""
    sentence = str(error)
    if isinstance(error, OSError):
        sentence = f"{error.filename or 'a file'} cannot be used: {reason(error)}."
    with suppress(OSError):  # the terminal may be gone
        print(f"error: {sentence}", file=sys.stderr)
    sys.exit(2)
