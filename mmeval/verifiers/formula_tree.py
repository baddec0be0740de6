"""Trees of formulas: what their nodes are, and small questions about them.

Scalars: ("int", "12"), ("dec", "1.5e3"), ("sym", "x_1"), ("const", "pi" | "e" | "i" | "oo"), ("add", …), ("mul", …),
("div", a, b), ("pow", a, b), ("neg", a), ("root", n, a), ("log", base, a), ("fn", name, a), ("abs", a), ("fact", a),
("binom", a, b), ("pct", a), ("deg", a), ("unit", a, "cm^2").

Structures: ("list", …) and ("or", …) several answers, ("paren", …), ("bracket", …), ("set", …), ("interval", left_open, a, b,
right_open), ("cup" | "cap" | "without", a, b), ("rel", a, op, b, op, c …), ("ratio", …), ("matrix", row, row …),
("named", "R"), ("empty",).
"""

from __future__ import annotations

from typing import Any, TypeAlias

from mmeval.verifiers.vocabulary import words

Tree: TypeAlias = tuple[Any, ...]

INFINITY: Tree = ("const", "oo")
ARITHMETIC = frozenset(words("add mul div pow neg root log fn abs fact binom pct deg unit pm mp"))
"""Nodes whose parts are scalars."""
SCALARS = ARITHMETIC | {"int", "dec", "sym", "const"}


def children(tree: Tree) -> list[Tree]:
    """Return the subtrees of a node."""
    return [part for part in tree[1:] if isinstance(part, tuple)]


def symbols_of(tree: Tree) -> frozenset[str]:
    """Return the names of the symbols in a tree."""
    if tree[0] == "sym":
        return frozenset({str(tree[1])})
    return frozenset().union(*(symbols_of(child) for child in children(tree)))


def contains(tree: Tree, *kinds: str) -> bool:
    """Whether a node of one of these kinds stands anywhere in the tree."""
    return tree[0] in kinds or any(contains(child, *kinds) for child in children(tree))


def both_signs(tree: Tree) -> list[Tree]:
    """Return the one or two trees that a tree with ± stands for."""
    if not contains(tree, "pm", "mp"):
        return [tree]
    return [_signed(tree, positive=True), _signed(tree, positive=False)]


def depth_of(tree: Tree) -> int:
    """Return the number of levels of a tree; a tree of any depth does."""
    deepest, level = 0, [tree]
    while level:
        deepest += 1
        level = [child for node in level for child in children(node)]
    return deepest


def well_formed(tree: Tree) -> bool:
    """Whether arithmetic is done on scalars only."""
    parts = children(tree)
    if tree[0] in ARITHMETIC and any(part[0] not in SCALARS for part in parts):
        return False
    return all(well_formed(part) for part in parts)


def endless(tree: Tree) -> bool:
    """Whether a tree is plus or minus infinity."""
    return tree in (INFINITY, ("neg", INFINITY))


def _signed(tree: Tree, *, positive: bool) -> Tree:
    if tree[0] in ("pm", "mp"):
        left, right = (_signed(child, positive=positive) for child in children(tree))
        return ("add", left, right) if positive == (tree[0] == "pm") else ("add", left, ("neg", right))
    return tuple(_signed(part, positive=positive) if isinstance(part, tuple) else part for part in tree)
