"""All corpora: which ones this machine can reach, and which ones a figure uses."""

from __future__ import annotations

import functools
import logging
from collections.abc import Sequence

import pandas as pd

from charrnn.data.corpora.base import Corpus, StandardLibrary
from charrnn.data.corpora.labels import name_in
from charrnn.data.corpora.paper import English, Finnish, Linux, Music
from charrnn.data.corpora.scores import Masses
from charrnn.data.corpora.substitutes import Chorales, Kalevala, Linux61, Shakespeare
from charrnn.data.fetching.packages import FetchError
from charrnn.errors import CharRNNError, require_choice

log = logging.getLogger(__name__)

AUTHORS: tuple[Corpus, ...] = (English(), Finnish(), Linux(), Music())
"""The paper's corpora, in its order."""
SUBSTITUTES: tuple[Corpus, ...] = (Shakespeare(), Kalevala(), Linux61(), Chorales())
"""The substitute for each of the paper's corpora."""
STANDS_FOR: dict[str, str] = {
    **{corpus.name: corpus.name for corpus in AUTHORS},
    **{
        substitute.name: corpus.name
        for corpus, substitute in zip(AUTHORS, SUBSTITUTES, strict=True)
    },
    StandardLibrary().name: "linux",
    "midi": "music",
    Masses().name: "music",
}
"""The paper's corpus that each corpus stands for. Of several in one table, the first one does."""


def stands_for(label: object) -> str | None:
    """The paper's corpus that a corpus stands for, by its label; None if it stands for none."""
    return STANDS_FOR.get(name_in(str(label)))


@functools.lru_cache(maxsize=4)
def choose(corpora: str) -> str:
    """The corpora that a figure uses, decided once per process.

    Args:
        corpora: `authors`; `substitutes`; `auto`, which means the authors' four if all of them can
            be fetched and verified, and otherwise the substitutes; or names of corpora, which are
            returned unchanged. With `music of` in front, only the corpus that is Music, or stands
            for it, is chosen (the first corpus if none does); likewise for the paper's other
            corpora.

    Returns:
        Names for `data=`, separated by commas.

    Raises:
        BadInput: if the word before `of` is not one of the paper's corpora.

    Examples:
        >>> choose("substitutes")
        'shakespeare,kalevala,linux61,chorales'
        >>> choose("music of shakespeare,chorales")
        'chorales'
    """
    original, of, rest = corpora.partition(" of ")
    if of:
        require_choice("data", original, [corpus.name for corpus in AUTHORS])
        return _one_for(original, choose(rest).split(","))
    if corpora == "authors":
        return _names(AUTHORS)
    if corpora == "substitutes":
        return _names(SUBSTITUTES)
    if corpora != "auto":
        return corpora
    problem = _first_problem(AUTHORS)
    if problem is None:
        log.info("corpora: the authors' four files, verified")
        return _names(AUTHORS)
    log.info("corpora: the substitutes %s, because %s", _names(SUBSTITUTES), problem)
    chosen = list(SUBSTITUTES)
    if (problem := _first_problem([Linux61()])) is not None:
        log.info("corpora: stdlib instead of linux61, because %s", problem)
        chosen[chosen.index(Linux61())] = StandardLibrary()
    return _names(chosen)


def _one_for(original: str, names: Sequence[str]) -> str:
    for name in names:
        if stands_for(name) == original:
            return name
    log.info("corpora: %s, because none of the chosen corpora stands for %s", names[0], original)
    return names[0]


def _first_problem(corpora: Sequence[Corpus]) -> str | None:
    """Why a corpus cannot be fetched; None if all of them can."""
    for corpus in corpora:
        try:
            corpus.load()
        except FetchError as error:
            return str(error)
    return None


def overview() -> str:
    """Fetch every corpus that this machine can reach.

    Returns:
        A table of all corpora, followed by the reasons why some cannot be fetched.
    """
    rows, problems = [], []
    for corpus in (*AUTHORS, *SUBSTITUTES, Masses(), StandardLibrary()):
        try:
            tokens = corpus.load()
        except CharRNNError as error:
            rows.append([corpus.name, "-", "-", "-", "no"])
            problems.append(f"{corpus.name}: {error}")
        else:
            verified = "yes" if tokens.source.sha256 else "this machine's own"
            counts = f"{len(tokens.tokens):,}", str(len(tokens.vocabulary))
            rows.append([corpus.name, tokens.source.origin, *counts, verified])
    table = pd.DataFrame(rows, columns=["corpus", "source", "tokens", "unique", "verified"])
    return "\n".join([table.to_string(index=False), *problems])


def _names(corpora: Sequence[Corpus]) -> str:
    return ",".join(corpus.name for corpus in corpora)
