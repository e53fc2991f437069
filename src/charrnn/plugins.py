"""What packages that a user has installed add, which they declare as entry points."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from charrnn.errors import CharRNNError


def names(group: str) -> list[str]:
    """The names that installed packages declare in a group, such as `charrnn.tokenizations`."""
    return sorted({each.name for each in entry_points(group=group)})


def load(group: str, name: str) -> Any:
    """What an installed package declares by a name.

    Raises:
        CharRNNError: if no package declares it, or it cannot be imported.
    """
    for each in entry_points(group=group, name=name):
        try:
            return each.load()
        except Exception as error:  # of a module of the user's
            raise CharRNNError(f"{each.value} cannot be imported: {error}.") from error
    raise CharRNNError(f"no installed package declares {name} in the entry points {group}.")
