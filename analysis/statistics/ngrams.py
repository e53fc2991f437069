"""Predictions that need no network: frequencies of tokens, and an interpolated n-gram model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

ORDER = 5
"""Tokens in an n-gram unless another number is given: the one predicted and the four before it."""
CODES = 63
"""Bits that an n-gram's number may have."""


def unigram_log_probabilities(train: np.ndarray, vocabulary_size: int) -> np.ndarray:
    """Log probability of each token by how frequent it is in ``train``, one added to each count.

    Args:
        train: token indices (N,).
        vocabulary_size: |V|.

    Returns:
        Natural logarithms (|V|,); a token that ``train`` lacks has a probability of 1 / (N + |V|).
    """
    counts = np.bincount(train, minlength=vocabulary_size)
    return np.log((counts + 1) / (len(train) + vocabulary_size))


@dataclass(frozen=True)
class Grams:
    """The distinct n-grams of one order with their counts, and what follows each context.

    Attributes:
        size: n.
        codes: the n-grams' numbers, ascending: their tokens as the digits of a number in base |V|.
        counts: how often each occurs; in orders below the highest, before how many different
            tokens.
        contexts: numbers of the distinct contexts, the n-grams without their last token, ascending.
        totals: sum of the counts that follow each context.
        followers: number of different tokens that follow each context.
        discount: what is taken off every count, D.
    """

    size: int
    codes: np.ndarray
    counts: np.ndarray
    contexts: np.ndarray
    totals: np.ndarray
    followers: np.ndarray
    discount: float

    @classmethod
    def of(cls, size: int, codes: np.ndarray, counts: np.ndarray, vocabulary_size: int) -> Grams:
        """From the distinct n-grams and their counts.

        D = n1 / (n1 + 2 n2), where n1 and n2 are the numbers of n-grams that are counted once and
        twice; 1/2 if none is counted once, since without a discount some tokens would have a
        probability of 0.
        """
        contexts, first = np.unique(codes // vocabulary_size, return_index=True)
        once, twice = (int((counts == n).sum()) for n in (1, 2))
        return cls(
            size,
            codes,
            counts,
            contexts,
            totals=np.add.reduceat(counts, first),
            followers=np.diff(first, append=len(codes)),
            discount=once / (once + 2 * twice) if once else 0.5,
        )


class NGramModel:
    """Interpolated Kneser-Ney smoothing with one discount per order.

    The source is Chen and Goodman, *An empirical study of smoothing techniques for language
    modeling*, Computer Speech and Language 13 (1999): Section 2.6 for the discount D, Section 2.7
    for the counts. For a token w after a context h of n - 1 tokens, h' being h without its first::

        p_n(w | h) = max(c(h w) - D, 0) / c(h .) + D * N(h .) / c(h .) * p_(n-1)(w | h')

    c(h .) sums c(h w) over w, and N(h .) is the number of different w that follow h. c(h w) is the
    count of the n-gram in the highest order; in a lower one it is the number of different tokens
    before it. After an unknown context p_n = p_(n-1), and p_0 = 1 / |V|.

    Args:
        train: token indices (N,), N >= 1.
        vocabulary_size: |V|.
        order: the highest n; lower where |V| ** n exceeds 63 bits, or the text is shorter.

    Examples:
        >>> model = NGramModel(np.array([0, 1, 2] * 20), vocabulary_size=3, order=2)
        >>> np.exp(model.log_probabilities(np.array([0, 1, 2, 0]))).round(2).tolist()
        [0.33, 0.98, 0.98, 0.98]
    """

    def __init__(self, train: np.ndarray, vocabulary_size: int, order: int = ORDER) -> None:
        self.vocabulary_size = V = vocabulary_size
        highest = min(order, len(train), int(CODES / math.log2(max(V, 2))))
        codes, counts = np.unique(_numbers(train, highest, V), return_counts=True)
        self.orders = [Grams.of(highest, codes, counts, V)]
        for size in range(highest - 1, 0, -1):
            ends, counts = np.unique(codes % V**size, return_counts=True)
            self.orders.insert(0, Grams.of(size, ends, counts, V))
            # Nothing is before the text's first n-gram, but it is before others.
            codes = np.union1d(ends, _numbers(train[:size], size, V))

    def log_probabilities(self, tokens: np.ndarray) -> np.ndarray:
        """Log probability of each token after those before it.

        Args:
            tokens: token indices (N,). The first ones have a context as long as there is one.

        Returns:
            Natural logarithms (N,).
        """
        V = self.vocabulary_size
        chances = np.full(len(tokens), 1 / V)
        for grams in (one for one in self.orders if one.size <= len(tokens)):
            codes = _numbers(tokens, grams.size, V)
            lower, ends = chances[grams.size - 1 :], slice(grams.size - 1, None)
            place, known = _find(grams.contexts, codes // V)
            at, seen = _find(grams.codes, codes)
            counted = np.where(seen, np.maximum(grams.counts[at] - grams.discount, 0), 0)
            spared = grams.discount * grams.followers[place]
            chances[ends] = np.where(known, (counted + spared * lower) / grams.totals[place], lower)
        return np.log(chances)


def perplexity(log_probabilities: np.ndarray) -> float:
    """The exponential of the mean of -log p."""
    return float(np.exp(-log_probabilities.mean()))


def _numbers(tokens: np.ndarray, size: int, vocabulary_size: int) -> np.ndarray:
    """The number of the n-gram that ends at each token from the ``size``-th on."""
    codes = np.zeros(len(tokens) - size + 1, dtype=np.int64)
    for n in range(size):
        codes = codes * vocabulary_size + tokens[n : n + len(codes)]
    return codes


def _find(table: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each number is in an ascending table, and whether it is there."""
    places = np.searchsorted(table, wanted).clip(max=len(table) - 1)
    return places, table[places] == wanted
