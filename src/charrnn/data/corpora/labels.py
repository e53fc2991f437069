"""Labels of corpora: their names, which several texts may have."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

BEFORE_HASH = "@"
"""Stands between a name and the first digits of the hash of its text."""
DIGITS = 6
"""Of the hash of a text that are shown."""

Text = tuple[str, str]
"""The name of a corpus, and the hash of its text: empty if the text was not here, or not noted."""


def labels(texts: Iterable[Text]) -> Mapping[Text, str]:
    """What to call each text among the others: by its name, if no other text has that.

    Examples:
        >>> labels([("hamlet", "3f0a1be822"), ("macbeth", "9d2c5577ab")])[("hamlet", "3f0a1be822")]
        'hamlet'
        >>> labels([("hamlet", "3f0a1be822"), ("hamlet", "9d2c5577ab")])[("hamlet", "3f0a1be822")]
        'hamlet@3f0a1b'
    """
    distinct = dict.fromkeys(texts)
    hashes: dict[str, set[str]] = defaultdict(set)
    for name, sha256 in distinct:
        hashes[name] |= {sha256[:DIGITS]} - {""}
    return {
        (name, sha256): label(name, sha256) if len(hashes[name]) > 1 else name
        for name, sha256 in distinct
    }


def label(name: str, sha256: str) -> str:
    """A name that no other text has; only the name if the hash is not known."""
    return f"{name}{BEFORE_HASH}{sha256[:DIGITS]}" if sha256 else name


def name_in(label: str) -> str:
    """The name of a corpus in its label.

    Examples:
        >>> name_in("hamlet@3f0a1b"), name_in("macbeth")
        ('hamlet', 'macbeth')
    """
    name, separator, digits = label.rpartition(BEFORE_HASH)
    is_hash = len(digits) == DIGITS and set(digits) <= set("0123456789abcdef")
    return name if separator and is_hash else label
