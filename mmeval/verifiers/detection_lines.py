"""Boxes that stand in prose: behind the name of their class, or in a table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from mmeval.verifiers.coordinates import find_boxes

_NAME = re.compile(
    r"\s*(?:[-+•>|]\s+|\*\s+|\|\s*|\(?[0-9]{1,3}[.):]\s*|\|\s*[0-9]{1,3}\s*\|\s*){0,2}[*_`\"'“”]{0,3}"
    r"(?P<name>[^\W\d_][\w'’/ -]{0,59}?)(?:\s+#?[0-9]{1,3})?[*_`\"'“”]{0,3}"
    r"\s*(?::|=|→|->|–|—|\||\s-(?=\s))[*_`\s]{0,4}"
)
"""A class before its box: "- **Cat**: [1, 2, 3, 4]"; a number behind it ("cat 2") counts the objects."""
_SHORT_NAME = re.compile(
    r"\s*(?:[-+•*]\s+|\(?[0-9]{1,3}[.):]\s*)?[*_`\"'“”]{0,3}(?P<name>[^\W\d_][\w'’/-]{0,30}(?:[ ][^\W\d_][\w'’/-]{0,30}){0,2})[*_`\"'“”]{0,3}\s*"
)
_SENTENCE = re.compile(
    r"\b(?:a|an|the|at|is|are|was|and|or|not|on|in|of|with|from|to|by|as|so|i|it|its|here|sure|located|found|around|near|has|have|there|this|that)\b",
    re.IGNORECASE,
)
"""A word that no name of a class has, so that what stands before a box is a sentence."""
_BOX_TAG = re.compile(r"</?(?:box|bbox)>")
_GOES_ON = re.compile(r"[\s,;&]*+(?:and)?[\s,;]*")
_GENERIC = re.compile(
    r"(?:the\s+|final\s+|my\s+)*(?:bounding\s+box(?:es)?|bbox(?:es)?(?:_2d)?|box(?:es)?|coordinates?|coords?|answers?|positions?|locations?|detections?"
    r"|objects?|results?|outputs?|labels?|image|format|note|here|region|area)(?:\s+(?:is|are|coordinates?))?",
    re.IGNORECASE,
)
_BESIDE = re.compile(r"[(\[{].*?[)\]}]")
_RULE = re.compile(r"\s*+\|?\s*+:?-++:?\s*+(?:\|\s*+:?-++:?\s*+)*\|?\s*")
_SUBJECT = r"(?:there|i|we|the\s+(?:image|picture|photo|scene))"
_NOT = r"(?:(?:do|does|did|could|can|is|are|was|were)\s*(?:not|n['’]t)|can(?:not|['’]t)|(?:was|am|were|is)\s+(?:unable|not\s+able)\s+to)"
_THING = r"[\w'\"-]+(?:\s+(?!but\b|however\b|except\b|only\b)[\w'\"-]+){0,9}"
_FOUND = r"(?:found|detected|visible|present|seen|identified|shown|depicted)"
_NOTHING = re.compile(
    rf"\W*(?:(?:there\s+(?:are|is)\s+)?(?:none|nothing|n/a)(?:\s+of\s+{_THING})?(?:\s+(?:(?:is|are|was|were)\s+)?{_FOUND}(?:\s+{_THING})?)?"
    rf"|(?:(?:there(?:\s+are|\s+is|['’]s)|i\s+(?:see|found|find)|the\s+image\s+(?:has|contains|shows))\s+)?(?:no|zero)\s+(?:[\w'\"-]+\s+){{0,6}}?"
    rf"(?:objects?|box(?:es)?|instances?|items?|detections?|people|persons?|{_FOUND}|image|picture|photo|scene)"
    rf"|(?:there(?:\s+are|\s+is|['’]s)|the\s+image\s+(?:has|contains|shows))\s+no\s+{_THING}"
    rf"|{_SUBJECT}\s+{_NOT}\s+(?:(?:see|find|detect|locate|identify|contain|show|have|include)\s+)?any\s+{_THING}"
    rf"|(?:the|these|those)\s+{_THING}?\s*(?:is|are|was|were)\s*(?:not|n['’]t)\s+{_FOUND}(?:\s+(?:in|on)\s+{_THING})?)\W*",
    re.IGNORECASE,
)
_NOTHING_ZH = re.compile(
    r"\s*(?:(?:在)?(?:图像?|图片|画面|照片)(?:中|里)?(?:并)?(?:没有|不存在|未发现|未检测到|看不到)|(?:没有|未)(?:检测到|发现|找到))[^，。,\n0-9]{1,30}[。.]?\s*"
)
_CELL = re.compile(r"(?<!\\)\|")


def named_boxes(
    text: str, order: Literal["xy", "yx"]
) -> Iterator[tuple[tuple[float, float, float, float], str | None]]:
    """Yield the boxes of a text and their classes, where every box stands behind a class, or behind another box of it; else none.

    "cat: [1, 2, 3, 4]; dog: [5, 6, 7, 8], [9, 9, 20, 20]", on lines or items of a list.
    """
    found = []
    end = 0
    name: str | None = None
    for shape in find_boxes(text, order):
        between = text[end : shape.start]
        if "box>" in between:
            opened = _BOX_TAG.sub(" ", between.partition("</")[2] or between).strip(" []>")
            between = f"{opened}:" if opened else ","
        line = between.rpartition("\n")[2] if "\n" in between else between.lstrip(" ,;.")
        named = _NAME.fullmatch(line)
        if named is None:
            named = _SHORT_NAME.fullmatch(line)
            named = None if named is None or _SENTENCE.search(named.group("name")) else named
        if named is not None and _GENERIC.fullmatch(named.group("name")) is None:
            name = named.group("name").strip()
        elif name is None or "\n" in between or _GOES_ON.fullmatch(between) is None:
            return
        first, second, third, fourth = shape.numbers
        found.append(((first, second, third, fourth), name))
        end = shape.end
    yield from found


def table_rows(text: str) -> Iterator[dict[str, Any]]:
    """Yield the rows of Markdown tables as objects of their head's names: {"Object": "cat", "x1": "1", …}."""
    head: list[str] | None = None
    before: str | None = None
    for line in text.splitlines():
        if "|" not in line:
            head = before = None
            continue
        if before is not None and _RULE.fullmatch(line):
            head = [_BESIDE.sub("", cell).strip() for cell in _cells(before)]
            before = None
            continue
        before = line
        cells = _cells(line)
        if head is not None and len(cells) == len(head):
            yield dict(zip(head, cells, strict=True))


def says_nothing(text: str) -> bool:
    """Whether a text says that nothing is there: "No objects", "There are no cats in the image."."""
    plain = text.strip("` \t\r\n")
    return len(text) <= 400 and (_NOTHING.fullmatch(plain) or _NOTHING_ZH.fullmatch(plain)) is not None


def _cells(line: str) -> list[str]:
    return [cell.strip(" \t*`") for cell in _CELL.split(line.strip().removeprefix("|").removesuffix("|"))]
