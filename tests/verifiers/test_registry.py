from __future__ import annotations

from pathlib import Path

import pytest

from mmeval.core.errors import UsageError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.abilities import abilities_of
from mmeval.verifiers.base import verify
from mmeval.verifiers.registry import get_verifier, list_verifiers


def test_every_name_gives_a_verifier_of_that_name() -> None:
    names = list_verifiers()
    assert {"choice", "number", "yes-no", "text", "box", "boxes", "point", "rating", "mixed", "mathvista"} <= set(names)
    for name in names:
        verifier = get_verifier(name, {})
        assert verifier.name == name
        assert verifier.version
    assert get_verifier("yes_no").name == "yes-no"


def test_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UsageError, match="number"):
        get_verifier("numbr", {})


@pytest.mark.parametrize(
    ("name", "text", "target", "options"),
    [
        ("choice", "The answer is (B).", "B", {}),
        ("number", "x = 4", 4, {}),
        ("yes-no", "Yes.", "yes", {}),
        ("text", "Rome", "rome", {}),
        ("box", "[1,2,3,4]", [1, 2, 3, 4], {"threshold": 0.5}),
        ("point", "[1,2]", {"box": [0, 0, 4, 4]}, {}),
        ("rating", "4/5", 4, {}),
        ("expression", r"\boxed{\frac{2}{4}}", r"\frac12", {}),
        ("list", "The answer is [1, 2].", [1, 2], {"element": "number"}),
    ],
)
def test_verdicts(name: str, text: str, target: object, options: dict[str, object]) -> None:
    verifier = get_verifier(name, options)
    context = AnswerContext(choices=("x", "y") if name == "choice" else ())
    found = verify(verifier, Response("ok", text), target, context)
    assert (found.outcome, found.score, found.correct) == ("scored", 1.0, True)
    assert found.verifier == f"{verifier.name}/{verifier.version}"
    if name == "text":
        return  # any words are text
    silent = verify(verifier, Response("ok", "I cannot help with that"), target, context)
    assert (silent.outcome, silent.score, silent.reason) == ("no_answer", 0.0, "refusal")


