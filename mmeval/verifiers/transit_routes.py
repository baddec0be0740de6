"""Routes through a transit map as models write them: sections with a line, two stops, and stops between.

Sources: fscdc/ReasonMap @e68dd65 (format, names, the released reading).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

KEYS = ("route name", "departure stop", "arrival stop", "number of via stops", "via stops")
_KEY = re.compile(
    r"(?<![A-Za-z])[\"'*_`]*(route[\s_]+name|departure[\s_]+stop|arrival[\s_]+stop|number[\s_]+of[\s_]+via[\s_]+stops|via[\s_]+stops)[\"'*_`]*\s*[:：]",
    re.IGNORECASE,
)
_SEPARATOR = re.compile(r"-{2,}|—{2,}")
_EDGES = " \t\r\n*_`\"'“”‘’,;，；{}-"
_TAIL = re.compile(r"(?:(?<!\s)\s+)?(?:->|=>|→|\}[\s\S]*)\s*$")
"""An arrow to the next key, or the end of a JSON object."""
_PLACEHOLDER = re.compile(r"[<\[(].*[>\])]|\.{3}|…|")
_FINAL = re.compile(
    r"\b(?:final (?:answer|route)|correct(?:ed)? (?:answer|route)|correction|the answer is)\b|最终(?:答案|路线)",
    re.IGNORECASE,
)
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_BRACKETS = re.compile(r"[(（][^)）]*[)）]")
_BETWEEN = re.compile(r"[,，、;；→>\n]")
_NOTHING = frozenset({"", "none", "n/a", "na", "no", "nil", "direct", "无", "没有"})


@dataclass(frozen=True, slots=True)
class Leg:
    """One ride of a route."""

    route: str
    """Name of the line, as written."""
    departure: str
    arrival: str
    via: str | None = None
    """What stands behind "Via Stops"."""
    via_count: str | None = None
    """What stands behind "Number of Via Stops"."""

    @property
    def names(self) -> tuple[str, str, str]:
        """Line, departure, arrival."""
        return self.route, self.departure, self.arrival

    def as_json(self) -> dict[str, Any]:
        """Return the leg as a JSON value."""
        return asdict(self)


def clean_name(text: str) -> str:
    """Return the name of a line or stop as ReasonMap compares it: without "Metro", commas, asterisks, brackets, white space, hyphens."""
    plain = text
    for part in ("Metro", "metro", ",", "*", "\n"):
        plain = plain.replace(part, "")
    return re.sub(r"[\s-]+", "", _BRACKETS.sub("", plain)).lower()


def read_routes(text: str) -> tuple[list[list[Leg]], str]:
    """Return the different routes that a text gives, each a list of legs, and why there is none where it cannot be read.

    A leg is what stands between "--", or from one "Route Name" to the next. A leg that lacks its line or a stop makes the whole
    unreadable, but for stops before the first leg and templates ("<route name>"). A leg that starts at the first stop again without having been
    carried there starts another route. Where "Route Name" stands behind the last "final answer" (or "correction" …), what is before does not count.
    """
    # A string of JSON has its line breaks escaped.
    text = _BREAK.sub("\n", text if "\n" in text.strip() else text.replace("\\n", "\n"))
    final = [place.end() for place in _FINAL.finditer(text)]
    if final and "route name" in _names(text[final[-1] :]):
        text = text[final[-1] :]
    legs: list[Leg] = []
    for part in _parts(text):
        found = _leg(part)
        if isinstance(found, Leg):
            legs.append(found)
        elif found == "incomplete" and (legs or "route name" in _names(part)):
            return [], "a section lacks its line or a stop"
        elif found == "ambiguous":
            return [], "a section names two lines or stops"
    routes: list[list[Leg]] = []
    for leg in legs:
        if not routes or _restarts(routes[-1], leg):
            routes.append([])
        routes[-1].append(leg)
    different = {tuple(tuple(map(clean_name, leg.names)) for leg in route): route for route in routes}
    return list(different.values()), "" if routes else "no route section"


def read_released(text: str, form: str) -> list[Leg]:
    """Return the legs as the released script reads them: exact keys, one space, sections that lack one skipped."""
    legs = []
    for part in text.split("--"):
        if not all(f"{key}:" in part for key in ("Route Name", "Departure Stop", "Arrival Stop")):
            continue
        name, departure, arrival = (
            re.search(rf"{key}: (.*?)\n", part) for key in ("Route Name", "Departure Stop", "Arrival Stop")
        )
        last = part.split("Arrival Stop:")[-1].strip() if form == "short" else arrival.group(1) if arrival else "Wrong"
        legs.append(
            Leg(
                name.group(1).strip() if name else "Wrong",
                departure.group(1) if departure else "Wrong",
                last,
                part.split("Via Stops: ")[-1].strip() if form == "list" else None,
                part.split("Number of Via Stops: ")[-1].strip() if form == "count" else None,
            )
        )
    return legs


def stops_between(text: str | None) -> list[str]:
    """Return the stops of a list ("A, B, C"), cleaned; none for "None"."""
    if text is None:
        return []
    found = [clean_name(stop.strip(_EDGES + "[]. ")) for stop in _BETWEEN.split(text)]
    return [stop for stop in found if stop not in _NOTHING]


def _parts(text: str) -> list[str]:
    """Return the texts between separators, cut again at every "Route Name" but the first."""
    parts = []
    for piece in _SEPARATOR.split(text):
        names = [key.start() for key in _KEY.finditer(piece) if _plain(key) == "route name"]
        parts += [piece[start:end] for start, end in pairwise([0, *names[1:], len(piece)])]
    return parts


def _leg(part: str) -> Leg | str:
    """Return the leg of a section, or "none", "incomplete", "ambiguous"."""
    keys = list(_KEY.finditer(part))
    if not keys:
        return "none"
    values: dict[str, str] = {}
    for number, key in enumerate(keys):
        end = keys[number + 1].start() if number + 1 < len(keys) else len(part)
        name = _plain(key)
        value = _value(part[key.end() : end], name)
        if value and values.get(name) and clean_name(values[name]) != clean_name(value):
            return "ambiguous"
        values[name] = value or values.get(name, "")
    line, first, last = (values.get(key, "") for key in KEYS[:3])
    if all(_PLACEHOLDER.fullmatch(value) for value in (line, first, last)) and "route name" in values:
        return "none" if line or first or last else "incomplete"
    if not (clean_name(line) and clean_name(first) and clean_name(last)):
        return "incomplete"
    return Leg(line, first, last, values.get("via stops"), values.get("number of via stops"))


def _value(text: str, key: str) -> str:
    """Return what stands behind a key: in its line or in the next, for lists up to a blank line."""
    text = text.lstrip(" \t\r*_`")
    text = text[1:] if text.startswith("\n") and text[1:2] != "\n" else text
    lines = re.split(r"\n\s*\n", text)[0] if key == "via stops" else text.split("\n")[0]
    return _TAIL.sub("", lines).strip(_EDGES).rstrip(".。").strip(_EDGES)


def _names(part: str) -> set[str]:
    return {_plain(key) for key in _KEY.finditer(part)}


def _plain(key: re.Match[str]) -> str:
    return " ".join(key.group(1).lower().replace("_", " ").split())


def _restarts(route: Sequence[Leg], leg: Leg) -> bool:
    start, here = clean_name(route[0].departure), clean_name(leg.departure)
    return here == start and clean_name(route[-1].arrival) != here
