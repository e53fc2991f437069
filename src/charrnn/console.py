"""The one console: log lines and progress bars share it, so that neither breaks the other."""

from __future__ import annotations

import logging

from rich.console import Console

console = Console(stderr=True, highlight=False)


class ConsoleHandler(logging.Handler):
    """Prints every message on the console as it is."""

    def emit(self, record: logging.LogRecord) -> None:
        console.print(self.format(record), markup=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """Seconds as h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
