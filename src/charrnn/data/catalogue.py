"""Which corpora there are, which of them this machine can reach, and which a figure takes."""

from __future__ import annotations

import functools
import logging

import pandas as pd

from charrnn.data.corpora import Corpus, StandardLibrary
from charrnn.data.fetching.packages import FetchError
from charrnn.data.paper_corpora import English, Finnish, Linux, Music
from charrnn.data.substitute_corpora import Chorales, Kalevala, Linux61, Shakespeare
from charrnn.errors import CharRNNError, require_choice

log = logging.getLogger(__name__)

AUTHORS: tuple[Corpus, ...] = (English(), Finnish(), Linux(), Music())
"""The paper's corpora, in its order."""
SUBSTITUTES: tuple[Corpus, ...] = (Shakespeare(), Kalevala(), Linux61(), Chorales())
"""What stands in for each of them."""
STANDS_FOR: dict[str, str] = {
    **{corpus.name: corpus.name for corpus in AUTHORS},
    **{
        substitute.name: corpus.name
        for corpus, substitute in zip(AUTHORS, SUBSTITUTES, strict=True)
    },
    StandardLibrary().name: "linux",
    "midi": "music",
}
"""The paper's corpus whose place each one takes."""


@functools.lru_cache(maxsize=4)
def choose(corpora: str) -> str:
    """The corpora of a figure, decided once a process.

    Args:
        corpora: `authors`; `substitutes`; `auto`, which is the authors' four if all of them can be
            had and verified, else the substitutes; or names, which stay as they are. `music of`
            before it takes the one that is or stands for Music, and so for the other three; the
            first where there is none.

    Returns:
        Names for `data=`, separated by commas.

    Raises:
        BadInput: if the word before `of` is none of the paper's corpora.
    """
    place, of, rest = corpora.partition(" of ")
    if of:
        require_choice("data", place, [corpus.name for corpus in AUTHORS])
        return _one_for(place, choose(rest).split(","))
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
    log.info("corpora: the substitutes %s, since %s", _names(SUBSTITUTES), problem)
    chosen = list(SUBSTITUTES)
    if (problem := _first_problem([Linux61()])) is not None:
        log.info("corpora: stdlib takes the place of linux61, since %s", problem)
        chosen[chosen.index(Linux61())] = StandardLibrary()
    return _names(chosen)


def _one_for(place: str, names: list[str]) -> str:
    for name in names:
        if STANDS_FOR.get(name) == place:
            return name
    log.info("corpora: %s takes the place of %s, for which none of them stands", names[0], place)
    return names[0]


def _first_problem(corpora: list[Corpus] | tuple[Corpus, ...]) -> str | None:
    for corpus in corpora:
        try:
            corpus.load()
        except FetchError as error:
            return str(error)
    return None


def overview() -> str:
    """Fetch all corpora that this machine can reach: a table of them, and why not the others."""
    rows, problems = [], []
    for corpus in (*AUTHORS, *SUBSTITUTES, StandardLibrary()):
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


def _names(corpora: list[Corpus] | tuple[Corpus, ...]) -> str:
    return ",".join(corpus.name for corpus in corpora)
