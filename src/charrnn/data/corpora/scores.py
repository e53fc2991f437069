"""A longer corpus of notes than the substitute for Music, and of other music."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from charrnn.data.corpora.substitutes import MUSIC21, WheelCorpus
from charrnn.data.corpora.tokens import Source
from charrnn.data.music.scores import score_lines
from charrnn.data.vocabulary import NOTES, Tokenization


@dataclass(frozen=True)
class Masses(WheelCorpus):
    """Palestrina's masses for the most part; 743,247 notes, 68 pitches, 1,372 compositions.

    These are the scores by six composers in music21's corpus: 1,296 movements of masses by
    Palestrina (658,525 notes), 48 madrigals by Monteverdi (41,813), 16 movements, mostly of
    quartets, by Mozart (23,145), 6 scores by Robert Schumann (13,708), 5 by Clara Schumann (5,269),
    and a mazurka by Chopin (787).

    It is sung polyphony, not piano music: only Chopin is a composer of the paper's Music, which is
    twice as long. In figures `chorales` stands for Music, unless `corpora=` names this corpus and
    not that one; they share no score. Of scores with the same notes only the first is kept, as in
    the paper, and of a madrigal in two versions the newer one.

    The licence is that of each score: music21 states that its corpus is either out of copyright in
    the United States or licensed for use, perhaps not for commercial use. Every file by Palestrina
    says: "Copyright 2000, John Miller. Rights to all derivative electronic formats reserved." So
    read the scores from the package, and do not pass their notes on.
    """

    name = "masses"
    licence = "BSD-3-Clause (package); each score's own, some not for commercial use (scores)"
    member = (
        r"music21/corpus/(palestrina|monteverdi|mozart|schumann_clara|schumann_robert|chopin)/"
        r".*(?<!_old)\.(krn|mxl|xml)"
    )
    tokenization: ClassVar[Tokenization] = NOTES
    wheel = MUSIC21

    def read(self, source: Source) -> str:
        return "".join(dict.fromkeys(score_lines(self.members(source))))
