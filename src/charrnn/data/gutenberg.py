"""Rebuilding the paper's kind of corpus from its sources: plain texts of Project Gutenberg."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from charrnn.data.corpora import read_text
from charrnn.errors import BadInput
from charrnn.files import write_atomically

# Both lines come in several wordings: "*** START OF THE PROJECT GUTENBERG EBOOK HAMLET ***",
# "***START OF THIS PROJECT GUTENBERG EBOOK ...", "End of Project Gutenberg's Hamlet, by ...".
START = re.compile(
    r"^\*\*\* ?START OF (THE|THIS) PROJECT GUTENBERG.*$", re.MULTILINE | re.IGNORECASE
)
END = re.compile(
    r"^(\*\*\* ?END OF (THE|THIS) PROJECT GUTENBERG|End of (the )?Project Gutenberg).*$",
    re.MULTILINE | re.IGNORECASE,
)


def strip_licence(text: str) -> str:
    """A text of Project Gutenberg without the licence before and after it.

    A text without these marks stays as it is. Line ends become those of Unix.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    start = START.search(text)
    body = text[start.end() :] if start else text
    end = END.search(body)
    return (body[: end.start()] if end else body).strip("\n") + "\n"


def build_gutenberg(files: Sequence[Path], out: Path) -> int:
    """Join plain texts, in the order given, into one corpus without licences.

    Returns:
        Characters written.

    Raises:
        BadInput: if a file cannot be read or is not UTF-8, or nothing is left; nothing is written.
    """
    text = "\n".join(strip_licence(read_text(file, field="FILES")) for file in files)
    if not text.strip():
        raise BadInput("FILES", ", ".join(map(str, files)), "texts that are not empty")
    write_atomically(out, text)
    return len(text)
