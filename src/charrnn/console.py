"""The one console: log lines and progress bars share it and do not break each other."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from rich.console import Console
from rich.table import Table

from charrnn.errors import CharRNNError

console = Console(stderr=True, highlight=False)


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


def refuse(error: CharRNNError) -> NoReturn:
    """End the program with one sentence."""
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)
