"""Options that stand in the text of a question: "A. 40°", "(B) north", "C: none of these"."""

from __future__ import annotations

import re

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
LONGEST = 20_000
"""Characters at the end of a text in which options are looked for."""
_SIGN = r"(?:\((?P<a>[A-Z])\)|(?P<b>[A-Z])\s?[.:)、．：])[ \t]*"
_OWN_LINE = re.compile(rf"(?m)^[ \t]*{_SIGN}")
_INLINE = re.compile(rf"(?<![^\s;,(]){_SIGN}")


def lettered(text: str) -> list[str]:
    """Return the options that a text lists, from A on without a gap; none where it lists fewer than two.

    The last such list counts; of letters at the beginning of lines and letters inside a line, those at the beginning. An
    option reaches to the next letter, the last one to the end of its line (what follows is an instruction).
    """
    text = text[-LONGEST:]
    return _listed(text, _OWN_LINE) or _listed(text, _INLINE)


def _listed(text: str, pattern: re.Pattern[str]) -> list[str]:
    marks = [(found["a"] or found["b"], found.start(), found.end()) for found in pattern.finditer(text)]
    for first in (index for index in range(len(marks) - 1, -1, -1) if marks[index][0] == "A"):
        run = [marks[first]]
        for mark in marks[first + 1 :]:
            if len(run) < len(LETTERS) and mark[0] == LETTERS[len(run)]:
                run.append(mark)
        if len(run) > 1:
            line_end = text.find("\n", run[-1][2])
            ends = [mark[1] for mark in run[1:]] + [line_end if line_end >= 0 else len(text)]
            found = [text[mark[2] : end].strip(" \t\r\n;") for mark, end in zip(run, ends, strict=True)]
            # "A: red, B: blue": the comma is between the options, not theirs.
            return [one.removesuffix(",") for one in found] if all(one.endswith(",") for one in found[:-1]) else found
    return []
