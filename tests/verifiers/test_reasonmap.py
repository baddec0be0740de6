"""Routes through transit maps: what is read of a response, when a route is right, and its points."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.reasonmap import ReasonMapVerifier
from mmeval.verifiers.transit_routes import clean_name, read_released, read_routes, stops_between

LINES = {
    "Line 1": ["Fjord Station", "Market Station (Transfer Station)", "Hill Station"],
    "Line 2": ["Harbour Station", "Market Station", "Church Station", "St. James Station", "Airport Station"],
}
ROW = {"stations": LINES, "country": "norway", "city": "lillevik"}
GOAL: dict[str, Any] = {
    "departure": "Fjord Station",
    "arrival": "Airport Station",
    "plans": [
        [
            {"route_name": "1", "departure_stop": "Fjord", "arrival_stop": "Market", "via_stops": [], "num_via_stops": 0},
            {"route_name": "2", "departure_stop": "Market", "arrival_stop": "Airport", "via_stops": ["Church", "St. James"], "num_via_stops": 2},
        ]
    ],
}  # fmt: skip
ONE = "Route Name: Line 1\nDeparture Stop: Fjord Station\nArrival Stop: Market Station"
TWO = "Route Name: Line 2\nDeparture Stop: Market Station\nArrival Stop: Airport Station"
HILL = "Route Name: Line 1\nDeparture Stop: Fjord Station\nArrival Stop: Hill Station"
RIGHT = f"{ONE}\n--\n{TWO}"
A, B, C = (
    ("line1", "fjordstation", "marketstation"), ("line2", "marketstation", "airportstation"), ("line1", "fjordstation", "hillstation"),
)  # fmt: skip


def read(text: str) -> list[tuple[str, ...]] | str:
    """The legs as cleaned names, or why there are none."""
    found = ReasonMapVerifier().parse(text, AnswerContext(options=ROW))
    if not found.found:
        return found.reason
    return [tuple(clean_name(leg[key]) for key in ("route", "departure", "arrival")) for leg in found.value]


@pytest.mark.parametrize(
    ("text", "legs"),
    [
        # The format that is asked for, and what models make of it.
        (RIGHT, [A, B]), (f"{RIGHT}\n--", [A, B]), (f"--\n{RIGHT}\n--\n", [A, B]), (HILL, [C]), (f"{ONE}\n---\n{TWO}", [A, B]),
        (f"{ONE}\n\n{TWO}", [A, B]), (RIGHT.replace("\n", "\r\n"), [A, B]), (RIGHT.lower(), [A, B]), (RIGHT.upper(), [A, B]),
        (RIGHT.replace(":", "："), [A, B]), (RIGHT.replace(": ", ":"), [A, B]), (RIGHT.replace("Route Name:", "**Route Name:**"), [A, B]),
        (RIGHT.replace("Route Name:", "**Route Name**:"), [A, B]), (RIGHT.replace("Line 1", "**Line 1**"), [A, B]),
        (RIGHT.replace("Route", "- Route").replace("Departure", "- Departure").replace("Arrival", "- Arrival"), [A, B]),
        (RIGHT.replace("Route", "1. Route").replace("Departure", "2. Departure"), [A, B]), (f"```\n{RIGHT}\n```", [A, B]),
        (RIGHT.replace("\nDeparture", " Departure").replace("\nArrival", ", Arrival"), [A, B]), (RIGHT.replace(": ", ":\n"), [A, B]),
        (RIGHT.replace("Station", "Station."), [A, B]), (RIGHT.replace("Market Station", "Market Station (Transfer Station)"), [A, B]),
        (f"<think>{HILL}</think>\n{RIGHT}", [A, B]), (f"<answer>{RIGHT}</answer>", [A, B]), (f"<think>x</think><answer>\n{HILL}\n</answer>", [C]),
        (f"Sure! Here is the way.\n\n{RIGHT}\n\nHave a good trip!", [A, B]), (f"First look at the map.\n--\n{RIGHT}", [A, B]),
        ('[{"Route Name": "Line 1", "Departure Stop": "Fjord Station", "Arrival Stop": "Market Station"},\n {"Route Name": "Line 2", "Departure Stop": "Market Station", "Arrival Stop": "Airport Station"}]', [A, B]),
        ('{"route_name": "Line 1", "departure_stop": "Fjord Station", "arrival_stop": "Hill Station"}', [C]),
        (f"{RIGHT}\nNumber of Via Stops: 2", [A, B]), (f"{HILL}\nVia Stops: Market Station", [C]),
        (RIGHT.replace("Line 1", "Metro Line-1"), [A, B]), (f"Route Name: <name>\nDeparture Stop: <stop>\nArrival Stop: <stop>\n--\n{RIGHT}", [A, B]),
        (json.dumps({"answer": RIGHT}), [A, B]), (RIGHT.replace("\n", "<br>\n"), [A, B]), (f"\\boxed{{{HILL}}}", [C]), (RIGHT.replace("\n", "  \n"), [A, B]),
        # The same route again is one route; one behind "final answer" replaces those before.
        (f"{RIGHT}\n\nSo:\n{RIGHT}", [A, B]), (f"{HILL}\nFinal answer:\n{RIGHT}", [A, B]), (f"{HILL}\n**Corrected route:**\n{RIGHT}", [A, B]),
        (f"{RIGHT}\nThe final answer is above.", [A, B]), (f"The answer is:\n{RIGHT}", [A, B]),
        # A wrong chain is a wrong route, not a second one.
        (f"{ONE}\n--\n{TWO.replace('Market', 'Harbour')}", [A, ("line2", "harbourstation", "airportstation")]),
        # Two routes, or half a section: no answer.
        (f"{RIGHT}\n--\n{HILL}", "several different routes"), (f"Option 1:\n{RIGHT}\nOption 2:\n{HILL}", "several different routes"),
        (f"{RIGHT}\nAlternatively:\n{HILL}", "several different routes"), (f"{ONE}\n--\nRoute Name: Line 2\nDeparture Stop: Mark", "a section lacks its line or a stop"),
        (f"{ONE}\n--\nRoute Name: Line 2", "a section lacks its line or a stop"), (ONE.replace("Fjord Station", ""), "a section lacks its line or a stop"),
        (f"{ONE}\nArrival Stop: Hill Station", "a section names two lines or stops"), ("Take Line 1 and change at Market.", "no route section"),
        ("Departure Stop: Fjord Station\nArrival Stop: Hill Station", "no route section"), ("", "empty"), (f"<think>{RIGHT}", "unfinished reasoning"),
        ("I cannot see the map.", "no route section"),
    ],
)  # fmt: skip
def test_what_is_read(text: str, legs: Any) -> None:
    assert read(text) == legs


def points(text: str, form: str = "short", **options: Any) -> tuple[bool | None, float]:
    verifier = ReasonMapVerifier({"form": form, **options})
    verdict = verify(verifier, Response("ok", text), GOAL, AnswerContext(options=ROW))
    return verdict.correct, verdict.scores.get("map_score", 0.0)


@pytest.mark.parametrize(
    ("text", "correct", "score"),
    [
        (RIGHT, True, 9 + 10), (RIGHT.replace("Line 1", "line 1"), True, 9 + 10), (HILL, False, 0),
        (RIGHT.replace("Line 2", "Line 9"), False, 7), (RIGHT.replace("Market", "Hill"), False, 1 + 4 + 2),
        (f"{ONE}\n--\n{TWO.replace('Market', 'Harbour')}", False, 1 + 3 + 4 - 0), (RIGHT.replace("Fjord Station", "Fjord"), False, 0),
        # A detour that starts and ends right is right, and its first sections are compared.
        (f"{ONE}\n--\n{TWO.replace('Airport', 'Church')}\n--\n{TWO.replace('Market', 'Church')}", True, 1 + 4 + 3 + 10),
        # No plan has this ride; it is on one line's stops or not.
        (TWO.replace("Market", "Fjord"), False, 1 + 0 + 1),
    ],
)  # fmt: skip
def test_right_routes_and_their_points(text: str, correct: bool, score: float) -> None:
    assert points(text) == (correct, score)


@pytest.mark.parametrize(
    ("first", "second", "score"),
    [
        ("0", "2", 8), ("0", "1", 4 + 2), ("0", "3", 4 + 2), ("0", "5", 4), ("1", "2", 4), ("none", "2 stops", 4), ("zero", "two", 8), ("", "", 0),
    ],
)  # fmt: skip
def test_counts_of_stops_between(first: str, second: str, score: float) -> None:
    text = f"{ONE}\nNumber of Via Stops: {first}\n--\n{TWO}\nNumber of Via Stops: {second}"
    assert points(text, "count") == (True, 20 + 9 + score)


@pytest.mark.parametrize(
    ("via", "score"),
    [
        ("Church Station, St. James Station", (10 + 2) / 2), ("Church Station,St. James Station", 6), ("Church Station", (5 + 1) / 2),
        ("[Church Station, St. James Station]", 6), ("Church Station → St. James Station", 6), ("Hill Station", 0), ("None", 0),
        ("Church Station, Hill Station", (10 / 3 + 1) / 2),
    ],
)  # fmt: skip
def test_lists_of_stops_between(via: str, score: float) -> None:
    text = f"{ONE}\nVia Stops: None\n--\n{TWO}\nVia Stops: {via}"
    assert points(text, "list") == (True, pytest.approx(20 + 9 + score))


@pytest.mark.parametrize(
    ("text", "correct", "score"),
    [
        # Outside China the line's name never agrees: 1 for the ends, 4 for the stops.
        (RIGHT, True, 5 + 10), (f"{RIGHT}\n--\n", True, 15), (RIGHT.replace("Line 1", "**Line 1**"), False, 5), (RIGHT.replace("Line 1", "line 1"), False, 5),
        (RIGHT.lower(), None, 0), (f"{RIGHT}\n\nHave a good trip!", False, 0), (RIGHT.replace("Route Name: ", "Route Name:"), False, 5),
        # Two routes are read as one, and sections without a key are passed over.
        (f"{HILL}\n--\n{TWO}", False, 1 + 3), (f"{ONE}\n--\nRoute Name: Line 2\n--\n{TWO}", True, 15), ("nothing", None, 0),
        (f"{RIGHT}\n--\n{HILL}", False, 0),
    ],
)  # fmt: skip
def test_the_released_reading(text: str, correct: bool | None, score: float) -> None:
    found, number = points(text, rule="official")
    assert (bool(found), number) == (bool(correct), score)


def test_lines_of_china_and_the_slip_of_the_released_arrival() -> None:
    lines = {"Line 1": ["东门站", "中央站"], "昌平线": ["中央站", "北山站"], "Line 4": ["中央站", "南门站"]}
    context = AnswerContext(options={"stations": lines, "country": "china", "city": "beijing"})
    leg = {
        "route_name": "地铁昌平线(昌平--北山)",
        "departure_stop": "中央站",
        "arrival_stop": "北山",
        "via_stops": [],
        "num_via_stops": 0,
    }
    target = {"departure": "中央站", "arrival": "北山站", "plans": [[leg]]}
    text = "Route Name: 昌平线\nDeparture Stop: 中央站\nArrival Stop: 北山站\n"
    for rule, score in (("mmeval", 15), ("official", 14)):  # the departure ends in 站, and is taken for the arrival
        verdict = verify(ReasonMapVerifier({"rule": rule}), Response("ok", text), target, context)
        assert (verdict.correct, verdict.scores["map_score"]) == (True, score)
    for name in ("八通线", "大兴线"):  # branches of lines 1 and 4
        text = (
            f"Route Name: {name}\nDeparture Stop: 中央站\nArrival Stop: {'东门站' if name == '八通线' else '南门站'}\n"
        )
        goal = {"departure": "中央站", "arrival": text.split(": ")[-1].strip(), "plans": []}
        verdict = verify(ReasonMapVerifier(), Response("ok", text), goal, context)
        assert (verdict.correct, verdict.scores["map_score"]) == (True, 0.0)


@pytest.mark.parametrize(
    ("city", "reference", "named"),
    [
        ("los_angeles", "Metro A Line", "Line A"), ("los_angeles", "Metro B-Line", "Line B"), ("rome", "Metro B", "Line B"), ("rome", "Linea C", "Line C"),
        ("rome", "B1", "Line B"), ("auckland", "Sth", "Southern Line"), ("budapest", "M1-es Metróvonal", "Line 1"), ("dubai", "MRed2", "Red Line"),
        ("lisboa", "Azul", "Azul"), ("singapore", "Circle Line", "Circle Line"), ("oslo", "5", "Line 5"), ("geneva", "12", "Line 12"),
        ("kl", "Ampang Line", "Line 3"), ("new_york", "Q Train", "Line Q"), ("new_york", "1 Line", "Line 1"), ("sydney", "M1", "Line M1"),
        ("washington", "Red Line", "Red Line"), ("miami", "Metrorail Green Line", "Metrorail Green Line"),
    ],
)  # fmt: skip
def test_names_of_lines_on_the_maps(city: str, reference: str, named: str) -> None:
    context = AnswerContext(options={"stations": {named: ["A Station", "B Station"]}, "country": "x", "city": city})
    leg = {"route_name": reference, "departure_stop": "A", "arrival_stop": "B", "via_stops": [], "num_via_stops": 0}
    text = f"Route Name: {named}\nDeparture Stop: A Station\nArrival Stop: B Station"
    verdict = verify(
        ReasonMapVerifier(), Response("ok", text), {"departure": "A Station", "arrival": "B Station", "plans": [[leg]]}, context
    )  # fmt: skip
    assert verdict.scores["route_names"] == 2


def test_the_best_of_several_plans() -> None:
    leg = GOAL["plans"][0][0]
    other = {**leg, "arrival_stop": "Airport"}
    for plans in ([[other], GOAL["plans"][0]], [GOAL["plans"][0], [other]]):
        verdict = verify(
            ReasonMapVerifier(), Response("ok", RIGHT), {**GOAL, "plans": plans}, AnswerContext(options=ROW)
        )
        assert (verdict.scores["map_score"], verdict.scores["stops"]) == (19, 4)


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ({}, ROW, "no departure"), ("x", ROW, "no departure"), (GOAL, {**ROW, "stations": None}, "stations/norway/lillevik.json"),
        (GOAL, {**ROW, "stations": {}}, "no stations"), (GOAL, {**ROW, "form": "tall"}, "form"), ({**GOAL, "plans": [1]}, ROW, "plans"),
        (GOAL, {**ROW, "rule": "x"}, "rule"), (GOAL, {**ROW, "stations": {"Line 1": "x"}}, "no stations"),
    ],
)  # fmt: skip
def test_rows_at_fault(target: Any, options: dict[str, Any], message: str) -> None:
    verdict = verify(ReasonMapVerifier(), Response("ok", RIGHT), target, AnswerContext(options=options))
    assert verdict.outcome == "unscored"
    assert message in verdict.reason


def test_plans_without_a_number_of_stops() -> None:
    bad = {**GOAL, "plans": [[{**GOAL["plans"][0][0], "num_via_stops": None}]]}
    value = ReasonMapVerifier().parse(RIGHT, AnswerContext()).value
    with pytest.raises(DataError, match="num_via_stops"):
        ReasonMapVerifier({"form": "count"}).match(value, bad, AnswerContext(options=ROW))


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("Metro Line-1", "line1"), ("A, B", "ab"), ("中央站（换乘站）", "中央站"), ("Market Station (Transfer Station)", "marketstation"), ("**Hill**\n", "hill"),
        ("metro", ""), (" St. James ", "st.james"),
    ],
)  # fmt: skip
def test_cleaned_names(text: str, cleaned: str) -> None:
    assert clean_name(text) == cleaned


_PIECES = st.sampled_from(
    [ONE, TWO, HILL, "--", "\n", "Route Name:", "Via Stops: A, B", "Number of Via Stops: ", "<answer>", "Final answer:", "**", "Arrival Stop: x"]
)  # fmt: skip


@given(st.lists(st.one_of(_PIECES, st.text(max_size=12)), max_size=8).map("\n".join))
def test_never_raises(text: str) -> None:
    for rule in ("mmeval", "official"):
        for form in ("short", "count", "list"):
            verdict = verify(
                ReasonMapVerifier({"rule": rule, "form": form}), Response("ok", text), GOAL, AnswerContext(options=ROW)
            )
            assert verdict.outcome in ("scored", "no_answer")
            assert 0 <= verdict.scores.get("map_score", 0) <= (20 if form == "short" else 40)
            assert not verdict.correct or verdict.scores["endpoints"] == 1
    assert isinstance(stops_between(text), list)
    assert isinstance(read_released(text, "short"), list)


_NAME = st.text(alphabet="ABCdef gh", min_size=1, max_size=8).map(str.strip).filter(bool)


@given(st.lists(st.tuples(_NAME, _NAME, _NAME), min_size=1, max_size=4))
def test_a_route_in_the_asked_format_is_read_back(legs: list[tuple[str, str, str]]) -> None:
    text = "\n--\n".join(f"Route Name: {a}\nDeparture Stop: {b}\nArrival Stop: {c}" for a, b, c in legs)
    routes, _ = read_routes(text)
    told = [leg.names for route in routes for leg in route]
    cleaned = {tuple(map(clean_name, leg)) for leg in legs}
    assert {tuple(map(clean_name, names)) for names in told} == cleaned
    written = [leg.names for leg in read_released(f"{text}\n", "short")]
    assert [tuple(map(clean_name, names)) for names in written] == [tuple(map(clean_name, leg)) for leg in legs]
