"""The grammar of formulas and the values of trees."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.verifiers.formula import parse_formula
from mmeval.verifiers.formula_tokens import NotAFormula, is_beyond, tokenize
from mmeval.verifiers.formula_tree import both_signs, contains, symbols_of, well_formed
from mmeval.verifiers.formula_values import approximate, differ_somewhere, exact, same_number

X, Y = ("sym", "x"), ("sym", "y")


def n(value: int) -> tuple[str, str]:
    return ("int", str(value))


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("5", n(5)),
        ("+5", n(5)),
        ("1,234,567", n(1234567)),
        ("1,234.5", ("dec", "1234.5")),
        (r"12\,345", n(12345)),
        (r"1{,}5", ("dec", "1.5")),
        ("(100,200)", ("paren", n(100), n(200))),
        ("1e5", ("dec", "1e5")),
        ("1.5E+3", ("dec", "1.5e3")),
        (".5", ("dec", ".5")),
        ("2x", ("mul", n(2), X)),
        ("xy", ("mul", X, Y)),
        ("x·y", ("mul", X, Y)),
        ("2^-1", ("pow", n(2), ("neg", n(1)))),
        ("2^3^2", ("pow", n(2), ("pow", n(3), n(2)))),
        ("-x^2", ("neg", ("pow", X, n(2)))),
        ("2*-3", ("mul", n(2), ("neg", n(3)))),
        ("1/2 x", ("mul", ("div", n(1), n(2)), X)),
        ("x ÷ y", ("div", X, Y)),
        ("x²", ("pow", X, n(2))),
        ("x⁻¹", ("pow", X, ("neg", n(1)))),
        ("xⁿ", ("pow", X, ("sym", "n"))),
        ("x₁", ("sym", "x_1")),
        ("x_{max}", ("sym", "x_max")),
        (r"x_{\text{max}}", ("sym", "x_max")),
        ("f'(x)", ("sym", "f'(x)")),
        ("f(x,y)", ("sym", "f(x,y)")),
        ("f(2)", ("mul", ("sym", "f"), n(2))),
        ("5!", ("fact", n(5))),
        ("|x|", ("abs", X)),
        (r"\lceil x \rceil", ("fn", "ceil", X)),
        ("abs(x)", ("abs", X)),
        ("sqrt(x)", ("root", n(2), X)),
        ("sqrt x", ("root", n(2), X)),
        ("√(x)", ("root", n(2), X)),
        (r"\sqrt[n]{x}", ("root", ("sym", "n"), X)),
        ("binom(5,2)", ("binom", n(5), n(2))),
        ("sinx", ("fn", "sin", X)),
        ("sinpi", ("fn", "sin", ("const", "pi"))),
        ("2pi", ("mul", n(2), ("const", "pi"))),
        ("kpi", ("mul", ("sym", "k"), ("const", "pi"))),
        (r"\sin x \cos x", ("mul", ("fn", "sin", X), ("fn", "cos", X))),
        (r"\sin \cos x", ("fn", "sin", ("fn", "cos", X))),
        (r"\sin{x}", ("fn", "sin", X)),
        (r"\sin^2 x", ("pow", ("fn", "sin", X), n(2))),
        (r"\operatorname{arctan} x", ("fn", "arctan", X)),
        (r"\log_{2} x", ("log", n(2), X)),
        (r"\log_a x", ("log", ("sym", "a"), X)),
        (r"\log_e x", ("log", ("const", "e"), X)),
        ("log_10 x", ("log", n(10), X)),
        (r"\exp(x)", ("pow", ("const", "e"), X)),
        (r"\mathrm{e}^x", ("pow", ("const", "e"), X)),
        (r"\mathbf{x}", X),
        (r"\mathbf{5}", n(5)),
        (r"\theta", ("sym", "theta")),
        ("θ", ("sym", "theta")),
        ("alpha", ("sym", "alpha")),
        (r"\vec{AB}", ("mul", ("sym", "A"), ("sym", "B"))),
        (r"\triangle ABC", ("sym", "angle ABC")),
        ("ℝ", ("named", "R")),
        (r"5\text{%}", ("pct", n(5))),
        ("5%", ("pct", n(5))),
        ("5°", ("deg", n(5))),
        ("5^∘", ("deg", n(5))),
        ("5 cm^{2}", ("unit", n(5), "cm^2")),
        ("5 kg*m/s^2", ("unit", n(5), "kg*m/s^2")),
        ("5 N", ("unit", n(5), "N")),
        ("5x cm", ("unit", ("mul", n(5), X), "cm")),
        ("1/2 cm", ("unit", ("div", n(1), n(2)), "cm")),
        ("x = 5 apples", ("rel", X, "=", ("unit", n(5), "apples"))),
        (r"{\rm 5}", n(5)),
        ("{5}", n(5)),
        ("[5]", n(5)),
        ("{1;2}", ("set", n(1), n(2))),
        ("1, 2,", ("list", n(1), n(2))),
        ("1 or 2", ("or", n(1), n(2))),
        (r"1 \text{ and } 2", ("list", n(1), n(2))),
        ("[1, ∞]", ("interval", False, n(1), ("const", "oo"), False)),
        (r"A \setminus B", ("without", ("sym", "A"), ("sym", "B"))),
        (r"\begin{matrix} 1 & 2 \\ 3 & 4 \\ \end{matrix}", ("matrix", ("row", n(1), n(2)), ("row", n(3), n(4)))),
        (r"\begin{array}{cc} 1 & 2 \end{array}", ("matrix", ("row", n(1), n(2)))),
        ("1:2:3", ("ratio", n(1), n(2), n(3))),
        ("Area: 5", n(5)),
        ("the total number of dots is x = 5", n(5)),
        ("15 = 3·5", ("rel", n(15), "=", ("mul", n(3), n(5)))),
        ("0.\\overline{12}", ("div", n(12), n(99))),
        ("½x", ("mul", ("div", n(1), n(2)), X)),
    ],
)
def test_trees(text: str, tree: tuple[Any, ...]) -> None:
    assert parse_formula(text) == tree


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        *[(text, "not found") for text in (
            "", " ", "x +", "* x", "(x", "x)", "(x]", "[x)", "(1,2}", "\\{1,2)", "()", "1 2", "x2", "2 3/2", "1.2.3", "x^", "x_",
            "x_+", "\\frac{1}", "\\frac1", "\\frac123", "\\frac{1}{(1,2)}", "\\sqrt", "\\sqrt[3", "\\sqrt{1,2}", "\\binom{5}", "binom(5)",
            "sin", "sin(1,2)", "|x", "\\lfloor x", "(1,2)^2", "(1,2)(3,4)", "1 + (1,2)", "(1,2,\\infty)", "\\foo", "x \\to 3",
            "the cat", "5 is the answer", "5 big red round wooden apples", "5 apples = 3 pears or so", "5 cm to 6 cm", "a @ b", "5?",
            "\\begin{matrix} 1 & 2 \\\\ 3 \\end{matrix}", "\\begin{matrix} 1", "\\begin{cases} 1 \\end{cases}", "\\angle", "\\text{cat}",
            "x \\in", "= 3", "3 =", "\\", "naïve", "数学", "\\sin x 2", "5 {", "x_{1", "{x",
        )],
        *[(text, "ambiguous") for text in ("1/2x", "a/bc", "1/2(x+1)", "1 / 2 x", "\\sin x/2", "\\sin(x)^2", "\\ln x / 2")],
        *[(text, "too long") for text in ("1" * 1001, "x+" * 400, "(" * 30 + "x" + ")" * 30, "\\sqrt{" * 30 + "x" + "}" * 30, "2^" * 200 + "2", "x" + "!" * 200, "-" * 300 + "x", "1+" * 200 + "1")],
    ],
)  # fmt: skip
def test_no_formulas(text: str, reason: str) -> None:
    with pytest.raises(NotAFormula) as raised:
        parse_formula(text)
    assert raised.value.reason == reason


def test_labels_only_where_they_are_wanted() -> None:
    assert parse_formula("Area = 5") == n(5)
    with pytest.raises(NotAFormula):
        parse_formula("Area = 5", labels=False)


@given(st.text(max_size=80) | st.text(alphabet="0123456789xyeπ√+-*/^_{}()[],.=<>!%°$\\ :;|&'", max_size=50))
def test_every_text_is_a_well_formed_tree_or_none(text: str) -> None:
    try:
        tree = parse_formula(text)
    except NotAFormula:
        return
    assert well_formed(tree)
    assert not contains(tree, "pm", "mp")
    approximate(tree, dict.fromkeys(symbols_of(tree), 1.5))
    exact(tree)


def test_tokens_and_trees() -> None:
    assert [token.kind for token in tokenize("x + 2")] == ["symbol", "+", "number"]
    assert symbols_of(parse_formula("x+y_1+2")) == {"x", "y_1"}
    assert both_signs(("pm", n(1), ("mp", n(2), X))) == [
        ("add", n(1), ("add", n(2), ("neg", X))),
        ("add", n(1), ("neg", ("add", n(2), X))),
    ]
    assert is_beyond(r"\sum_{i}")
    assert is_beyond("∫ x dx")
    assert not is_beyond(r"\summary")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1/3", Fraction(1, 3)),
        ("1.25", Fraction(5, 4)),
        ("2^{10}", Fraction(1024)),
        ("2^{-2}", Fraction(1, 4)),
        ("4^{1/2}", Fraction(2)),
        ("8^{2/3}", Fraction(4)),
        (r"\sqrt{\frac{4}{9}}", Fraction(2, 3)),
        (r"\sqrt[3]{-8}", Fraction(-2)),
        ("|-2|", Fraction(2)),
        ("5!", Fraction(120)),
        (r"\binom{6}{3}", Fraction(20)),
        ("50%", Fraction(1, 2)),
        ("5 cm", Fraction(5)),
        (r"\sqrt{2}", None),
        (r"\sqrt{-4}", None),
        ("(-8)^{1/3}", None),
        ("1/0", None),
        ("0^{-1}", None),
        ("0^0", None),
        ("x", None),
        ("π", None),
        ("(1/2)!", None),
        ("200!", None),
        ("9^{9^9}", None),
        ("2^{5000}", None),
        ("2^{4000}·2^{4000}·2", None),
        (r"\sqrt[3]{2^{1000}}", None),
        (r"\sqrt[50]{2}", None),
        ("1" * 700, None),
        ("1e700", None),
    ],
)
def test_exact(text: str, value: Fraction | None) -> None:
    assert exact(parse_formula(text)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("π", math.pi),
        ("e^2", math.e**2),
        (r"\sqrt{2}+\sqrt{3}", math.sqrt(2) + math.sqrt(3)),
        (r"\sqrt[3]{-2}", -math.cbrt(2)),
        ("(-π)^3", -(math.pi**3)),
        ("(-2)^3·π", -8 * math.pi),
        ("π - π + 0^π", 0.0),
        (r"\frac{\pi}{-3}", -math.pi / 3),
        ("|-π|", math.pi),
        ("-π cm", -math.pi),
        ("π%", math.pi / 100),
        ("60°", math.pi / 3),
        (r"\ln 2", math.log(2)),
        (r"\log_2 10", math.log2(10)),
        ("150!", float(math.factorial(150))),
        (r"\binom{100}{50}·π", math.comb(100, 50) * math.pi),
        (r"\sin 1", math.sin(1)),
        (r"\cos 1", math.cos(1)),
        (r"\tan 1", math.tan(1)),
        (r"\cot 1", 1 / math.tan(1)),
        (r"\sec 1", 1 / math.cos(1)),
        (r"\csc 1", 1 / math.sin(1)),
        (r"\arcsin 0.5", math.asin(0.5)),
        (r"\arccos 0.5", math.acos(0.5)),
        (r"\arctan 2", math.atan(2)),
        (r"\operatorname{arccot} 2", math.pi / 2 - math.atan(2)),
        (r"\sinh 1", math.sinh(1)),
        (r"\cosh 1", math.cosh(1)),
        (r"\tanh 1", math.tanh(1)),
        (r"\lfloor \pi \rfloor", 3.0),
        (r"\lceil \pi \rceil", 4.0),
    ],
)
def test_approximate(text: str, value: float) -> None:
    found = approximate(parse_formula(text))
    assert found is not None
    assert abs(found[0] - value) <= found[1] + abs(value) * 1e-15
    assert found[1] <= max(abs(value), 1) * 1e-12


@pytest.mark.parametrize(
    "text",
    ["1/0", "π/(π-π)", "i", "∞", "x", "(-2)^{0.5}", r"\ln 0", r"\ln(-1)", r"\log_1 5", "0^{-1}", "10^{400}", "9^{9^9}", "1000!",
     "(0.5)!", r"\binom{2}{5}", r"\arcsin 2", r"\arcsin 1", r"\tan(10^7)", r"\lfloor \sqrt{2}^2 \rfloor", r"\sec(x)", "1" * 400,
     r"\sec(i)", r"\sqrt{-\pi}", "(π-π)^2"],
)  # fmt: skip
def test_no_value(text: str) -> None:
    assert approximate(parse_formula(text)) is None


def test_comparison_of_values() -> None:
    assert same_number((1.0, 1e-15), (1.0, 1e-15)) is True
    assert same_number((1.0, 1e-15), (1.1, 1e-15)) is False
    assert same_number((1e-20, 1e-15), (0.0, 0.0)) is None
    assert same_number((0.0, 0.0), (0.0, 0.0)) is True
    assert differ_somewhere(parse_formula("x+1"), parse_formula("x+2"))
    assert differ_somewhere(parse_formula("x"), parse_formula("7"))
    assert not differ_somewhere(parse_formula("x-x"), parse_formula("0"))
    assert not differ_somewhere(parse_formula("x+y"), parse_formula("y+x"))
    assert not differ_somewhere(parse_formula(r"\ln(-x^2)"), parse_formula("x"))


@given(st.integers(-1000, 1000), st.integers(1, 1000), st.integers(-5, 5))
def test_values_agree_with_arithmetic(a: int, b: int, c: int) -> None:
    tree = parse_formula(rf"\frac{{{a}}}{{{b}}} + ({c})\cdot {b} - {a}^2")
    # "- -3^2" is minus minus nine.
    assert exact(tree) == Fraction(a, b) + c * b - (a * a if a >= 0 else -(a * a))
    found = approximate(tree)
    assert found is not None
    assert abs(found[0] - float(Fraction(exact(tree) or 0))) <= found[1] + 1e-9
