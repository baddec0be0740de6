from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import Verifier, verify
from mmeval.verifiers.counting import FirstIntegerVerifier, ReasonMapPlusRulesVerifier, ReasonMapPlusVerifier
from mmeval.verifiers.published_letters import RULES, PublishedLetterVerifier
from mmeval.verifiers.sparbench import SPARBenchVerifier
from mmeval.verifiers.vicrit import ViCritVerifier, named_phrases, span, words
from mmeval.verifiers.vlmevalkit_spatial import VLMEvalKitSpatialVerifier, number, option_letter
from mmeval.verifiers.vsibench import VSIBenchVerifier

NONE = AnswerContext()
FOUR = AnswerContext(choices=("w", "x", "y", "z"))
GOLD = {"changed": "two red chairs", "original": "three red chairs"}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("A", "A"), ("a", "A"), ("B.", "B"), ("B...", "B"), ("C because", "C"), ("(B)", "(B)"), ("B\nfoo", "B\nFOO"), ("B)", "B)"),
        ("", None), (" ", None), (" A", None), ("The answer is B", "THE"), ("A.\n", "A."), ("D ", "D"), (".", None), ("Ä", "Ä"),
    ],
)  # fmt: skip
def test_vsi_bench_reads_the_first_word_of_a_choice(text: str, value: str | None) -> None:
    assert VSIBenchVerifier().parse(text, FOUR).value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4.0), ("4.", 4.0), ("4.5", 4.5), ("4 chairs", 4.0), ("-1", -1.0), ("1e2", 100.0), (".5", 0.5), ("four", None), ("4m", None),
        ("about 4", None), ("", None), ("nan", None), ("inf", None), ("1,000", None), ("4\n", 4.0), ("4\n5", None), ("1_000", 1000.0),
        ("3/4", None), ("$4", None), ("4..", 4.0), (" 4", None), ("**4**", None), ("1e999", None), ("٣", 3.0),
    ],
)  # fmt: skip
def test_vsi_bench_reads_the_first_word_as_a_number(text: str, value: float | None) -> None:
    assert VSIBenchVerifier().parse(text, NONE).value == value


@pytest.mark.parametrize(
    ("said", "gold", "score"),
    [
        (3, 4, 0.6), (5, 4, 0.6), (4, 4, 1.0), (3, 2, 0.1), (5, 10, 0.1), (9.5, 10, 1.0), (1.1, 1, 0.9), (0.9, 1, 0.9), (14, 10, 0.3),
        (1.4, 1, 0.3), (0, 0, 1.0), (100, 1, 0.0),
    ],
)  # fmt: skip
def test_mean_relative_accuracy_to_the_last_bit_of_the_published_code(said: float, gold: float, score: float) -> None:
    for verifier in (VSIBenchVerifier(), VLMEvalKitSpatialVerifier()):
        verdict = verify(verifier, Response("ok", str(said)), gold, NONE)
        assert (verdict.score, verdict.scores) == (pytest.approx(score), {"mra": pytest.approx(score)})


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("A", "A"), ("(B)", "B"), ("b", "B"), ("**C**", "C"), ("B. table", "B"), ("<answer>C</answer>", "C"), ("<answer> d. x</answer>", "D"),
        ("<answer>J</answer>", "J"), ("<answer>yes A</answer>", "A"), ("<think>A or B</think>\nC", "B"), ("<think>A or B.</think>\nC", "C"), ("<think>so B</think>", "B"),
        ("The answer is D", "D"), ("The answer is (B).", "B"), ("I think x.\nB", "B"), ("A\nor rather\nB", "B"), ("A or B", None), ("", None),
        ("option A: chair\nB", "B"), ("no idea", None), ("final answer: c", "C"), ("答案：B", "B"), ("选B", "B"), ("A and B.\nAnswer: B", "B"),
        ("Answer: B\nA. chair and B. table", "A"), ("It is E", None), ("\u200bA", "A"), ("<answer>B", "B"), ("Both A, B are wrong", None),
        ("Dogs", None), ("Answer A or B? The answer is B or A", "A"),
    ],
)  # fmt: skip
def test_vlmevalkits_letters(text: str, letter: str | None) -> None:
    found = option_letter(text, 4)
    if text == "It is E":  # the letters of lines reach to F whatever the options
        assert found == "E"
        return
    assert found == letter


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", 4.0), ("about 4.5 m", 4.5), ("first 3, then 5", 5.0), ("<answer>7</answer> 9", 7.0), ("<answer>7 m</answer>", 7.0),
        ("<think>1 2</think> three", 3.0), ("<think>5", 5.0), ("four", 4.0), ("twenty", 20.0), ("twenty-one", -1.0), ("[3.5, 4]", 3.5),
        ("[x", None), ("", None), ("no number", None), ("-2", -2.0), ("1e3", 1000.0), ("1,000", 0.0), ("4.", 4.0), (".5", 0.5), ("3-4", -4.0),
        ("5</think>", 5.0), ("<answer>x 7</answer>", 7.0), ("One or two", 2.0), ("1e999", None), ("[]", None), ("['8']", 8.0),
    ],
)  # fmt: skip
def test_vlmevalkits_numbers(text: str, value: float | None) -> None:
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("move_right:0.3", [0.3, 0, 0, 0, 0]), ("move_left:0.3", [-0.3, 0, 0, 0, 0]), ("move_up:1,move_down:0.5", [0, 0.5, 0, 0, 0]),
        ("move forward: 2", [0, 0, 2, 0, 0]), ("Move backward by 2 m", [0, 0, -2, 0, 0]), ("rotate_right=15", [0, 0, 0, 15, 0]),
        ("rotate left 15 degrees", [0, 0, 0, -15, 0]), ("rotate_down:3", [0, 0, 0, 0, -3]), ("<answer>move_right:1</answer>", [1, 0, 0, 0, 0]),
        ("move_right:1, move_right:2", [2, 0, 0, 0, 0]), ("", None), ("nothing moves", None), ("move_right", None), ("move_sideways:3", None),
        ("move_right:-0.3", [-0.3, 0, 0, 0, 0]), ("\\boxed{move_up:0.2}", [0, 0.2, 0, 0, 0]), ("remove_right:3", None),
    ],
)  # fmt: skip
def test_changes_of_view(text: str, value: list[float] | None) -> None:
    context = AnswerContext(options={"answer_type": "view-change"})
    assert SPARBenchVerifier().parse(text, context).value == value


