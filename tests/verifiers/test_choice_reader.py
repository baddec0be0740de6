"""How the option parser reads what models write: one case per way of answering."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.types import AnswerContext, Extraction, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.choice import LETTERS, ChoiceVerifier
from mmeval.verifiers.json_answer import json_answer
from mmeval.verifiers.letters import labelled_in, letters_in, line_label, positions_in

COLOURS = ("red", "blue", "green", "dark red")
AMOUNTS = ("3", "30", "12", "0.5")
ANGLES = ("28°", "30°", "32°", "60°")


def read(text: str, choices: tuple[str, ...] = COLOURS) -> str | None:
    found: str | None = ChoiceVerifier().parse(text, AnswerContext(choices=choices)).value
    return found


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        # the letter, however dressed
        ("Answer: **(B)**", "B"),
        ("**Answer:** *B*", "B"),
        (r"The answer is $\boxed{\textbf{(B)}\ \text{blue}}$.", "B"),
        (r"\[\boxed{\mathrm{B}}\]", "B"),
        (r"\[\text{Answer: B}\]", "B"),
        (r"\boxed{\boxed{B}}", "B"),
        (r"So \boxed{B", "B"),
        (r"\boxed{blue (B)}", "B"),
        ("<answer>B</answer>", "B"),
        ("<think>A? No.</think>\n<answer>(B) blue</answer>", "B"),
        ("<REASONING> A or C </REASONING>\n<CONCLUSION> B </CONCLUSION>", "B"),
        ('{"answer": "B"}', "B"),
        ('```json\n{"reasoning": "A is red", "answer": "B"}\n```', "B"),
        ('{"answer": "(B) blue", "reasoning": "If it were red, the answer is A."}', "B"),
        ('Here it is: {"Final Answer": "B", "confidence": 0.3}', "B"),
        ('{"answer": "B", "reasoning": "it is cut off', "B"),
        ("{'answer': 'B'}", "B"),
        ("<s> B</s>", "B"),
        ("B<|im_end|>", "B"),
        ("Answer: $B", "B"),
        ("The answer is: 'B'", "B"),
        ("ANSWER: b", "B"),
        ("option b", "B"),
        ("Option (B)", "B"),
        ("I'd go with option B.", "B"),
        ("The correct choice would be B) blue.", "B"),
        ("The best option among the given choices is B.", "B"),
        ("The colour that fits the description best is B. blue", "B"),
        ("The closest value is option **B. blue**.", "B"),
        ("Hence, the correct choice from the provided options is:\n\n**B. blue**", "B"),
        ("The correct option letter for the year 2003 is B. It was the best year for blue.", "B"),
        ("B (blue) is the correct answer, since A is too bright.", "B"),
        ("(B) blue is the right answer.", "B"),
        ("Choose B, not A.", "B"),
        ("(B) and not (C)", "B"),
        ("B) and not C)", "B"),
        ("If we must choose, I would have to say B (blue), as the sky shows.", "B"),
        # corrections and hesitation
        ("B. Wait, no: C", "C"),
        ("A. Actually, B.", "B"),
        ("The answer is A. Let me correct that: B", "B"),
        ("It's either A or C, but A", "A"),
        ("The answer is either A or C, but more likely C.", "C"),
        ("The answer is either A or B. I would go with B.", "B"),
        ("The answer is A. Hmm, on second thought, the answer is B.", "B"),
        (r"\boxed{A}" + "\n\nAnswer: B", "B"),
        ("A. Wait, B is too dark, so C\n\nAnswer: C", "C"),
        ("A.\nOn second thought, the right one is B.\nB", "B"),
        # a box that names no option leaves what the text states
        ("The correct answer is (B).\n\n" + r"So the length is $\boxed{2\sqrt{15}}$", "B"),
        (r"$\boxed{9332}$" + "\n\nAnswer: B", "B"),
        # lists of all options, and a conclusion
        ("(A) red: no.\n(B) blue: yes.\n(C) green: no.\n(D) dark red: no.\n\nSo the answer is:\n(B) blue", "B"),
        ("A. red\nB. blue\nC. green\nD. dark red\n\nThe correct one is:\n\nB. blue", "B"),
        ("(A) too bright\n(B) fits\n(C) too pale\n\nBased on these observations, (B) is the best choice.", "B"),
        ("| A | red |\n| B | blue |\n\nTherefore, the second option is right: B", "B"),
        ("A is wrong. B is right. C is wrong.\n\nB", "B"),
        ("B. blue\nA is too bright, C is too pale.", "B"),
        ("Let us see.\n- A: no\n- B: yes\n- C: no\n\nAnswer: B", "B"),
        # places and words instead of letters
        ("Option 2", "B"),
        ("The second option", "B"),
        ("The correct answer is the second option.", "B"),
        ("Choice II", "B"),
        ("I choose option B", "B"),
        ("It is blue.", "B"),
        ("The car in the picture is blue, because the light is cold.", "B"),
        ("Blue, since the sky is clear.", "B"),
        ("dark red", "D"),
        ("It is a dark red one.", "D"),
        ("not dark red, but red", "A"),
        # other languages
        ("答案：B", "B"),
        ("因此，正确答案是（B）。", "B"),
        ("选项B正确", "B"),
        ("所以B是正确的。", "B"),
        ("应该选择B", "B"),
        ("第二个选项", "B"),
        ("Die richtige Antwort ist B.", "B"),
        ("La bonne réponse est la B.", "B"),
        ("La respuesta correcta es: B", "B"),
        ("A resposta correta é B", "B"),
        ("La risposta è B", "B"),
        ("Ответ: B", "B"),
        ("正解はBです", "B"),
        ("정답은 B", "B"),
    ],
)
def test_one_option(text: str, letter: str) -> None:
    assert read(text) == letter


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("A B", "ambiguous"),
        ("(A) (B)", "ambiguous"),
        ("Answer: (A) (D)", "ambiguous"),
        ("Answer: A, C", "ambiguous"),
        ("A and B", "ambiguous"),
        ("A or B", "ambiguous"),
        ("A/B", "ambiguous"),
        ("The answer is (A) red and (C) green.", "ambiguous"),
        ("The correct answers are A and C.", "ambiguous"),
        ("The answer could be any of the options (A, B, C, D).", "not found"),
        ("The answer is (B) green", "ambiguous"),
        ("(B) green", "ambiguous"),
        ("B. green", "ambiguous"),
        ('{"answer": "A or B"}', "ambiguous"),
        ("Answer: BC", "not found"),
        ("Answer: None of the options are correct.", "not found"),
        ("None of the above", "not found"),
        ("The colour is B-like, but the correct answer is not listed in the options.", "not found"),
        ("It is 7. This is not one of the provided options.", "not found"),
        ("A is wrong. There is no way to tell.", "not found"),
        ("Point A is closer than point B.", "ambiguous"),
        ("The answer is bluetooth.", "not found"),
        ("A blueberry is reddish.", "not found"),
        ("The answer isn't B", "not found"),
        ("I would not choose B", "not found"),
        ("If it is cold, then the answer is B.", "not found"),
        ("For example, the answer is B.", "not found"),
        ("I am sorry, but I cannot see (B) clearly.", "not found"),
        ("As an AI, I cannot answer this. Options A and B are given.", "not found"),
        ("The answer is A; but B is correct", "ambiguous"),
        ("A and B are correct", "ambiguous"),
        ("B\nIt is blue.\nC", "ambiguous"),
        ("A, B\n\nBoth fit.", "ambiguous"),
        ("B. green\nIt is green.", "ambiguous"),
        ("It must be (A) or so.\nB. blue and (C)", "ambiguous"),
        ("Based on this, (A) or (B) fits.", "ambiguous"),
        ("It depends on letter (A, B, C, or D), I think, and on many other things that we can see here.", "not found"),
        ("It looks (B) like, and everything in the picture is more or less red, as I said before.", "ambiguous"),
        ("Let x.\nThen y.\n\\[ d", "not found"),
        ("E is correct", "not an option"),
        ("The answer is Z", "not an option"),
        ("Answer: (T)", "not an option"),
        ('{"answer": ""}', "empty"),
        ("<think>The answer is B", "unfinished reasoning"),
        ("<think>\nLet me see. (A) no, (B) yes. So \\boxed{B}", "unfinished reasoning"),
    ],
)
def test_no_single_option(text: str, reason: str) -> None:
    found = ChoiceVerifier().parse(text, AnswerContext(choices=COLOURS))
    assert (found.value, found.reason) == (None, reason)


@pytest.mark.parametrize(
    ("choices", "text", "letter"),
    [
        # options that contain one another
        (AMOUNTS, "30", "B"),
        (AMOUNTS, "3", "A"),
        (AMOUNTS, "The answer is 30.", "B"),
        (AMOUNTS, "300", None),
        (AMOUNTS, "There are 3 in 30 of them.", "A"),
        (AMOUNTS, ".5", "D"),
        (AMOUNTS, "Answer: (C) 12", "C"),
        # amounts, whatever their form
        (ANGLES, "The angle is 30.0 degrees.", "B"),
        (ANGLES, r"$\boxed{30^\circ}$", "B"),
        (ANGLES, "Since ∠A = 28 and ∠B = 32, the angle between them is 60.", "D"),
        (ANGLES, "The correct answer is 30", "B"),
        (ANGLES, "30 cm", None),
        (("$7,340", "$9,340"), "Answer: $9340", "B"),
        (("$500", "-$1,500", "$1,500"), "-$1,500", "B"),
        (("$500", "-$1,500", "$1,500"), "C. $1,500", "C"),
        (("-4", "-2", "2"), r"\boxed{ -\!2\textbf{ (B)}}", "B"),
        (("10m", "5m", "5√{3}m"), "The height is 5√{3}m.", "C"),
        # formulas
        ((r"\frac { 3 } { 5 } \pi", r"\frac { 5 } { 3 } \pi"), r"\boxed{\frac{5}{3}\pi}", "B"),
        ((r"$\sqrt{2}-1$", r"$\sqrt{3}-1$"), r"$\sqrt{3} - 1$", "B"),
        (("5*a^2 + 10", "125*a^2 + 250"), "The area is 125*a^2 + 250.", "B"),
        ((r"\frac{1}{2}", r"\frac{1}{3}"), r"\boxed{\frac{3}{10}}, as \frac{1}{2} is too large", None),
        # options that are letters
        (("B", "C", "A", "D"), "The main view is option C.", "C"),
        (("B", "C", "A", "D"), "C", "C"),
        (("(c)", "(d)", "(a)", "(b)"), "The largest is image D.", "B"),
        (("(c)", "(d)", "(a)", "(b)"), "The largest is (B) (d).", "B"),
        (("a", "b", "e"), "The lowest one is specimen [e].", "C"),
        (("A", "B", "C"), "The answer is a square, a letter of no use.", None),
        (("A is closer", "B is closer"), "Point A is closer to the camera than point B.", "A"),
        (("Point A", "Point B"), "**Point B** corresponds to the reference. Point A is too low.", "B"),
        (("Box A", "Box B"), "Box B fits more closely. Box A, on the other hand, cuts the car.", "B"),
        # options that are Roman numerals
        (("I", "II", "III", "I and II"), "II", "B"),
        (("I", "II", "III", "I and II"), "The answer is III only", "C"),
        (("I", "II", "III", "I and II"), "I and II", "D"),
        (("I only", "II and III only"), "B. II and III only", "B"),
        (tuple("abcdefghi"), "I would say so.", None),
        (("w", "x", "y", "z", "u", "v", "s", "t", "i only"), "I. i only", "I"),
        # numbers that are options and places
        (("2", "3", "5"), "Option 2", None),
        (("1", "2", "3"), "Option 2", "B"),
        # none of the above as an option
        (("red", "none of the above"), "None of the above", "B"),
        (("red", "none of the above"), "The answer is none of the above.", "B"),
        ((), "The answer is D. None of the above.", "D"),
        # conditions and consequences
        (("decrease", "increase", "NA"), "If mice increase, the owls may decrease. " + "They need food. " * 20, "A"),
        (("crickets", "deer"), "If frogs were gone, crickets would thrive. Deer and crickets eat grass.", "A"),
        # comparisons and conclusions
        (("sample A", "sample B"), "A has 40 u and B has 32 u. Therefore, sample A is hotter.", "A"),
        (("a hat", "a cat"), "First I thought of a hat. So, it must be a cat.", "B"),
        (("yes", "no"), "(A) yes.\n\nQuestion: Is it red?\nChoices:\n(A) yes\n(B) no\n\nAnswer: (B) no", "A"),
        (("yes", "no"), "Question: Is it red?\nAnswer: no", "B"),
        (("adult class", "skating"), "The one at 11.50 is the adult class in skating.", "A"),
        (("cat", "dogs"), "There are dogs, and the other is a cat.", None),
        (("35°", "145°"), "The option letter would be B. 35° + 145° = 180°, which is not a valid option.", "B"),
        (("solution A", "solution B"), "The one with more particles than solution A is solution B.", "B"),
        # the article and the pronoun
        (("red", "blue"), "A is wrong, so it must be B", "B"),
        (("red", "blue"), "A car is shown.", None),
        (("red", "blue"), "A", "A"),
        (("red", "blue"), "A is correct", "A"),
        ((), "I believe the car is old.", None),
        ((), "I'm just an AI", None),
        ((), "Vitamin A", "A"),
    ],
)
def test_by_options(choices: tuple[str, ...], text: str, letter: str | None) -> None:
    assert read(text, choices) == letter


def test_truncation_inside_the_reasoning_is_no_answer() -> None:
    response = Response("ok", "<think>First, (A) is wrong. The answer is B", finish_reason="length")
    verdict = verify(ChoiceVerifier(), response, "B", AnswerContext(choices=COLOURS))
    assert (verdict.outcome, verdict.score, verdict.reason) == ("no_answer", 0.0, "truncated")


def test_the_span_of_a_box_in_a_longer_text() -> None:
    text = "The answer is (B). So $\\boxed{7}$"
    found = ChoiceVerifier().parse(text, AnswerContext(choices=COLOURS))
    assert found.span is not None
    assert text[slice(*found.span)] == "(B)"
    text = '{"answer": "B"}'
    found = ChoiceVerifier().parse(text, AnswerContext(choices=COLOURS))
    assert found == Extraction("B", (12, 13))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"answer": "B"}', "B"),
        ('Sure: {"thought": "x", "answer": "B"} ```', "B"),
        ('{"Final Answer": 2.5}', "2.5"),
        ('{"option": "A", "answer": "B"}', "B"),
        ('{"answer": ["A"], "choice": "B"}', "B"),
        ('{"x": {"answer": "A"}, "answer": "B"}', "B"),
        ('{"a": 1} and {"answer": "B"}', "B"),
        ('{"answer": true}', "true"),
        ('{"answer": "line\nbreak"}', "line\nbreak"),
        (r'{"answer": "\u0041"}', r"\u0041"),
        ('{"answer": "B"} or so', None),
        ('{"answer": "B"', None),
        ('{"x": 1}', None),
        ('["B"]', None),
        ('{"answer": {"letter": "B"}}', None),
        ('{"a": ' * 5000 + "}", None),
        ("x = {1}", None),
    ],
)
def test_json_answer(text: str, value: str | None) -> None:
    found = json_answer(text, 0, len(text))
    assert (found and text[slice(*found)]) == value


def test_letters() -> None:
    text = "A car (b), B, not IoU(A) or A_1, A-1, x = B; I saw C's"
    assert [item.index for item in letters_in(text, 0, len(text))] == [1, 1]
    text = "option b. the answer a child gives; choice (c), Point D, point of, options"
    assert [item.index for item in labelled_in(text, 0, len(text))] == [1, 2, 3]
    text = "option 2, the third one, choice IV, Option 12, option 1.5, 第二个选项, choice CIV"
    assert [item[0] for item in positions_in(text, 0, len(text))] == [1, 2, 3, 11, 1]
    labels = [
        line_label(line, 0, len(line)) for line in ("B. x", "(b) x", "- **B**", "b. x", "Option B: x", "Be", "A car")
    ]
    assert [label.index if label else None for label in labels] == [1, 1, None, None, 1, None, None]


PIECES = [
    "The answer is ", "A", "B", "(C)", " or ", " and ", "not ", "red", "dark red", ". ", "\n", ", ", "Therefore, ", "option ",
    "\\boxed{", "}", "{", '"answer": ', "<answer>", "</answer>", "**", "A. red\n", "B. blue\n", "none of the above", "Wait, ",
    "is correct", "If ", "the second one", "E", "Question: ", "Point ", "because ", "12",
]  # fmt: skip
TEXTS = st.text(max_size=120) | st.lists(st.sampled_from(PIECES), max_size=16).map("".join)


@given(TEXTS, st.sampled_from([COLOURS, AMOUNTS, ("A", "C", "B"), ("none of the above", "x"), ()]))
def test_never_raises_and_reads_its_own_output(text: str, choices: tuple[str, ...]) -> None:
    verifier, context = ChoiceVerifier(), AnswerContext(choices=choices)
    found = verifier.parse(text, context)
    json.dumps(found.value)
    if found.found:
        assert found.span is not None
        assert 0 <= found.span[0] < found.span[1] <= len(text)
        assert found.value in LETTERS[: len(choices) or 26]
        assert verifier.parse(found.value, context).value == found.value
    else:
        assert found.reason


@given(st.sampled_from("ABCD"), st.lists(st.sampled_from(COLOURS), max_size=3))
def test_a_final_answer_line_always_counts(letter: str, mentioned: list[str]) -> None:
    text = "It could be " + " or ".join(mentioned or ["anything"]) + f".\n\nAnswer: {letter}"
    assert read(text) == letter


@pytest.mark.parametrize(
    "piece", ["B ", "B is ", "(B", "A. red\n", "**B** ", '{"answer": ', "option ", "none of the ", "red ", "Wait, "]
)
def test_long_input_ends(piece: str) -> None:
    text = piece * (100_000 // len(piece))
    assert read(text) in {None, "A", "B"}
