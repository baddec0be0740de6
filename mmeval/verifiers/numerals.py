"""Reading numbers in running text: digits, separators, fractions, powers, pi, roots, English words."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

Number: TypeAlias = int | float


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number and where it stands."""

    value: Number
    start: int
    """Offset of its first character; a sign and a currency symbol belong to it."""
    end: int


_VULGAR: Mapping[str, float] = {
    **{"½": 1 / 2, "⅓": 1 / 3, "⅔": 2 / 3, "¼": 1 / 4, "¾": 3 / 4, "⅕": 1 / 5, "⅖": 2 / 5, "⅗": 3 / 5, "⅘": 4 / 5},
    **{"⅙": 1 / 6, "⅚": 5 / 6, "⅛": 1 / 8, "⅜": 3 / 8, "⅝": 5 / 8, "⅞": 7 / 8},
}
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻−", "0123456789+--")
_MAGNITUDES: Mapping[str, int] = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}

_CORE = re.compile(rf"[0-9{''.join(_VULGAR)}π√]|\.[0-9]|\\pi\b|\bpi\b|\\[dt]?frac|\\sqrt")
_SEPARATOR = r"(?:,|\{,\}|\\[,! ]|,\\!|['’ \u00a0\u2009\u202f])"
_PLAIN = re.compile(rf"(?:([0-9]{{1,3}}(?:{_SEPARATOR}[0-9]{{3}})+)(?![0-9])|([0-9]+))?(\.[0-9]+)?")
_EUROPEAN = re.compile(
    r"([0-9]{1,3}(?:\.[0-9]{3})+),([0-9]+)(?![0-9,.])|([0-9]{1,3}(?:[ \u00a0\u2009\u202f][0-9]{3})+),([0-9]{1,2}|[0-9]{4,})(?![0-9,.])"
    r"|([0-9]{1,3}(?:\.[0-9]{3}){2})(?![0-9.,])"
)
"""1.000,5 and 1 000,5 and 1.000.000: the comma or the second dot says how the first sign is meant."""
_SCIENTIFIC = re.compile(r"[eE]([+\-−]?[0-9]{1,3})(?![0-9A-Za-z])")
_TIMES_TEN = re.compile(
    r"[ \t]*(?:×|x|\*|\\times|\\cdot|·)[ \t]*10(?:\s*+\^\s*+[{(]?\s*+([+\-−]?[0-9]{1,3})\s*[)}]?|([⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3}))"
)
_EXPONENT = re.compile(
    r"\s*\^\s*(?:\{\s*([+\-−]?[0-9]{1,3})\s*\}|([+\-−]?[0-9]{1,3}))(?![0-9.])|([⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]{1,3})"
)
_PI = re.compile(r"(?:[ \t]*\*)?[ \t]*(?:π|\\pi\b|pi\b)")
_ROOT = re.compile(
    r"[ \t]*(?:\\sqrt\s*+(?:\[([23])\])?\s*+(?:\{([^{}]*)\}|([0-9]))|√\s*(?:\(([^()]*)\)|\{([^{}]*)\}|([0-9.]+)))"
)
_FRACTION = re.compile(r"\\[dt]?frac\s*(?:([0-9])\s*([0-9])|(?=\{))")
_DIVISOR = re.compile(r"[ \t]*/[ \t]*([0-9]+(?:\.[0-9]+)?)(?![0-9/])")
_MIXED = re.compile(r"[ \t]+([0-9]+)/([0-9]+)(?![0-9/.])")
_MAGNITUDE = re.compile(r"[ \t]+(thousand|million|billion|trillion)\b", re.IGNORECASE)
_DOZEN = re.compile(r"[ \t]+dozens?\b", re.IGNORECASE)
_AND_A_PART = re.compile(r"[ \t]+and[ \t]+(?:a|one)[ \t-]+(half|third|quarter|fourth|fifth)\b", re.IGNORECASE)
_MONEY_MAGNITUDE = re.compile(r"(?:(K)|(M|mn)|(B|bn))\b(?!\s*\$)")
_NOT_A_NUMBER = re.compile(
    r"\s*/\s*0+(?![0-9.])|(?:st|nd|rd|th|D|(?<=[12][0-9]{2}0)s)\b|\.[0-9]|(?!(?:[cdkm]?m|ft|in|yd)[23]\b)[A-Za-z_]+[0-9]|\s*/[0-9]+/[0-9]|\^\{?[A-Za-z]"
    r"|\s*+\^\s*+[{(]?\s*+[+\-−]?[.0-9]"
)
"""Behind digits: ordinals, "3D", decades, versions, identifiers, dates, powers with letters, of powers or not whole."""
_INSIDE = re.compile(r"[A-Za-z_\\]$|[\^_]\s*[{(]?\s*[+\-−]?$|[A-Za-z0-9]\.$|[A-Za-z]/$|(?<![A-Za-z0-9])[A-Z]{1,3}-$")
"""Before digits: the rest of a word, an exponent or a subscript, the dot of an abbreviation or version, "R/", "A-"."""
_NEXT = re.compile(r"[0-9./]*[0-9]|.", re.DOTALL)
_SIGN = re.compile(
    r"(?:^|(?<=[^0-9A-Za-z)\]}%°])|(?<=\n))[\-−–+]$|(?:^|[=(:≈\[,])\s*[\-−–]\s+$|\bnegative\s+$|(?:[=:]|\bis|^)\s*minus\s+$"
)
_BOTH_SIGNS = re.compile(r"(?:±|\\pm|\+/-)\s*$")
_CURRENCY = re.compile(r"(?:US)?\\?\$\s?$|[€£¥₹]\s?$")
_FREE = frozenset(("", *',;:!?)]}|"0123456789'))
"""What stands before a number without being a part of it, or a sign: most numbers need no closer look."""
_SIMPLE = re.compile(
    r"(?:[0-9]{1,18}|[0-9]{1,15}\.[0-9]{1,2})(?![0-9])(?=[;:!?)\]}|\"=+-]|,(?![0-9]{3})| [0-9]{1,2}[ ,;])"
)
"""A number behind which no part of it can follow: no group of thousands, power, fraction, unit or word."""


