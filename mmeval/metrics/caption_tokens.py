"""Words of captions as caption metrics count them: lower case, contractions split, punctuation dropped.

The rules are those of the Penn Treebank as Stanford's tokenizer applies them for the COCO captions: `don't` is `do n't`, `it's` is
`it 's`, `cannot` is `can not`; hyphens, slashes and decimal points stay inside a word; brackets become words (`-lrb-`), because
the list of dropped signs has them in upper case only. What the Java tokenizer has beyond that (telephone numbers,
emoticons, currencies written as `$`, a longer list of abbreviations) is not imitated.
"""

from __future__ import annotations

import re
from functools import lru_cache

_DROPPED = frozenset({"''", "'", "``", "`", ".", "?", "!", ",", ":", "-", "--", "...", ";"})
_BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
_ALIKE = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "--", "—": "--", "…": "...", "½": "1/2", "¼": "1/4", "¾": "3/4"})  # fmt: skip
_ABBREVIATIONS = (
    "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "etc", "vs", "inc", "co", "corp", "ltd", "dept", "ave", "rd", "blvd", "ft",
    "gen", "col", "sgt", "capt", "rev", "gov", "sen", "rep", "ph.d", "jan", "feb", "mar", "apr", "aug", "sept", "oct", "nov", "dec",
)  # fmt: skip
_TWO_WORDS = {
    "cannot": ("can", "not"), "gonna": ("gon", "na"), "gotta": ("got", "ta"), "wanna": ("wan", "na"),
    "gimme": ("gim", "me"), "lemme": ("lem", "me"), "'tis": ("'t", "is"), "'twas": ("'t", "was"),
}  # fmt: skip
_ENDING = re.compile(r"(.+?)(n't|'(?:s|m|d|re|ve|ll))$", re.DOTALL)
_TOKEN = re.compile(
    rf"""
      '(?:tis|twas)\b
    | (?:https?://|www\.)[^\s<>"]+[^\s<>".,;:!?)']
    | (?<![\w.+-])[\w.+-]++@\w+(?:[.-]\w+)+
    | [#@][^\W\d]\w*
    | </?[^\W\d][\w-]*>
    | (?:[^\W\d_]\.){{2,}}
    | (?:{"|".join(re.escape(word) for word in _ABBREVIATIONS)})\.(?!\w)
    | (?:no|nos|fig|p|pp)\.(?=\s*\d)
    | (?<![\w.])[+-]?\d+(?:[,.:]\d+)+
    | (?<![\w.])[+-]\d+\b
    | (?<![^\W\d_])[^\W\d_]\.(?=\.*\s+\S)
    | \w+(?:[&/_.-]\w+|'[^\W\d_]\w*)*
    | '\d\ds?\b|'(?:s|m|d|re|ve|ll)\b
    | \.{{2,}}|(?:\.\ ){{2,}}\.
    | -{{2,}}|\*{{2,}}|[!?]{{2,}}
    | .
    """,
    re.VERBOSE | re.DOTALL,
)


@lru_cache(maxsize=65536)
def caption_words(text: str) -> tuple[str, ...]:
    """Return the words of a caption. Never raises; a text of punctuation alone has none."""
    plain = " ".join(text.translate(_ALIKE).lower().split())
    found: list[str] = []
    for match in _TOKEN.finditer(plain):
        token = match.group()
        if not token.isspace():
            found += _split(token)
    return tuple(word for word in found if word not in _DROPPED)


def _split(token: str) -> tuple[str, ...]:
    if token in _BRACKETS:
        return (_BRACKETS[token],)
    if token in _TWO_WORDS:
        return _TWO_WORDS[token]
    if token[0] in '".' and not token.strip('. "'):
        return ()
    if found := _ENDING.fullmatch(token):
        stem, ending = found.groups()
        return (*_split(stem), ending)
    return (token,)
