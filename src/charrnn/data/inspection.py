"""What a corpus is, in one line, and what is odd about a user's own text."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

import numpy as np

from charrnn.data.corpora.tokens import Tokens
from charrnn.data.vocabulary import NOTES
from charrnn.errors import shortened

NUL = "\0"
MANY_NULS = 0.2
"""Share of NULs from which a text is taken for UTF-16; in English every second byte is one."""
MANY_DISTINCT = 500
"""Distinct tokens; the paper's corpora have 85 to 106."""
FEW_TOKENS = 500
"""Tokens of a train split that is soon known by heart."""


def summary(tokens: Tokens, called: str | None = None) -> str:
    r"""Tokens, distinct tokens, line ends and encoding of a corpus.

    Args:
        tokens: the corpus.
        called: what to call it; None takes its name.

    Examples:
        >>> from pathlib import Path
        >>> from charrnn.data.corpora.tokens import Source, hash_of
        >>> from charrnn.data.vocabulary import CHARACTERS
        >>> found = CHARACTERS.tokenize("to be\nor not\n")
        >>> summary(Tokens("hamlet", *found, hash_of(""), Source("a test", "none", Path("."))))
        'hamlet: 13 characters, 8 distinct; line ends: LF; ASCII'
    """
    kind = tokens.vocabulary.tokenization
    number, distinct = len(tokens.tokens), len(tokens.vocabulary)
    words = [f"{called or tokens.name}: {number:,} {kind.name}, {distinct:,} distinct"]
    if kind is not NOTES:
        ends = ", ".join(end for end, count in line_ends(tokens).items() if count)
        words += [f"line ends: {ends or 'none'}", tokens.source.encoding or _encoding(tokens)]
    return "; ".join(words)


def split_summary(train: int, test: int, per_epoch: list[int]) -> str:
    """How many tokens are trained on and tested on, and how many batches are an epoch.

    Args:
        train: tokens of the train split.
        test: tokens of the test split.
        per_epoch: batches per epoch of each run.
    """
    least, most = min(per_epoch), max(per_epoch)
    batches = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    plural = "batch" if most == 1 else "batches"
    return f"{train:,} tokens to train on, {test:,} to test on; {batches} {plural} per epoch"


def line_ends(tokens: Tokens) -> dict[str, int]:
    """How many lines end with LF, with CRLF and with CR."""
    feeds, returns = _where(tokens, "\n"), _where(tokens, "\r")
    both = int(np.count_nonzero(returns[:-1] & feeds[1:]))
    return {
        "LF": int(np.count_nonzero(feeds)) - both,
        "CRLF": both,
        "CR": int(np.count_nonzero(returns)) - both,
    }


def oddities(tokens: Tokens) -> Iterator[str]:
    """A sentence for everything in a text that its author may not have intended."""
    symbols = tokens.vocabulary.symbols
    nuls = np.count_nonzero(_where(tokens, NUL))
    if nuls > MANY_NULS * len(tokens.tokens):
        yield (
            f"{nuls:,} characters are NUL, so the file is probably UTF-16 and not UTF-8; "
            "convert it with iconv -f UTF-16 -t UTF-8."
        )
        return
    if nuls:
        yield f"{nuls:,} characters are NUL, which does not belong in a text."
    yield from _odd_line_ends(tokens)
    if len(symbols) == 1:
        yield f"the text is one character, {symbols[0]!r}, again and again; nothing can be learned."
    if _mixes_normal_forms(tokens):
        yield (
            "some letters with accents are written as one character and some as two, so they are "
            "different tokens; convert the text to one normal form, such as NFC."
        )
    control = [s for s in symbols if unicodedata.category(s) == "Cc" and s not in "\n\r\t\0"]
    if control:
        count = sum(np.count_nonzero(_where(tokens, symbol)) for symbol in control)
        names = shortened([f"U+{ord(symbol):04X}" for symbol in control])
        yield f"{count:,} characters are control characters ({names}), each a token of its own."
    if len(symbols) > MANY_DISTINCT:
        yield (
            f"{len(symbols):,} distinct characters is a lot; the paper's corpora have at most "
            "106, and every one makes the model wider."
        )


def short_splits(train: int, per_epoch: list[int]) -> Iterator[str]:
    """A sentence for a train split that is very short."""
    if train < FEW_TOKENS:
        yield f"{train} tokens is very little to train on; a model soon knows it by heart."
    if min(per_epoch) < 2:
        yield "an epoch is less than 2 batches; a smaller k1 or a longer text gives more."


def _where(tokens: Tokens, symbol: str) -> np.ndarray:
    """Which tokens are the symbol, (N,)."""
    symbols = tokens.vocabulary.symbols
    if symbol not in symbols:
        return np.zeros(len(tokens.tokens), dtype=bool)
    return tokens.tokens == symbols.index(symbol)


def _encoding(tokens: Tokens) -> str:
    return "ASCII" if all(map(str.isascii, tokens.vocabulary.symbols)) else "UTF-8"


def _odd_line_ends(tokens: Tokens) -> Iterator[str]:
    found = {end: count for end, count in line_ends(tokens).items() if count}
    if len(found) > 1:
        counts = " and ".join(f"{count:,} with {end}" for end, count in found.items())
        yield f"lines end in different ways, {counts}; convert them to LF."
    elif "CRLF" in found:
        yield "lines end with CRLF, as on Windows, which is two tokens; convert them to LF."
    elif "CR" in found:
        yield "lines end with CR, as on old Macs, and not with LF; convert them to LF."


def _mixes_normal_forms(tokens: Tokens) -> bool:
    """Whether some letters with accents are one character, and others a letter and a mark."""
    symbols = tokens.vocabulary.symbols
    if not any(unicodedata.decomposition(s)[:1].isalnum() for s in symbols):
        return False
    marks = [i for i, symbol in enumerate(symbols) if unicodedata.combining(symbol)]
    places = np.flatnonzero(np.isin(tokens.tokens, marks))
    places = places[places > 0]
    pairs = np.unique(np.stack([tokens.tokens[places - 1], tokens.tokens[places]]), axis=1)
    together = (symbols[base] + symbols[mark] for base, mark in pairs.T.tolist())
    return any(len(unicodedata.normalize("NFC", pair)) == 1 for pair in together)