def find_numerals(text: str) -> list[Numeral]:
    """Return the numbers written with digits, pi, roots or fraction signs, in order.

    Digits inside words (`H2O`, `cm2`), exponents of units (`cm^2`), subscripts, ordinals and dates are no
    numbers. Percent, degree, currency and unit signs do not change the value: "50%" is 50.
    """
    found: list[Numeral] = []
    position, paired = 0, text.count("$") % 2 == 0
    while (core := _CORE.search(text, position)) is not None:
        begin = core.start()
        free = text[begin - 1 : begin] in _FREE
        simple = _SIMPLE.match(text, begin) if free else None
        if simple is not None:
            written = simple.group()
            found.append(Numeral(float(written) if "." in written else int(written), begin, simple.end()))
            position = simple.end()
            continue
        inside = not free and _INSIDE.search(text[max(0, begin - 6) : begin]) is not None
        read = None if inside else _read(text, begin)
        if read is None or _NOT_A_NUMBER.match(text, read[1]):
            skipped = _NEXT.match(text, begin)
            position = max(skipped.end() if skipped else 0, read[1] if read else 0, begin + 1)
            continue
        value, end = read
        start, negative = (begin, False) if free else _prefix(text, begin)
        scale = _money_scale(text, start, begin, end, paired=paired)
        if scale is not None:
            value, end = value * scale[0], scale[1]
        if math.isfinite(value):
            found.append(Numeral(-value if negative else value, start, end))
            if _BOTH_SIGNS.search(text, max(0, start - 6), start):
                found.append(Numeral(value if negative else -value, start, end))
        position = end
    return found


