"""Reading engine arguments: typed values from `--engine-arg name=value`, unknown names refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from mmeval.core.errors import EngineError, nearest

T = TypeVar("T")


def refuse_unknown(engine: str, given: Mapping[str, Any], known: Mapping[str, Any] | frozenset[str]) -> None:
    """Refuse engine arguments that the engine does not have.

    Raises:
        EngineError: naming the argument and the nearest known ones.
    """
    for name in given:
        if name not in known:
            close = nearest(name, known)
            hint = f"did you mean {' or '.join(close)}?" if close else f"it has {', '.join(sorted(known))}"
            message = f"engine {engine} has no argument {name!r}"
            raise EngineError(message, remedy=hint if known else "it takes none")


def _read(args: Mapping[str, Any], name: str, convert: Callable[[Any], T], what: str) -> T | None:
    value = args.get(name)
    if value is None:
        return None
    try:
        return convert(value)
    except (TypeError, ValueError) as error:
        raise EngineError(f"engine argument {name}={value!r} is not {what}", remedy=f"give {what}") from error


def whole(args: Mapping[str, Any], name: str, default: int | None = None, *, least: int = 1) -> int | None:
    """Read a whole number of at least `least`.

    Raises:
        EngineError: when it is none.
    """

    def convert(value: Any) -> int:
        number = int(str(value))
        if isinstance(value, bool) or number < least:
            raise ValueError
        return number

    found = _read(args, name, convert, f"a whole number of at least {least}")
    return default if found is None else found


def number(args: Mapping[str, Any], name: str, default: float, *, low: float = 0.0, high: float = math.inf) -> float:
    """Read a number in [low, high].

    Raises:
        EngineError: when it is none.
    """

    def convert(value: Any) -> float:
        result = float(value)
        if not low <= result <= high:
            raise ValueError
        return result

    bounds = f"a number from {low:g} to {high:g}" if high != math.inf else f"a number of at least {low:g}"
    found = _read(args, name, convert, bounds)
    return default if found is None else found


def one_of(args: Mapping[str, Any], name: str, allowed: tuple[str, ...], default: str) -> str:
    """Read a word out of a list.

    Raises:
        EngineError: when it is another.
    """
    value = args.get(name)
    if value is None:
        return default
    if str(value) not in allowed:
        message = f"engine argument {name}={value!r} is unknown"
        raise EngineError(message, remedy=f"it may be {', '.join(allowed)}")
    return str(value)
