"""Reading the operands of a formula: numbers, names, functions, roots, fractions, brackets, matrices."""

from __future__ import annotations

from mmeval.verifiers.formula_tokens import NotAFormula, Token
from mmeval.verifiers.formula_tree import SCALARS, Tree, endless
from mmeval.verifiers.unit_names import PRODUCTS
from mmeval.verifiers.vocabulary import words

MAX_DEPTH = 24
"""Brackets, fractions and exponents inside one another."""
OPERANDS = frozenset(
    words("number symbol constant function sqrt cbrt frac binom ( [ { {set floor( ceil( begin named empty angle")
)
_END = Token("", "")
"""Stands behind the last token; its kind is none that a reader takes."""
_CALLED = frozenset("fghFGHP")


class OperandReader:
    """A position in a list of tokens, and readers of the operands there. The parser above it reads sums and sets."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._depth = 0

    def _peek(self, ahead: int = 0) -> Token:
        index = self._at + ahead
        return self._tokens[index] if index < len(self._tokens) else _END

    def _take(self, *kinds: str) -> Token | None:
        token = self._tokens[self._at] if self._at < len(self._tokens) else _END
        if token.kind not in kinds:
            return None
        self._at += 1
        return token

    def _need(self, *kinds: str) -> Token:
        token = self._take(*kinds)
        if token is None:
            raise NotAFormula
        return token

    def _enter(self) -> None:
        """Go one level down."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise NotAFormula("too long")

    def _group_end(self, index: int) -> int:
        while index < len(self._tokens) and self._tokens[index].kind != "}":
            index += 1
        return index + 1

    def _exponent(self) -> Tree:
        sign = self._take("+", "-")
        self._enter()
        tree = self._primary()
        if self._take("^"):
            tree = ("pow", tree, self._exponent())
        self._depth -= 1
        return ("neg", tree) if sign is not None and sign.kind == "-" else tree

    def _sets(self) -> Tree:
        raise NotImplementedError

    def _sum(self) -> Tree:
        raise NotImplementedError

    def _postfix(self) -> Tree:
        raise NotImplementedError

    def _items(self, closing: tuple[str, ...]) -> list[Tree]:
        raise NotImplementedError

    def _primary(self) -> Tree:
        self._enter()
        self._unit_apart()
        token = self._peek()
        reader = getattr(self, "_read_" + _READERS[token.kind]) if token.kind in _READERS else None
        if reader is None:
            raise NotAFormula
        self._at += 1
        tree: Tree = reader(token)
        self._depth -= 1
        return tree

    def _unit_apart(self) -> bool:
        """Cut a unit where an operand must stand into its letters: `mg` is m times g."""
        token = self._peek()
        if token.kind != "word" or token.text not in PRODUCTS:
            return False
        first, second = token.text[0], token.text[1]
        self._tokens[self._at : self._at + 1] = [Token("symbol", first, token.spaced), Token("symbol", second)]
        return True

    def _read_number(self, token: Token) -> Tree:
        kind = "int" if token.text.isdigit() else "dec"
        whole: Tree = (kind, token.text)
        if kind == "dec":
            return whole
        first, slash, second = self._peek(), self._peek(1), self._peek(2)
        if first.kind == "number" and first.spaced and slash.kind == "/" and second.kind == "number":
            part = _proper(first.text, second.text)
            if part is None:
                raise NotAFormula
            self._at += 3
            return ("add", whole, part)
        if first.kind == "frac":
            before = self._at
            self._at += 1
            fraction = self._fraction("div")
            part = _proper(fraction[1][1], fraction[2][1]) if fraction[1][0] == fraction[2][0] == "int" else None
            if part is not None:
                return ("add", whole, part)
            self._at = before
        return whole

    def _read_symbol(self, token: Token) -> Tree:
        name = token.text
        self._subscript_first()
        if self._take("_"):
            name += "_" + self._subscript()
        while self._take("prime"):
            name += "'"
        if name[0] in _CALLED and self._peek().kind == "(" and not self._peek().spaced:
            name += self._called()
        return ("sym", name)

    def _subscript_first(self) -> None:
        """Put the subscript of `v^2_0` before the exponent: it belongs to the name."""
        if self._peek().kind != "^":
            return
        middle = self._script_end(self._at)
        if middle >= len(self._tokens) or self._tokens[middle].kind != "_":
            return
        end = self._script_end(middle)
        self._tokens[self._at : end] = self._tokens[middle:end] + self._tokens[self._at : middle]

    def _script_end(self, index: int) -> int:
        """Return where the script ends whose sign (`^`, `_`) is the token at `index`."""
        index += 1
        depth = 0
        while index < len(self._tokens):
            depth += (self._tokens[index].kind == "{") - (self._tokens[index].kind == "}")
            index += 1
            if depth <= 0:
                break
        return index

    def _subscript(self) -> str:
        token = self._peek()
        if token.kind == "{":
            start, end = self._at + 1, self._group_end(self._at) - 1
            if end >= len(self._tokens):
                raise NotAFormula
            self._at = end + 1
            return "".join(part.text for part in self._tokens[start:end])
        if token.kind not in ("number", "symbol", "constant", "word", "text"):
            raise NotAFormula
        self._at += 1
        return token.text

    def _called(self) -> str:
        """Return `(x)` of `f(x)`; f(…) with anything but names in the brackets is a product."""
        index = self._at + 1
        while index < len(self._tokens) and self._tokens[index].kind in ("symbol", ","):
            index += 1
        if index >= len(self._tokens) or self._tokens[index].kind != ")" or index == self._at + 1:
            return ""
        inner = "".join(token.text for token in self._tokens[self._at : index + 1])
        self._at = index + 1
        return inner

    def _read_constant(self, token: Token) -> Tree:
        return ("const", token.text)

    def _read_named(self, token: Token) -> Tree:
        return ("named", token.text)

    def _read_empty(self, token: Token) -> Tree:
        return ("empty",)

    def _read_angle(self, token: Token) -> Tree:
        letters = []
        while (symbol := self._take("symbol", "number", "constant")) is not None:
            letters.append(symbol.text)
        if not letters:
            raise NotAFormula
        return ("sym", "angle " + "".join(letters))

    def _read_function(self, token: Token) -> Tree:
        name, base, power = token.text, None, None
        if name == "log" and self._take("_"):
            base = self._base()
        if self._take("^"):
            power = self._exponent()
        if power == ("neg", ("int", "1")) and name in ("sin", "cos", "tan", "cot"):
            name, power = "arc" + name, None
        tree = _applied(name, base, self._argument())
        return tree if power is None else ("pow", tree, power)

    def _base(self) -> Tree:
        if self._peek().kind == "{":
            return self._braced()
        token = self._need("number", "symbol", "constant")
        if token.kind == "number" and len(token.text) > 1 and self._peek().kind not in OPERANDS:
            # \log_28 is the logarithm of 8 to the base 2.
            self._at -= 1
            self._tokens[self._at] = Token("number", token.text[1:])
            return ("int", token.text[0])
        return self._read_symbol(token) if token.kind == "symbol" else _leaf(token)

    def _argument(self) -> Tree:
        if self._peek().kind in ("(", "{", "|", "["):
            return self._power_of(self._primary())
        if self._peek().kind == "function":
            return self._primary()
        tree = self._postfix()
        while self._peek().kind in OPERANDS and self._peek().kind != "function":
            if self._peek().kind == "number":
                raise NotAFormula
            tree = ("mul", tree, self._postfix())
        if self._peek().kind == "/":
            raise NotAFormula("ambiguous")
        return tree

    def _power_of(self, argument: Tree) -> Tree:
        """`\\sin(x)^2` is open: the square of the sine, or of the argument."""
        if argument[0] not in SCALARS:
            raise NotAFormula
        if self._peek().kind == "^":
            raise NotAFormula("ambiguous")
        return argument

    def _read_root(self, token: Token) -> Tree:
        degree: Tree = ("int", "3" if token.kind == "cbrt" else "2")
        if token.kind == "sqrt" and self._peek().kind == "[":
            self._at += 1
            degree = self._sum()
            self._need("]")
        return ("root", degree, self._single())

    def _single(self) -> Tree:
        """One argument: in braces or brackets, or a single operand."""
        if self._peek().kind == "{":
            return self._braced()
        return self._primary()

    def _braced(self) -> Tree:
        self._need("{")
        tree = self._sets()
        self._need("}")
        if tree[0] not in SCALARS:
            raise NotAFormula
        return tree

    def _read_fraction(self, token: Token) -> Tree:
        if token.kind == "binom" and self._peek().kind == "(":
            self._at += 1
            items = self._items((")",))
            self._need(")")
            if len(items) != 2:
                raise NotAFormula
            return ("binom", *items)
        return self._fraction("div" if token.kind == "frac" else "binom")

    def _fraction(self, kind: str) -> Tree:
        parts: list[Tree] = []
        while len(parts) < 2:
            token = self._peek()
            if token.kind == "number" and len(token.text) > 1:
                # \frac12, \frac1{2}: without braces every digit is an argument.
                if not token.text.isdigit() or len(token.text) > 2 - len(parts):
                    raise NotAFormula
                self._at += 1
                parts += [("int", digit) for digit in token.text]
            else:
                parts.append(self._single())
        return (kind, *parts)

    def _read_bracket(self, token: Token) -> Tree:
        items = self._items((")", "]", "}"))
        close = self._need(")", "]", "}")
        opening = token.kind
        if (opening[0] == "{") != (close.kind == "}"):
            raise NotAFormula
        if not items:
            if opening[0] == "{":
                return ("empty",)
            raise NotAFormula
        if opening == "{set":
            return ("set", *items)
        if len(items) == 1:
            if {opening, close.kind} == {"(", "]"} or {opening, close.kind} == {"[", ")"}:
                raise NotAFormula
            return items[0]
        if opening == "{":
            return ("set", *items)
        if (opening, close.kind) in (("(", "]"), ("[", ")")) or any(map(endless, items)):
            if len(items) != 2:
                raise NotAFormula
            return ("interval", opening == "(", items[0], items[1], close.kind == ")")
        return ("paren" if opening == "(" else "bracket", *items)

    def _read_bars(self, token: Token) -> Tree:
        tree = self._sum()
        self._need("|" if token.kind == "|" else ")" + token.kind[:-1])
        if token.kind == "|":
            return ("abs", tree)
        return ("fn", token.kind[:-1], tree)

    def _read_matrix(self, token: Token) -> Tree:
        rows: list[Tree] = []
        row: list[Tree] = []
        while True:
            row.append(self._sum())
            if self._take("&"):
                continue
            rows.append(tuple(row))
            row = []
            self._take("row")
            if self._take("end"):
                break
        if len({len(row) for row in rows}) != 1:
            raise NotAFormula
        return ("matrix", *(("row", *row) for row in rows))