OPTIONS: list[tuple[str, dict[str, object], str, object]] = [
    ("blink", {}, "(B)", "(B)"),
    ("box", {}, "[1,2,3,4]", [1, 2, 3, 4]),
    ("box", {"threshold": 0.5}, "[1,2,3,4]", [1, 2, 3, 4]),
    ("boxes", {}, "[[1,2,3,4]]", [[1, 2, 3, 4]]),
    ("moment", {}, "3.2 to 7.9", [3.2, 7.9]),
    ("moment", {"threshold": 0.5}, "3.2 to 7.9", [[1, 2], [3, 8]]),
    ("checklist", {}, '["yes", "no"]', [True, False]),
    (
        "gui-step",
        {"form": "tool-call", "rule": "mmeval"},
        '{"name": "mobile_use", "arguments": {"action": "click", "coordinate": [420, 420]}}',
        {"kind": "click", "point": [420, 420]},
    ),
    (
        "web-step",
        {"frame": "original"},
        '{"action": "type", "point": [2, 3], "value": "Rome"}',
        {"operation": "TYPE", "value": "rome", "rects": ["1,2,4,4"]},
    ),
    ("screen-place", {"accept_box": True}, "[2, 3]", {"box": [1, 2, 5, 6]}),
    ("screen-qa", {}, "Wi-Fi", ["Wi-Fi"]),
    ("dependency", {}, '{"tokens": ["x"], "with": [-1.0], "without": [-2.0]}', True),
    ("choice", {}, "B", "B"),
    (
        "detections",
        {
            "score_policy": "rank",
            "frame": [840, 840],
            "duplicates": "drop",
            "reversed": "drop",
            "labels": "ignore",
            "category": "cat",
            "match_iou": 0.5,
            "precision_weight": 0.5,
        },
        "[[1, 2, 3, 4]]",
        [{"box": [1, 2, 3, 4], "label": "cat"}],
    ),
    ("v-triune", {"matching": "iou-first", "completeness_weight": 0.5}, "[[1, 2, 3, 4]]", [[1, 2, 3, 4]]),
    ("dynamath", {"answer_type": "text"}, '{"short answer": "May"}', "May"),
    ("expression", {"precision": 2}, r"\frac12", "0.5"),
    ("list", {"element": "number", "order": False}, "[1, 2]", [2, 1]),
    ("list", {"form": "interval"}, "[1, 2)", "[1, 2)"),
    ("first-integer", {}, "4 dogs", 4),
    ("count", {}, "3 red and 4 blue, a total of 7", 7),
    ("leading-letter", {}, "(B) x", "(B)"),
    ("logicvista", {}, "B, D", "B, D"),
    ("logicvista-rules", {}, "B and D", "B, D"),
    ("class-name", {"rule": "visual-rft"}, "It is a rose.", "rose"),
    ("label-set", {}, "cat, dog", ["dog", "cat"]),
    ("box3d", {"form": "corners", "threshold": 0.5}, "[0, 0, 0, 1, 1, 1]", [0, 0, 0, 1, 1, 1]),
    ("box3d", {}, "[0, 0, 0, 1, 1, 1]", [0, 0, 0, 1, 1, 1]),
    (
        "caption3d",
        {"form": "centre"},
        "<obj>0, 0, 0, 1, 1, 1</obj> a chair",
        {"box": [0, 0, 0, 1, 1, 1], "references": ["a"]},
    ),
    ("heatmap", {"sigma": 0.1, "frame": [2, 1]}, '{"heatmap": [[1, 2]]}', [[1, 1]]),
    ("mask", {"empty": 0}, '{"size": [1, 2], "counts": [1, 1]}', {"size": [1, 2], "counts": [1, 1]}),
    (
        "mask",
        {"prediction": "box", "threshold": 0.5, "frame": [2, 1]},
        "[1, 0, 2, 1]",
        {"size": [1, 2], "counts": [1, 1]},
    ),
    ("mathvision", {}, "4", "4.00"),
    ("emma", {"number_words": True}, "\\boxed{4}", "4"),
    ("mathvista", {"answer_type": "integer", "cast": "2023"}, "4", "4"),
    ("mathvista-rules", {"answer_type": "integer"}, "4", "4"),
    ("mixed", {"answer_type": "number", "mra": True}, "4", 4),
    ("mmlu-pro", {}, "the answer is (B)", "B"),
    ("mmmu", {"question_type": "open"}, "4", "4"),
    ("mmmu-pro", {}, "(B)", "B"),
    ("mmstar", {}, "Option B", "B"),
    ("number", {}, "4", 4),
    ("number", {"mra": True}, "4", 4),
    ("ocrbench-v2", {"type": "text counting en", "eval": "regression", "question": "How many?"}, "4", ["4"]),
    ("point", {}, "[1,2]", {"box": [0, 0, 4, 4]}),
    ("points", {"take": "first", "boxes": "pixels", "frame": "original"}, "[[1, 2], [9, 9]]", {"box": [0, 0, 4, 4]}),
    ("puzzlevqa", {}, "(B)", "y"),
    ("pope", {"rule": "lmms-eval"}, "Yes", "yes"),
    ("rating", {}, "4", 4),
    ("pair-verdict", {"style": "bracket"}, "[[A]]", "A"),
    ("pair-verdict", {"style": "overall-judgment"}, "Overall Judgment: Answer 2 is better.", "B"),
    ("pair-verdict", {"ties": "half"}, "Overall Judgment: Answer 2 is better.", "B"),
    ("scalar-pair", {}, "[0.5, -1.0]", "A"),
    ("step-verdicts", {"steps": 2}, "+ -", [1, -1]),
    ("step-verdicts", {"steps": 2, "threshold": 0.5}, "[1, 0]", [1, -1]),
    ("degradation", {}, '{"distortion_class": "noise", "severity": "slight"}', ["noise", "slight"]),
    ("quality-pair", {}, "Image A is better.", "A"),
    ("transcript", {"case": "fold", "visemes": "letters-en"}, "bin blue", "BIN BLUE"),
    (
        "transcript",
        {"units": "characters", "spaces": False, "numbers": "digits", "punctuation": "drop"},
        "你好",
        "你好",
    ),
    ("scene-answer", {"clean": "leo", "whole": True, "first_match": True}, "2", ["two"]),
    ("scienceqa", {}, "The answer is B.", "B"),
    ("text", {"match": "contains"}, "Rome", "rome"),
    ("text", {"match": "anls"}, "Rome", "rome"),
    ("text", {"match": "vqa"}, "Rome", ["rome"] * 10),
    ("text", {"match": "relaxed", "whole": True}, "Rome", "rome"),
    ("text", {"match": "includes-any", "spaces": False}, "Rome", ["Rome"]),
    (
        "reasonmap",
        {"form": "short", "rule": "mmeval", "stations": {"Line 1": ["A", "B"]}, "country": "x", "city": "y"},
        "Route Name: Line 1\nDeparture Stop: A\nArrival Stop: B",
        {"departure": "A", "arrival": "B", "plans": []},
    ),
    ("reasonmap-plus", {"question_type": "TorF1"}, "yes", 1),
    ("reasonmap-plus-rules", {"question_type": "Counting1"}, "B", 1),
    ("omnispatial", {"form": "json"}, '{"answer": "B"}', "B"),
    ("spatialladder", {"brackets": True}, "(b)", "B"),
    ("spar-bench", {"answer_type": "choice", "rule": "vlmevalkit"}, "B", "B"),
    ("squad", {"whole": True}, "a cat", "cat"),
    ("squad", {"rule": "slidevqa", "question": "how many cats?"}, "two cats", "2"),
    ("mmlongbench", {"answer_format": "Str", "rule": "official"}, "cat", "cat"),
    ("published-letter", {"rule": "mmsi-bench"}, "``B``", "B"),
    ("spar-bench", {"answer_type": "choice", "rule": "official", "several_views": True}, "B", "B"),
    ("mmlongbench", {"answer_format": "Str"}, "cat", "cat"),
    ("vicrit", {"match": "compat"}, '["a red car"]', {"changed": "a red car", "original": "a blue car"}),
    ("vicrit", {"control": True}, "[]", {"changed": "a red car", "original": "a blue car"}),
    ("vlmevalkit-spatial", {"answer_type": "choice"}, "B", "B"),
    ("vsi-bench", {}, "B", "B"),
    ("vlmevalkit-choice", {"verbose_guard": True, "answer_phrase": False, "fallback": "wrong"}, "B", "B"),
    ("vlmevalkit-logicvista", {}, "AC", "C, A"),
    ("vlmevalkit-mathverse", {}, "x", "x"),
    ("vlmevalkit-mathvision", {"verbose_guard": False}, "0.5", "1/2"),
    ("vlmevalkit-mathvista", {"answer_type": "integer", "question_type": "free_form"}, "4", "4"),
    ("vlmevalkit-mmmu", {"fallback": "guess"}, "12", "12"),
    ("vlmevalkit-mmmu-pro", {}, "Answer: B", "B"),
    ("refcoco", {"rule": "vlm-r1-plain"}, "[1, 2, 3, 4]", [1, 2, 3, 4]),
    ("screenspot", {"form": "vlmevalkit"}, "pyautogui.click(x=3, y=4)", {"box": [1, 2, 5, 6]}),
    ("vlmevalkit-wemath", {}, "Answer: B", "B"),
    ("vlmevalkit-yes-no", {}, "yes", "yes"),
    ("wemath", {}, "<Answer>: <<B>>", "B"),
    ("yes-no", {}, "yes", "yes"),
    ("yes-no", {"words": "true-false"}, "True", "yes"),
]
NEED_CHOICES = {
    "vsi-bench",
    "spatialladder",
    "scienceqa",
    "puzzlevqa",
    "mmlu-pro",
    "mmmu-pro",
    "vlmevalkit-choice",
    "vlmevalkit-mmmu-pro",
}


