"""A cache on disk for tokenised corpora, since reading some sources takes long."""

from __future__ import annotations

import io
import logging

import numpy as np

from charrnn.data.fetching.packages import cache_folder
from charrnn.data.vocabulary import CHARACTERS, NOTES, Vocabulary
from charrnn.errors import reason
from charrnn.files import read_file, write_atomically
from charrnn.seals import Damaged, with_seal, without_seal

log = logging.getLogger(__name__)

FORMAT = 2
"""Raise this when the text read from a source, or the layout of the file, changes."""

Cached = tuple[np.ndarray, Vocabulary, str]
"""Tokens (N,), their vocabulary, and the SHA-256 of the text."""


def read_cached(key: str) -> Cached | None:
    """The corpus that `write_cached` stored under ``key``; None if it is missing or damaged."""
    path = cache_folder() / "tokens" / f"{key}-{FORMAT}"
    try:
        archive = without_seal(read_file(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        log.warning("%s cannot be read (%s) and is rebuilt.", path, reason(error))
        return None
    except Damaged:
        log.warning("%s is damaged and is rebuilt.", path)
        return None
    with np.load(io.BytesIO(archive), allow_pickle=False) as arrays:
        tokenization = NOTES if arrays["is_notes"] else CHARACTERS
        vocabulary = Vocabulary(tuple(arrays["symbols"].tolist()), tokenization)
        return arrays["tokens"], vocabulary, str(arrays["sha256"])


def write_cached(key: str, tokens: np.ndarray, vocabulary: Vocabulary, sha256: str) -> None:
    """Store a tokenised corpus. If that fails, only the next start takes longer."""
    path = cache_folder() / "tokens" / f"{key}-{FORMAT}"
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
        # numpy does not check all of the archive's own checksums.
        write_atomically(path, with_seal(buffer.getvalue()))
    except OSError as error:
        log.warning("%s cannot be written (%s): the next start takes longer.", path, reason(error))
