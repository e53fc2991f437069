"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterator


def markdown_row(*cells: object) -> str:
    r"""A row of a table; a bar in a cell stays a bar.

    Examples:
        >>> markdown_row("k1", 20, "|h|")
        '| k1 | 20 | \\|h\\| |'
    """
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |"


def markdown_head(*cells: object) -> Iterator[str]:
    """The first two lines of a table: its heading, and what sets it apart."""
    yield markdown_row(*cells)
    yield markdown_row(*["---"] * len(cells))
