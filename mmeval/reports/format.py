"""Numbers, shares and untrusted text as readers see them."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from mmeval.runs.aggregates import SuiteMean
    from mmeval.runs.leaderboard import LeaderboardRow

INVISIBLE = re.compile(
    "[\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\xad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u200b-\\u200f\\u2028-\\u202e"
    "\\u2060-\\u206f\\u3164\\ud800-\\udfff\\ufe00-\\ufe0d\\ufeff\\uffa0\\ufff0-\\ufffb\\ufffe\\uffff\\U0001bca0-\\U0001bca3\\U0001d173-\\U0001d17a"
    "\\U000e0000-\\U000e0fff]"
)
"""Control, zero-width and bidirectional characters, and halves of surrogate pairs: shown by code point, because they can
hide or reorder text, or cannot be written at all."""

_JOINT = re.compile(r"(?<=[/_:@#])(?=\w)")
_PATH = re.compile(r"(?<![\w./<>])~?(?:/(?!/)[^\s/'\",;:]+)+/([^\s/'\",;:]+)")
_URL = re.compile(r"\b(https?)://(?!localhost|127\.0\.0\.1|\[::1\])(?:[^\s/@]*@)?([^\s/:]+)")
_CONNECTED = re.compile(r"(?<=\bhost )[\w.-]+(?=:\d)")
"""As clients say what they could not reach."""
_PRIVATE_ADDRESS = re.compile(r"\b(?:10|192\.168|169\.254|172\.(?:1[6-9]|2\d|3[01]))(?:\.\d{1,3}){2,3}\b")
_PUBLIC_HOSTS = ("huggingface.co", "github.com", "arxiv.org", "doi.org", "creativecommons.org")


@lru_cache(maxsize=256)
def is_share(metric: str) -> bool:
    """Whether the metric's value is a share of 1 and therefore shown in percent."""
    from mmeval.metrics import get_metric

    return get_metric(metric).bounds == (0.0, 1.0)


def value_text(value: float | None, metric: str) -> str:
    """Format a metric's value: one decimal of a percent for shares, three decimals otherwise, '–' for none."""
    if value is None:
        return "–"
    return f"{value * 100:.1f}" if is_share(metric) else f"{value:.3f}"


def interval_text(low: float | None, high: float | None, metric: str) -> str:
    """Format an interval in the unit of `value_text`."""
    if low is None or high is None:
        return "–"
    return f"{value_text(low, metric)} – {value_text(high, metric)}"


def mean_text(mean: SuiteMean) -> tuple[str, str]:
    """Format a suite's mean and its interval: percent where every task's metric is a share."""
    unit = "accuracy" if mean.share else "mean"
    interval = mean.interval
    return value_text(mean.value, unit), interval_text(interval.low, interval.high, unit) if interval else "–"


def decision_text(row: LeaderboardRow) -> str:
    """Say who decided rows beside the card's rules; '' where they decided all.

    How many rows the official rule would decide without an answer and which values its draws allow; how many a judge
    decided, and what the rules alone give.
    """
    metric, parts = row.estimate.metric, []
    if row.guesses is not None:
        text = f"{plural(row.guesses.rows, 'row')} left to chance by the official rule"
        if row.guesses.high is not None:
            text += f": {interval_text(row.guesses.low, row.guesses.high, metric)}"
        if row.guesses.expected is not None:
            text += f", {value_text(row.guesses.expected, metric)} expected"
        parts.append(text)
    if row.fallbacks:
        parts.append(f"{plural(row.fallbacks, 'row')} decided by the official rule without an answer")
    if row.judged:
        text = f"a judge decided {percent(row.judged)} of the rows"
        if row.rules is not None:
            text += f", rules alone give {value_text(row.rules, 'accuracy')}"
        parts.append(text)
    return "; ".join(parts)


def percent(share: float | None, decimals: int = 1) -> str:
    """Format a share of 1 in percent. Never rounds an incomplete share up to 100, nor a positive one down to 0."""
    if share is None:
        return "–"
    shown = round(share * 100, decimals)
    step = 10.0**-decimals
    if share < 1 and shown >= 100:
        shown = 100 - step
    elif share > 0 and shown <= 0:
        return f"< {step:.{decimals}f} %"
    return f"{shown:.{decimals}f} %" if shown % 1 else f"{shown:.0f} %"


def count(number: int) -> str:
    """Format an integer with narrow spaces between thousands, at which no line ends."""
    return f"{number:,}".replace(",", "\u202f")


def plural(number: int, noun: str) -> str:
    """Format a count with its noun; adds an `s` except for 1."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def items_text(n: int, clusters: int) -> str:
    """Format a number of items with that of their clusters, where some hold several."""
    return str(n) if n == clusters else f"{n} ({clusters} cluster{'' if clusters == 1 else 's'})"


def visible_text(text: str) -> str:
    """Return `text` with control, zero-width and bidirectional characters written as `[U+202E]`."""
    return INVISIBLE.sub(lambda match: f"[U+{ord(match.group()):04X}]", text)


def shortened(text: str, limit: int) -> str:
    """Return `text` with `…` for its middle where it has more than `limit` characters: names often differ at their end."""
    if len(text) <= limit:
        return text
    end = (limit - 1) // 2
    return f"{text[: limit - 1 - end]}…{text[len(text) - end :]}"


def visible(text: object) -> Markup:
    """Escape untrusted text for HTML and show invisible characters as marked code points."""
    pieces: list[Markup] = []
    position, source = 0, str(text)
    for match in INVISIBLE.finditer(source):
        pieces.append(escape(source[position : match.start()]))
        character = match.group()
        name = unicodedata.name(character, "control character")
        pieces.append(Markup('<span class="invisible" title="{}">U+{:04X}</span>').format(name.lower(), ord(character)))
        position = match.end()
    pieces.append(escape(source[position:]))
    return Markup("").join(pieces)


def breakable(text: object) -> Markup:
    """As `visible`, for names in narrow columns: a line may end behind `/`, `_`, `:`, `@` and `#`, before a word is cut."""
    return Markup("<wbr>").join(visible(part) for part in _JOINT.split(str(text)))


def public_text(text: object) -> str:
    """Return `text` without the folders of absolute paths and without the names of private hosts."""
    shortened = _PATH.sub(r"…/\1", str(text))
    shown = _URL.sub(
        lambda match: match.group() if match.group(2).endswith(_PUBLIC_HOSTS) else f"{match.group(1)}://‹host›",
        shortened,
    )
    return _PRIVATE_ADDRESS.sub("‹host›", _CONNECTED.sub("‹host›", shown))


def json_text(value: Any) -> str:
    """Show a JSON value: strings bare, everything else as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def script_json(value: Any) -> Markup:
    """Serialise for a script block: no character in it can end the block or start a tag, and no number is not JSON.

    Raises:
        ValueError: for NaN or an infinite number, at which a browser would stop reading.
    """
    text = json.dumps(value, ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)