_READERS = {
    **{"number": "number", "symbol": "symbol", "constant": "constant", "named": "named", "empty": "empty"},
    **{
        "angle": "angle",
        "function": "function",
        "sqrt": "root",
        "cbrt": "root",
        "frac": "fraction",
        "binom": "fraction",
    },
    **{
        "(": "bracket",
        "[": "bracket",
        "{": "bracket",
        "{set": "bracket",
        "|": "bars",
        "floor(": "bars",
        "ceil(": "bars",
    },
    **{"begin": "matrix"},
}


def _leaf(token: Token) -> Tree:
    if token.kind == "number":
        return ("int" if token.text.isdigit() else "dec", token.text)
    return ("const", token.text)


def _proper(numerator: str, denominator: str) -> Tree | None:
    """Return the fraction behind a whole number ("1 1/2"), None where it is no proper one."""
    if not (numerator.isdigit() and denominator.isdigit()) or max(len(numerator), len(denominator)) > 9:
        return None
    return ("div", ("int", numerator), ("int", denominator)) if 0 < int(numerator) < int(denominator) else None


def _applied(name: str, base: Tree | None, argument: Tree) -> Tree:
    if name == "exp":
        return ("pow", ("const", "e"), argument)
    if name == "ln":
        return ("log", ("const", "e"), argument)
    if name in ("log", "lg"):
        return ("log", base or ("int", "10"), argument)
    return ("abs", argument) if name == "abs" else ("fn", name, argument)
