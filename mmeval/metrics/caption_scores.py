"""CIDEr-D, the counts of BLEU, ROUGE-L and METEOR with stems, of captions as words against references as words.

The arithmetic of the first three is that of the scorers of COCO captions (pycocoevalcap), which papers report.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from mmeval.metrics.porter import porter_stem
from mmeval.stats.intervals import FloatArray

Words: TypeAlias = tuple[str, ...]
References: TypeAlias = tuple[Words, ...]
"""What one caption is compared with, at least one."""

ORDERS = 4
"""Longest n-grams of CIDEr and BLEU."""
SIGMA = 6.0
"""Width of CIDEr-D's penalty on the difference in length, in bigrams."""
BETA = 1.2
"""Weight of recall in ROUGE-L."""
METEOR_ALPHA, METEOR_BETA, METEOR_GAMMA = 0.9, 3.0, 0.5
"""Weight of recall, and exponent and weight of the penalty on fragments (Lavie and Agarwal 2007)."""


@dataclass(frozen=True, slots=True)
class DocumentFrequencies:
    """How much an n-gram weighs: the fewer samples have it in their references, the more."""

    weights: dict[Words, float]
    """Logarithm of samples / frequency."""
    unseen: float
    """The same of an n-gram that no reference has, which counts as if one had it."""

    @classmethod
    def of(cls, corpus: Sequence[References]) -> DocumentFrequencies:
        """Count over the samples of a corpus, each once."""
        counts: Counter[Words] = Counter()
        for references in corpus:
            counts.update({gram for words in references for gram in _ngrams(words)})
        most = math.log(max(1, len(corpus)))
        return cls({gram: most - math.log(count) for gram, count in counts.items()}, most)


@dataclass(frozen=True, slots=True)
class _Vector:
    """tf-idf of the n-grams of a caption."""

    weights: dict[Words, float]
    norms: tuple[float, ...]
    """Euclidean, by order."""
    length: int
    """Bigrams."""

    @classmethod
    def of(cls, words: Words, frequencies: DocumentFrequencies) -> _Vector:
        known, unseen = frequencies.weights, frequencies.unseen
        weights = {gram: count * known.get(gram, unseen) for gram, count in _ngrams(words).items()}
        squares = [0.0] * ORDERS
        for gram, weight in weights.items():
            squares[len(gram) - 1] += weight**2
        return cls(weights, tuple(math.sqrt(square) for square in squares), max(0, len(words) - 1))


def cider(words: Words, references: References, frequencies: DocumentFrequencies) -> float:
    """Return CIDEr-D of one caption, in [0, 10] (papers write ten or a hundred times a mean of that).

    By order 1..4 the clipped cosine of tf-idf vectors, times a Gaussian of the difference in length; the mean over orders and
    references, times 10.
    """
    said = _Vector.of(words, frequencies)
    total = 0.0
    for reference in references:
        wanted = _Vector.of(reference, frequencies)
        products = [0.0] * ORDERS
        for gram, weight in said.weights.items():
            if (other := wanted.weights.get(gram)) is not None:
                products[len(gram) - 1] += min(weight, other) * other
        norms = [first * second for first, second in zip(said.norms, wanted.norms, strict=True)]
        cosines = (product / norm for product, norm in zip(products, norms, strict=True) if norm > 0)
        total += math.fsum(cosines) * math.exp(-((said.length - wanted.length) ** 2) / (2 * SIGMA**2))
    return 10 * total / ORDERS / len(references)


def bleu_counts(words: Words, references: References) -> FloatArray:
    """Return what BLEU sums over a corpus, shape (10,).

    Clipped matches of 1..4-grams, n-grams of the caption, words of the caption, words of the reference of the closest
    length (the shorter of two that are as close).
    """
    said = _ngrams(words)
    most: Counter[Words] = Counter()
    for reference in references:
        most |= _ngrams(reference)
    found = np.zeros(2 * ORDERS + 2)
    for gram, count in said.items():
        found[len(gram) - 1] += min(count, most[gram])
    found[ORDERS : 2 * ORDERS] = [max(0, len(words) - order) for order in range(ORDERS)]
    closest = min((abs(len(reference) - len(words)), len(reference)) for reference in references)[1]
    found[-2:] = len(words), closest
    return found


def rouge_l(words: Words, references: References) -> float:
    """Return ROUGE-L of one caption: F with beta 1.2 of the best precision and the best recall over the references."""
    if not words:
        return 0.0
    from rapidfuzz.distance import LCSseq

    common = [LCSseq.similarity(words, reference) for reference in references]
    precision = max(common) / len(words)
    recall = max(
        (length / len(reference) for length, reference in zip(common, references, strict=True) if reference),
        default=0.0,
    )
    if precision == 0 or recall == 0:
        return 0.0
    return (1 + BETA**2) * precision * recall / (recall + BETA**2 * precision)


def meteor_stem(words: Words, references: References) -> float:
    """Return METEOR of one caption with exact and stem matches alone, the best over the references.

    The official METEOR 1.5 also matches synonyms (WordNet) and paraphrases, weighs function words down and is a number of the
    corpus; this is not comparable with it. The alignment is taken from the last word on, exact matches before stems.
    """
    return max(_meteor(words, reference) for reference in references)


def _meteor(words: Words, reference: Words) -> float:
    pairs = _aligned(words, reference)
    if not pairs:
        return 0.0
    precision, recall = len(pairs) / len(words), len(pairs) / len(reference)
    mean = precision * recall / (METEOR_ALPHA * precision + (1 - METEOR_ALPHA) * recall)
    chunks = 1 + sum((b[0] - a[0], b[1] - a[1]) != (1, 1) for a, b in pairwise(pairs))
    penalty: float = METEOR_GAMMA * (chunks / len(pairs)) ** METEOR_BETA
    return (1 - penalty) * mean


def _aligned(words: Words, reference: Words) -> list[tuple[int, int]]:
    """Return positions of matched words, in the order of the caption."""
    pairs: list[tuple[int, int]] = []
    used: set[int] = set()
    left = list(range(len(words)))
    stems = tuple(porter_stem(word) for word in words), tuple(porter_stem(word) for word in reference)
    for said, wanted in ((words, reference), stems):
        places: dict[str, list[int]] = {}
        for place, word in enumerate(wanted):
            if place not in used:
                places.setdefault(word, []).append(place)
        for place in left[::-1]:
            if free := places.get(said[place]):
                used.add(free[-1])
                pairs.append((place, free.pop()))
        matched = {place for place, _ in pairs}
        left = [place for place in left if place not in matched]
    return sorted(pairs)


def _ngrams(words: Words) -> Counter[Words]:
    return Counter(
        words[start : start + order] for order in range(1, ORDERS + 1) for start in range(len(words) - order + 1)
    )
