"""A corpus that is computed: the whole numbers in words of their digits."""

import tempfile
from dataclasses import dataclass
from pathlib import Path

from charrnn.data.corpora.base import Corpus
from charrnn.data.corpora.tokens import Source


@dataclass(frozen=True)
class Counting(Corpus):
    """0, 1, 2 and so on, up to a number, a line each."""

    name = "counting"
    up_to: int = 10_000

    def source(self) -> Source:
        return Source("computed", "CC0-1.0", Path(tempfile.gettempdir()))

    def read(self, source: Source) -> str:
        del source
        return "".join(f"{number}\n" for number in range(self.up_to))
