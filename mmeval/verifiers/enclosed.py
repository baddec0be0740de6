"""What stands between an opening mark and the next closing one, found in linear time.

A pattern such as `<a>.*?</a>` looks from every `<a>` to the end of the text where no `</a>` follows; a model that repeats an
opening tag for ever would keep it busy for minutes. Openings behind the last closing mark have no partner and are not tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mmeval.verifiers.answer import lower


def enclosed(pattern: re.Pattern[str], text: str, closing: str) -> Iterator[re.Match[str]]:
    """Yield the matches of a pattern that ends with the literal `closing`, in lower case where case does not count."""
    return pattern.finditer(text, 0, closed_part(text, closing, fold=bool(pattern.flags & re.IGNORECASE)))


def closed_part(text: str, closing: str, *, fold: bool = False) -> int:
    """Return where the last `closing` of a text ends, 0 without one; with `fold`, in upper or lower case."""
    last = (lower(text) if fold else text).rfind(closing)
    return last + len(closing) if last >= 0 else 0
