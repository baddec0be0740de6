"""ReasonMap: a route between two stations of a transit map, by the network's lines and a map service's plans.

Source of accuracy and map score: fscdc/ReasonMap @e68dd65, main.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Extraction, Match
from mmeval.verifiers.answer import answer_section, mask, merged_options
from mmeval.verifiers.numerals import read_number
from mmeval.verifiers.transit_routes import Leg, clean_name, read_released, read_routes, stops_between

FORMS = ("short", "count", "list")
RULES = ("mmeval", "official")
_POINTS = {"short": 10, "count": 20, "list": 20}
"""Most points of a plan, and what a right route gets on top."""
_CITY_NAMES: Mapping[str, Mapping[str, str]] = {
    "auckland": {"West": "Western Line", "Sth": "Southern Line", "East": "Eastern Line"},
    "dubai": {"MRed1": "Red Line", "MRed2": "Red Line", "MGrn": "Green Line"},
    "kl": {
        "MRT Putrajaya Line": "Line 12", "Ampang Line": "Line 3", "LRT Kelana Jaya Line": "Line 5", "LRT Sri Petaling Line": "Line 4",
        "KTM Tanjung Malim - Pelabuhan Klang": "Line 2", "MRT Kajang Line": "Line 9", "KTM Batu Caves - Pulau Sebang/Tampin": "Line 1",
    },
}  # fmt: skip
_LINE = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"Metro\s+([A-Z0-9]{1,2})(?:[-\s]?Line)?(?![A-Z0-9])", r"Linea\s+([A-Z0-9]{1,2})(?![A-Z0-9])", r"M([0-9]+)-\w+\s+metr\w+",
        r"([A-Z0-9]{1,2})\s+(?:Line|Train)", r"([A-Z]?[0-9]{1,2}|[A-Z])",
    )
)  # fmt: skip
_SELF_NAMED = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (r"Metro\s+([A-Z0-9]{1,2})[-\s]?Line", r"Metro\s+([A-Z0-9]{1,2})", r"Linea\s+([A-Z0-9]{1,2})", r"([A-Z0-9]{1,2})")
)  # fmt: skip


class ReasonMapVerifier:
    """The answer is a route: sections apart by "--" with Route Name, Departure Stop, Arrival Stop, and via stops for long questions.

    The target names `departure`, `arrival` and `plans`, the map service's routes (lists of `route_name`, `departure_stop`, `arrival_stop`,
    `via_stops`, `num_via_stops`). Options of the row: `stations` (line -> its stations in order), `country`, `city`, `form`: short, count
    (long question that asks for the number of via stops) or list (of the via stops).

    A route is right when it starts and ends where it should, every line exists and has both stops, and every section starts where the
    one before ended; the order of stops on a line is not looked at. This is the score and `correct`. `map_score` is the published number of
    points (up to 20 for short questions, 40 for long ones) against the plan that gives most, and `endpoints`, `route_names`, `stops`, `via` its parts.

    Option `rule`: `mmeval` (default) reads keys in any case, with markdown, in JSON; two different routes, and a section that lacks a stop, are no
    answer. `official` reads as the released script does, and repeats its slips: outside China the line's name is compared with
    itself rewritten, which never agrees, and a reference arrival may be the departure.
    """

    name = "reasonmap"
    version = "1"

    def __init__(self, options: Mapping[str, Any] | None = None) -> None:
        self._options = dict(options or {})

    def parse(self, text: str, context: AnswerContext) -> Extraction:
        """Return the legs of the route as JSON objects.

        Raises:
            DataError: when the row's form or the rule is unknown.
        """
        options = merged_options(self._options, context.options)
        form, rule = _one_of(options, "form", FORMS), _one_of(options, "rule", RULES)
        if rule == "official":
            legs = read_released(text, form)
            return Extraction([leg.as_json() for leg in legs]) if legs else Extraction(reason="no route section")
        section = answer_section(text, options)
        if isinstance(section, Extraction):
            return section
        routes, reason = read_routes(section.text)
        if len(routes) > 1:
            return Extraction(reason="several different routes")
        return Extraction([leg.as_json() for leg in routes[0]]) if routes else Extraction(reason=reason)

    def match(self, value: Any, target: Any, context: AnswerContext) -> Match:
        """Check the route against the network, and count the points against each plan.

        Raises:
            DataError: when the target or the row's stations are not of the documented form.
        """
        options = merged_options(self._options, context.options)
        form, rule = _one_of(options, "form", FORMS), _one_of(options, "rule", RULES)
        stations, goal = _stations(options), _goal(target)
        legs = [Leg(**leg) for leg in value]
        reached = (clean_name(legs[0].departure), clean_name(legs[-1].arrival)) == goal
        right = reached and _feasible(legs, stations, rule)
        best = dict.fromkeys(("map_score", "endpoints", "route_names", "stops", "via"), 0.0)
        for plan in _plans(target):
            found = _points(legs, plan, form, rule, options) if reached else dict(best, map_score=0.0)
            found["map_score"] = min(_POINTS[form], found["map_score"]) + (_POINTS[form] if right else 0)
            if found["map_score"] >= best["map_score"]:
                best = found
        return Match(float(right), right, best)


def _feasible(legs: Sequence[Leg], stations: Mapping[str, Sequence[str]], rule: str) -> bool:
    lines = {name: {clean_name(stop) for stop in stops} for name, stops in stations.items()}
    if rule != "official":
        lines = {clean_name(name): stops for name, stops in lines.items()}
    for number, leg in enumerate(legs):
        # Two lines of Beijing are branches of others on the maps.
        name = "Line 1" if "八通" in leg.route else leg.route
        name = "Line 4" if "大兴" in leg.route else name
        stops = lines.get(name if rule == "official" else clean_name(name))
        if stops is None or not {clean_name(leg.departure), clean_name(leg.arrival)} <= stops:
            return False
        if number + 1 < len(legs) and clean_name(leg.arrival) != clean_name(legs[number + 1].departure):
            return False
    return True


def _points(
    legs: Sequence[Leg], plan: Sequence[Mapping[str, Any]], form: str, rule: str, options: Mapping[str, Any]
) -> dict[str, float]:
    """Return the points of a route that starts and ends right against one plan, uncapped."""
    names = stops = matched = count = 0.0
    union: set[str] = set()
    common: set[str] = set()
    china = str(options.get("country", "")).lower() == "china"
    for leg, wanted in zip(legs, plan, strict=False):
        line = _reference_line(leg, wanted, china, rule, str(options.get("city", "")).lower())
        same_line = clean_name(line) == clean_name(leg.route)
        names += 2 * same_line
        departure, arrival = _reference_stops(wanted, china, form, rule)
        stops += (clean_name(departure) == clean_name(leg.departure)) + (clean_name(arrival) == clean_name(leg.arrival))
        if form == "count":
            count += _count_points(leg, _whole(wanted.get("num_via_stops")), rule)
        elif form == "list":
            said, gold = _via(leg, wanted, china, rule)
            matched += sum(stop in gold for stop in said)
            if same_line:
                union |= {*said, *gold}
                common |= {*said} & {*gold}
    overlap = len(common) / len(union) if union else 0.0
    via = min(10.0, count) if form == "count" else (10 * overlap + min(10.0, matched)) / 2
    return {"map_score": 1 + names + stops + via, "endpoints": 1.0, "route_names": names, "stops": stops, "via": via}


def _reference_line(leg: Leg, wanted: Mapping[str, Any], china: bool, rule: str, city: str) -> str:
    """Return the name that a plan's line has on the maps."""
    name = str(wanted.get("route_name", ""))
    if china:
        number = re.search(r"[0-9]+", name)
        return f"Line {int(number.group())}" if number else re.sub(r"\(.*?\)", "", name).replace("地铁", "")
    if rule == "official":
        # The script rewrites the answer's own name: "Line 1" becomes "Line Li".
        found = next((match for pattern in _SELF_NAMED if (match := pattern.search(leg.route))), None)
        if found is None:
            return leg.route
        return "Line B" if found.group(1) == "B1" and city == "rome" else f"Line {found.group(1)}"
    if (known := _CITY_NAMES.get(city, {}).get(name)) is not None:
        return known
    for pattern in _LINE:
        if match := pattern.fullmatch(name.strip()):
            return f"Line {'B' if match.group(1).upper() == 'B1' and city == 'rome' else match.group(1)}"
    return name


