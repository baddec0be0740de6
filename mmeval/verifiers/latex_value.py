r"""The number that a LaTeX expression stands for, where it is one: a small grammar of our own, nothing is run.

It reads what MATH-Vision's official scorer can evaluate, and as that reads it (latex2sympy2 1.9, then Python's value of the
printed expression): a product of what stands side by side ("2\frac{1}{2}" is 1), colons as division, angles in radians,
"1,000" as a thousand, and an expression that ends where something follows that cannot belong to it ("16) m", "5.so").
Symbols, \ln, |x|, \infty, matrices and an argument without its braces have no value. Size and depth are bounded, so that
every text is read at once.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, NoReturn

Number = int | float

_MOST_TOKENS = 2_000
_DEEPEST = 40
_MOST_DIGITS = 4_000
_MOST_BITS = 14_000
"""Of a whole number on the way to the value; Python writes out no longer ones."""
_LARGEST_FACTORIAL = 1_500

_BLANKS = re.compile(r"\\displaystyle|\\q?quad|~|\\,|\$")
_PERMUTATION = re.compile(r"\(([a-zA-Z0-9+\-*/\\ ]+?)\)_\{([a-zA-Z0-9+\-*/\\ ]+?)\}")
"""The number of arrangements, as latex2sympy2 reads "(5)_{2}"."""

_NAMED = re.compile(r"\A(?:\s*[a-df-z](?:_[a-z0-9])?\s*=(?!=))+")
"""The name of what has the value: "x = 5" is the 5."""

_WORDS = (
    "arcsinh|arccosh|arctanh|arsinh|arcosh|artanh|gcd|lcm|floor|ceil|eye|zeros|ones|cols|rows|diagonalize|diag|norm|rank"
    "|trace|tr|rref|hstack|vstack|orthogonalize|orthogonal|ortho|orth|nullspace|eigenvals|eigenvalues|eigenvects"
    "|eigenvectors|eigen|eig|svd|[pbv]?matrix"
)
"""Names of functions without a backslash: no symbols, so that an expression ends before them ("12 triangles" is 12)."""
_FUNCTIONS: Final[Mapping[str, Callable[[float], Number]]] = {
    r"\sin": math.sin, r"\cos": math.cos, r"\tan": math.tan, r"\arcsin": math.asin, r"\arccos": math.acos,
    r"\arctan": math.atan, r"\sinh": math.sinh, r"\cosh": math.cosh, r"\tanh": math.tanh, r"\arsinh": math.asinh,
    r"\arcosh": math.acosh, r"\artanh": math.atanh, r"\arcsinh": math.asinh, r"\arccosh": math.acosh,
    r"\arctanh": math.atanh, r"\floor": math.floor,
}  # fmt: skip
_INVERSES: Final[Mapping[str, Callable[[float], float]]] = {
    r"\sin": math.asin, r"\cos": math.acos, r"\tan": math.atan, r"\sinh": math.asinh, r"\cosh": math.acosh,
    r"\tanh": math.atanh,
}  # fmt: skip
_CONSTANTS = {r"\pi": math.pi, r"\tau": math.tau}
_PAIRS: Final[Mapping[str, str]] = {
    "(": ")", "{": "}", "[": "]", r"\{": r"\}", r"\lgroup": r"\rgroup", r"\lbrace": r"\rbrace", r"\lbrack": r"\rbrack",
}  # fmt: skip
_FLOORS = {r"\lfloor": r"\rfloor", r"\llcorner": r"\lrcorner"}
_SIZED = {r"\left": r"\right", r"\mleft": r"\mright"}
_TIMES = ("*", r"\times", r"\cdot")
_DIVIDED_BY = ("/", ":", r"\div", r"\over")
_COMPARISONS: Final[Mapping[str, Callable[[Number, Number], bool]]] = {
    "<": operator.lt, ">": operator.gt, r"\le": operator.le, r"\leq": operator.le, r"\leqslant": operator.le,
    r"\ge": operator.ge, r"\geq": operator.ge, r"\geqslant": operator.ge,
}  # fmt: skip
_ENDS = {
    *_PAIRS.values(), *_FLOORS.values(), *_SIZED.values(), "_", ".", "&", "\\\\", "^", r"\rvert", r"\rceil", r"\urcorner",
    r"\to", r"\rightarrow", r"\Rightarrow", r"\longrightarrow", r"\Longrightarrow", r"\leftrightarrow",
    r"\Leftrightarrow", r"\xrightarrow", r"\xRightarrow", r"\choose", r"\end",
}  # fmt: skip
"""What cannot belong to an expression: it ends there, and what follows is not read."""


_COMMANDS = {
    command
    for group in (
        _FUNCTIONS, _CONSTANTS, _PAIRS, _PAIRS.values(), _FLOORS, _FLOORS.values(), _SIZED, _SIZED.values(), _TIMES,
        _DIVIDED_BY, _COMPARISONS, _ENDS, (r"\frac", r"\binom", r"\tbinom", r"\dbinom", r"\sqrt", r"\log", r"\exp"),
    )
    for command in group
    if command.startswith("\\")
}  # fmt: skip
_TOKEN = re.compile(
    r"(?P<number>[0-9]*(?:,[0-9]{3})*\.[0-9]+|[0-9]+(?:,[0-9]{3})*)(?P<percent>\\%)?"
    # The longest command that opens the letters: answers have lost their spaces ("2\cdote^2").
    rf"|(?P<word>{_WORDS})|(?P<mark>{'|'.join(map(re.escape, sorted(_COMMANDS, key=len, reverse=True)))}"
    r"|==|!=|[-+*/()\[\]{}|_^:;,.<>=!'&e])"
)


class _NoValue(Exception):
    """The text is no expression, or one without a value."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    """`number`, `word` (a name of a function), `mark` (a sign or command) or `end`."""
    text: str
    percent: bool = False


_END = _Token("end", "")


def latex_value(text: str) -> Number | None:
    """Return the value of an expression in lower case, None where it has none.

    Whole numbers come from whole numbers only: "8/4" is 2.0.
    """
    text = text.replace(r"\dfrac", r"\frac").replace(r"\tfrac", r"\frac")
    text = _PERMUTATION.sub(r"\\frac{(\1)!}{((\1)-(\2))!}", text)
    text = _NAMED.sub("", text)
    try:
        return _Reader(_BLANKS.sub(" ", text)).whole()
    except (_NoValue, ArithmeticError, ValueError):
        return None


class _Reader:
    """Reads tokens as they are needed: what stands behind the end of the expression is never looked at."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._tokens = 0
        self._depth = 0
        self._token = self._next()

    def whole(self) -> Number:
        """Read the expression, and what it is compared with ("1 < 2" is 1)."""
        value = self._sum()
        while self._token.text in _COMPARISONS:
            compare = _COMPARISONS[self._take()]
            value = int(compare(value, self._sum()))
        if self._token.kind in ("end", "word") or self._token.text in _ENDS:
            return value
        _none()

    def _next(self) -> _Token:
        while self._position < len(self._text) and self._text[self._position] in " \t\r\n":
            self._position += 1
        if self._position == len(self._text):
            return _END
        found = _TOKEN.match(self._text, self._position)
        self._tokens += 1
        if found is None or self._tokens > _MOST_TOKENS:
            _none()
        self._position = found.end()
        if found["number"] is not None:
            return _Token("number", found["number"], found["percent"] is not None)
        return _Token("word" if found["word"] is not None else "mark", found["word"] or found["mark"])

    def _take(self) -> str:
        taken = self._token.text
        self._token = self._next()
        return taken

    def _expect(self, text: str) -> None:
        if self._token.text != text:
            _none()
        self._take()

    def _sum(self) -> Number:
        value = self._product()
        while self._token.text in ("+", "-"):
            value = value + self._product() if self._take() == "+" else value - self._product()
        return value

    def _product(self) -> Number:
        value = self._signed()
        while True:
            if self._token.text in _TIMES:
                self._take()
                value = _bounded(value * self._signed())
            elif self._token.text in _DIVIDED_BY:
                self._take()
                value = value / self._signed()
            else:
                return value

    def _signed(self, functions: bool = True) -> Number:
        sign = 1
        while self._token.text in ("+", "-"):
            sign = -sign if self._take() == "-" else sign
        value = self._power()
        while self._begins(functions):
            value = _bounded(value * self._power())
        return sign * value

    def _begins(self, functions: bool) -> bool:
        """Whether another factor follows without a sign between."""
        token = self._token
        if token.kind == "number" or token.text in _PAIRS or token.text in _FLOORS or token.text in _SIZED:
            return True
        if token.text in _CONSTANTS or token.text in (r"\frac", r"\binom", r"\tbinom", r"\dbinom"):
            return True
        return functions and (token.text in _FUNCTIONS or token.text in (r"\sqrt", r"\log", r"\exp", "e"))

    def _power(self) -> Number:
        self._depth += 1
        if self._depth > _DEEPEST:
            _none()
        value = self._factor()
        self._depth -= 1
        while self._token.text == "^":
            self._take()
            value = _power(value, self._argument())
            if self._token.text == "_":
                self._take()
                self._argument()
        while self._token.text in ("!", "'"):
            if self._take() == "!":
                value = _factorial(value)
        return value

    def _argument(self) -> Number:
        """Read {…}, or one number or constant."""
        if self._token.text == "{":
            return self._group("}")
        if self._token.kind != "number" and self._token.text not in _CONSTANTS:
            _none()
        return self._atom()

    def _group(self, closing: str) -> Number:
        self._take()
        value = self._sum()
        if closing == "}" and self._token.text == r"\choose":
            self._take()
            value = _choose(value, self._sum())
        self._expect(closing)
        return value

    def _atom(self) -> Number:
        token = self._token
        if token.kind != "number":
            return _CONSTANTS[self._take()]
        self._take()
        if len(token.text) > _MOST_DIGITS:
            _none()
        value = Fraction(token.text.replace(",", "")) / (100 if token.percent else 1)
        return value.numerator if value.denominator == 1 else value.numerator / value.denominator

    def _factor(self) -> Number:
        text = self._token.text
        if self._token.kind == "number" or text in _CONSTANTS:
            return self._atom()
        if text in _PAIRS:
            return self._group(_PAIRS[text])
        if text in _FLOORS:
            return math.floor(self._group(_FLOORS[text]))
        if text in _SIZED:
            return self._sized_group()
        if text == r"\frac":
            self._take()
            above = self._braces()
            return above / self._braces()
        if text in (r"\binom", r"\tbinom", r"\dbinom"):
            self._take()
            above = self._braces()
            return _choose(above, self._braces())
        if text == r"\sqrt":
            return self._root()
        if text == "e":
            return self._exponential()
        if text in _FUNCTIONS or text in (r"\log", r"\exp"):
            return self._function(self._take())
        _none()

    def _braces(self) -> Number:
        if self._token.text != "{":
            _none()
        return self._group("}")

    def _sized_group(self) -> Number:
        closing = _SIZED[self._take()]
        opened = self._token.text
        if opened not in _PAIRS and opened not in _FLOORS:
            _none()
        self._take()
        value = self._sum()
        self._expect(closing)
        self._expect({**_PAIRS, **_FLOORS}[opened])
        return math.floor(value) if opened in _FLOORS else value

    def _root(self) -> Number:
        self._take()
        root: Number = 2
        if self._token.text == "[":
            root = self._group("]")
        value = self._braces()
        if root == 2:
            return math.sqrt(value)
        return _power(value, root if root in (1, -1) else 1 / root)

    def _function(self, name: str) -> Number:
        below = above = None
        while self._token.text in ("_", "^"):
            if self._take() == "_":
                below = self._argument() if below is None else _none()
            else:
                above = self._argument() if above is None else _none()
        value = self._function_argument()
        if name == r"\exp":
            found: Number = _exponential(value)
        elif name == r"\log":
            found = math.log(value, 10 if below is None else below)
        elif above == -1 and name in _INVERSES:
            return _INVERSES[name](value)
        else:
            found = _FUNCTIONS[name](value)
        return found if above is None or above == 0 else _power(found, above)

    def _exponential(self) -> Number:
        self._take()
        if self._token.text != "^":
            _none()
        self._take()
        value = _exponential(self._argument())
        return _none() if self._token.text == "_" else value

    def _function_argument(self) -> Number:
        if self._token.text in _SIZED:
            return self._sized_group()
        if self._token.text == "(":
            return self._group(")")
        value = self._signed(functions=False)
        while self._token.text in (*_TIMES, *_DIVIDED_BY):
            if self._take() in _TIMES:
                value = _bounded(value * self._signed(functions=False))
            else:
                value = value / self._signed(functions=False)
        return value


def _none() -> NoReturn:
    raise _NoValue


def _bounded(value: Number) -> Number:
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        _none()
    return value


def _power(base: Number, exponent: Number) -> Number:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * abs(exponent) > _MOST_BITS:
        _none()
    value = base**exponent
    if isinstance(value, complex):
        _none()
    return value


def _exponential(value: Number) -> Number:
    # The number e itself prints as the name of a symbol.
    return _none() if value == 1 else 1 if value == 0 else math.exp(value)


def _factorial(value: Number) -> int:
    if not isinstance(value, int) or value > _LARGEST_FACTORIAL:
        _none()
    return math.factorial(value)


def _choose(above: Number, below: Number) -> int:
    if not isinstance(above, int) or not isinstance(below, int) or not 0 <= above <= _LARGEST_FACTORIAL:
        _none()
    return math.comb(above, below) if below >= 0 else 0