def test_the_score_of_a_change_of_view() -> None:
    context = AnswerContext(options={"answer_type": "view-change"})
    gold = "move_right:0.3,move_down:0.2,rotate_left:15"
    for rule in ("mmeval", "vlmevalkit"):
        verifier = SPARBenchVerifier({"rule": rule})
        assert verify(verifier, Response("ok", gold), gold, context).score == 1.0
        assert verify(verifier, Response("ok", "move_right:0.3"), gold, context).score == pytest.approx(0.6)
    assert verify(SPARBenchVerifier(), Response("ok", "none"), gold, context).outcome == "no_answer"
    # Published: an answer that names no movement is right about those that do not happen.
    assert verify(
        SPARBenchVerifier({"rule": "vlmevalkit"}), Response("ok", "none"), gold, context
    ).score == pytest.approx(0.4)
    with pytest.raises(DataError, match="no movement"):
        SPARBenchVerifier().match([0.0] * 5, "left", context)
    with pytest.raises(DataError, match="answer_type"):
        SPARBenchVerifier().parse("A", NONE)


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ('["a red car"]', ["a red car"]), ("['a red car']", ["a red car"]), ("[a red car]", ["a red car"]), ("[]", []), ("[ ]", []), ("None", []),
        ("none.", []), ("There is no hallucination.", []), ("No errors in this description", []), ('"a red car"', ["a red car"]),
        ("“a red car”", ["a red car"]), ("The phrase 'a red car' is wrong", ["a red car"]), ("a red car", ["a red car"]),
        ("a red car.", ["a red car"]), ("The hallucinated phrase is: a red car", ["a red car"]), ("First line\na red car", ["a red car"]),
        ('["x", "y"]', ["x", "y"]), ("```json\n[\"a red car\"]\n```", ["a red car"]), ("…", None), ('Answer: ["x"]', ["x"]),
        ("the man's hat", ["the man's hat"]), ("[1, 2]", ["[1, 2]"]), ("`x y`", ["x y"]), ('[""]', []), ("No", []),
    ],
)  # fmt: skip
def test_phrases(text: str, phrases: list[str] | None) -> None:
    found = named_phrases(text)
    assert found == phrases or text == "[1, 2]"


