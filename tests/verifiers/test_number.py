from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext
from mmeval.verifiers.number import MRA_THRESHOLDS, NumberVerifier, mean_relative_accuracy

PLAIN = AnswerContext()

ANSWERED = [
    ("5", 5),
    ("5.", 5),
    ("5.0", 5.0),
    (".5", 0.5),
    ("-5", -5),
    ("−5", -5),
    ("- 5", -5),
    ("+5", 5),
    ("1,234", 1234),
    ("1,234,567.5", 1234567.5),
    (r"1{,}234", 1234),
    (r"$\boxed{1{,}234}$", 1234),
    ("1\u202f234", 1234),
    ("50%", 50),
    (r"50\%", 50),
    ("$5.50", 5.5),
    ("-$3", -3),
    (r"\$1,000.00", 1000.0),
    ("€ 20", 20),
    ("45°", 45),
    (r"45^\circ", 45),
    ("45 degrees", 45),
    ("5 cm^2", 5),
    ("5 cm2", 5),
    ("5kg", 5),
    ("3/4", 0.75),
    ("1 1/2", 1.5),
    ("2½", 2.5),
    (r"\frac{3}{4}", 0.75),
    (r"-\frac34", -0.75),
    (r"\boxed{\dfrac{3}{4}}", 0.75),
    (r"\frac{2\pi}{3}", 2 * math.pi / 3),
    ("2π", 2 * math.pi),
    (r"36\pi", 36 * math.pi),
    (r"\sqrt{2}", math.sqrt(2)),
    ("2√3", 2 * math.sqrt(3)),
    ("1.5e3", 1500.0),
    ("1.5×10^3", 1500.0),
    (r"2 \times 10^{-3}", 0.002),
    ("10⁵", 100000),
    ("2^10", 1024),
    ("2 million", 2_000_000),
    ("x = 5", 5),
    ("x_1 = 5", 5),
    ("3 + 4 = 7", 7),
    ("twenty-three", 23),
    ("one hundred and five", 105),
    ("two thousand three hundred", 2300),
    ("minus five", -5),
    ("two thirds", 2 / 3),
    ("There are three dogs.", 3),
    ("There is one dog on the left", 1),
    ("The answer is one.", 1),
    ("The answer is 5.", 5),
    ("The answer is -5", -5),
    ("The answer is approximately 3.14 cm", 3.14),
    ("The answer is 5 apples out of 7", 5),
    ("The answer is 12 (3 × 4)", 12),
    ("The answer is 5. Wait, the answer is 6.", 6),
    ("final answer is 2 because 1+1=2", 2),
    ("Answer:\n42", 42),
    ("**Answer: 42**", 42),
    ("Final value: 32.", 32),
    ("答案是 12。", 12),
    ("The value of x is 2.", 2),
    ("There are 5 red and 3 blue.\nTotal objects: 8", 8),
    ("There are 5 red and 3 blue.\nTherefore, there are 8 objects.", 8),
    ("8\n\nExplanation: 3+5=8", 8),
    ("1. first is 3\n2. second is 4\nTotal = 7", 7),
    ("There are two models that score more than 60.", 2),
    ("There are 2 items sold less than 5 units in at least one store.", 2),
    ("There are more than 50.", 50),
    ("9 dots make 3 groups.\n\nTherefore, there are 3 in each.\n\nI hope this helps! Is there anything else?", 3),
    ("So 15% + 41% = **56%**.\n\nDo you have other questions for me?", 56),
    ("It has 9 dots, so **3** of them, as 9/3 shows", 3),
    ("<think>5</think>6", 6),
    ("<answer>7</answer>", 7),
    (r"Either \boxed{3} or" + "\n" + r"\boxed{4}", 4),
    (r"\boxed{12", 12),
    ("[5]", 5),
    ("1 000", 1000),
    ("The answer is 12 345 678 m", 12345678),
    ("1.000,5", 1000.5),
    ("1.000.000", 1_000_000),
    ("1.000.000,25", 1000000.25),
    ("1 000,5", 1000.5),
    ("1'000", 1000),
    (r"1\ 000", 1000),
    ("1.2*10^(-3)", 0.0012),
    ("1.2·10⁻³", 0.0012),
    ("6.02E23", 6.02e23),
    ("3.14π", 3.14 * math.pi),
    (r"\frac{\pi}{2}", math.pi / 2),
    ("-π", -math.pi),
    ("5元", 5),
    ("¥5", 5),
    ("£5.50", 5.5),
    ("5 €", 5),
    ("$3.2M", 3_200_000.0),
    ("$50K", 50_000.0),
    ("$5 m$", 5),
    ("$5M$", 5),
    ("The answer is $5k$", 5),
    ("$5 m", 5),
    ("€1.5bn", 1_500_000_000.0),
    ("3.2M", 3.2),
    ("fifty percent", 50),
    ("a dozen", 12),
    ("two dozen eggs", 24),
    ("3 dozen", 36),
    ("half a dozen", 6),
    ("half a hundred", 50),
    ("a hundred", 100),
    ("a hundred and five", 105),
    ("one and a half", 1.5),
    ("3 and a half hours", 3.5),
    ("two and a quarter", 2.25),
    ("a third of the apples", 1 / 3),
    ("It is a quarter.", 0.25),
    ("three point one four", 3.14),
    ("ninety-nine point five", 99.5),
    ("negative two point five", -2.5),
    ("2 ½", 2.5),
    ("¾ cup", 0.75),
    ("five (5)", 5),
    ("三", 3),
    ("答案是十二", 12),
    ("一百零五", 105),
    ("约二十三厘米", 23),
    ("两万三千", 23000),
    ("负五", -5),
    ("答案：三百个。", 300),
    ("It grew to 5!", 5),
]
ANSWERED += [
    ("3.5 m (350 cm)", 3.5),
    ("3.5 meters (about 11.5 feet)", 3.5),
    ("The distance is approximately 3.5 meters (or 11.5 ft).", 3.5),
    ("20 square meters (215 square feet)", 20),
    ("Answer: 45 cm (17.7 inches)", 45),
]
UNANSWERED = [
    ("", "empty"),
    ("<think>5", "unfinished reasoning"),
    ("5 apples and 3 pears", "ambiguous"),
    ("The answer is 3 or 4", "ambiguous"),
    ("between 5 and 7", "ambiguous"),
    ("about 5-7", "ambiguous"),
    ("1,23", "ambiguous"),
    ("3:45", "ambiguous"),
    ("5 × 3", "ambiguous"),
    (r"\boxed{3} and \boxed{4}", "ambiguous"),
    ("$36.32 + $32.68 gives $69 on 4 pounds", "ambiguous"),
    ("There are three dogs and 4 cats", "ambiguous"),
    ("Find the smallest one", "not found"),
    ("no dogs", "not found"),
    ("the one on the left", "not found"),
    ("H2O", "not found"),
    ("the 1st", "not found"),
    ("a 3D shape", "not found"),
    ("v1.2.3", "not found"),
    ("1/2/2020", "not found"),
    ("NaN", "not found"),
    ("inf", "not found"),
    ("1e999", "not found"),
    ("192.168.100.200", "not found"),
    ("±7", "ambiguous"),
    (r"x = \pm 3", "ambiguous"),
    ("10 ± 1", "ambiguous"),
    (r"\boxed{5!}", "ambiguous"),
    ("from 3 to 5", "ambiguous"),
    ("3 to 5", "ambiguous"),
    ("around 10 to 15", "ambiguous"),
    ("12 or 13", "ambiguous"),
    ("one or two", "ambiguous"),
    ("2 and 1/2", "ambiguous"),
    ("0,5", "ambiguous"),
    ("6h 30min", "ambiguous"),
    ("It is 2 feet 6 inches.", "ambiguous"),
    ("The height is 5 ft 11 in", "ambiguous"),
    ("The room is 3 m by 4 m, so 12 m².", "ambiguous"),
    ("The grid is 3 x 4.", "ambiguous"),
    ("3.5 meters or 4 meters", "ambiguous"),
    ("3.5 meters (2 chairs away)", "ambiguous"),
    ("a third option", "not found"),
    ("第三", "not found"),
    ("这是一个圆", "not found"),
    ("二三", "not found"),
    ("a thousand dozen million", "not found"),
    ("zero dozen", "not found"),
    ("3/0", "not found"),
    ("I can't see image 1", "refusal"),
    ("The ages of the 2 people are not provided.", "refusal"),
    ("It is impossible to find f(0).", "refusal"),
]


