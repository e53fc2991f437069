"""Tokenised corpora on disk, for those whose source takes long to read."""

from __future__ import annotations

import io
import logging
import zipfile

import numpy as np

from charrnn.data.fetching.packages import cache_folder
from charrnn.data.vocabulary import CHARACTERS, NOTES, Vocabulary
from charrnn.files import write_atomically

log = logging.getLogger(__name__)

FORMAT = 1
"""To be raised when what is read out of a source, or how it is kept, changes."""

Cached = tuple[np.ndarray, Vocabulary, str]
"""Tokens (N,), their vocabulary, and the hash of the text."""


def read_cached(key: str) -> Cached | None:
    """What `write_cached` kept under ``key``; None if there is nothing, or it is damaged."""
    path = cache_folder() / "tokens" / f"{key}-{FORMAT}.npz"
    try:
        # An .npz file is a zip archive, whose checksums tell a damaged one.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            tokenization = NOTES if arrays["is_notes"] else CHARACTERS
            vocabulary = Vocabulary(tuple(arrays["symbols"].tolist()), tokenization)
            return arrays["tokens"], vocabulary, str(arrays["sha256"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        log.warning("%s is damaged (%s) and is made anew.", path, error)
        return None


def write_cached(key: str, tokens: np.ndarray, vocabulary: Vocabulary, sha256: str) -> None:
    """Keep a tokenised corpus. A disk that is full costs time at the next start, no more."""
    path = cache_folder() / "tokens" / f"{key}-{FORMAT}.npz"
    buffer = io.BytesIO()
    np.savez(
        buffer,
        tokens=tokens,
        symbols=np.array(vocabulary.symbols),
        is_notes=vocabulary.tokenization is NOTES,
        sha256=sha256,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, buffer.getvalue())
    except OSError as error:
        log.warning("%s cannot be written (%s): the corpus is read anew next time.", path, error)
