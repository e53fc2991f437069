"""Table 2 of the paper: which scheme each published model is trained and sampled with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Model:
    """A row of Table 2.

    Attributes:
        reference: first author and year.
        citation: its number in the paper's bibliography.
        level: what a token is.
        schemes: how it is trained and sampled; empty if the authors could not find out.
        source: how the authors found out; empty if they did not.
        doubtful: whether the paper puts a question mark after the scheme.
    """

    reference: str
    citation: int
    level: str
    schemes: tuple[int, ...]
    source: str
    doubtful: bool = False


CHARACTERS, WORDS = "characters", "words"
BOTH = "words and characters"
PAPER, CODE, AUTHORS = "paper", "source code", "communication with the authors"

MODELS = (
    Model("Graves, 2013", 9, CHARACTERS, (3,), AUTHORS),
    Model("Wu, 2016", 39, CHARACTERS, (), ""),
    Model("Ha, 2016", 13, CHARACTERS, (), ""),
    Model("Cooijmans, 2016", 5, CHARACTERS, (3,), AUTHORS),
    Model("Krause, 2016", 22, CHARACTERS, (4,), AUTHORS),
    Model("Chung, 2016", 3, CHARACTERS, (4,), PAPER),
    Model("Mujika, 2017", 29, CHARACTERS, (4,), PAPER),
    Model("Zilly, 2017", 42, BOTH, (4,), CODE),
    Model("Melis, 2017", 24, BOTH, (4,), PAPER),
    Model("Mikolov, 2012", 28, WORDS, (3,), CODE),
    Model("Zaremba, 2014", 41, WORDS, (4,), PAPER),
    Model("Kim, 2015", 20, WORDS, (4,), CODE),
    Model("Gal, 2016", 7, WORDS, (3,), CODE),
    Model("Merity, 2016", 26, WORDS, (2, 4), AUTHORS, doubtful=True),
    Model("Bradbury, 2016", 1, WORDS, (4,), AUTHORS, doubtful=True),
    Model("Zoph, 2016", 43, WORDS, (4,), AUTHORS),
    Model("Inan, 2016", 18, WORDS, (4,), CODE),
    Model("Merity, 2017", 25, WORDS, (4,), CODE),
    Model("Yang, 2017", 40, WORDS, (3,), AUTHORS),
    Model("Sturm, 2016", 35, "music notes", (3,), AUTHORS),
    Model("Saon, 2016", 32, "phonemes", (3,), AUTHORS),
    Model("De Boom, 2017", 6, "playlist tracks", (2,), PAPER),
)


def counted(models: Sequence[Model] = MODELS) -> str:
    """How many models use each scheme, and how many papers say so, in a sentence or two.

    Section 3.8 says that scheme 4 is by far the most popular, that scheme 3 is widely used too, and
    that 5 of the 22 papers mention what tells the schemes apart.
    """
    users = Counter(scheme for model in models for scheme in model.schemes)
    of_schemes = ", ".join(f"scheme {n}: {users[n]}" for n in sorted({1, 2, 3, 4} | {*users}))
    several = sum(len(model.schemes) > 1 for model in models)
    unknown = sum(not model.schemes for model in models)
    told = sum(model.source == PAPER for model in models)
    return (
        f"Of {len(models)} models, {of_schemes}; {several} of them may use either of two schemes, "
        f"and nobody knows about {unknown}. {told} of the papers say it themselves."
    )