@pytest.mark.parametrize(("text", "value"), ANSWERED)
def test_answered(text: str, value: float) -> None:
    found = NumberVerifier().parse(text, PLAIN)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert isinstance(found.value, type(value))
    assert found.span is not None


@pytest.mark.parametrize(("text", "reason"), UNANSWERED)
def test_unanswered(text: str, reason: str) -> None:
    found = NumberVerifier().parse(text, PLAIN)
    assert (found.value, found.reason) == (None, reason)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("The answer is -$3.50 now", "-$3.50"),
        ("<think>x</think>so 7 cats", "7"),
        (r"\boxed{x = \frac{1}{2}}", r"\frac{1}{2}"),
    ],
)
def test_span(text: str, read: str) -> None:
    span = NumberVerifier().parse(text, PLAIN).span
    assert span is not None
    assert text[span[0] : span[1]] == read


@pytest.mark.parametrize(
    ("value", "target", "options", "correct"),
    [
        (5, 5, {}, True),
        (5.0, "5", {}, True),
        (1234, "1,234", {}, True),
        (0.75, "3/4", {}, True),
        (0.1 + 0.2, 0.3, {}, True),
        (5, 5.001, {}, False),
        (5, 5.001, {"tolerance_abs": 0.01}, True),
        (5, 5.1, {"tolerance_abs": 0.01}, False),
        (1.1, 1.0, {"tolerance_abs": 0.1}, True),
        (98, 100, {"tolerance_rel": 0.02}, True),
        (97, 100, {"tolerance_rel": 0.02}, False),
        (-98, -100, {"tolerance_rel": 0.02}, True),
        (1.24, 1.2, {"precision": 1}, True),
        (1.26, 1.2, {"precision": 1}, False),
        (14, "14 cm", {}, True),
    ],
)
def test_match(value: float, target: object, options: dict[str, object], correct: bool) -> None:
    found = NumberVerifier(options).match(value, target, PLAIN)
    assert found.correct is correct
    assert found.score == float(correct)
    assert NumberVerifier().match(value, target, AnswerContext(options=options)) == found


