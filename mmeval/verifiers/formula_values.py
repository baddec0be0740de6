"""Values of formulas without symbolic algebra: exact fractions where possible, else floats with an error bound."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from mmeval.verifiers.formula_tree import Tree, children, symbols_of

_UNIT_ROUNDOFF = 2.0**-50
"""Eight times the unit roundoff of a double, so that one step of a library function is covered."""
_MAX_BITS = 4096
_MAX_EXPONENT = 4096
_SURE = 1e-9
"""Relative width below which two values that cannot be told apart are the same."""

Interval = tuple[float, float]
"""A value and the bound of its absolute error."""

NO_SYMBOLS: Mapping[str, float] = {}


def exact(tree: Tree) -> Fraction | None:
    """Return the rational value of a tree; None where it has none, or where it would be too long."""
    kind = tree[0]
    if kind == "int":
        return Fraction(int(tree[1])) if len(tree[1]) < 600 else None
    if kind == "dec":
        return _decimal(tree[1])
    if kind not in ("add", "mul", "div", "neg", "pow", "unit", "pct", "fact", "abs", "root", "binom"):
        return None
    values = [exact(child) for child in children(tree)]
    if any(value is None or _bits(value) > _MAX_BITS for value in values):
        return None
    return _exact_step(str(kind), [value for value in values if value is not None])


def _decimal(text: str) -> Fraction | None:
    digits, _, exponent = text.partition("e")
    return Fraction(text) if len(digits) < 600 and abs(int(exponent or 0)) < 600 else None


def _bits(value: Fraction) -> int:
    return value.numerator.bit_length() + value.denominator.bit_length()


def _exact_step(kind: str, values: Sequence[Fraction]) -> Fraction | None:
    first = values[0]
    if kind == "add":
        return sum(values[1:], first)
    if kind == "mul":
        return math.prod(values[1:], start=first)
    if kind == "div":
        return first / values[1] if values[1] else None
    if kind == "neg":
        return -first
    if kind == "abs":
        return abs(first)
    if kind == "pct":
        return first / 100
    if kind == "pow":
        return _exact_power(first, values[1])
    if kind == "root":
        return _exact_root(first, values[1])
    if kind == "fact":
        return Fraction(math.factorial(int(first))) if first.denominator == 1 and 0 <= first <= 100 else None
    if kind == "binom":
        whole = all(value.denominator == 1 and 0 <= value <= 1000 for value in values)
        return Fraction(math.comb(int(first), int(values[1]))) if whole else None
    return first


def _exact_power(base: Fraction, exponent: Fraction) -> Fraction | None:
    if exponent.denominator != 1 or abs(exponent) > _MAX_EXPONENT or _bits(base) * abs(exponent) > _MAX_BITS:
        return _exact_root(Fraction(exponent.denominator), base, int(exponent.numerator)) if base >= 0 else None
    if base == 0 and exponent <= 0:
        return None
    return base ** int(exponent)


def _exact_root(degree: Fraction, value: Fraction, power: int = 1) -> Fraction | None:
    """Return value ** (power / degree) where it is rational."""
    if degree.denominator != 1 or not 2 <= degree <= 12 or abs(power) > 64:
        return None
    count = int(degree)
    sign = -1 if value < 0 and count % 2 else 1
    parts = [_whole_root(part, count) for part in (abs(value.numerator), value.denominator)]
    if (value < 0 and sign > 0) or None in parts or (value == 0 and power < 0):
        return None
    return (sign * Fraction(parts[0] or 0, parts[1] or 1)) ** power


def _whole_root(value: int, degree: int) -> int | None:
    if degree == 2:
        root = math.isqrt(value)
    elif value.bit_length() > 900:
        return None
    else:
        root = round(value ** (1 / degree))
    return root if root**degree == value else None


def approximate(tree: Tree, symbols: Mapping[str, float] = NO_SYMBOLS) -> Interval | None:
    """Return the value of a tree with an error bound, its symbols replaced by numbers; None where there is none.

    Complex values, values beyond the range of a double, and operations at the edge of their domain give None.
    """
    try:
        found = _approximate(tree, symbols)
    except (OverflowError, ValueError, ZeroDivisionError):
        return None
    return found if found is not None and math.isfinite(found[0]) and math.isfinite(found[1]) else None


def _approximate(tree: Tree, symbols: Mapping[str, float]) -> Interval | None:
    kind = tree[0]
    if kind in ("int", "dec"):
        value = float(tree[1])
        return value, abs(value) * _UNIT_ROUNDOFF if kind == "dec" or abs(value) >= 2**53 else 0.0
    if kind == "sym":
        return (symbols[tree[1]], 0.0) if tree[1] in symbols else None
    if kind == "const":
        constant = {"pi": math.pi, "e": math.e}.get(tree[1])
        return (constant, constant * _UNIT_ROUNDOFF) if constant is not None else None
    parts = [_approximate(child, symbols) for child in children(tree)]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or not known:
        return None
    return _step(str(kind), tree, known)


def _step(kind: str, tree: Tree, known: Sequence[Interval]) -> Interval | None:
    (a, da), (b, db) = known[0], known[1] if len(known) > 1 else (0.0, 0.0)
    if kind == "add":
        return _rounded(a + b, da + db)
    if kind == "mul":
        return _rounded(a * b, abs(a) * db + abs(b) * da + da * db)
    if kind == "div":
        if abs(b) <= 2 * db or b == 0:
            return None
        return _rounded(a / b, (da + abs(a / b) * db) / (abs(b) - db))
    if kind in ("neg", "unit"):
        return (-a if kind == "neg" else a), da
    if kind in ("deg", "pct"):
        scale = math.pi / 180 if kind == "deg" else 0.01
        return _rounded(a * scale, da * scale)
    if kind == "abs":
        return abs(a), da
    if kind == "pow":
        return _power(a, da, b, db)
    if kind == "root":
        if a != 0 and da == 0 and a % 2 == 1 and b < 0 and a.is_integer():
            opposite = _power(-b, db, 1 / a, _UNIT_ROUNDOFF)
            return None if opposite is None else (-opposite[0], opposite[1])
        return _power(b, db, 1 / a, _UNIT_ROUNDOFF)
    if kind == "log":
        if a - da <= 0 or b - db <= 0 or a == 1:
            return None
        value = math.log(b) / math.log(a)
        return _rounded(value, (db / (b - db) + abs(value) * da / (a - da)) / abs(math.log(a)))
    if kind == "fact":
        return _rounded(math.gamma(a + 1), 0.0) if da == 0 and a >= 0 and a.is_integer() else None
    if kind == "binom":
        whole = da == db == 0 and a.is_integer() and b.is_integer() and 0 <= b <= a <= 1000
        return _rounded(float(math.comb(int(a), int(b))), 0.0) if whole else None
    return _function(str(tree[1]), a, da) if kind == "fn" else None


def _rounded(value: float, error: float) -> Interval:
    return value, error + abs(value) * _UNIT_ROUNDOFF


def _power(base: float, base_error: float, exponent: float, exponent_error: float) -> Interval | None:
    if base < 0 and base_error == exponent_error == 0 and exponent.is_integer():
        return _rounded(base**exponent, 0.0)
    if base == 0 and base_error == 0 and exponent - exponent_error > 0:
        return 0.0, 0.0
    if base - base_error <= 0:
        if base < 0 and exponent_error == 0 and exponent.is_integer():
            return _rounded(base**exponent, abs(exponent * base ** (exponent - 1)) * base_error * 2)
        return None
    value = base**exponent
    relative = abs(exponent) * base_error / (base - base_error) + abs(math.log(base)) * exponent_error
    return _rounded(value, abs(value) * math.expm1(relative))


def _function(name: str, a: float, da: float) -> Interval | None:
    if name in ("floor", "ceil"):
        whole = math.floor(a) if name == "floor" else math.ceil(a)
        near = abs(a - round(a)) <= da
        return None if near and da > 0 else (float(whole), 0.0)
    if name in ("sec", "csc", "cot"):
        inverse = _function({"sec": "cos", "csc": "sin", "cot": "tan"}[name], a, da)
        return None if inverse is None else _step("div", (), [(1.0, 0.0), inverse])
    value, slope = _SLOPES[name](a) if name in _SLOPES else (math.nan, math.nan)
    return _rounded(value, da * (slope + 1)) if math.isfinite(value) and math.isfinite(slope) and abs(a) < 1e6 else None


def _arc(value: float, a: float) -> tuple[float, float]:
    return value, 1 / math.sqrt(1 - a * a) if abs(a) < 1 else math.inf


_SLOPES = {
    "sin": lambda a: (math.sin(a), 1.0),
    "cos": lambda a: (math.cos(a), 1.0),
    "tan": lambda a: (math.tan(a), 1 + math.tan(a) ** 2),
    "arcsin": lambda a: _arc(math.asin(a), a),
    "arccos": lambda a: _arc(math.acos(a), a),
    "arctan": lambda a: (math.atan(a), 1.0),
    "arccot": lambda a: (math.pi / 2 - math.atan(a), 1.0),
    "sinh": lambda a: (math.sinh(a), math.cosh(a)),
    "cosh": lambda a: (math.cosh(a), math.cosh(a)),
    "tanh": lambda a: (math.tanh(a), 1.0),
}
"""Value and slope (the factor from an argument's error to the value's)."""


def same_number(first: Interval, second: Interval) -> bool | None:
    """Whether two closed forms are the same number; None where their error bounds leave it open."""
    width = first[1] + second[1]
    if abs(first[0] - second[0]) > width:
        return False
    size = max(abs(first[0]), abs(second[0]))
    return True if width <= _SURE * size or (size == 0 and width == 0) else None


_SAMPLES = ((0.7310585, 0.6180339), (1.8392867, 1.3247179), (-0.5671432, 2.2360679), (3.3027756, -0.9159655))
"""(first value, step) of the numbers put in for symbols, in alphabetical order of their names."""


def differ_somewhere(first: Tree, second: Tree) -> bool:
    """Whether two expressions with symbols have certainly different values at one of a few fixed points.

    Where only one of them has symbols, it is enough that its value changes from point to point.
    """
    names = sorted(symbols_of(first) | symbols_of(second))
    points = [{name: start + step * index for index, name in enumerate(names)} for start, step in _SAMPLES]
    pairs = [(approximate(first, point), approximate(second, point)) for point in points]
    if not (symbols_of(first) and symbols_of(second)):
        known = [pair[0 if symbols_of(first) else 1] for pair in pairs]
        pairs += list(pairwise(known))
    return any(_apart(*pair) for pair in pairs)


def _apart(first: Interval | None, second: Interval | None) -> bool:
    if first is None or second is None or same_number(first, second) is not False:
        return False
    return abs(first[0] - second[0]) > _SURE * max(abs(first[0]), abs(second[0]))