def _money_scale(text: str, start: int, begin: int, end: int, *, paired: bool) -> tuple[float, int] | None:
    """Return the factor of an amount of money such as $3.2M and where its sign ends; `paired` "$" are mathematics."""
    if start == begin or (money := _MONEY_MAGNITUDE.match(text, end)) is None:
        return None
    sign = _CURRENCY.search(text[start:begin])
    if sign is None or ("$" in sign.group() and paired):
        return None
    return (1e3, 1e6, 1e9)[(money.lastindex or 1) - 1], money.end()


def _prefix(text: str, begin: int) -> tuple[int, bool]:
    """Return where sign and currency before a number start, and whether the sign is negative."""
    start, negative = begin, False
    for _ in range(2):
        # The leading letter keeps "^" from meaning the start of the window.
        window = text[:start] if start <= 12 else "x" + text[start - 12 : start]
        sign = _SIGN.search(window)
        if sign is not None and not negative:
            mark = re.search(r"[+\-−–]\s*$|negative\s+$|minus\s+$", window)
            if mark is not None:
                start -= len(window) - mark.start()
                negative = not mark.group().startswith("+")
                continue
        currency = _CURRENCY.search(window)
        if currency is not None:
            start -= len(window) - currency.start()
    return start, negative


def _read(text: str, begin: int, depth: int = 0) -> tuple[Number, int] | None:
    """Return the unsigned number that starts at `begin` and where it ends."""
    plain = _PLAIN.match(text, begin)
    value: Number | None = None
    end = begin
    european = _EUROPEAN.match(text, begin)
    if european is not None:
        whole, decimals = (
            group or "" for group in (european.group(1) or european.group(3), european.group(2) or european.group(4))
        )
        digits = re.sub(r"[^0-9]", "", whole or european.group(5))
        value, end = float(f"{digits}.{decimals}") if decimals else int(digits), european.end()
    elif plain is not None and plain.end() > begin:
        digits = re.sub(r"[^0-9]", "", plain.group(1) or plain.group(2) or "0")
        value, end = _powers(text, digits, plain.group(3) or "", plain.end())
        mixed = _MIXED.match(text, end)
        if mixed and isinstance(value, int) and int(mixed.group(2)[:9]) > int(mixed.group(1)[:9]):
            return value + int(mixed.group(1)[:9]) / int(mixed.group(2)[:9]), mixed.end()
    vulgar = end + (value is not None and text[end : end + 1] == " ")
    if vulgar < len(text) and text[vulgar] in _VULGAR:
        return (value or 0) + _VULGAR[text[vulgar]], vulgar + 1
    fraction = _fraction(text, end, depth)
    if fraction is not None:
        return (value or 0) + fraction[0], fraction[1]
    for pattern in (_ROOT, _PI):
        factor = pattern.match(text, end)
        if factor is None or (value is None and factor.group() != factor.group().lstrip()):
            continue
        amount = math.pi if pattern is _PI else _root(factor)
        if amount is None:
            return None
        value, end = (1 if value is None else value) * amount, factor.end()
    if value is None:
        return None
    divisor = _DIVISOR.match(text, end)
    if divisor and float(divisor.group(1)) != 0:
        value, end = value / float(divisor.group(1)), divisor.end()
    part = _AND_A_PART.match(text, end)
    if part:
        value, end = value + 1 / _PARTS[part.group(1).lower()], part.end()
    magnitude = _MAGNITUDE.match(text, end)
    if magnitude:
        value, end = value * _MAGNITUDES[magnitude.group(1).lower()], magnitude.end()
    dozen = _DOZEN.match(text, end)
    return (value * 12, dozen.end()) if dozen else (value, end)


