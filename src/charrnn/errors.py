"""What a user is told when something cannot be done: one sentence, raised before work starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any


class CharRNNError(Exception):
    """An error whose message is written for the user and needs no traceback."""


class BadInput(CharRNNError, ValueError):
    """A setting that cannot be used.

    Args:
        field: the setting's name as the user writes it.
        value: the value it has.
        wanted: what would do instead.
    """

    def __init__(self, field: str, value: Any, wanted: str) -> None:
        super().__init__(f"{field}={value} cannot be used: it has to be {wanted}.")
        self.field, self.value, self.wanted = field, value, wanted


class CannotRead(CharRNNError):
    """A file is there, and cannot be read."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(f"{path} cannot be read: {(error.strerror or str(error)).lower()}.")


def require(condition: bool, field: str, value: Any, wanted: str) -> None:
    """Raise BadInput unless ``condition`` holds."""
    if not condition:
        raise BadInput(field, value, wanted)


LARGEST = 2**63 - 1
"""What a whole number, such as a seed, can be at most."""


def require_whole(field: str, value: Any, least: int, unit: str = "", most: int = LARGEST) -> None:
    """Raise BadInput unless ``value`` is a whole number from ``least`` to ``most``."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    too_large = whole and value > most
    bound = f"at most {most}" if too_large else f"at least {least} {unit}".rstrip()
    fits = whole and least <= value <= most
    require(fits, field, value, f"a whole number, {bound}")


def require_number(field: str, value: Any, wanted: str, accepts: Callable[[float], bool]) -> None:
    """Raise BadInput unless ``value`` is a finite number that ``accepts`` takes."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    require(number and math.isfinite(value) and accepts(value), field, value, wanted)


def require_choice(field: str, value: Any, choices: Iterable[Any]) -> None:
    """Raise BadInput unless ``value`` is one of ``choices``."""
    choices = list(choices)
    require(value in choices, field, value, f"one of {', '.join(map(str, choices))}")


def shortened(items: Sequence[str], shown: int = 10) -> str:
    """The first of them, parted by commas, and how many more there are."""
    more = [f"and {len(items) - shown} more"] if len(items) > shown else []
    return ", ".join([*items[:shown], *more])
