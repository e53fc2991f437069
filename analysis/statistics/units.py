"""Effect sizes as text."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Unit = Callable[[float], str]


def percent(logarithm: float) -> str:
    """A difference of logarithms, as the percentage by which one number exceeds the other."""
    share = 100 * np.expm1(logarithm)
    return f"{share:+.{0 if abs(share) >= 10 else 1}f} %".replace("-", "\N{MINUS SIGN}")


def share(part: float) -> str:
    """A fraction as a percentage."""
    return f"{100 * part:.0f} %".replace("-", "\N{MINUS SIGN}")


def factor(number: float) -> str:
    """A factor: `12.5 times`."""
    return f"{number:.{1 if number < 100 else 0}f} times"


def deviation(variance: float) -> str:
    """A variance of logarithms as a standard deviation in percent; a negative one keeps its sign.

    Examples:
        >>> deviation(0.01)
        '+11 %'
    """
    return percent(float(np.sign(variance)) * abs(variance) ** 0.5)


def factor_of(logarithm: float) -> str:
    """A difference of logarithms, as a factor: `1.50 times`."""
    return f"{np.exp(logarithm):.2f} times"