@pytest.mark.parametrize(("name", "options", "text", "target"), OPTIONS)
def test_verifiers_give_what_is_declared_of_them(
    name: str, options: dict[str, object], text: str, target: object
) -> None:
    declared = abilities_of(name, options)
    assert declared is not None
    choices = ("x", "y") if name in NEED_CHOICES else ()
    context = AnswerContext(choices=choices, options=options, image_size=None if name == "mask" else (840, 840))
    found = verify(get_verifier(name, options), Response("ok", text), target, context)
    assert found.outcome == "scored", found.reason
    assert declared.scores <= set(found.scores)
    if name != "mixed":  # scores of some rows only
        assert declared.scores == set(found.scores)
    assert declared.correct == (found.correct is not None)
    assert set(options) <= set(declared.options)
    assert all(declared.options[key].accepts(value) for key, value in options.items())


def test_every_built_in_verifier_declares_what_it_takes() -> None:
    assert {name for name, *_ in OPTIONS} == {name for name in list_verifiers() if abilities_of(name, {}) is not None}
    assert abilities_of("yes_no", {}) == abilities_of("yes-no", {}) is not None
    assert {"choice", "number", "mixed", "mathvista"} <= {name for name, *_ in OPTIONS}
    assert abilities_of("of-a-package", {}) is None


def test_every_option_that_a_verifier_reads_is_declared() -> None:
    import ast
    import inspect

    import mmeval.verifiers as package

    read = set()
    for path in Path(inspect.getfile(package)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
                name = ast.unparse(node.func.value)
                if "options" in name and node.args and isinstance(node.args[0], ast.Constant):
                    read.add(node.args[0].value)
    declared = {option for name, *_ in OPTIONS for option in abilities_of(name, {}).options}  # type: ignore[union-attr]
    assert {"match", "mra", "threshold", "low", "accept_box", "cast"} <= read <= declared


@pytest.mark.parametrize(
    ("response", "outcome", "correct"),
    [
        (Response("too_long", error="too many tokens"), "unsupported", None),
        (Response("unsupported", error="no video"), "unsupported", None),
        (Response("refused"), "no_answer", False),
        (Response("error", error="connection lost"), "error", None),
        (Response("ok", ""), "no_answer", False),
        (Response("ok", "There are", finish_reason="length"), "no_answer", False),
    ],
)
def test_responses_without_an_answer(response: Response, outcome: str, correct: bool | None) -> None:
    found = verify(get_verifier("number"), response, 4, AnswerContext())
    assert (found.outcome, found.correct) == (outcome, correct)
    assert found.reason


def test_a_row_whose_own_data_are_broken_is_unscored() -> None:
    found = verify(get_verifier("number"), Response("ok", "4"), "many", AnswerContext())
    assert (found.outcome, found.correct, found.score) == ("unscored", None, None)
    assert "not a number" in found.reason