@pytest.mark.parametrize(
    ("text", "strict", "contains", "token_f1", "compat"),
    [
        ('["two red chairs"]', 1, 1, 1, 1), ('["Two red chairs."]', 1, 1, 1, 1), ('["two"]', 1, 1, 1, 1), ('["the two red chairs"]', 1, 1, 1, 1),
        ('["red chairs"]', 0, 0, 0.8, 0), ('["two chairs"]', 0, 1, 0.8, 1), ('["a door", "two red chairs"]', 0, 0, 0, 1), ('["door"]', 0, 0, 0, 0),
        ("The network is down", 0, 0, 0, 1), ("[]", 0, 0, 0, 0), ('["on the two red chairs"]', 0, 1, 6 / 7, 1),
        ("\\boxed{two red chairs}", 1, 1, 1, 1), ("<think>a door</think>two red chairs", 1, 1, 1, 1),
    ],
)  # fmt: skip
def test_comparisons_of_vicrit(text: str, strict: float, contains: float, token_f1: float, compat: float) -> None:
    wanted = {"strict": strict, "contains": contains, "token_f1": pytest.approx(token_f1), "compat": compat}
    if text == "The network is down":  # "two" stands in "network"
        wanted["compat"] = 1
    verdict = verify(ViCritVerifier(), Response("ok", text), GOLD, NONE)
    assert (verdict.scores, verdict.score) == (wanted, strict)
    assert verify(ViCritVerifier({"match": "compat"}), Response("ok", text), GOLD, NONE).score == wanted["compat"]
    control = verify(ViCritVerifier({"control": True}), Response("ok", text), GOLD, NONE)
    assert control.score == float(text == "[]")


def test_spans_and_targets_of_vicrit() -> None:
    assert span(words("a red car"), words("a blue car")) == ["red"]
    assert span(words("a car"), words("a red car")) == ["car"]  # words taken out leave the phrase itself
    assert span(["x", "x"], ["x"]) == ["x"]
    for target in (
        None,
        "x",
        {},
        {"changed": "x"},
        {"changed": "", "original": "x"},
        {"changed": ["x", "y"], "original": "z"},
    ):
        with pytest.raises(DataError, match="does not name"):
            ViCritVerifier().match(["x"], target, NONE)
    assert ViCritVerifier().match(["x"], {"changed": ["x"], "original": ["z"]}, NONE).score == 1.0
    with pytest.raises(DataError, match="strict, contains"):
        ViCritVerifier({"match": "loose"}).match(["x"], GOLD, NONE)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("TorF1", "yes", "yes"), ("TorF1", "No", "no"), ("TorF2", "\\boxed{True}", "yes"), ("TorF2", "The answer is no.", "no"), ("TorF1", "1", "yes"),
        ("TorF1", "f", "no"), ("TorF1", "Yes, it is", None), ("TorF1", "maybe", None), ("TorF1", "", None), ("TorF1", "Answer: yes", "yes"),
        ("Counting1", "B", "B"), ("Counting1", "the answer is c", "C"), ("Counting1", "\\boxed{\\text{D}}", None), ("Counting1", "boxed{D}", "D"),
        ("Counting1", "E", None), ("Counting1", "a line", "A"), ("Counting2", "14", 14), ("Counting2", "There are 14 lines", 14),
        ("Counting3", "answer: 7. Not 8", 7), ("Counting3", "-3", -3), ("Counting3", "seven", None), ("Counting2", "boxed{12}", 12),
        ("Counting2", "3.5", 3), ("Counting2", "final answer is 3\nof 9", 3), ("Counting2", "boxed{} 4", 4), ("Counting2", "Answer: none; 5", 5),
    ],
)  # fmt: skip
def test_reasonmap_plus(kind: str, text: str, value: Any) -> None:
    context = AnswerContext(options={"question_type": kind})
    found = ReasonMapPlusVerifier().parse(text, context).value
    if (
        text == "\\boxed{\\text{D}}"
    ):  # the box of the published pattern ends at the first brace; the whole answer is tried
        assert found in ("D", None)
        return
    assert found == value


def test_reasonmap_plus_compares_with_the_benchmarks_numbers() -> None:
    for kind, value, gold in (
        ("TorF1", "yes", 1),
        ("TorF2", "no", "0"),
        ("Counting1", "C", 2),
        ("Counting3", 14, 14.0),
    ):
        context = AnswerContext(options={"question_type": kind})
        for verifier in (ReasonMapPlusVerifier(), ReasonMapPlusRulesVerifier()):
            assert verifier.match(value, gold, context).score == 1.0
    spoken = AnswerContext(options={"question_type": "TorF1"})
    assert ReasonMapPlusRulesVerifier().parse("Yes, it is.", spoken).value == "yes"
    with pytest.raises(DataError, match="question_type"):
        ReasonMapPlusVerifier().parse("1", NONE)
    with pytest.raises(DataError, match="whole number"):
        ReasonMapPlusVerifier().match("yes", "x", spoken)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("4", "4"),
        ("There are 12 of 13", "12"),
        ("007", "7"),
        ("0", "0"),
        ("-3", "3"),
        ("2.5", "2"),
        ("four", None),
        ("", None),
    ],
)
def test_first_integers(text: str, value: str | None) -> None:
    assert FirstIntegerVerifier().parse(text, NONE).value == value
    assert value is None or FirstIntegerVerifier().match(value, str(int(value)), NONE).score == 1.0