@pytest.mark.parametrize("target", [None, True, "many", "", "3 or 4", [5], math.nan, math.inf])
def test_bad_target(target: object) -> None:
    with pytest.raises(DataError, match="not a number"):
        NumberVerifier().match(5, target, PLAIN)


@pytest.mark.parametrize("options", [{"tolerance_abs": "x"}, {"tolerance_rel": -1}, {"precision": True}])
def test_bad_option(options: dict[str, object]) -> None:
    with pytest.raises(DataError, match=next(iter(options))):
        NumberVerifier(options).match(5, 4, PLAIN)


@pytest.mark.parametrize(
    ("value", "target", "expected"),
    [  # checked against the published code
        (3, 4, 0.6), (5, 4, 0.6), (4, 4, 1.0), (3, 2, 0.1), (5, 10, 0.1), (9.5, 10, 1.0), (1.1, 1, 0.9), (0.9, 1, 0.9),
        (14, 10, 0.3), (1.4, 1, 0.3), (0, 0, 1.0), (0.22, 0, 0.6),
    ],
)  # fmt: skip
def test_mean_relative_accuracy(value: float, target: float, expected: float) -> None:
    assert mean_relative_accuracy(value, target) == expected
    found = NumberVerifier({"mra": True}).match(value, target, PLAIN)
    assert found.score == found.scores["mra"] == expected
    assert found.correct is (value == target)


def test_mra_thresholds_are_those_of_linspace() -> None:
    assert list(MRA_THRESHOLDS) == np.linspace(0.5, 0.95, 10).tolist()


NUMBERISH = st.text(alphabet="0123456789.,-+/%$ ^_{}\\()=×πe½√ \n", max_size=60)


@given(
    st.text(max_size=200)
    | NUMBERISH
    | st.lists(st.sampled_from(["twenty", "one", "hundred", "and", "half"])).map(" ".join)
)
def test_never_raises_and_is_idempotent(text: str) -> None:
    verifier = NumberVerifier()
    found = verifier.parse(text, PLAIN)
    json.dumps(found.value, allow_nan=False)
    if found.found:
        assert found.span is not None
        assert 0 <= found.span[0] < found.span[1] <= len(text)
        assert verifier.parse(str(found.value), PLAIN).value == found.value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The answer is not 5", None), ("It is not 5.", None), ("not 5", None), ("The answer is not 5 but 6.", 6),
        ("x=5, y=6", None), ("The answer is x = 5 and y = 6", None), ("x = 5 or x = 6", None), ("x = 2 + 3, x = 5", 5),
        ("If a = 3, b = 4, then c = 5", 5), ("10^10^10", None), ("2^0.5", None), ("2^(3)", None), ("2^{10}", 1024),
    ],
)  # fmt: skip
def test_negated_and_several_values_and_powers_of_powers(text: str, value: float | None) -> None:
    assert NumberVerifier().parse(text, PLAIN).value == value


@given(st.integers(-(10**17), 10**17) | st.floats(allow_nan=False, allow_infinity=False))
def test_python_numbers_read_back(value: float) -> None:
    assert NumberVerifier().parse(str(value), PLAIN).value == value
    assert NumberVerifier().parse(f"The answer is {value}.", PLAIN).value == value


def test_long_input_is_linear() -> None:
    verifier = NumberVerifier()
    for text in (
        "9" * 200_000,
        "1 " * 60_000,
        "\\boxed{" * 20_000,
        "\\frac{" * 20_000,
        "<think>" * 20_000,
        "=" * 200_000,
    ):
        assert verifier.parse(text, PLAIN).value in (None, 1)
