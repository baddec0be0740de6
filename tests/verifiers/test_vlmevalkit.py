"""VLMEvalKit's rules: its worked cases (VLMEVALKIT.md, sections 2 and 3.2) and what holds for every text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response
from mmeval.verifiers.base import GUESS_SHARE, GUESSED, UNDECIDED, verify
from mmeval.verifiers.registry import get_verifier
from mmeval.verifiers.vlmevalkit import API_FAILURE

COLOURS = ("red", "blue", "green", "yellow")
NUMBERS = ("3", "12", "36", "5")
TEN = ("ant", "bee", "cow", "dog", "elk", "fox", "gnu", "hen", "ibis", "jay")
OPEN: tuple[str, ...] = ()


def read(name: str, text: str, choices: tuple[str, ...] = (), **options: Any) -> Any:
    return get_verifier(name, options).parse(text, AnswerContext(choices=choices)).value


CHOICE: list[tuple[str, tuple[str, ...], str | None]] = [
    # step 1: one letter, near the end (2.0, step 1.4)
    ("B", COLOURS, "B"),
    ("(B)", COLOURS, "B"),
    ("B.", COLOURS, "B"),
    ("[B]", COLOURS, "B"),
    ("{B}", COLOURS, "B"),
    ("**B**", COLOURS, "B"),
    ("#B!", COLOURS, "B"),
    ("B: blue", COLOURS, "B"),
    ("B, C", COLOURS, None),
    ("b", COLOURS, None),
    ("Answer: B", COLOURS, "B"),
    ("The correct option is (C).", COLOURS, "C"),
    ("B because it is so", COLOURS, None),
    ("B as shown above", COLOURS, "B"),
    ("B as it is shown", COLOURS, None),
    ("x B 2 3 4", COLOURS, "B"),
    ("x B 2 3 4 5", COLOURS, None),
    ("B said one and B", COLOURS, None),
    ("so B or B", COLOURS, "B"),
    ("A and B", COLOURS, None),
    ("$B$", COLOURS, None),
    ("\\boxed{B}", COLOURS, "B"),
    ("\\boxedB", COLOURS, None),
    ("B/C", COLOURS, None),
    ('"B"', COLOURS, None),
    ("E", COLOURS, None),
    ("J", TEN, "J"),
    ("K", TEN, None),
    ("A dog is on the left", ("cat", "dog"), None),
    ("It is 7 A.", NUMBERS, "A"),
    # step 1: refusals and Z (1.1, 1.5)
    ("Z", COLOURS, None),
    ("The answer is Z.", COLOURS, None),
    ("Cannot determine the answer, but B", COLOURS, None),
    ("I can't process this file. B", COLOURS, None),
    (f"{API_FAILURE}. B", COLOURS, None),
    # step 1: the phrase (1.6), with the cases of 3.2.2 [ran]
    ("The answer is blue", COLOURS, "B"),
    ("answer is cat", COLOURS, "C"),
    ("answer is definitely the first one", COLOURS, "D"),
    ("answer is a red car", COLOURS, "A"),
    ("answer is about 3", COLOURS, "A"),
    ("The correct answer is **C**. Here is why: A is too small and B is too big.", COLOURS, "C"),
    ("Answer is  **b", COLOURS, "B"),
    ("The answer is E, of all ten", TEN, "E"),
    ("The answer is E and nothing else at all", TEN, None),
    ("The answer is: B and nothing else at all", COLOURS, None),
    ("The answer is C, of two", ("x", "y"), None),
    # step 2: the text of one option
    ("blue", COLOURS, "B"),
    ("Blue!", COLOURS, "B"),
    ("it is light-blueish", COLOURS, "B"),
    ("blue or green", COLOURS, None),
    ("It is 12", NUMBERS, "B"),
    ("the 36th", NUMBERS, None),
    ("the 12th", NUMBERS, "B"),
    ("It must be the blue one, as far as I can see from here", COLOURS, None),
    ("3", NUMBERS, "A"),
    ("35", NUMBERS, None),
    ("12", ("12", "120"), "A"),
    ("120", ("12", "120"), None),
    ("", COLOURS, None),
    ("nothing", COLOURS, None),
    ("İBLUE", COLOURS, "B"),
]


@pytest.mark.parametrize(("text", "choices", "letter"), CHOICE)
def test_choice(text: str, choices: tuple[str, ...], letter: str | None) -> None:
    assert read("vlmevalkit-choice", text, choices) == letter


def test_the_verbose_guard_changes_scores() -> None:
    """3.2.3 [ran]: an environment variable there, an option here."""
    text = "The current is 7 A."
    assert read("vlmevalkit-choice", text, NUMBERS) == "A"
    assert read("vlmevalkit-choice", text, NUMBERS, verbose_guard=True) is None
    assert read("vlmevalkit-choice", "It is A.", NUMBERS, verbose_guard=True) == "A"
    assert read("vlmevalkit-choice", "The answer is A.", NUMBERS, verbose_guard=True) is None
    assert read("vlmevalkit-choice", "The best option is B.", NUMBERS, verbose_guard=True) == "B"


def test_the_answer_phrase_can_be_left_out() -> None:
    assert read("vlmevalkit-choice", "The answer is blue", COLOURS, answer_phrase=False) == "B"
    assert read("vlmevalkit-choice", "answer is cat", COLOURS, answer_phrase=False) is None


def test_the_guards_of_position_and_length_can_be_left_out() -> None:
    """Until August 2025 (#1175) a letter counted wherever it stood, and a text however long the answer was."""
    early = "A. The surroundings warm up, and each vial cools"
    assert read("vlmevalkit-choice", early, COLOURS) is None
    assert read("vlmevalkit-choice", early, COLOURS, length_guards=False) == "A"
    long = "The paint on that door is blue, as I said three times before in this very long answer of mine"
    assert read("vlmevalkit-choice", long, COLOURS) is None
    assert read("vlmevalkit-choice", long, COLOURS, length_guards=False) == "B"


def verdict(name: str, text: str, target: Any, choices: tuple[str, ...] = (), **options: Any) -> Any:
    context = AnswerContext(choices=choices, options=options)
    return verify(get_verifier(name, options), Response("ok", text), target, context)


def test_where_vlmevalkit_draws_nothing_is_drawn() -> None:
    """2.0, step 3: a random letter or Z when the judge fails three times; Z where there is no judge."""
    found = verdict("vlmevalkit-choice", "nothing", "A", COLOURS)
    assert (found.outcome, found.score, dict(found.scores)) == ("no_answer", 0.0, {GUESSED: 1.0, GUESS_SHARE: 0.2})
    found = verdict("vlmevalkit-choice", "nothing", "A", COLOURS, fallback="wrong")
    assert (found.outcome, dict(found.scores)) == ("no_answer", {})
    found = verdict("vlmevalkit-choice", "Cannot determine the answer", "A", COLOURS)
    assert (found.outcome, found.reason, dict(found.scores)) == ("no_answer", "refusal", {})
    with pytest.raises(DataError, match="fallback"):
        get_verifier("vlmevalkit-choice", {"fallback": "random"})


def test_options_of_one_text_stay_two_options() -> None:
    assert verdict("vlmevalkit-choice", "B", "A", ("red", "red")).correct is False


def test_a_choice_needs_choices_and_a_letter() -> None:
    assert verdict("vlmevalkit-choice", "B", "A").outcome == "unscored"
    assert verdict("vlmevalkit-choice", "B", "E", COLOURS).outcome == "unscored"
    assert verdict("vlmevalkit-choice", "B", "blue", COLOURS).outcome == "unscored"


MMMU: list[tuple[str, Any, bool | None]] = [
    # 2.3 [ran]: open questions become "A: gold, B: Other Answers"
    ("The current is 7 A.", "0.5", True),
    ("120", "12", True),
    ("The answer is about 3", "8", True),
    ("…to make Solution A.", "42", True),
    ("0.6 A", "1.2", True),
    # and what follows from the same steps
    ("12", "12", True),
    ("It is 12.", "12", True),
    ("twelve", "12", False),
    ("1,200", "1200", False),
    ("Other Answers", "12", False),
    ("B", "12", False),
    ("the answer is beyond me", "12", False),
    ("The resistance is 12 ohm, as the law of Ohm has it", "12", False),
    ("RED", "red", True),
    ("hatred", "red", True),
    ("Z", "12", None),
    ("", "12", None),
    ("  \n", "12", None),
    ("Cannot determine the answer", "12", None),
    # a gold answer that is a letter is taken for the letter of the right option
    ("B", "B", True),
    ("A", "B", False),
    ("0.5", 0.5, True),
    ("['1', '2']", ["1", "2"], True),
]


@pytest.mark.parametrize(("text", "gold", "right"), MMMU)
def test_mmmu_open_questions(text: str, gold: Any, right: bool | None) -> None:
    found = verdict("vlmevalkit-mmmu", text, gold)
    assert found.correct is (right or False)
    assert found.outcome == ("no_answer" if right is None else "scored")


def test_an_open_question_that_the_rules_leave_open_says_so() -> None:
    found = verdict("vlmevalkit-mmmu", "twelve", "12")
    assert dict(found.scores) == {UNDECIDED: 1.0, GUESSED: 1.0, GUESS_SHARE: pytest.approx(1 / 3)}
    assert dict(verdict("vlmevalkit-mmmu", "twelve", "12", fallback="wrong").scores) == {UNDECIDED: 1.0}
    assert dict(verdict("vlmevalkit-mmmu", "B", "12").scores) == {}


@pytest.mark.parametrize(("text", "choices", "letter"), CHOICE)
def test_mmmu_choices_are_as_any(text: str, choices: tuple[str, ...], letter: str | None) -> None:
    assert read("vlmevalkit-mmmu", text, choices) == letter


@pytest.mark.parametrize("target", [True, None, {"a": 1}])
def test_mmmu_needs_text_of_an_open_question(target: Any) -> None:
    found = get_verifier("vlmevalkit-mmmu")
    with pytest.raises(DataError, match="open question"):
        found.match("12", target, AnswerContext())


MMMU_PRO: list[tuple[str, str | None]] = [
    # 2.4: behind the last line that starts with "Answer:"
    ("Answer: B", "B"),
    ("Answer:B", "B"),
    ("  Answer:  (B)  ", "B"),
    ("Answer: $B", "B"),
    ("Answer: $B$", "B"),
    ("Answer: **B**", "B"),
    ("Answer: \\boxed{B}", "B"),
    ("Answer: B. bee", "B"),
    ("Answer: B or B", "B"),
    ("Answer: J", "J"),
    ("Answer: K", None),
    ("Answer: b", None),
    ("Answer: bee", "B"),
    ("Answer: Bee", "B"),
    ("Answer: Cow", "C"),
    ("Answer: It is B", "B"),
    ("Answer: It is BEE", "B"),
    ("Answer: A or B", None),
    ("Answer:", None),
    ("Answer: ", None),
    ("A is wrong.\nAnswer: B", "B"),
    ("Answer: A\nNo.\nAnswer: B", "B"),
    ("Answer: A\n\nAnswer:", None),
    ("Answer: B\nbecause A is too small", "B"),
    ("Answer: B\r\nbecause A is too small", "B"),
    ("answer: B", "B"),
    ("**Answer: B**", "B"),
    ("The Answer: B", "B"),
    ("I think B", None),
    ("So it is B", "B"),
    ("The answer is B. It is not that A is wrong as such", "B"),
    ("The answer is E. It is not that F is wrong as such", None),
    ("The letters A and B.\nAnswer: $LETTER", None),
    ("Answer: X\nB", None),
    ("Answer: 5", None),
    ("Answer: the hen", "H"),
    ("Answer: hen, not gnu", None),
    ("Final\n\tAnswer: D\n", "D"),
    ("Answer : D", "D"),
    ("Z", None),
    ("Answer: Z", None),
    ("", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "letter"), MMMU_PRO)
def test_mmmu_pro_reads_the_last_answer_line(text: str, letter: str | None) -> None:
    assert read("vlmevalkit-mmmu-pro", text, TEN) == letter


WE_MATH: list[tuple[str, str | None]] = [
    # 2.6: the first character behind the last "Answer"
    ("Answer: B", "B"),
    ("<Answer>: B", "B"),
    ("<Answer>: B. 12 cm", "B"),
    ("Answer B", "B"),
    ("Answer:B", "B"),
    ("Answer>:.<B", "B"),
    ("Answer\n\nB", "B"),
    ("Answer: . B", "B"),
    ("Answer: Because", "B"),
    ("Answer: Hm", "H"),
    ("Answer: I", None),
    ("Answer: Z", None),
    ("Answer: b", None),
    ("Answer: (B)", None),
    ("Answer: [B]", None),
    ("Answer: **B**", None),
    ("Answer: $B$", None),
    ("Answer: 12", None),
    ("Answer: the B", None),
    ("Answer:", None),
    ("Answer", None),
    ("Answers: B", None),
    ("Answers B", None),
    ("AnswerB", "B"),
    ("answer: B", None),
    ("ANSWER: B", "A"),
    ("B", "B"),
    ("B is right", "B"),
    ("Both", "B"),
    ("It is B", None),
    ("<B>", "B"),
    (": B", "B"),
    ("Answer: A\nAnswer: B", "B"),
    ("Answer: A. The Answer is B", None),
    ("Answer: A and so on, Answer: C", "C"),
    ("<Thought process>: A or B\n<Answer>: C", "C"),
    ("Thought: Answer A\nResult: B", "A"),
    ("Answer:\tD", "D"),
    ("", None),
    ("  ", None),
]


@pytest.mark.parametrize(("text", "letter"), WE_MATH)
def test_we_math(text: str, letter: str | None) -> None:
    assert read("vlmevalkit-wemath", text) == letter


LOGIC_VISTA: list[tuple[str, str, bool | None]] = [
    ("A", "A", True),
    ("A", "B", False),
    ("AC", "A, C", True),
    ("CA", "A, C", True),
    ("ABC", "A, C", False),
    ("A", "A, C", False),
    ("AAC", "A, C", False),
    ("ABCDE", "E, D, C, B, A", True),
    ("C", "C", True),
    ("C", "c", True),
    ("AC", "A,C", False),
    ("AC", "AC", True),
    ("a", "A", None),
    ("aC", "A, C", None),
    ("A, C", "A, C", None),
    ("A.", "A", None),
    ("A ", "A", None),
    ("12", "A", None),
    ("", "A", None),
    ("Z", "A", None),
    ("ZZ", "A", None),
    ("AZ", "A", False),
    ("B", "B", True),
    ("BD", "D, B", True),
    ("DB", "B, D", True),
    ("BDA", "A, B, D", True),
    ("ABD", "A, B", False),
    ("AB", "A, B, D", False),
    ("E", "E", True),
    ("F", "E", False),
    ("ABCDEF", "A, B, C, D, E, F", True),
    ("AA", "A", False),
    ("AA", "A, A", True),
    ("a", "a", None),
    ("Ac", "A, C", None),
    ("A and C", "A, C", None),
    ("(A)", "A", None),
    ("A\n", "A", None),
    ("None", "A", None),
    ("NONE", "A", False),
    ("А", "A", False),
    ("Ä", "A", False),
]


@pytest.mark.parametrize(("text", "gold", "right"), LOGIC_VISTA)
def test_logic_vista(text: str, gold: str, right: bool | None) -> None:
    found = verdict("vlmevalkit-logicvista", text, gold)
    assert (found.outcome, found.correct) == ("no_answer" if right is None else "scored", right or False)


YES_NO: list[tuple[str, str | None]] = [
    ("Yes", "yes"),
    ("No", "no"),
    ("yes.", "yes"),
    ("No, there is no dog", "no"),
    ("Yes, there is.", "yes"),
    ("YES!", "yes"),
    ("The answer is yes", "yes"),
    ("There is no dog", "no"),
    ("I see no reason to say yes", None),
    ("yes or no", None),
    ("Yes/No", None),
    ("Yes,no", None),
    ("Not at all", None),
    ("Nope", None),
    ("I know", None),
    ("yesterday", None),
    ("yes-man", "yes"),
    ("a yes- man", "yes"),
    ("(yes)", "yes"),
    ("**yes**", None),
    ("*yes*", None),
    ("'yes'", None),
    ('"yes"', "yes"),
    ("`no`", "no"),
    ("[No]", "no"),
    ("{No}", "no"),
    ("<answer>No</answer>", "no"),
    ("answer=No", "no"),
    ("a = b, answer=No", None),
    ("no.of", None),
    ("no.1", None),
    ("1.no", None),
    ("1,000 is more:no", None),
    ("1,000 is more: no", "no"),
    ("(no)1,000", None),
    ("yes;", "yes"),
    ("yes:", None),
    ("No\n\nThe picture shows a cat.", "no"),
    ("\tYes\r\n", "yes"),
    ("True", None),
    ("", None),
    ("  ", None),
    ("." * 40, None),
    (". " * 32 + "yes.", None),
    (". " * 31 + "yes.", "yes"),
]


@pytest.mark.parametrize(("text", "value"), YES_NO)
def test_yes_or_no(text: str, value: str | None) -> None:
    assert read("vlmevalkit-yes-no", text) == value


@pytest.mark.parametrize("target", ["Yes", "yes", True])
def test_yes_or_no_against_the_gold(target: Any) -> None:
    assert verdict("vlmevalkit-yes-no", "Yes, it is", target).correct is True
    assert verdict("vlmevalkit-yes-no", "No", target).correct is False
    assert verdict("vlmevalkit-yes-no", "Yes and no", target).reason == "ambiguous"


NAMES = ["choice", "mmmu", "mmmu-pro", "wemath", "logicvista", "yes-no", "mathverse", "mathvision"]
TEXTS = st.one_of(
    st.text(),
    st.lists(
        st.sampled_from(
            [
                "A",
                "B",
                "Z",
                "Answer:",
                "answer is",
                "red",
                "blue",
                "12",
                "1,000",
                ".",
                "\n",
                "(B)",
                "**",
                "yes",
                "no",
                "ß",
            ]
        ),
        max_size=12,
    ).map(" ".join),
)


@given(TEXTS, st.sampled_from(NAMES), st.sampled_from([OPEN, COLOURS, NUMBERS, TEN]))
def test_any_text_is_read_without_an_error_and_to_a_json_value(text: str, name: str, choices: tuple[str, ...]) -> None:
    if not choices and name in {"choice", "mmmu-pro"}:
        choices = COLOURS
    verifier = get_verifier(f"vlmevalkit-{name}", {})
    context = AnswerContext(choices=choices)
    found = verifier.parse(text, context)
    json.dumps(found.value)
    assert found.found or found.reason
    if found.span:
        assert 0 <= found.span[0] <= found.span[1] <= len(text)
    if found.found and choices and name in {"choice", "mmmu", "mmmu-pro", "mathvision"}:
        assert found.value in "ABCDEFGHIJ"[: len(choices)]
    if found.found:
        assert verifier.parse(str(found.value), context).value == found.value, "reading the value anew gives the value"


@given(TEXTS, st.text(min_size=1))
def test_an_open_question_is_compared_without_an_error(text: str, gold: str) -> None:
    for name in ("mmmu", "mathvision", "mathverse"):
        found = verdict(f"vlmevalkit-{name}", text, gold)
        assert found.outcome in {"scored", "no_answer"}


@given(st.text(min_size=1).filter(lambda text: text.strip() and "Z" not in text and "Cannot" not in text))
def test_the_gold_itself_is_right_in_mathverse_and_mathvision(text: str) -> None:
    assert verdict("vlmevalkit-mathverse", text, text).correct is True
    assert verdict("vlmevalkit-mathvision", text, text).correct is True