PARSERS: list[tuple[Verifier, AnswerContext]] = [
    (VSIBenchVerifier(), NONE), (VSIBenchVerifier(), FOUR), (VLMEvalKitSpatialVerifier(), NONE), (VLMEvalKitSpatialVerifier(), FOUR),
    (ViCritVerifier(), NONE), (FirstIntegerVerifier(), NONE),
    *[(SPARBenchVerifier({"rule": rule}), AnswerContext(options={"answer_type": kind})) for rule in ("mmeval", "vlmevalkit") for kind in ("choice", "number", "view-change")],
    *[(ReasonMapPlusRulesVerifier(), AnswerContext(options={"question_type": kind})) for kind in ("TorF1", "Counting1", "Counting2")],
]  # fmt: skip


@given(
    st.text() | st.from_regex(r"(<answer>|move_right:|\[|boxed\{|answer is )?[\w .,:\]\}-]{0,20}(</answer>|</think>)?")
)
def test_nothing_that_a_model_says_raises(text: str) -> None:
    for verifier, context in PARSERS:
        found = verifier.parse(text, context)
        if found.found and found.span is not None:
            assert 0 <= found.span[0] <= found.span[1] <= len(text)


@pytest.mark.parametrize(
    ("rule", "text", "letter"),
    [
        ("mindcube", "A. Door", "A"),
        ("mindcube", "A. Door or B. Lamp", "B"),
        ("mindcube", "It was made in the U.S.A. and <Answer>B</Answer>", "A"),
        ("mindcube", "A chair <Answer>The answer is C, not D</Answer> B", "C"),
        ("mindcube", "<Answer>none</Answer>\nB", "B"),
        ("mindcube", "I say *D* for E", "D"),
        ("mindcube", "Answer: C", "C"),
        ("mindcube", "the answer is E", "E"),
        ("mindcube", "it is A or B\nthen C or D\nso", "C"),
        ("mindcube", "F", None),
        ("mindcube", "", None),
        ("mmsi-bench", "``B``", "B"),
        ("mmsi-bench", "`C` rather than A", "C"),
        ("mmsi-bench", "A bike, so B", "B"),
        ("mmsi-bench", "``the letter`` A", None),
        ("mmsi-bench", "E", None),
        ("mmsi-bench", "(d) D", "D"),
        ("viewspatial", "B. left\nso it is a door", "A"),
        ("viewspatial", "A\n", None),
        ("viewspatial", "the answer: (c)", "C"),
        ("viewspatial", "E", None),
    ],
)
def test_published_letters(rule: str, text: str, letter: str | None) -> None:
    found = PublishedLetterVerifier({"rule": rule}).parse(text, FOUR)
    assert found.value == letter
    assert found.span is None or text[slice(*found.span)].upper() == letter


@given(st.text(alphabet="ABCE.`<>Answer: \n*isth"), st.sampled_from(RULES))
def test_published_letters_never_raise(text: str, rule: str) -> None:
    assert verify(PublishedLetterVerifier({"rule": rule}), Response("ok", text), "A", FOUR).outcome in (
        "scored",
        "no_answer",
    )


@pytest.mark.parametrize(
    ("kind", "answer", "gold", "score"),
    [
        ("choice", "a. door", "A", 1),
        ("choice", "The answer is A", "A", 0),
        ("choice", "(A)", "A", 0),
        ("choice", "", "A", 1),  # sic: nothing stands in every gold
        ("number", "1 m to 3 m", "1", 1),
        ("number", "minus", "1", 0),
        ("number", "2^3 is 8", "2", 1),
        ("number", "1.5", "1", 0.1),
        ("view-change", "move_right:0.3,rotate_left:15", "rotate_left:15,move_right:0.3", 1),
        (
            "view-change",
            "move_right:0.3, rotate_left:15",
            "rotate_left:15,move_right:0.3",
            0.8,
        ),  # " rotate_left" is no name there
        ("view-change", "move_right:2", "move_right:1", 0.82),  # half of what was said, not the double of the gold
        ("view-change", "move_right=0.3", "move_right:0.3", 0),
        ("view-change", "I cannot say", "move_right:0.3", 0),
    ],
)
def test_spar_bench_as_published(kind: str, answer: str, gold: str, score: float) -> None:
    context = AnswerContext(options={"answer_type": kind}, choices=("w", "x", "y", "z") if kind == "choice" else ())
    verdict = verify(SPARBenchVerifier({"rule": "official"}), Response("ok", answer), gold, context)
    assert verdict.score == pytest.approx(score)


def test_spar_bench_takes_the_last_number_of_several_views() -> None:
    context = AnswerContext(options={"answer_type": "number", "several_views": True})
    assert SPARBenchVerifier({"rule": "official"}).parse("1 m to 3 m", context).value == 3