def _powers(text: str, digits: str, decimals: str, end: int) -> tuple[Number, int]:
    """Return the value of written digits with the power that follows them."""
    for pattern in (_SCIENTIFIC, _TIMES_TEN):
        found = pattern.match(text, end)
        if found:
            exponent = next(group for group in found.groups() if group is not None).translate(_RAISED)
            return float(f"{digits}{decimals}e{exponent}"), found.end()
    # Integers beyond 64 bits have no place in JSON and Parquet; as floats they compare just as well.
    value: Number = int(digits) if not decimals and len(digits) <= 18 else float(digits + decimals)
    found = _EXPONENT.match(text, end)
    if found is None:
        return value, end
    exponent = next(group for group in found.groups() if group is not None).translate(_RAISED)
    try:
        power = float(value) ** int(exponent)
    except (OverflowError, ZeroDivisionError):
        return math.inf, found.end()
    exact = isinstance(value, int) and int(exponent) >= 0 and power < 2**53
    return (int(value ** int(exponent)) if exact else power), found.end()


def _root(found: re.Match[str]) -> float | None:
    degree, *arguments = found.groups()
    inner = read_number(next(argument for argument in arguments if argument is not None))
    if inner is None or inner < 0:
        return None
    return math.sqrt(inner) if degree != "3" else math.cbrt(inner)


def _fraction(text: str, position: int, depth: int) -> tuple[float, int] | None:
    r"""Read `\frac{a}{b}`, whose parts may hold pi, roots and further fractions."""
    found = _FRACTION.match(text, position)
    if found is None or depth > 3:
        return None
    if found.group(1):
        return (int(found.group(1)) / int(found.group(2)), found.end()) if found.group(2) != "0" else None
    parts: list[Number] = []
    end = found.end()
    for _ in range(2):
        close = _brace_end(text, end)
        if close is None:
            return None
        inner = text[end + 1 : close - 1].strip()
        sign = -1 if inner[:1] in ("-", "−") else 1
        read = _read(inner, 1 if sign < 0 else 0, depth + 1)
        if read is None or inner[read[1] :].strip():
            return None
        parts.append(sign * read[0])
        end = close
    return (parts[0] / parts[1], end) if parts[1] else None


def _brace_end(text: str, position: int) -> int | None:
    if text[position : position + 1] != "{":
        return None
    level = 0
    for offset in range(position, min(len(text), position + 200)):
        level += (text[offset] == "{") - (text[offset] == "}")
        if level == 0:
            return offset + 1
    return None


_UNITS = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = dict(
    zip(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], range(20, 100, 10), strict=True)
)
_WORDS: dict[str, int] = {**{word: value for value, word in enumerate(_UNITS)}, **_TENS}
_PARTS: dict[str, int] = {"half": 2, "halves": 2} | {
    name + plural: value
    for name, value in {"third": 3, "quarter": 4, "fourth": 4, "fifth": 5, "sixth": 6, "eighth": 8, "tenth": 10}.items()
    for plural in ("", "s")
}
_SCALES = ("hundred", "dozen", *_MAGNITUDES)
_ANY_WORD = "|".join(sorted([*_WORDS, *_SCALES], key=len, reverse=True))
_PART = "|".join(sorted(_PARTS, key=len, reverse=True))
_DIGIT_WORD = "|".join(sorted(_UNITS[:10], key=len, reverse=True))
_WORD_NUMBER = re.compile(
    rf"(?<![A-Za-z0-9-])(?P<sign>(?:minus|negative)\s+)?"
    rf"(?:(?P<halved>half\s+an?\s+(?:{'|'.join(_SCALES)})\b)"
    rf"|(?P<words>(?:an?\s+(?:{'|'.join(_SCALES)})|{_ANY_WORD})\b(?:(?:\s+and\s+|[ \t-]+)(?:{_ANY_WORD})\b)*)"
    rf"(?:\s+point(?P<decimals>(?:[ \t-]+(?:{_DIGIT_WORD})\b)+)|\s+and\s+an?\s+(?P<also>{_PART})\b|[ \t-]+(?P<part>{_PART})\b)?"
    rf"|an?\s+(?P<alone>{_PART})\b(?=\s+of\b|\s*[.,;!?)]|\s*$))",
    re.IGNORECASE,
)
_PRONOUN_BEFORE = re.compile(
    r"\b(?:no|any|each|every|this|that|the|which|another|the\s+only|some|right|left|correct)[\s-]+$", re.IGNORECASE
)
_CLAUSE_END = re.compile(r"\s*(?:[.,;:!?]|$)")
_WORD_BEFORE = re.compile(
    r"(?<![A-Za-z])(?!(?:is|are|be|was|equals|only|just|about|exactly|number|value)\b)[A-Za-z]+\s+$"
)
_PRONOUN_AFTER = re.compile(
    r"\s+(?:of|another|by|can|could|should|would|who|that|on|in|is|has|might|must)\b", re.IGNORECASE
)