def _reference_stops(wanted: Mapping[str, Any], china: bool, form: str, rule: str) -> tuple[str, str]:
    suffix, ending = ("站", "站") if china else (" Station", "Station")
    departure, arrival = str(wanted.get("departure_stop", "")), str(wanted.get("arrival_stop", ""))
    if rule == "official" and not (china and form != "short"):
        return _suffixed(departure, suffix, ending), departure if departure.endswith(ending) else arrival + suffix
    return _suffixed(departure, suffix, ending), _suffixed(arrival, suffix, ending)


def _via(leg: Leg, wanted: Mapping[str, Any], china: bool, rule: str) -> tuple[list[str], list[str]]:
    """Return the stops between of the answer and of the plan."""
    suffix, ending = ("站", "站") if china else (" Station", "Station")
    gold = [_suffixed(str(stop), suffix, ending) for stop in wanted.get("via_stops") or ()]
    if rule != "official":
        return stops_between(leg.via), [clean_name(stop) for stop in gold]
    said = (leg.via or "").split(",") if "站" in (leg.via or "") else []
    return said, gold if china else []


def _count_points(leg: Leg, gold: int, rule: str) -> float:
    text = leg.via_count or ""
    digits = re.search(r"\d+", text)
    said = float(digits.group()) if digits else 0.0 if rule == "official" else read_number(mask(text))
    if said is None:
        return 0.0
    error = abs(said - gold)
    if error == 0:
        return 4.0
    return max(0.0, 4 - error / gold * 4) if gold else 0.0


