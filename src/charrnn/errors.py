"""Refusals and failures that the user can act on, each in one sentence."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


class CharRNNError(Exception):
    """An error whose message is written for the user and needs no traceback."""


class BadInput(CharRNNError, ValueError):
    """A setting that cannot be used.

    Args:
        field: the setting's name as the user writes it.
        value: its value.
        wanted: a value that would work.

    Examples:
        >>> print(BadInput("k1", 0, "a whole number, at least 1 token"))
        k1=0 cannot be used: it has to be a whole number, at least 1 token.
    """

    def __init__(self, field: str, value: Any, wanted: str) -> None:
        super().__init__(f"{field}={value} cannot be used: it has to be {wanted}.")
        self.field, self.value, self.wanted = field, value, wanted


class CannotRead(CharRNNError):
    """A file that exists but cannot be read."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"{path} cannot be read: {reason(error)}.")


class CannotWrite(CharRNNError):
    """A file or a folder that cannot be written."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"{path} cannot be written: {reason(error)}.")


class CannotGoOn(CharRNNError):
    """A run of a sweep ended because something could not be written: no failure of the run's."""


def reason(error: BaseException) -> str:
    """Why an operation failed, in words that can continue a sentence.

    Examples:
        >>> reason(FileNotFoundError(2, "No such file or directory", "text.txt"))
        'no such file or directory'
    """
    words = getattr(error, "strerror", None)
    if words:
        return words[0].lower() + words[1:]
    return str(error) or type(error).__name__


def require(condition: bool, field: str, value: Any, wanted: str) -> None:
    """Raise BadInput unless ``condition`` holds."""
    if not condition:
        raise BadInput(field, value, wanted)


LARGEST = 2**63 - 1
"""The largest whole number that a setting, such as a seed, can have."""


def require_whole(field: str, value: Any, least: int, unit: str = "", most: int = LARGEST) -> None:
    """Raise BadInput unless ``value`` is a whole number from ``least`` to ``most``."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    too_large = whole and value > most
    bound = f"at most {most}" if too_large else f"at least {least} {unit}".rstrip()
    fits = whole and least <= value <= most
    require(fits, field, value, f"a whole number, {bound}")


def require_choice(field: str, value: Any, choices: Iterable[Any]) -> None:
    """Raise BadInput unless ``value`` is one of ``choices``."""
    choices = list(choices)
    require(value in choices, field, value, f"one of {', '.join(map(str, choices))}")


def shortened(items: Sequence[str], shown: int = 10) -> str:
    """The first items, separated by commas, and how many are left out.

    Examples:
        >>> shortened(["s1", "s2", "s3", "s4"], shown=2)
        's1, s2, and 2 more'
    """
    more = [f"and {len(items) - shown} more"] if len(items) > shown else []
    return ", ".join([*items[:shown], *more])
