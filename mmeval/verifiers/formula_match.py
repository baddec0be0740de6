"""Whether two formulas are the same answer.

Numbers, and what is made of numbers (lists, sets, intervals, vectors), are compared here. Expressions with symbols that
agree at sample points, and equations, go to math-verify (`symbolic`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from fractions import Fraction
from typing import Any

from mmeval.verifiers.formula_tree import SCALARS, Tree, children, contains, endless, symbols_of
from mmeval.verifiers.formula_values import approximate, differ_somewhere, exact, same_number
from mmeval.verifiers.number import numbers_equal
from mmeval.verifiers.symbolic import symbolically_equal
from mmeval.verifiers.unit_names import PRODUCTS, UNITS, comparable

MIN_DIGITS = 6
"""Significant digits from which on a decimal number stands for the exact number that it rounds or cuts off."""

_ORDERED = frozenset({"paren", "bracket"})
_UNORDERED = frozenset({"list", "or", "set"})
_FLIPPED: Mapping[str, str] = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_NAMES = frozenset({"sym", "const", "mul", "div", "abs"})


def formulas_equal(gold: Tree, answer: Tree, options: Mapping[str, Any]) -> bool:
    """Whether an answer is the gold answer.

    `tolerance_abs`, `tolerance_rel` and `precision` (options) widen the comparison of numbers. Without them a decimal
    number of at least six significant digits stands for the exact value that it approximates; otherwise values are equal
    exactly. Signs and units on one side only do not count: "60°" is "60" (or π/3 where the gold holds π), "50%" is "50"
    and "1/2", "5 cm" is "5"; known units on both sides are converted.

    Raises:
        UndecidedError: when the symbolic comparison does not come to an end.
        DataError: when an option is not of its kind.
    """
    return _Comparison(options).equal(gold, answer)


def ranges_of(tree: Tree) -> list[Tree] | None:
    """Return the intervals of a range or union of ranges, ends included ("[1, 2]" is closed); None for anything else."""
    parts = list(_parts(tree))
    found = [range_ for part in parts if (range_ := _as_interval(part)) is not None]
    return found if len(found) == len(parts) else None


def ranges_equal(gold: Sequence[Tree], answer: Sequence[Tree], options: Mapping[str, Any]) -> bool:
    """Whether two unions of intervals (`ranges_of`) are the same, part by part, open and closed ends included.

    Raises:
        UndecidedError: when the symbolic comparison of ends does not come to an end.
        DataError: when an option is not of its kind.
    """
    comparison = _Comparison(options)
    left = list(answer)
    for wanted in gold:
        found = next((given for given in left if comparison.same_range(wanted, given)), None)
        if found is None:
            return False
        left.remove(found)
    return not left


class _Comparison:
    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def equal(self, gold: Tree, answer: Tree) -> bool:
        if gold == answer:
            return True
        if "rel" in (gold[0], answer[0]):
            return self._relations(gold, answer)
        if gold[0] in SCALARS and answer[0] in SCALARS:
            return self._scalars(gold, answer)
        if "cup" in (gold[0], answer[0]) or _ranges(gold) or _ranges(answer):
            return self._unions(gold, answer)
        if "matrix" in (gold[0], answer[0]):
            return _same_shape(gold, answer) and self._in_order(_cells(gold), _cells(answer))
        if "ratio" in (gold[0], answer[0]):
            return self._ratios(gold, answer)
        if gold[0] == answer[0] and gold[0] in ("cap", "without"):
            return self._in_order(gold[1:], answer[1:])
        return self._collections(gold, answer)

    # Collections

    def _collections(self, gold: Tree, answer: Tree) -> bool:
        many = _ORDERED | _UNORDERED
        if not (gold[0] in many or answer[0] in many):
            return False
        wanted = gold[1:] if gold[0] in many else (gold,)
        given = answer[1:] if answer[0] in many else (answer,)
        if (gold[0] in SCALARS and len(given) != 1) or (answer[0] in SCALARS and len(wanted) != 1):
            return False
        if gold[0] in _ORDERED or _named_apart(wanted, given):
            return self._in_order(wanted, given)
        return self._unordered(wanted, given, repeats="set" in (gold[0], answer[0]))

    def _in_order(self, wanted: Sequence[Tree], given: Sequence[Tree]) -> bool:
        return len(wanted) == len(given) and all(map(self.equal, wanted, given))

    def _unordered(self, wanted: Sequence[Tree], given: Sequence[Tree], *, repeats: bool) -> bool:
        """Match each to one of the others; where `repeats`, equal ones count once."""
        if len(wanted) != len(given) and not repeats:
            return False
        left = list(given)
        for item in wanted:
            found = next((index for index, other in enumerate(left) if self.equal(item, other)), None)
            if found is not None:
                left.pop(found)
            elif not (repeats and any(self.equal(item, other) for other in given)):
                return False
        return not left or (repeats and all(any(self.equal(item, other) for item in wanted) for other in left))

    def _unions(self, gold: Tree, answer: Tree) -> bool:
        wanted, given = list(_parts(gold)), list(_parts(answer))
        if len(wanted) != len(given):
            return False
        intervals = [(_as_interval(first), [_as_interval(second) for second in given]) for first in wanted]
        if len(wanted) == 1:
            second = intervals[0][1][0]
            return intervals[0][0] is not None and second is not None and self.same_range(intervals[0][0], second)
        left = list(given)
        for item, range_ in zip(wanted, (pair[0] for pair in intervals), strict=True):
            for other in left:
                second = _as_interval(other)
                same = self.same_range(range_, second) if range_ and second else self.equal(item, other)
                if same:
                    left.remove(other)
                    break
            else:
                return False
        return True

    def same_range(self, gold: Tree, answer: Tree) -> bool:
        ends = [(gold[1], gold[2], answer[1], answer[2]), (gold[4], gold[3], answer[4], answer[3])]
        return all(
            self.equal(bound, other) and (open_ == other_open or endless(bound))
            for open_, bound, other_open, other in ends
        )

    def _ratios(self, gold: Tree, answer: Tree) -> bool:
        if gold[0] == answer[0]:
            pairs = list(zip(gold[1:], answer[1:], strict=False))
            products = ((("mul", gold[1], second), ("mul", answer[1], first)) for first, second in pairs)
            return len(gold) == len(answer) and all(self._scalars(*pair) for pair in products)
        if {gold[0], answer[0]} <= {"ratio", *SCALARS}:
            one, two = (("div", tree[1], tree[2]) if tree[0] == "ratio" else tree for tree in (gold, answer))
            return max(len(gold), len(answer)) <= 3 and self._scalars(one, two)
        return False

    # Relations

    def _relations(self, gold: Tree, answer: Tree) -> bool:
        if gold[0] == answer[0] and gold[2::2] == answer[2::2] == ("!=",):
            gold, answer = (("rel", tree[1], "=", tree[3]) for tree in (gold, answer))
        wanted, given = _assignment(gold), _assignment(answer)
        if gold[0] != answer[0]:
            if gold[0] == "rel":
                values = wanted[1] if wanted else [range_] if (range_ := _as_interval(gold)) else []
                return any(self.equal(value, answer) for value in values)
            range_ = _as_interval(answer)
            values = [range_] if range_ is not None else _last_sides(answer)
            return any(self.equal(gold, value) for value in values)
        if wanted and given:
            if wanted[0] == given[0]:
                return any(self.equal(first, second) for first in wanted[1] for second in given[1])
            if not any(symbols_of(value) for value in (*wanted[1], *given[1])):
                return False
        ranges = _as_interval(gold), _as_interval(answer)
        if ranges[0] is not None and ranges[1] is not None:
            return symbols_of(gold) == symbols_of(answer) and self.same_range(ranges[0], ranges[1])
        sides, signs = (*gold[1::2], *answer[1::2]), {*gold[2::2], *answer[2::2]}
        if any(side[0] not in SCALARS for side in sides) or signs & {"~", "in", "!="}:
            return False
        return symbols_of(gold) == symbols_of(answer) and symbolically_equal(gold, answer)

    # Numbers and expressions

    def _scalars(self, gold: Tree, answer: Tree) -> bool:
        if self._amounts(gold, answer):
            return True
        letters = _as_letters(gold, symbols_of(answer)), _as_letters(answer, symbols_of(gold))
        return letters != (gold, answer) and self._same_value(*letters)

    def _amounts(self, gold: Tree, answer: Tree) -> bool:
        gold, answer, factor = _without_units(gold, answer)
        if factor is None:
            return False
        if endless(gold) or endless(answer):
            return gold == answer
        for first, second in _readings(gold, answer):
            if factor != 1:
                second = ("div", ("mul", second, ("int", str(factor.numerator))), ("int", str(factor.denominator)))
            if self._same_value(first, second):
                return True
        return False

    def _same_value(self, gold: Tree, answer: Tree) -> bool:
        wanted, given = exact(gold), exact(answer)
        if wanted is not None and given is not None:
            return wanted == given or self._close(gold, answer, wanted, given)
        if not symbols_of(gold) and not symbols_of(answer):
            first, second = approximate(gold), approximate(answer)
            if first is not None and second is not None:
                if self._close(gold, answer, Fraction(first[0]), Fraction(second[0])):
                    return True
                same = same_number(first, second)
                if same is not None:
                    return same
        elif differ_somewhere(gold, answer):
            return False
        return symbolically_equal(gold, answer)

    def _close(self, gold: Tree, answer: Tree, wanted: Fraction, given: Fraction) -> bool:
        steps = [step for step in (_last_digit(gold), _last_digit(answer)) if step is not None]
        if any(abs(wanted - given) <= step for step in steps):
            return True
        if not any(self._options.get(key) is not None for key in ("tolerance_abs", "tolerance_rel", "precision")):
            return False
        try:
            return numbers_equal(float(given), float(wanted), self._options)
        except OverflowError:
            return False


def _last_digit(tree: Tree) -> Fraction | None:
    """Return the step of the last digit of a long decimal number that stands alone; None for anything else."""
    while tree[0] == "neg":
        tree = tree[1]
    if tree[0] != "dec":
        return None
    digits, _, exponent = str(tree[1]).partition("e")
    decimals = len(digits.partition(".")[2])
    if len(digits.replace(".", "").lstrip("0")) < MIN_DIGITS or abs(int(exponent or 0)) > 400:
        return None
    return Fraction(10) ** (int(exponent or 0) - decimals)


def _readings(gold: Tree, answer: Tree) -> Iterator[tuple[Tree, Tree]]:
    """Yield the ways to compare two values where only one has a degree or percent sign."""
    degrees = [contains(tree, "deg") for tree in (gold, answer)]
    if any(degrees):
        yield _without_degrees(gold), _without_degrees(answer)
        if all(degrees) or not contains(answer if degrees[0] else gold, "const"):
            return
    yield gold, answer
    if gold[0] != answer[0] and "pct" in (gold[0], answer[0]):
        yield (gold[1], answer) if gold[0] == "pct" else (gold, answer[1])


def _without_degrees(tree: Tree) -> Tree:
    """Return an angle in degrees as a mere number; degrees inside functions keep their meaning."""
    if tree[0] == "fn":
        return tree
    if tree[0] == "deg":
        return _without_degrees(tree[1])
    return tuple(_without_degrees(part) if isinstance(part, tuple) else part for part in tree)


def _without_units(gold: Tree, answer: Tree) -> tuple[Tree, Tree, Fraction | None]:
    """Return both without units, and the factor from the answer's unit to the gold's (None: they do not go together)."""
    units = [tree[2] if tree[0] == "unit" else "" for tree in (gold, answer)]
    bare = [tree[1] if tree[0] == "unit" else tree for tree in (gold, answer)]
    if not symbols_of(bare[0]) and bare[1][0] == "mul" and bare[1][2][0] == "sym" and bare[1][2][1] in UNITS:
        # "5m" for a gold 5: a letter that can only be the unit.
        bare[1] = bare[1][1]
    gold_letter: Tree = bare[0][2] if bare[0][0] == "mul" and not symbols_of(bare[0][1]) else ("",)
    if units[1] and gold_letter[0] == "sym" and gold_letter[1] in UNITS:
        # "0.64N" for an answer "0.640 N": the gold's letter is its unit.
        bare[0], units[0] = bare[0][1], gold_letter[1]
    if units[0].startswith("°") or units[1].startswith("°"):
        return bare[0], bare[1], Fraction(1) if not all(units) or units[0] == units[1] else None
    return bare[0], bare[1], comparable(units[1], units[0]) if all(units) else Fraction(1)


def _as_letters(tree: Tree, letters: Set[str]) -> Tree:
    """Return a tree with a factor for each unit that is one of `letters`: the g of "5 g" where the other side has "g π"."""
    parts = tuple(_as_letters(part, letters) if isinstance(part, tuple) else part for part in tree)
    if parts[:1] == ("unit",) and parts[2] in letters:
        return ("mul", parts[1], ("sym", parts[2]))
    if parts[:1] == ("unit",) and parts[2] in PRODUCTS and set(parts[2]) <= set(letters):
        return ("mul", ("mul", parts[1], ("sym", parts[2][0])), ("sym", parts[2][1]))
    return parts


def _assignment(tree: Tree) -> tuple[Tree, list[Tree]] | None:
    """Return name and value(s) of `x = 3`, `x ∈ {…}`, `AB = 2√3 ≈ 3.46`; None for other trees."""
    if tree[0] != "rel" or tree[2] not in ("=", "in", "~") or not set(tree[4::2]) <= {"=", "~"}:
        return None
    name = tree[1]
    return (name, _last_sides(tree, 2)) if _is_name(name) else None


def _is_name(tree: Tree) -> bool:
    return (
        tree[0] in _NAMES
        and bool(symbols_of(tree))
        and all(_is_name(part) or part[0] == "const" for part in children(tree))
    )


def _last_sides(tree: Tree, first: int = 0) -> list[Tree]:
    """Return what a chain of equations comes to: its last side, and with an approximation also what it approximates.

    Sides up to the position `first` are left out.
    """
    if not set(tree[2::2]) <= {"=", "~", "in"}:
        return []
    sides = [tree[-1]]
    index = len(tree) - 2
    while index > first and tree[index] == "~":
        sides.insert(0, tree[index - 1])
        index -= 2
    return sides


def _as_interval(tree: Tree) -> Tree | None:
    """Return a range as ("interval", left_open, low, high, right_open); None for what is no range of one variable."""
    if tree[0] == "interval":
        return tree
    if tree[0] in _ORDERED and len(tree) == 3:
        open_ = tree[0] == "paren"
        return ("interval", open_, tree[1], tree[2], open_)
    if tree[0] == "named" and tree[1] == "R":
        return ("interval", True, ("neg", ("const", "oo")), ("const", "oo"), True)
    if tree[0] != "rel" or not set(tree[2::2]) <= set(_FLIPPED):
        return None
    sides, signs = list(tree[1::2]), list(tree[2::2])
    if all(sign[0] == ">" for sign in signs):
        sides, signs = sides[::-1], [_FLIPPED[sign] for sign in signs[::-1]]
    if any(sign[0] == ">" for sign in signs) or len(sides) not in (2, 3):
        return None
    if len(sides) == 2 and sides[0][0] == "sym":
        sides, signs = [("neg", ("const", "oo")), *sides], ["<", *signs]
    elif len(sides) == 2:
        sides, signs = [*sides, ("const", "oo")], [*signs, "<"]
    if sides[1][0] != "sym" or symbols_of(sides[0]) or symbols_of(sides[2]):
        return None
    return ("interval", signs[0] == "<", sides[0], sides[2], signs[1] == "<")


def _ranges(tree: Tree) -> bool:
    """Whether a tree is an interval, or several joined by "or"."""
    if tree[0] == "or":
        return all(part[0] in ("rel", "interval") and _as_interval(part) is not None for part in tree[1:])
    return tree[0] == "interval" or tree == ("named", "R")


def _parts(tree: Tree) -> Iterator[Tree]:
    """Yield the parts of a union."""
    if tree[0] == "cup" or (tree[0] == "or" and _ranges(tree)):
        for part in children(tree):
            yield from _parts(part)
    else:
        yield tree


def _named_apart(wanted: Sequence[Tree], given: Sequence[Tree]) -> bool:
    """Whether the gold names its values (x = 1, y = 2), different ones, and the answer does not."""
    names = [found[0] for item in wanted if (found := _assignment(item)) is not None]
    return len(names) == len(wanted) > 1 and len(set(names)) == len(names) and all(item[0] != "rel" for item in given)


def _cells(tree: Tree) -> list[Tree]:
    return [cell for row in tree[1:] for cell in row[1:]]


def _same_shape(gold: Tree, answer: Tree) -> bool:
    return gold[0] == answer[0] == "matrix" and [len(row) for row in gold[1:]] == [len(row) for row in answer[1:]]