def find_word_numbers(text: str) -> list[Numeral]:
    """Return the numbers written in English words ("twenty-three", "two thirds", "one and a half", "a dozen"), in order.

    "one" as a pronoun ("the one", "one of") is no number.
    """
    found: list[Numeral] = []
    for match in _WORD_NUMBER.finditer(text):
        value = _word_value(text, match)
        if value is not None:
            found.append(Numeral(-value if match.group("sign") else value, match.start(), match.end()))
    return found


def _word_value(text: str, match: re.Match[str]) -> Number | None:
    alone, halved = match.group("alone"), match.group("halved")
    if alone:
        return 1 / _PARTS[alone.lower()]
    words = re.split(r"[\s-]+", (halved or match.group("words")).lower())
    value = _from_words(["one" if word in ("a", "an") else word for word in words if word not in ("and", "half")])
    if value is None:
        return None
    if halved:
        return value / 2 if value % 2 else value // 2
    if match.group("decimals"):
        digits = "".join(str(_WORDS[word]) for word in match.group("decimals").lower().replace("-", " ").split())
        return float(f"{value}.{digits}")
    if match.group("also"):
        return value + 1 / _PARTS[match.group("also").lower()]
    if match.group("part"):
        return value / _PARTS[match.group("part").lower()]
    return None if words == ["one"] and _is_pronoun(text, match.start(), match.end()) else value


def _is_pronoun(text: str, start: int, end: int) -> bool:
    """Whether "one" stands for a thing ("the one", "one of them", "the smallest one.") and no count."""
    if _PRONOUN_BEFORE.search(text, max(0, start - 12), start) or _PRONOUN_AFTER.match(text, end):
        return True
    closes = _CLAUSE_END.match(text, end) is not None
    return closes and _WORD_BEFORE.search(text, max(0, start - 16), start) is not None


def _from_words(words: list[str]) -> int | None:
    """Return the value of number words, or None where they are no one number ("two three")."""
    total, group, room = 0, 0, 10**15
    last = 10**9
    for word in words:
        if word == "dozen":
            if not 1 <= group <= 99:
                return None
            group, last = group * 12, 0
        elif word in _MAGNITUDES:
            if not group or _MAGNITUDES[word] >= room:
                return None
            room = _MAGNITUDES[word]
            total, group, last = total + group * room, 0, 10**9
        elif word == "hundred":
            if not 1 <= group <= 99:
                return None
            group, last = group * 100, 100
        else:
            value = _WORDS[word]
            size = 100 if value >= 20 else 10
            if (
                last <= (1 if size == 10 and value < 10 else 10)
                or (last == 10 and value >= 10)
                or (value == 0 and len(words) > 1)
            ):
                return None
            if group % 100 and not (group % 10 == 0 and value < 10 and group % 100 >= 20):
                return None
            group += value
            last = 10 if value >= 20 else 1
    return total + group


def read_number(text: str) -> Number | None:
    """Return the value of a text that holds exactly one number (and perhaps a unit); None otherwise."""
    numerals = find_numerals(text) or find_word_numbers(text)
    return numerals[0].value if len(numerals) == 1 else None
