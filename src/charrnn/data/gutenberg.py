"""Building a corpus like the paper's from plain texts of Project Gutenberg."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from charrnn.data.corpora.base import read_text, require_encoding
from charrnn.errors import BadInput
from charrnn.files import require_writable, write_output

# Both lines exist in several wordings: "*** START OF THE PROJECT GUTENBERG EBOOK HAMLET ***",
# "***START OF THIS PROJECT GUTENBERG EBOOK ...", "End of Project Gutenberg's Hamlet, by ...".
START = re.compile(
    r"^\*\*\* ?START OF (THE|THIS) PROJECT GUTENBERG.*$", re.MULTILINE | re.IGNORECASE
)
END = re.compile(
    r"^(\*\*\* ?END OF (THE|THIS) PROJECT GUTENBERG|End of (the )?Project Gutenberg).*$",
    re.MULTILINE | re.IGNORECASE,
)


def strip_licence(text: str) -> str:
    r"""Remove the licence before and after a text of Project Gutenberg.

    Line ends become those of Unix. A text that does not mark its licence keeps all of its lines.

    Examples:
        >>> strip_licence("*** START OF THE PROJECT GUTENBERG EBOOK X ***\r\n\r\nWho's there?\r\n")
        "Who's there?\n"
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    start = START.search(text)
    body = text[start.end() :] if start else text
    end = END.search(body)
    return (body[: end.start()] if end else body).strip("\n") + "\n"


def build_gutenberg(files: Sequence[Path], out: Path, encoding: str = "utf-8") -> int:
    """Join plain texts, in the given order and without their licences, into one corpus.

    Args:
        files: texts of Project Gutenberg.
        out: the file to write, in UTF-8.
        encoding: of the texts, by a name that Python knows.

    Returns:
        Characters written.

    Raises:
        BadInput: if ``out`` cannot be written, a file cannot be read or has another encoding, or no
            text is left. Nothing has been written then.
    """
    require_encoding("--encoding", encoding)
    out = out.expanduser()
    require_writable(out, "OUT")
    text = "\n".join(strip_licence(read_text(file, "FILES", encoding)) for file in files)
    if not text.strip():
        raise BadInput("FILES", ", ".join(map(str, files)), "texts that are not empty")
    write_output(out, text, "OUT")
    return len(text)
