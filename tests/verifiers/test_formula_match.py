"""Equality of formulas: one answer, many ways to write it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmeval.core.errors import DataError, UndecidedError
from mmeval.core.types import AnswerContext
from mmeval.verifiers.expression import ExpressionVerifier
from mmeval.verifiers.formula_finder import tidy
from mmeval.verifiers.unit_names import comparable, scale_of

PLAIN = AnswerContext()

EQUAL = [
    ("5", "5"),
    ("5", "5.0"),
    ("-5", "−5"),
    ("1000", "1,000"),
    ("1000", "1{,}000"),
    ("1000", "1 000"),
    ("1000.5", "1.000,5"),
    (r"\frac{1}{2}", "0.5"),
    (r"\frac12", "1/2"),
    (r"\frac{13}2", "6.5"),
    (r"\frac1{20}", "0.05"),
    (r"-\frac{3}{4}", r"\frac{-3}{4}"),
    ("2.5", r"2\frac12"),
    ("2.5", "2 1/2"),
    ("2.5", "2½"),
    ("-2.5", "-2 1/2"),
    (r"\frac13", r"0.\overline{3}"),
    (r"\frac{7}{12}", r"0.58\overline{3}"),
    ("1.2e-3", r"1.2\times10^{-3}"),
    ("1200", "1.2e3"),
    ("1200", "1.2×10³"),
    ("8", r"\sqrt[3]{512}"),
    ("2", "∛8"),
    ("120", "5!"),
    ("10", r"\binom{5}{2}"),
    ("3", "|-3|"),
    ("3", r"\lfloor 3.7 \rfloor"),
    ("3", r"\log_2 8"),
    ("3", r"\log_28"),
    ("2", r"\log_{10} 100"),
    ("2", "log 100"),
    ("2", r"\ln e^2"),
    (r"\frac12", r"\sin 30^\circ"),
    ("0.5", r"\cos\frac{\pi}{3}"),
    ("1", r"\sin^2 1 + \cos^2 1"),
    (r"\frac{\pi}{6}", r"\arcsin\frac12"),
    (r"\frac{\pi}{6}", r"\sin^{-1}\frac{1}{2}"),
    (r"\pi", "3.14159"),
    (r"2\pi", "2π"),
    (r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}"),
    (r"2\sqrt{3}", r"\sqrt{12}"),
    (r"3\sqrt2", "3√2"),
    (r"\sqrt{2}", r"\sqrt{2} \approx 1.41"),
    ("1.41", r"\sqrt{2} \approx 1.41"),
    (r"\frac{1}{2}", r"\left(\frac{1}{2}\right)"),
    ("1", r"e^0"),
    ("-1", r"e^{i\pi}"),
    ("2i", "(1+i)^2"),
    # signs and units
    ("36π", r"36\pi\ \text{cm}^2"),
    (r"9 \pi \mathrm{cm}^{2}", "9π"),
    (r"Area $=9 \pi \mathrm{cm}^{2}$", r"9\pi"),
    ("5 cm", "50 mm"),
    ("5 cm", "0.05 metres"),
    ("2 m^2", "20000 cm^2"),
    ("2 square metres", "2 m²"),
    ("1 hour", "60 minutes"),
    ("1 L", "1000 cm^3"),
    ("5", "5 apples"),
    ("5", "5m"),
    ("5m", "5m"),
    ("10", "10 km/h"),
    ("3/4", "3/4 cm"),
    ("30", "30°C"),
    ("5", r"\$5.00"),
    ("$1,000", "1000 dollars"),
    ("20", "20元"),
    ("60", r"60^\circ"),
    ("60^{\\circ}", "60 degrees"),
    (r"60^\circ", r"\frac{\pi}{3}"),
    (r"\frac{\pi}{3}", "60°"),
    (r"\frac{90}{23}^{\circ}", r"\frac{90}{23}"),
    (r"75^\circ", r"30^\circ+45^\circ"),
    (r"50\%", "50"),
    (r"50\%", "0.5"),
    ("50", "50%"),
    (r"\frac12", r"50\%"),
    # names
    ("x=3", "3"),
    ("3", "x = 3"),
    ("AB = 5", "5"),
    (r"\overline{AB}", "AB"),
    (r"\angle ABC = 60^\circ", "60"),
    ("x_1=3", "3"),
    ("7", "3+4=7"),
    ("f(x)=x^2", "x^2"),
    # several answers, tuples, sets
    ("2,-3", "-3, 2"),
    ("2,-3", "x=2 or x=-3"),
    ("x=2 or x=-3", r"x \in \{2,-3\}"),
    (r"\pm 3", "3,-3"),
    (r"2\pm\sqrt{3}", r"2+\sqrt3, 2-\sqrt3"),
    (r"\frac{-1\pm\sqrt{5}}{2}", r"x = \frac{-1-\sqrt5}{2} \text{ or } x=\frac{-1+\sqrt5}{2}"),
    (r"\{1,2\}", r"\{2,1\}"),
    (r"\{1,2\}", "{2, 1}"),
    (r"\{1,2\}", "2 and 1"),
    (r"\{1,2\}", "[1, 2]"),
    (r"\{1,1,2\}", r"\{1,2\}"),
    (r"\{5\}", "5"),
    (r"\emptyset", r"\{\}"),
    ("(1,2)", "(1, 2)"),
    ("(1,2)", "1,2"),
    ("(1,2)", "x=1, y=2"),
    ("x=1,y=2", "y=2, x=1"),
    ("x=1,y=2", "(1,2)"),
    (r"\left(\frac12,\,3\right)", "(0.5, 3)"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{bmatrix} 1 \\ 2 \end{bmatrix}"),
    ("3:4", "6:8"),
    ("3:4", "0.75"),
    (r"\infty", "+∞"),
    # ranges
    ("[1,2)", r"1 \le x < 2"),
    (r"1 \le x < 2", "2 > x >= 1"),
    ("x>3", r"(3,\infty)"),
    ("x>3", "3<x"),
    (r"(-\infty,1)\cup(3,\infty)", "x<1 or x>3"),
    (r"(-\infty,1)\cup(3,\infty)", "(3,∞) U (-∞,1)"),
    (r"(-\infty,\infty)", r"\mathbb{R}"),
    (r"x \in [0, 1]", "[0,1]"),
    # words
    ("no solution", r"\text{No solution}"),
    ("6", "six"),
    ("20", "twenty"),
    ("S 23.5 ^\\circ W", "S 23.5° W"),
    ("\x0crac{36}{13}", r"\frac{36}{13}"),
    ("2\times 3", "6"),
]
DIFFERENT = [
    ("5", "5.1"),
    ("5", "-5"),
    (r"\frac13", "0.33"),
    (r"\frac23", "0.66667"),
    (r"\pi", "3.14"),
    (r"2\sqrt{3}", r"\sqrt{13}"),
    ("1000000", "1000001.0"),
    ("0", "10^{-10}"),
    (r"\frac{3^{1008}-1}{3^{1009}}", "1/3"),
    ("5 cm", "5 m"),
    ("5 cm", "5 kg"),
    ("30°C", "30°F"),
    ("60", r"\frac{\pi}{3}"),
    ("x=3", "y=3"),
    ("7", "3+4=8"),
    ("f(x)=x^2", "g(x)=x^2"),
    ("2,-3", "2"),
    (r"\pm 3", "3"),
    (r"\{1,2\}", r"\{1,2,3\}"),
    (r"\{1,2,3\}", r"\{1,2\}"),
    ("1,1,2", "1,2"),
    ("(1,2)", "(2,1)"),
    ("x=1,y=2", "2,1"),
    ("(1,2,3)", "(1,2)"),
    ("5", "(5,6)"),
    ("(5,6)", "5"),
    ("[1,2)", "[1,2]"),
    ("x>3", r"x\ge3"),
    ("x>3", "y>3"),
    ("x>3", "3"),
    (r"(-\infty,1)\cup(3,\infty)", r"(-\infty,1)\cup[3,\infty)"),
    (r"(-\infty,1)\cup(3,\infty)", "x<1"),
    (r"(-\infty,1)\cup(3,\infty)", "5"),
    (r"A \cap B", "5"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", "(1,2)"),
    (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1 & 2\end{pmatrix}"),
    ("3:4", "4:3"),
    ("3:4:5", "3:4"),
    ("3:4", "(3,4)"),
    (r"\infty", r"-\infty"),
    (r"\infty", "5"),
    ("no solution", "5"),
    ("6", "sixty"),
    ("x+1", "5"),
    ("x+1", r"9^{9^{9^9}}"),
    ("2x+1", "2y+1"),
    ("x^2+2x+1", "(x+1)^2+1"),
]
SYMBOLIC = [
    (r"I_{\max }=\frac{q_{0}}{\sqrt{2 L C}}", r"\frac{ q_{0} }{ \sqrt{2 C L}  }", True),
    (r"\Delta p\approx -\frac{\hbar \omega_{L}}{c}", r"-\frac{\omega_{L} \hbar}{c}", True),
    (r"\frac{1}{2} \hbar \omega", r"\frac{1}{2}", False),
    (r"\frac{v^2_0}{2}", r"\frac{v_0^2}{2}", True),
    (r"\frac{v^2_0}{2}", r"\frac{v_1^2}{2}", False),
    (r"x_1' + 1", r"1 + x_1^{\prime}", True),
    (r"\frac{v_0^2}{5\pi g}", r"\frac{v_0^2}{5g\pi}", True),
    (r"\frac{v_0^2}{5\pi g}", r"\frac{v_0^2}{5h\pi}", False),
    ("0.64N", "0.6400 N", True),
    ("0.64N", "0.65 N", False),
    ("2g", "2", False),
    ("x^2+2x+1", "(x+1)^2", True),
    ("2x+1", "1+2x", True),
    ("a^2-b^2", "(a-b)(a+b)", True),
    ("n(n+1)/2", r"\frac{n^2+n}{2}", True),
    (r"\frac{x+1}{2}", "(x+1)/2", True),
    (r"\sin 2x", r"2\sin x\cos x", True),
    (r"2^{x+1}", r"2\cdot 2^x", True),
    (r"\frac{\pi}{2}+2k\pi", r"2k\pi+\frac{\pi}{2}", True),
    (r"\sqrt{x^2}", "x", False),
    ("y=2x+1", "2x+1", True),
    ("y=2x+1", "2x-y+1=0", True),
    ("y=2x+1", "y=2x+2", False),
    ("x^2+y^2=1", "y^2+x^2=1", True),
    ("x^2+y^2=1", "x^2+y^2=2", False),
    ("x+y<1", "1>x+y", True),
    (r"x \neq 3", r"3 \ne x", True),
    (r"x \neq 3", r"x \ne 4", False),
    (r"x \neq 3", "x=3", False),
    (r"x^2 \neq 1", r"1 \ne x^2", True),
]


@pytest.mark.parametrize(("gold", "answer"), EQUAL)
def test_equal(gold: str, answer: str) -> None:
    assert ExpressionVerifier().match(answer, gold, PLAIN).correct is True


@pytest.mark.parametrize(("gold", "answer"), DIFFERENT)
def test_different(gold: str, answer: str) -> None:
    found = ExpressionVerifier().match(answer, gold, PLAIN)
    assert (found.correct, found.score, found.scores) == (False, 0.0, {"exact": 0.0})


@pytest.mark.parametrize(("gold", "answer", "equal"), SYMBOLIC)
def test_symbolic(gold: str, answer: str, equal: bool) -> None:
    assert ExpressionVerifier().match(answer, gold, PLAIN).correct is equal


@pytest.mark.parametrize(
    ("gold", "answer", "options", "correct"),
    [
        ("3.14", r"\pi", {"tolerance_abs": 0.01}, True),
        ("3.14", r"\pi", {"tolerance_abs": 0.001}, False),
        ("100", "101", {"tolerance_rel": 0.01}, True),
        ("100", "102", {"tolerance_rel": 0.01}, False),
        (r"\frac13", "0.33", {"precision": 2}, True),
        ("(1, 2)", "(1.001, 2)", {"tolerance_abs": 0.01}, True),
        ("2x", "2.001x", {"tolerance_abs": 0.01}, False),
    ],
)
def test_options(gold: str, answer: str, options: dict[str, object], correct: bool) -> None:
    assert ExpressionVerifier(options).match(answer, gold, PLAIN).correct is correct
    assert ExpressionVerifier().match(answer, gold, AnswerContext(options=options)).correct is correct


def test_accepted_answers() -> None:
    verifier = ExpressionVerifier()
    assert verifier.match("0.5", ["1", r"\frac12"], PLAIN).correct is True
    assert verifier.match("0.5", 0.5, PLAIN).scores == {"exact": 1.0}
    assert verifier.match(r"\dfrac{1}{2}", r"\frac{1}{2}", PLAIN).scores == {"exact": 1.0}
    assert verifier.match("1/2", r"\frac{1}{2}", PLAIN).scores == {"exact": 0.0}


@pytest.mark.parametrize("target", [None, True, [], {}, [None], "", " ", "$$", ["5", ""]])
def test_bad_target(target: object) -> None:
    with pytest.raises(DataError, match="target"):
        ExpressionVerifier().match("5", target, PLAIN)


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        (r"\frac{1}{2}", r"\int_0^1 x\,dx"),
        (r"\sum_{k=1}^n k", r"\frac{n(n+1)}{2}"),
        ("5", r"\lim_{x \to 0} 5"),
        ("5", r"1 + 2 + \ldots"),
    ],
)
def test_mathematics_beyond_the_rules_is_undecided(gold: str, answer: str) -> None:
    with pytest.raises(UndecidedError, match="do not read"):
        ExpressionVerifier().match(answer, gold, PLAIN)
    assert ExpressionVerifier().match(answer, [gold, answer], PLAIN).correct is True


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (" $x$. ", "x"),
        (r"\boxed{\text{No}}", "No"),
        (r"\text{a} + \text{b}", r"\text{a} + \text{b}"),
        (r"\(x\)", "x"),
        (r"\[ x \]", "x"),
        ("**5**", "5"),
        ("1, 2,", "1, 2"),
        ("and so on...", "and so on..."),
        ("", ""),
    ],
)
def test_tidy(text: str, kept: str) -> None:
    assert tidy(text) == kept


@given(st.text(alphabet="$\\text{}()[].,;ab5 \n*", max_size=40))
def test_tidy_is_stable(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)


def test_units() -> None:
    assert comparable("km", "m") == 1000
    assert comparable("cm^2", "m^2") * 10_000 == 1
    assert comparable("m", "kg") is None
    assert comparable("apples", "m") == 1
    assert scale_of("square feet") == scale_of("ft^2")
    assert scale_of("m/s") == ("length/time", 1)
    assert comparable("km/h", "m/s") * 18 == 5
    assert comparable("km per hour", "kmh") == 1
    assert comparable("m/s", "m/s^2") is None
    assert comparable("g/cm^3", "kg/m^3") == 1000
    assert scale_of("apples/m") is None
    assert scale_of("平方厘米") == scale_of("cm^2")


NUMBERS = st.integers(-50, 50).map(str) | st.fractions(-20, 20, max_denominator=30).map(
    lambda value: rf"\frac{{{value.numerator}}}{{{value.denominator}}}"
)


@given(st.lists(NUMBERS, min_size=2, max_size=4))
def test_properties_of_equality(numbers: list[str]) -> None:
    verifier = ExpressionVerifier()
    text = "\\{" + ", ".join(numbers) + "\\}"
    back = "\\{" + ", ".join(reversed(numbers)) + "\\}"
    assert verifier.match(text, text, PLAIN).correct
    assert verifier.match(back, text, PLAIN).correct is verifier.match(text, back, PLAIN).correct is True
    total = " + ".join(f"({number})" for number in numbers)
    other = " + ".join(f"({number})" for number in reversed(numbers))
    assert verifier.match(total, other, PLAIN).correct
    assert not verifier.match(total + " + 1", other, PLAIN).correct
