"""Numbers in Chinese numerals."""

from __future__ import annotations

import re

from mmeval.verifiers.numerals import Numeral

_CHINESE_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_CHINESE_SCALES = {"十": 10, "百": 100, "千": 1000}
_CHINESE = re.compile(
    r"[\s约大概共总有为是:：]*(?P<number>负?[零〇一二两三四五六七八九十百千万]+)(?P<unit>[^零〇一二两三四五六七八九十百千万\s。.，,]{0,4})[\s。.!！]*"
)


def find_chinese_number(text: str) -> list[Numeral]:
    """Return the number of a text that is, apart from a unit, one Chinese numeral ("十二", "约二十三厘米")."""
    found = _CHINESE.fullmatch(text) if len(text) <= 40 else None
    value = _from_chinese(found.group("number").removeprefix("负")) if found else None
    if found is None or value is None:
        return []
    return [Numeral(-value if found.group("number").startswith("负") else value, *found.span("number"))]


def _from_chinese(written: str) -> int | None:
    total, section, digit = 0, 0, None
    for character in written:
        if character in _CHINESE_DIGITS:
            if digit:
                return None
            digit = _CHINESE_DIGITS[character]
        elif character in _CHINESE_SCALES:
            section += (1 if digit is None else digit) * _CHINESE_SCALES[character]
            digit = None
        else:
            total, section, digit = (total + section + (digit or 0)) * 10_000, 0, None
    return total + section + (digit or 0)
