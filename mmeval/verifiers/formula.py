r"""Reading a formula: tokens to a tree, by a strict grammar of our own.

No text of a model is ever evaluated as code. Sympy's `parse_expr` calls `eval`, and latex2sympy hands number tokens to
sympy's `Number`, which does the same; neither is used. Text becomes tokens of a closed alphabet, tokens become a tree of
nested tuples of known names, strings of digits and letters (`formula_tree`), and only such trees are computed with.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from mmeval.verifiers.formula_operands import OPERANDS, OperandReader
from mmeval.verifiers.formula_tokens import NotAFormula, Token, tokenize
from mmeval.verifiers.formula_tree import SCALARS, Tree, both_signs, depth_of, symbols_of, well_formed
from mmeval.verifiers.unit_names import UNITS
from mmeval.verifiers.vocabulary import RUNNING

_PLAIN_NUMBER = re.compile(r"(-?)([0-9]{1,300}(?:\.[0-9]{1,300})?)")
_NAMED_POINT = re.compile(
    r"(?<![A-Za-z0-9\\_^{}()=])([A-TV-Z])(?=\s?(?:\\left\s*)?\((?=[^()]{0,80}[0-9])[^()=]{1,80},[^()=]{1,80}\)\s*(?:\Z|[,;$]|and\b|or\b|和))"
)
"""A point by its name: A(3, -4)."""
SET_BUILDER = re.compile(
    r"\\(?:left\s*\\)?\{\s*(?P<name>[A-Za-z])\s*(?:\\in\s*(?:\\mathbb\s*\{?\s*R\s*\}?|ℝ)\s*)?(?:\\(?:mid|vert|colon|middle\s*\|)(?![A-Za-z])|[|:｜])\s*"
    r"(?P<condition>(?P=name)(?![A-Za-z])[^{}|]{1,200}|[^{}|]{1,100}[<>≤≥]\s*(?P=name)(?![A-Za-z])[^{}|]{0,100}|[^{}|]{1,100}\\[lg]e?q?(?:slant)?\s+(?P=name)(?![A-Za-z])[^{}|]{0,100}?)"
    r"\s*\\(?:right\s*\\)?\}"
)
"""`\\{x \\mid x \\ge 5\\}`: the condition says all."""
MAX_NESTING = 100
"""Levels of the deepest tree; every term of a sum is one."""
RELATIONS = frozenset({"=", "!=", "<", ">", "<=", ">=", "~", "in"})
_ENDS = frozenset({",", ";", ")", "]", "}", "row", "&", "end", "", ")floor", ")ceil", "|", *RELATIONS})
_OR = frozenset({"or", "或", "或者"})
_UNIT_WORDS = 4
_UNIT_PARTS = frozenset({"symbol", "^", "number", "/", "*", "{", "-"})


@lru_cache(maxsize=4096)
def parse_formula(text: str, *, labels: bool = True) -> Tree:
    """Return the tree of a formula.

    Args:
        text: the formula.
        labels: whether words may name what follows ("Area of ABC = 9"); they are left out.

    Raises:
        NotAFormula: when the text is none, when it can be read in two ways, or when it is too long or too deep.
    """
    text = _NAMED_POINT.sub(r"\1=", text)
    builder = SET_BUILDER.fullmatch(text.strip())
    text = builder["condition"] if builder is not None else text
    plain = _PLAIN_NUMBER.fullmatch(text)
    if plain is not None:
        number: Tree = ("dec" if "." in text else "int", plain.group(2))
        return ("neg", number) if plain.group(1) else number
    tree = _Parser(tokenize(text), labels).answers()
    if depth_of(tree) > MAX_NESTING:
        raise NotAFormula("too long")
    if not well_formed(tree):
        raise NotAFormula
    return tree


class _Parser(OperandReader):
    def __init__(self, tokens: list[Token], labels: bool) -> None:
        super().__init__(tokens)
        self._labels = labels

    def answers(self) -> Tree:
        items = self._items(())
        if self._peek().kind:
            raise NotAFormula
        if len(items) == 1:
            return items[0]
        alternatives = any(token.kind == "," and token.text.strip(" ,").lower() in _OR for token in self._tokens)
        return ("or" if alternatives else "list", *items)

    def _items(self, closing: tuple[str, ...]) -> list[Tree]:
        """Statements between separators, up to the end or a closing bracket."""
        items: list[Tree] = []
        self._enter()
        while self._peek().kind and self._peek().kind not in closing:
            items += self._statement()
            if self._take(",", ";") is None:
                break
            while self._take(",", ";"):
                pass
        self._depth -= 1
        if not items and not closing:
            raise NotAFormula
        return items

    def _statement(self) -> list[Tree]:
        while self._labels and self._skip_label():
            pass
        parts: list[Any] = [self._sets()]
        while (relation := self._take(*RELATIONS)) is not None:
            parts += [relation.kind, self._sets()]
        tree = parts[0] if len(parts) == 1 else ("rel", *parts)
        return both_signs(tree)

    def _skip_label(self) -> bool:
        """Leave out the words that name what follows: "Area of ABC = 9", "Total: 5"."""
        wordy, index = False, self._at
        while index < len(self._tokens):
            kind = self._tokens[index].kind
            if kind in ("word", "text"):
                wordy = True
            elif kind in ("=", "~", ":"):
                break
            elif kind in (",", ";", "row", "&") or (kind == "number" and not wordy):
                return False
            index += 1
        else:
            return False
        if not wordy:
            return False
        self._at = index + 1
        return True

    def _sets(self) -> Tree:
        tree = self._ratio()
        while True:
            joined = self._take("cup", "cap", "without")
            if (
                joined is None
                and tree[0] in ("paren", "bracket", "interval", "set")
                and self._peek().text in ("U", "∪")
            ):
                joined = self._take("symbol")
            if joined is None:
                return tree
            tree = ("cup" if joined.kind == "symbol" else joined.kind, tree, self._ratio())

    def _ratio(self) -> Tree:
        parts = [self._sum()]
        while self._take(":"):
            parts.append(self._sum())
        return parts[0] if len(parts) == 1 else ("ratio", *parts)

    def _sum(self) -> Tree:
        tree = self._term()
        while (sign := self._take("+", "-", "pm", "mp")) is not None:
            right = self._term()
            if sign.kind in ("pm", "mp"):
                tree = (sign.kind, tree, right)
            else:
                tree = ("add", tree, right if sign.kind == "+" else ("neg", right))
        return tree

    def _term(self) -> Tree:
        signs = []
        while (sign := self._take("+", "-", "pm", "mp")) is not None:
            signs.append(sign.kind)
        tree = self._factors()
        for kind in reversed(signs):
            if kind in ("pm", "mp"):
                tree = (kind, ("int", "0"), tree)
            elif kind == "-":
                tree = ("neg", tree)
        return tree

    def _factors(self) -> Tree:
        tree = self._product()
        while (operator := self._take("*", "/")) is not None:
            negative = self._take("-") is not None
            right = self._postfix() if operator.kind == "/" else self._product()
            right = ("neg", right) if negative else right
            tree = ("div", tree, right) if operator.kind == "/" else ("mul", tree, right)
            if operator.kind == "/":
                tree = self._behind_slash(tree, operator)
        return tree

    def _behind_slash(self, tree: Tree, slash: Token) -> Tree:
        """Go on behind `a/b`: in `1/2x` it is open whether x stands below the line; `1/2 x` says that it does not."""
        unit = self._unit(tree)
        if unit is not None:
            return unit
        following = self._peek()
        if following.kind not in OPERANDS:
            return tree
        if slash.spaced or not following.spaced:
            raise NotAFormula("ambiguous")
        return ("mul", tree, self._product())

    def _product(self) -> Tree:
        """Factors side by side."""
        tree = self._postfix()
        while True:
            unit = self._unit(tree)
            if unit is not None:
                return unit
            if self._peek().kind not in OPERANDS and not self._unit_apart():
                return tree
            if self._peek().kind == "number":
                raise NotAFormula
            if (
                self._peek().kind == "symbol"
                and self._peek().text == "U"
                and tree[0] in ("paren", "bracket", "interval")
            ):
                return tree
            if tree[0] in ("paren", "bracket", "interval", "set", "named", "empty"):
                raise NotAFormula
            tree = ("mul", tree, self._postfix())

    def _unit(self, tree: Tree) -> Tree | None:
        """Return the tree with the unit that stands behind it and ends the statement; None where there is none."""
        first = self._peek()
        if tree[0] not in SCALARS:
            return None
        numeric = not symbols_of(tree)
        plain = first.kind in ("word", "text") and (numeric or first.text in UNITS or first.kind == "text")
        letter = first.kind == "symbol" and first.spaced and first.text in UNITS and numeric
        if not (plain or letter):
            return None
        index, words = self._at, 0
        names: list[str] = []
        while index < len(self._tokens) and self._tokens[index].kind not in _ENDS:
            token = self._tokens[index]
            if token.kind in ("word", "text"):
                words += len(token.text.split())
                if any(word.lower() in RUNNING for word in token.text.split()):
                    return None
            elif token.kind not in _UNIT_PARTS or (token.kind == "symbol" and token.text not in UNITS):
                return None
            if token.kind == "{":
                index = self._group_end(index)
                names += [part.text for part in self._tokens[self._at : index] if part.kind == "number"][-1:]
                continue
            names.append(
                ("" if not names or token.kind in ("^", "/", "number", "*") or names[-1] in "^/*" else " ") + token.text
            )
            index += 1
        if words > _UNIT_WORDS or (names[-2:-1] == ["/"] and names[-1].isdigit()):
            return None
        self._at = index
        return ("unit", tree, "".join(names))

    def _postfix(self) -> Tree:
        tree = self._primary()
        while True:
            if self._take("!"):
                tree = ("fact", tree)
            elif self._take("%"):
                tree = ("pct", tree)
            elif self._take("deg"):
                tree = self._degrees(tree)
            elif self._peek().kind == "^":
                self._at += 1
                if self._take("deg"):
                    tree = self._degrees(tree)
                elif self._peek().kind == "{" and self._peek(1).kind == "deg" and self._peek(2).kind == "}":
                    self._at += 3
                    tree = self._degrees(tree)
                else:
                    tree = ("pow", tree, self._exponent())
            else:
                return tree

    def _degrees(self, tree: Tree) -> Tree:
        scale = self._peek()
        if scale.kind == "symbol" and scale.text in ("C", "F", "K"):
            self._at += 1
            return ("unit", tree, "°" + scale.text)
        return ("deg", tree)
