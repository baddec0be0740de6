"""Where the formula of a free-form answer stands, and what becomes of it."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmeval.core.types import AnswerContext, Extraction, Response
from mmeval.verifiers.base import verify
from mmeval.verifiers.expression import BEYOND, ExpressionVerifier
from mmeval.verifiers.registry import get_verifier
from mmeval.verifiers.symbolic import TIMED_OUT

PLAIN = AnswerContext()

ANSWERED = [
    ("5", "5"),
    (" 5. ", "5"),
    (r"$\frac{1}{2}$", r"\frac{1}{2}"),
    (r"\(\frac{1}{2}\)", r"\frac{1}{2}"),
    (r"\[ x = 3 \]", "x = 3"),
    ("$$x = 3$$", "x = 3"),
    ("**2√3**", "2√3"),
    (r"\boxed{5}", "5"),
    (r"So \boxed{\frac{\sqrt{3}}{2}} is it.", r"\frac{\sqrt{3}}{2}"),
    (r"\boxed{\boxed{5}}", "5"),
    (r"\boxed{\frac{1}{2} \hbar \omega_L^{\prime}}", r"\frac{1}{2} \hbar \omega_L^{\prime}"),
    (r"\boxed{\frac{2\pi R^2_{\odot}}{d^2_\odot}}", r"\frac{2\pi R^2_{\odot}}{d^2_\odot}"),
    (r"\boxed{12", "12"),
    (r"\boxed{\text{no solution}}", r"\text{no solution}"),
    ("first \\boxed{3}\nthen \\boxed{4}", "4"),
    (r"\boxed{3}, \boxed{4}", r"\boxed{3}, \boxed{4}"),
    (r"\boxed{5 \text{ cm}^2}", r"5 \text{ cm}^2"),
    (r"$\boxed{x = -\frac{1}{2}}$", r"x = -\frac{1}{2}"),
    ("<think>4</think>5", "5"),
    ("<answer>2π</answer>", "2π"),
    (r"<answer>The area is $9\pi$.</answer>", r"9\pi"),
    ("The answer is 7.", "7"),
    ("The answer is 7. This is because 3 + 4 = 7.", "7"),
    ("The answer is 3.5.", "3.5"),
    (r"The answer is $\frac{3}{4}$.", r"\frac{3}{4}"),
    (r"The answer is \(\frac{3}{4}\).", r"\frac{3}{4}"),
    ("The answer is:\n$$\n\\frac{1}{3}\n$$", r"\frac{1}{3}"),
    ("The final answer is:\n\\[\nx = 2\n\\]\nI hope this helps!", "x = 2"),
    (r"The answer is $5$ cm.", "$5$ cm"),
    ("Answer: x = 3, because 2x = 6", "x = 3"),
    ("Answer: 2 or -3", "2 or -3"),
    ("Answer: 2√3 cm", "2√3 cm"),
    ("The answer is $\\{1, 2\\}$", r"\{1, 2\}"),
    ("The answer is 4. No wait, the answer is 5.", "5"),
    ("The answer is no solution.", "no solution"),
    ("答案是 $\\frac{1}{2}$。", r"\frac{1}{2}"),
    ("2x = 6\nx = 3", "x = 3"),
    ("12\n\nBecause there are 3 rows of 4.", "12"),
    ("We add them.\n\n$3 + 4 = 7$", "3 + 4 = 7"),
    ("Thus, $x = \\frac{3}{4}$.", r"x = \frac{3}{4}"),
    ("Since $a = 2$ and $b = 3$, the area is $ab = 6$.", "ab = 6"),
    ("We have $a=1$. Therefore the length is $2\\sqrt{3}$ cm.", r"$2\sqrt{3}$ cm"),
    ("There are three dogs.", "three"),
    ("So there are 12 apples in total.", "12"),
    ("Area = 9π", "9π"),
    ("Total number of dots: 12", "12"),
    (r"Area $=9 \pi \mathrm{cm}^{2}$", r"9 \pi \mathrm{cm}^{2}"),
    ("no solution", "no solution"),
    ("(1, 2]", "(1, 2]"),
    (r"(-\infty, 3) \cup [5, \infty)", r"(-\infty, 3) \cup [5, \infty)"),
    ("y = 2x + 1", "y = 2x + 1"),
    (r"\sum_{k=1}^{n} k", r"\sum_{k=1}^{n} k"),
    (r"\boxed{\int_0^1 x\,dx}", r"\int_0^1 x\,dx"),
]
UNANSWERED = [
    ("", "empty"),
    ("<think>5", "unfinished reasoning"),
    (r"\boxed{}", "not found"),
    ("1/2x", "ambiguous"),
    (r"\boxed{1/2\pi}", "ambiguous"),
    ("The answer is \\sin x/2", "ambiguous"),
    ("\\sin(x)^2", "ambiguous"),
    ("There are 5 red and 3 blue balls here.", "ambiguous"),
    ("It lies between 3 and 5 metres from us.", "ambiguous"),
    ("I am sorry, but I cannot see the image that you are talking about.", "refusal"),
    ("It is impossible to determine the length without a diagram of it.", "refusal"),
    ("The quick brown fox jumps over the lazy dog and runs away.", "not found"),
    ("{" * 60, "not found"),
]


@pytest.mark.parametrize(("text", "value"), ANSWERED)
def test_answered(text: str, value: str) -> None:
    found = ExpressionVerifier().parse(text, PLAIN)
    assert found.value == value
    assert found.span is not None
    assert text[slice(*found.span)] == value


@pytest.mark.parametrize(("text", "reason"), UNANSWERED)
def test_unanswered(text: str, reason: str) -> None:
    assert ExpressionVerifier().parse(text, PLAIN) == Extraction(reason=reason)


@pytest.mark.parametrize(
    ("response", "gold", "outcome", "correct", "reason"),
    [
        (r"So the area is \boxed{9\pi\text{ cm}^2}.", r"9\pi", "scored", True, ""),
        (r"\boxed{\frac{2}{4}}", r"\frac{1}{2}", "scored", True, ""),
        (r"\boxed{3}", "4", "scored", False, ""),
        (r"\boxed{(x+1)^2}", "x^2+2x+1", "scored", True, ""),
        (r"\boxed{1/2x}", r"\frac{x}{2}", "no_answer", False, "ambiguous"),
        ("I am sorry, I cannot answer that.", "5", "no_answer", False, "refusal"),
        (r"\boxed{\sum_{k=1}^{10^{12}} k}", "5", "unscored", None, BEYOND),
        (r"\boxed{5}", None, "unscored", None, "no target"),
    ],
)
def test_verdicts(response: str, gold: str | None, outcome: str, correct: bool | None, reason: str) -> None:
    found = verify(ExpressionVerifier(), Response("ok", response), gold, PLAIN)
    assert (found.outcome, found.correct, found.reason) == (outcome, correct, reason)


def test_a_comparison_out_of_time_is_unscored_and_keeps_the_answer() -> None:
    response = Response("ok", r"\boxed{9**9**9**9}")
    found = verify(ExpressionVerifier(), response, "5", PLAIN)
    assert (found.outcome, found.score, found.correct) == ("unscored", None, None)
    assert (found.reason, found.extracted) == (TIMED_OUT, "9**9**9**9")
    assert found.span is not None


FORMULAS = st.text(alphabet="0123456789xyπ√+-*/^_{}()[],.=<>!%°$\\ \n", max_size=60)
PIECES = st.lists(
    st.sampled_from(
        [r"\frac", r"\boxed{", r"\text{", "{", "}", "$", "the answer is ", "x", "2", "=", r"\sqrt", "^", ", ", "\n", ". ", "(",
         ")", "or ", "cm", r"\pi", r"\left", r"\{", r"\}", "½", "²", "π", r"\begin{matrix}", r"\end{matrix}", "&", r"\\", "|"]
    ),
    max_size=14,
).map("".join)  # fmt: skip


@given(st.text(max_size=200) | FORMULAS | PIECES)
@settings(max_examples=300, deadline=None)
def test_parse_never_raises_and_is_idempotent(text: str) -> None:
    verifier = ExpressionVerifier()
    found = verifier.parse(text, PLAIN)
    json.dumps(found.value)
    if found.found:
        assert found.span is not None
        assert 0 <= found.span[0] < found.span[1] <= len(text)
        assert found.value == text[slice(*found.span)]
        assert verifier.parse(found.value, PLAIN).value == found.value
    else:
        assert found.reason


@given(st.lists(FORMULAS | PIECES, min_size=2, max_size=5))
@settings(max_examples=100, deadline=None)
def test_what_is_read_does_not_depend_on_the_target(texts: list[str]) -> None:
    verifier = ExpressionVerifier()
    for text, target in zip(texts, reversed(texts), strict=True):
        alone = verifier.parse(text, PLAIN)
        seen = verify(verifier, Response("ok", text), f"1{target.strip()}", PLAIN) if len(target) < 20 else None
        assert seen is None or seen.extracted in (alone.value, None)
        assert verifier.parse(text, PLAIN) == alone


HOSTILE = {
    "braces": "{" * 50_000,
    "closing braces": "}" * 50_000,
    "open fractions": "\\frac{" * 10_000,
    "nested fractions": r"\frac{1}{" * 5_000 + "2" + "}" * 5_000,
    "open boxes": "\\boxed{" * 14_000,
    "nested powers": r"\boxed{" + "9^{" * 3_000 + "9" + "}" * 3_000 + "}",
    "brackets": "(" * 100_000,
    "roots": "√" * 100_000,
    "dollars": "$x" * 50_000,
    "digits": "9" * 100_000,
    "phrases": "the answer is " * 7_000,
    "inline": r"\(x\) " * 16_000,
    "lines": "x = 3\n" * 16_000,
    "equals": "=" * 100_000,
    "text commands": r"\text{" * 16_000,
    "backslashes": "\\" * 100_000,
    "sentences": ". a" * 33_000,
    "white space": " " * 100_000,
    "groups of digits": "1 000 " * 16_000,
    "long phrase": "The answer is " + "word " * 20_000,
}


@pytest.mark.parametrize("kind", ["expression", "number", "text", "yes-no", "list"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_of_100_kb_is_read_in_bounded_time(name: str, kind: str) -> None:
    began = time.process_time()
    found = get_verifier(kind).parse(HOSTILE[name], PLAIN)
    assert kind != "expression" or len(found.value or "") <= 1000
    # No measurement: far beyond what any of these takes, and far below what a quadratic reading would.
    assert time.process_time() - began < 20


@pytest.mark.parametrize("text", ["x^2+" * 200 + "1", "x^2 + " * 300 + "1", "\\boxed{" + "x^2+" * 300 + "1}"])
def test_the_last_piece_of_a_formula_that_is_too_long_is_no_answer(text: str) -> None:
    assert not ExpressionVerifier({}).parse(text, AnswerContext()).found