def _suffixed(name: str, suffix: str, ending: str) -> str:
    return name if name.endswith(ending) else name + suffix


def _whole(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"num_via_stops {value!r} of a plan is no whole number", remedy="use the data set's own routes"
        ) from error


def _one_of(options: Mapping[str, Any], key: str, known: Sequence[str]) -> str:
    value = str(options.get(key, known[0]))
    if value not in known:
        raise DataError(f"answer option {key}: {value!r} is unknown", remedy=f"use one of {', '.join(known)}")
    return value


def _stations(options: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
    found = options.get("stations")
    valid = isinstance(found, Mapping) and bool(found)
    if not valid or not all(isinstance(stops, (list, tuple)) for stops in found.values() if found):  # type: ignore[union-attr]
        place = f"stations/{options.get('country')}/{options.get('city')}.json"
        raise DataError(
            f"the row has no stations by line ({place})", remedy=f"put ReasonMap's {place} beside the data set"
        )
    return {str(name): [str(stop) for stop in stops] for name, stops in found.items()}  # type: ignore[union-attr]


def _goal(target: Any) -> tuple[str, str]:
    if not isinstance(target, Mapping) or not all(
        isinstance(target.get(key), str) and clean_name(target[key]) for key in ("departure", "arrival")
    ):
        raise DataError(f"target {target!r:.80} names no departure and arrival", remedy="give station_1 and station_2")
    return clean_name(target["departure"]), clean_name(target["arrival"])


def _plans(target: Mapping[str, Any]) -> list[Sequence[Mapping[str, Any]]]:
    plans = target.get("plans") or []
    valid = isinstance(plans, (list, tuple)) and all(
        isinstance(plan, (list, tuple)) and all(isinstance(leg, Mapping) for leg in plan) for plan in plans
    )
    if not valid:
        raise DataError("plans of the target are no lists of sections", remedy="give the values of the column routes")
    return list(plans)
