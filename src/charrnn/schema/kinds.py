"""Kinds of values that a field can have."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from charrnn.errors import LARGEST, BadInput


@dataclass(frozen=True)
class Kind:
    """What a field can be.

    Attributes:
        wanted: that, in words that continue "it has to be".
        fits: whether a value is of this kind.
        most: the largest whole number, where there is one.

    Examples:
        >>> whole(1, "token", null=True).wanted
        'a whole number, at least 1 token, or null'
    """

    wanted: str
    fits: Callable[[Any], bool]
    most: int | None = None

    def check(self, field: str, value: Any) -> None:
        """Refuse a value that is not of this kind.

        Raises:
            BadInput: naming ``field``.
        """
        if self.fits(value):
            return
        too_large = self.most is not None and _is_whole(value) and value > self.most
        wanted = f"a whole number, at most {self.most}" if too_large else self.wanted
        shown = "null" if value is None else "''" if value == "" else value
        raise BadInput(field, shown, wanted)


def whole(least: int, unit: str = "", most: int = LARGEST, null: bool = False) -> Kind:
    """A whole number from ``least`` to ``most``, and None if ``null``."""
    words = f"a whole number, at least {least} {unit}".rstrip()
    return _or_null(Kind(words, lambda x: _is_whole(x) and least <= x <= most, most), null)


def number(wanted: str, accepts: Callable[[float], bool], null: bool = False) -> Kind:
    """A finite number that ``accepts`` is true of; and None if ``null``."""
    return _or_null(Kind(wanted, lambda x: _is_number(x) and accepts(x)), null)


def choice(*values: Any, words: str = "") -> Kind:
    """One of ``values``, and of its type: 1 is not True."""
    one_of = f"one of {', '.join(map(str, values))}"
    known = {(type(value), value) for value in values}
    return Kind(words or one_of, lambda x: isinstance(x, str | int) and (type(x), x) in known)


def text(wanted: str, null: bool = False) -> Kind:
    """Some text that is not empty; one of digits arrives as a number. And None if ``null``."""
    return _or_null(Kind(wanted, lambda x: _is_text(x) and x != ""), null)


def several(wanted: str, accepts: Callable[[Any], bool], number: int | None = None) -> Kind:
    """A list of values that ``accepts`` is true of, as many as ``number`` unless it is None."""

    def fits(values: Any) -> bool:
        if not isinstance(values, list | tuple) or number not in (None, len(values)):
            return False
        return all(map(accepts, values))

    return Kind(wanted, fits)


def either(first: Kind, second: Kind) -> Kind:
    """A value of one kind or the other."""
    words = f"{first.wanted}, or {second.wanted}"
    return Kind(words, lambda x: first.fits(x) or second.fits(x), second.most)


def _or_null(kind: Kind, null: bool) -> Kind:
    if not null:
        return kind
    return Kind(f"{kind.wanted}, or null", lambda x: x is None or kind.fits(x), kind.most)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return known and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) or _is_number(value)
