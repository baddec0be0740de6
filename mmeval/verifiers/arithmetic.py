"""The value of an arithmetic expression in Python's notation, computed here and never run as code."""

from __future__ import annotations

import ast
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import TypeAlias

Value: TypeAlias = int | float | complex

MOST_CHARACTERS = 1000
MOST_BITS = 4096
"""Size of the largest whole number that is computed; a larger one has no value here."""

_BINARY: Mapping[type[ast.operator], Callable[[Value, Value], Value]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_BITS: Mapping[type[ast.operator], Callable[[int, int], int]] = {
    ast.BitXor: operator.xor,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
}


def evaluate(text: str) -> Value | None:
    """Return the number that Python reads in `text`, or None where it is no arithmetic expression with a value.

    Known are numbers in Python's spelling, `+ - * / // % **`, brackets, and `^ | &` between whole numbers (where `^` is
    no power but exclusive or, as Python has it). Names, calls and everything else have no value.
    """
    if len(text) > MOST_CHARACTERS:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(text.strip(), mode="eval")
        return _value(tree.body)
    except (SyntaxError, ValueError, TypeError, ArithmeticError, RecursionError, MemoryError):
        return None


def _value(node: ast.expr) -> Value:
    if isinstance(node, ast.Constant) and type(node.value) in (int, float, complex):
        return _bounded(node.value)  # type: ignore[arg-type]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.UAdd, ast.USub)):
        value = _value(node.operand)
        return value if isinstance(node.op, ast.UAdd) else -value
    if isinstance(node, ast.BinOp):
        left, right = _value(node.left), _value(node.right)
        if isinstance(node.op, ast.Pow):
            return _power(left, right)
        if type(node.op) in _BITS and isinstance(left, int) and isinstance(right, int):
            return _BITS[type(node.op)](left, right)
        if type(node.op) in _BINARY:
            return _bounded(_BINARY[type(node.op)](left, right))
    raise ValueError("no arithmetic")


def _power(base: Value, exponent: Value) -> Value:
    if isinstance(base, int) and isinstance(exponent, int):
        size = base.bit_length() * exponent if abs(base) > 1 else 0
        # Refused before it is computed: 9**9**9 would never end.
        if size > MOST_BITS:
            raise OverflowError("too large")
    result: Value = base**exponent
    return _bounded(result)


def _bounded(value: Value) -> Value:
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise OverflowError("too large")
    return value
