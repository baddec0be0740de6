"""Scores of short text by the rules of text-reading benchmarks; each normalises as its official script does."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from mmeval.verifiers.vocabulary import words

ANLS_THRESHOLD = 0.5
RELAXED_TOLERANCE = 0.05
ENOUGH_ANNOTATORS = 3
"""Annotators whose agreement with an answer makes it fully right in VQA accuracy."""


def anls(answer: str, golds: Sequence[str]) -> float:
    """Return the Average Normalised Levenshtein Similarity of one answer (Biten et al. 2019; DocVQA, InfographicVQA).

    1 - distance / length of the longer, the best of all golds; below 0.5 it is 0, and 0.5 itself stays, as in the
    evaluation script of the DocVQA challenge (the paper's formula makes it 0). Distances are between texts in lower case with
    white space squeezed; lengths are those of the texts as they stand, so that doubled spaces count (and ß, in capitals, is two).
    """
    from rapidfuzz.distance import Levenshtein

    given = _squeezed(answer)
    best = 0.0
    for gold in golds:
        wanted = _squeezed(gold)
        longest = max(len(answer.upper()), len(gold.upper()))
        best = max(best, 1 - Levenshtein.distance(given, wanted) / longest if longest else 1.0)
    return best if best >= ANLS_THRESHOLD else 0.0


def _squeezed(text: str) -> str:
    return " ".join(text.lower().split())


def vqa_accuracy(answer: str, golds: Sequence[str]) -> float:
    """Return the VQA accuracy of one answer (Antol et al. 2015): the mean over leaving each annotator out in turn.

    Of the other annotators (nine of ten) those who gave the answer count a third each, up to 1. All sides are normalised
    by `vqa_normalise`, as the evaluators of TextVQA do it (the script of VQA v2 leaves unanimous golds as they are).

    Args:
        answer: the answer.
        golds: one answer per annotator, at least two.
    """
    given = vqa_normalise(answer)
    same = sum(vqa_normalise(gold) == given for gold in golds)
    count = len(golds)
    with_one_less = same * min(1.0, (same - 1) / ENOUGH_ANNOTATORS) if same else 0.0
    return (with_one_less + (count - same) * min(1.0, same / ENOUGH_ANNOTATORS)) / count


@lru_cache(maxsize=8192)
def vqa_normalise(text: str) -> str:
    """Return text as the evaluation of VQA on EvalAI compares it.

    Lower case; commas and question marks go, a possessive is split off. Each punctuation mark is deleted where it touches
    a space anywhere in the text (or where digits are joined by a comma), and becomes a space otherwise; full stops go
    unless a digit follows. Number words up to ten (and "none") become digits, articles go, contractions get their
    apostrophe.
    """
    plain = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    plain = plain.replace("\n", " ").replace("\t", " ").strip()
    kept = plain
    for mark in _PUNCTUATION:
        touches = mark + " " in plain or " " + mark in plain or _JOINED_DIGITS.search(plain) is not None
        kept = kept.replace(mark, "" if touches else " ")
    # Of the first 32 full stops only: the script passes a flag where the count belongs.
    kept = _FULL_STOP.sub("", kept, count=32)
    found = [_NUMBERS.get(word, word) for word in kept.split()]
    return " ".join(_CONTRACTIONS.get(word, word) for word in found if word not in _ARTICLES)


_PUNCTUATION = words('; / [ ] " { } ( ) = + \\ _ - > < @ ` , ? !')
_JOINED_DIGITS = re.compile(r"(?<=\d),+(?=\d)")
_FULL_STOP = re.compile(r"\.(?!\d)")
_ARTICLES = frozenset(words("a an the"))
_NUMBERS = {
    word: str(value) for value, word in enumerate(words("zero one two three four five six seven eight nine ten"))
}
_NUMBERS["none"] = "0"
_CONTRACTED = words(
    "ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's"
    " how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock"
    " oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd"
    " someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's"
    " they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's"
    " where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've"
    " y'all y'all'll y'all'd've you'd you'd've you'll you're you've"
)
# A contraction that lacks one of its apostrophes; the script's own slip makes "somebody'd" lose the one it has.
_CONTRACTIONS = {
    form[:index] + form[index + 1 :]: form
    for form in _CONTRACTED
    for index, character in enumerate(form)
    if character == "'"
} | {"somebody'd": "somebodyd"}


def relaxed(answer: str, gold: str) -> bool:
    """Whether an answer is right by ChartQA's relaxed accuracy (Masry et al. 2022), as its common scripts compute it.

    Two numbers: within 5 % of the gold. "12%" is 0.12, so that it differs from a gold "12"; "1,000" and "5 cm" are no
    numbers; a gold of 0 is compared as text. Text: equal but for case and outer white space.
    """
    answer, gold = answer.strip(), gold.strip()
    given, wanted = _float(answer), _float(gold)
    if given is not None and wanted:
        return abs(given - wanted) / abs(wanted) <= RELAXED_TOLERANCE
    return answer.lower() == gold.lower()


def _float(text: str) -> float | None:
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None


def includes(answer: str, gold: str, *, spaces: bool) -> bool:
    """Whether the gold stands in the answer, as OCRBench (v1) asks it.

    Case does not count, line breaks are spaces. Without `spaces` (its handwritten formulas) white space does not count,
    and case does.
    """
    if not spaces:
        return gold.replace("\n", "").replace(" ", "").strip() in answer.replace("\n", "").replace(" ", "").strip()
    return gold.lower().strip().replace("\n", " ") in answer.lower().strip().replace("\n", " ")
