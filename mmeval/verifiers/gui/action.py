"""One action on a screen, whatever dialect a model writes it in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias, get_args

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext
from mmeval.verifiers.coordinates import scales, to_pixels

Kind: TypeAlias = Literal[
    "click", "double-click", "triple-click", "right-click", "middle-click", "long-press", "move", "drag", "type", "scroll",
    "press", "open-app", "call-api", "wait", "stop", "answer", "take-over", "screenshot", "no-answer",
]  # fmt: skip
Direction: TypeAlias = Literal["up", "down", "left", "right"]
Point: TypeAlias = tuple[float, float]

KINDS: frozenset[str] = frozenset(get_args(Kind))
OPPOSITE: Mapping[str, Direction] = {"up": "down", "down": "up", "left": "right", "right": "left"}
KEYS: Mapping[str, str] = {
    "return": "enter", "keyboard_enter": "enter", "esc": "escape", "navigate_back": "back", "navigate_home": "home", "del": "delete",
    "appselect": "recent", "app_select": "recent", "recents": "recent", "appswitch": "recent", "app_switch": "recent", "control": "ctrl",
}  # fmt: skip
"""Other names of a key -> the name that actions have."""


class ParseError(Exception):
    """Why a text states no action; the message is the row's reason."""


@dataclass(frozen=True, slots=True)
class Action:
    """What is done to a screen."""

    kind: Kind
    point: Point | None = None
    """Where, in pixels of the original image (in the dialect's own space until `placed`)."""
    end: Point | None = None
    """Where a drag or a swipe ends."""
    text: str | None = None
    """What is typed, or answered."""
    direction: Direction | None = None
    """Of a scroll: what of the page comes into view; a finger moves the other way."""
    key: str | None = None
    """Of a press, in lower case; keys that are held together are joined by '+'."""
    app: str | None = None
    """Of open-app and call-api."""
    detail: str | None = None
    """How it ended (`success`, `failure`), why somebody is to take over, what of an application is called."""

    def placed(self, context: AnswerContext) -> Action:
        """Return the action with its points in pixels of the original image.

        Raises:
            DataError: when the declared space needs an image size that the sample lacks.
            ParseError: when a coordinate is beyond all numbers, or a swipe goes nowhere.
        """
        if self.point is None and self.end is None:
            return self
        factors = scales(context)
        found = replace(self, point=_placed(self.point, factors), end=_placed(self.end, factors))
        if found.kind == "scroll" and found.point is not None and found.end is not None:
            way = finger_direction(found.point, found.end, context.image_size or (1, 1))
            return replace(found, direction=OPPOSITE[way])
        return found

    def as_json(self) -> dict[str, Any]:
        """Return what is known of it, as a JSON object."""
        named = {name: getattr(self, name) for name in self.__slots__}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in named.items()
            if value is not None
        }

    @classmethod
    def of(cls, value: Any) -> Action:
        """Read what `as_json` gives.

        Raises:
            DataError: when it is no such object, naming the key.
        """
        if not isinstance(value, Mapping) or value.get("kind") not in KINDS:
            raise DataError(
                f"target {value!r} is no action", remedy=f"give an object with kind: one of {', '.join(sorted(KINDS))}"
            )
        unknown = sorted(set(value) - set(cls.__slots__))
        if unknown:
            raise DataError(
                f"action: unknown key {unknown[0]!r}", remedy=f"an action has {', '.join(sorted(cls.__slots__))}"
            )
        known = {name: entry for name, entry in value.items() if entry is not None}
        for name in ("point", "end"):
            if name in known:
                known[name] = gold_point(known[name], name)
        for name in ("text", "direction", "key", "app", "detail"):
            if name in known:
                known[name] = str(known[name])
        if "direction" in known and known["direction"] not in OPPOSITE:
            raise DataError(f"action: direction {known['direction']!r}", remedy="give up, down, left or right")
        return cls(**known)


def gold_point(value: Any, name: str) -> Point:
    """Return a gold point.

    Raises:
        DataError: when it is not two finite numbers.
    """
    if (
        not isinstance(value, Sequence)
        or isinstance(value, str)
        or len(value) != 2
        or not all(is_number(number) and math.isfinite(number) for number in value)
    ):
        raise DataError(f"action: {name} {value!r} is no point", remedy="give [x, y]")
    return float(value[0]), float(value[1])


def is_number(value: Any) -> bool:
    """Whether a value is a number that a coordinate can be; truth values and huge whole numbers are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300


def _placed(point: Point | None, factors: tuple[float, float, float, float]) -> Point | None:
    if point is None:
        return None
    found = to_pixels(point, factors)
    if found is None:
        raise ParseError("not finite")
    return found[0], found[1]


def finger_direction(start: Point, end: Point, size: tuple[float, float]) -> Direction:
    """Return where a finger goes, by the longer way as shares of the screen's sides; the vertical one of two equal ways.

    Raises:
        ParseError: when start and end are the same.
    """
    right, down = (end[0] - start[0]) / size[0], (end[1] - start[1]) / size[1]
    if right == down == 0:
        raise ParseError("a swipe that goes nowhere")
    if abs(right) > abs(down):
        return "right" if right > 0 else "left"
    return "down" if down > 0 else "up"


def key_name(*names: str) -> str:
    """Return the name of a key, or of several that are held together."""
    parts = [part.strip().lower().replace(" ", "_") for name in names for part in _apart(name)]
    return "+".join(KEYS.get(part, part) for part in parts)


def _apart(name: str) -> list[str]:
    return name.split("+") if name.strip("+") and "+" in name else [name]


def named_direction(value: Any) -> Direction:
    """Return a direction by its name.

    Raises:
        ParseError: when it is none.
    """
    found = str(value).strip().strip("[]\"'").lower()
    if found not in OPPOSITE:
        raise ParseError(f"no direction: {str(value)[:40]!r}")
    return OPPOSITE[OPPOSITE[found]]
