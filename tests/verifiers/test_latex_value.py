from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.verifiers.latex_value import latex_value

# Checked against latex2sympy2 1.9.1 followed by Python's value of the printed expression.
VALUES: list[tuple[str, float | None]] = [
    ("5", 5), ("-5", -5), ("--5", 5), ("+5", 5), ("0.35", 0.35), ("2.0", 2), (".5", 0.5), ("1,234", 1234), ("1,2345", 6170),
    ("1.2.3", 0.36), ("5 6", 30), ("5+6", 11), ("5-6*2", -7), ("8/4/2", 1.0), ("8/4*2", 4.0), ("5:2", 2.5), ("5*-3", -15),
    (r"5\times3", 15), (r"5\cdot3", 15), (r"5\div2", 2.5), (r"5\over2", 2.5), (r"\frac{1}{3}", 1 / 3), (r"2\frac{1}{2}", 1.0),
    (r"\dfrac{1}{4}", 0.25), (r"\tfrac{1}{4}3", 0.75), (r"\frac12", None), (r"\sqrt{4}", 2.0), (r"3\sqrt{4}", 6.0), (r"\sqrt2", None),
    (r"\sqrt[3]{8}", 2.0), (r"\sqrt[1]{8}", 8), (r"\sqrt{-4}", None), ("2^10", 1024), ("2^{10}", 1024), ("9^9^2", 9**18), ("2^-1", None),
    ("2^{-1}", 0.5), ("-2^2", -4), ("(-2)^2", 4), ("0^0", 1), ("(-8)^{1/3}", None), (r"2^\pi", 2**math.pi), ("2^3_4", 8), ("2^3_", None),
    (r"5\pi", 5 * math.pi), (r"\pi\pi", math.pi**2), (r"\tau", math.tau), (r"5\%", 0.05), (r"300\%", 3), ("5!", 120), ("3!!", 720),
    ("2^3!", 40320), ("3!^2", 6), ("2.5!", None), ("(5)", 5), ("[5]", 5), ("{5}", 5), (r"\{5\}", 5), ("2(3)(4)", 24),
    (r"\left(5\right)", 5), (r"\left(5)", None), (r"\left[2.5\right]", 2.5), (r"5\left(3\right)", 15), (r"\left5\right", None),
    (r"\lfloor2.5\rfloor", 2), (r"\left\lfloor2.5\right\rfloor", 2), (r"\lceil2.5\rceil", None), ("|5|", None),
    ("e", None), ("2e", None), ("e^{2}", math.exp(2)), ("e^0", 1), ("e^1", None), ("e^2_3", None), (r"\exp(2)", math.exp(2)), (r"\exp(0)", 1),
    (r"\log(100)", 2.0), (r"\log_{2}(8)", 3.0), (r"\log_2 8", 3.0), (r"\log^2(100)", 4.0), (r"\log_{10}^{2}(100)", 4.0),
    (r"\log^2^2(100)", None), (r"\log(0)", None), (r"\ln(5)", None), (r"\sin30", math.sin(30)), (r"\sin^{2}(1)", math.sin(1) ** 2),
    (r"\tan^{-1}(1)", math.atan(1)), (r"\sin2\cos3", math.sin(2) * math.cos(3)), (r"\cos{60}", math.cos(60)), (r"\cot(1)", None),
    (r"\sin\left(1\right)", math.sin(1)), (r"\sin2*3", math.sin(6)), (r"\sin6/3", math.sin(2)), (r"\sin", None), (r"\sin()", None),
    (r"\arcsin(1)", math.pi / 2), (r"\binom{5}{2}", 10), (r"{5\choose2}", 10), (r"\binom{2}{0.5}", None), (r"\binom{3}{-1}", 0),
    ("(5)_{2}", 20.0), ("1<2", 1), ("2<1", 0), (r"2\leq2", 1), ("1<2<3", 1), ("5<", None), ("x=5", 5), ("x=y=5", 5), ("x_1=5", 5),
    ("5=5", None), ("5==5", None), ("5!=6", None), ("x", None), ("0x", None), ("x-x", None), ("5cm", None), (r"\gamma", None),
    (r"\infty", None), (r"5\text{cm}", None), (r"5^\circ", None), ("5°", None), ("√4", None), ("", None), ("()", None), ("5+", None),
    ("1/0", None), ("0/0", None), ("10.5^{400}", None), ("12,34", None), ("1;2", None), ("5,", None),
    # The expression ends where something follows that cannot belong to it.
    ("5)", 5), ("5)°", 5), ("5_2", 5), ("5'", 5), ("5.a", 5), ("5.)", 5), ("5]", 5), ("5&6", 5), (r"5\\6", 5), (r"5\right", 5), (r"5\to6", 5),
    ("12triangles", 12), ("3trees", 3), ("8eighths", 8), (r"\pirows", math.pi), ("(5_2)", None), ("5(", None), ("5^{2", None), ("5|", None),
    (r"2\cdote^2", 2 * math.exp(2)), (r"2\pie^2", 2 * math.pi * math.exp(2)), (r"\displaystyle 5", 5), ("$5$", 5), ("5~", 5), (r"5\quad", 5),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), VALUES)
def test_values(text: str, value: float | None) -> None:
    found = latex_value(text)
    assert found == (None if value is None else pytest.approx(value))
    if value is not None:
        assert isinstance(found, int) == isinstance(value, int)


def test_size_and_depth_are_bounded() -> None:
    assert latex_value("1+" * 900 + "1") == 901
    for text in (
        "(" * 10_000, "(" * 100 + "1" + ")" * 100, r"\sin" * 5_000 + "1", "-" * 3_000 + "1", "9^9^9^9^9^9", "9^{9^{9^{9}}}",
        "1" * 5_000, "x=" * 5_000 + "(", "2*" * 50_000 + "2", "100000!", r"\binom{99999}{5}", "9" * 3_000 + "^{9999}",
        "99999999*" * 1_900 * 5 + "1",
    ):  # fmt: skip
        assert latex_value(text) is None, text[:20]
    assert latex_value(f"({'9' * 4_000})^{{20}}*({'9' * 4_000})^{{20}}") is None


PIECES = st.sampled_from(
    ["1", "2.5", "+", "-", "*", "/", "(", ")", "{", "}", "^", "_", r"\frac{", r"\sqrt{", r"\pi", r"\sin", r"\log", "e", "!", ",", "x", "=", "<", "[", "]", r"\choose", "'"]
)  # fmt: skip


@given(st.lists(PIECES | st.text(max_size=3), max_size=14).map("".join))
def test_any_text_has_a_number_or_none(text: str) -> None:
    found = latex_value(text.lower())
    assert found is None or isinstance(found, (int, float))


@given(st.integers(-999, 999), st.integers(1, 99))
def test_fractions_are_what_they_are(above: int, below: int) -> None:
    assert latex_value(f"\\frac{{{above}}}{{{below}}}") == above / below == latex_value(f"{above}/{below}")
