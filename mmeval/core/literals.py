"""Lists and mappings that data sets keep as text: JSON, a Python literal, or an array as numpy prints it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from itertools import pairwise
from typing import Any

import orjson

from mmeval.core.errors import DataError

_QUOTED = r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\""""
_ITEM = re.compile(rf"{_QUOTED}|[+-]?(?:[0-9]++(?:\.[0-9]*+)?|\.[0-9]++)(?:[eE][+-]?[0-9]++)?")
_ARRAY = re.compile(rf"\[\s*(?:{_ITEM.pattern})(?:\s+(?:{_ITEM.pattern}))+\s*\]")
"""How numpy prints an array: items apart by white space alone."""


def read_literal(text: str) -> list[Any] | dict[Any, Any]:
    """Read a list or mapping that stands as text, without running it.

    Raises:
        DataError: when it is none, or can be read in two ways.
    """
    value: Any
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        if _ARRAY.fullmatch(text.strip()):
            return [ast.literal_eval(item.group().lstrip("+")) for item in _ITEM.finditer(text)]
        try:
            value = ast.literal_eval(text.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise DataError(f"{text[:60]!r} is no list") from error
        if _joins_strings(text.strip()):
            raise DataError(
                f"{text[:60]!r}: some options stand side by side without a comma",
                remedy="it is not clear whether these are one option or several",
            ) from None
    if not isinstance(value, (list, tuple, dict)):
        raise DataError(f"{text[:60]!r} is no list")
    return value if isinstance(value, dict) else list(value)


def _joins_strings(text: str) -> bool:
    """Whether Python would silently join two strings ('a' 'b' is 'ab')."""
    skipped = {tokenize.NL, tokenize.NEWLINE, tokenize.COMMENT}
    kinds = [token.type for token in tokenize.generate_tokens(io.StringIO(text).readline) if token.type not in skipped]
    return any(pair == (tokenize.STRING, tokenize.STRING) for pair in pairwise(kinds))
