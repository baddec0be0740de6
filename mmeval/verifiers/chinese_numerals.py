"""Numbers in Chinese numerals."""

from __future__ import annotations

import re

from mmeval.verifiers.numerals import Numeral

_CHINESE_DIGITS = {character: value for value, character in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_CHINESE_SCALES = {"十": 10, "百": 100, "千": 1000}
_CHINESE = re.compile(
    r"[\s约大概共总有为是:：]*(?P<number>负?[零〇一二两三四五六七八九十百千万]+)(?P<unit>[^零〇一二两三四五六七八九十百千万\s。.，,]{0,4})[\s。.!！]*"
)
_COUNTED = re.compile(
    r"(?P<only>[共只仅]\s?有?\s?)?(?<![第零〇一二两三四五六七八九十百千万])(?P<number>[零〇一二两三四五六七八九十百千万]+)\s?"
    r"[个個只隻条條张張辆輛名位人把头匹朵棵座件本块片盏扇台架艘颗顆根支枝瓶杯层層排列双雙种種]"
)
_LONGEST = 400


def find_chinese_number(text: str) -> list[Numeral]:
    """Return the number of a text that is, apart from a unit, one Chinese numeral ("十二", "约二十三厘米"), or that counts one thing.

    What counts is a numeral with a measure word ("图中有三个苹果"); 一 is the article where no word like 共 makes it a count.
    """
    if len(text) <= _LONGEST and (counted := _counted(text)):
        return counted
    found = _CHINESE.fullmatch(text) if len(text) <= 40 else None
    value = _from_chinese(found.group("number").removeprefix("负")) if found else None
    if found is None or value is None:
        return []
    return [Numeral(-value if found.group("number").startswith("负") else value, *found.span("number"))]


def _counted(text: str) -> list[Numeral]:
    found = [(item, _from_chinese(item["number"])) for item in _COUNTED.finditer(text)]
    values = {value for _, value in found}
    if len(values) != 1 or None in values or (values == {1} and not any(item["only"] for item, _ in found)):
        return []
    item, value = found[0]
    assert value is not None
    return [Numeral(value, *item.span("number"))]


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
