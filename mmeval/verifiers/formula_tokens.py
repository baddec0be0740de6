r"""Formulas as models write them (LaTeX, plain text, Unicode), cut into tokens.

The alphabet is closed: a character or command that is not listed here makes the text no formula. Nothing is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from mmeval.verifiers.unit_names import UNITS
from mmeval.verifiers.vocabulary import ENGLISH, GREEK, GREEK_CAPITALS, SEPARATING, words

MAX_LENGTH = 1000
"""Characters of the longest text that can be a formula."""
MAX_TOKENS = 500


class NotAFormula(Exception):
    """The text is no formula of the grammar; `reason` is what an extraction says: `not found`, `ambiguous` …"""

    def __init__(self, reason: str = "not found") -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Token:
    """One token."""

    kind: str
    """number, symbol, constant, function, named, word, text, begin, end, or the operator itself (`+`, `<=`, `frac`)."""
    text: str
    spaced: bool = False
    """Whether white space stands before it."""


CONSTANTS: Mapping[str, str] = {
    **{"π": "pi", "\\pi": "pi", "pi": "pi", "e": "e", "i": "i", "\\imath": "i"},
    **{"∞": "oo", "\\infty": "oo", "infinity": "oo", "inf": "oo"},
}
FUNCTIONS = frozenset(
    words("sin cos tan cot sec csc arcsin arccos arctan arccot sinh cosh tanh log lg ln exp abs floor ceil")
)
_PLAIN_FUNCTIONS = sorted(FUNCTIONS - {"sec"} | {"sqrt", "cbrt", "binom"}, key=len, reverse=True)
_SYMBOLS: Mapping[str, str] = {
    **dict(zip("αβγδεζηθικλμνξρστυφχψω", GREEK, strict=True)),
    **{"\\" + name: name for name in GREEK},
    **{"\\var" + name: name for name in ("epsilon", "theta", "rho", "sigma", "phi")},
    **{"\\" + name.capitalize(): name.capitalize() for name in ("gamma", "delta", "theta", "lambda", "sigma", "omega")},
    **{"\\Phi": "Phi", "\\Psi": "Psi", "\\Pi": "Pi", "\\Xi": "Xi", "\\Upsilon": "Upsilon", "\\ell": "ell"},
    **{
        "\\hbar": "hbar",
        "ħ": "hbar",
        "\\varkappa": "kappa",
        "\\odot": "odot",
        "⊙": "odot",
        "\\oplus": "oplus",
        "⊕": "oplus",
    },
    **dict(zip("ΔΘΛΣΩΦΨΓϕϵℓ", GREEK_CAPITALS, strict=True)),
}
_OPERATORS: Mapping[str, str] = {
    **{"+": "+", "-": "-", "−": "-", "–": "-", "*": "*", "×": "*", "·": "*", "∙": "*", "⋅": "*", "∗": "*"},
    **{"\\times": "*", "\\cdot": "*", "\\ast": "*", "/": "/", "÷": "/", "\\div": "/", "∕": "/", "⁄": "/"},
    **{"**": "^", "^": "^", "_": "_", "!": "!", "%": "%", "\\%": "%", "°": "deg", "\\degree": "deg", "º": "deg"},
    **{"\\circ": "deg", "∘": "deg", "'": "prime", "′": "prime", "\\prime": "prime"},
    **{"±": "pm", "\\pm": "pm", "+/-": "pm", "∓": "mp", "\\mp": "mp"},
    **{
        "<": "<",
        ">": ">",
        "\\lt": "<",
        "\\gt": ">",
        "<=": "<=",
        ">=": ">=",
        "≤": "<=",
        "≥": ">=",
        "⩽": "<=",
        "⩾": ">=",
    },
    **{"\\le": "<=", "\\leq": "<=", "\\leqslant": "<=", "\\ge": ">=", "\\geq": ">=", "\\geqslant": ">="},
    **{
        "=": "=",
        "≠": "!=",
        "!=": "!=",
        "\\ne": "!=",
        "\\neq": "!=",
        "≈": "~",
        "\\approx": "~",
        "≃": "~",
        "\\simeq": "~",
    },
    **{"∈": "in", "\\in": "in", "∪": "cup", "\\cup": "cup", "∩": "cap", "\\cap": "cap", "\\setminus": "without"},
    **{"(": "(", ")": ")", "[": "[", "]": "]", "\\lbrack": "[", "\\rbrack": "]", "\\langle": "(", "\\rangle": ")"},
    **{"⟨": "(", "⟩": ")", "\\{": "{set", "\\lbrace": "{set", "\\}": "}", "\\rbrace": "}", "{": "{", "}": "}"},
    **{"|": "|", "\\lvert": "|", "\\rvert": "|", "\\vert": "|", ",": ",", "，": ",", "、": ",", ";": ";", "；": ";"},
    **{
        ":": ":",
        "：": ":",
        "\\colon": ":",
        "∶": ":",
        "&": "&",
        "\\\\": "row",
        "√": "sqrt",
        "\\sqrt": "sqrt",
        "∛": "cbrt",
    },
    **{
        "\\frac": "frac",
        "\\dfrac": "frac",
        "\\tfrac": "frac",
        "\\cfrac": "frac",
        "\\binom": "binom",
        "\\dbinom": "binom",
    },
    **{"\\emptyset": "empty", "\\varnothing": "empty", "∅": "empty", "∠": "angle", "\\angle": "angle", "△": "angle"},
    **{"\\triangle": "angle", "\\lfloor": "floor(", "⌊": "floor(", "\\rfloor": ")floor", "⌋": ")floor"},
    **{"\\lceil": "ceil(", "⌈": "ceil(", "\\rceil": ")ceil", "⌉": ")ceil"},
}
_SILENT = re.compile(
    r"(?:\\(?:left|right)\s*\.|\\(?:left|right|[bB]igg?[lrm]?|displaystyle|textstyle|limits|quad|qquad|rm|bf|f?boxed)(?![A-Za-z])"
    r"|\\[,;:! >$()\[\]]|[~$€£¥￥₹]|[\s\u00a0\u2009\u202f\u200b])+"
)
"""What only shapes the page, and currency signs."""
_TEXT = re.compile(
    r"\\(?:text|textbf|textit|textrm|textsf|mathrm|mathbf|mathit|mathsf|mathbb|mathcal|mbox|hbox|boldsymbol|bm|operatorname)\*?"
    r"\s*\{([^{}]*)\}|\{\s*\\(?:rm|bf|it|cal|sf)\s+([^{}]*)\}"
)
_ACCENT = re.compile(
    r"\\(?:overline|vec|hat|bar|overrightarrow|widehat|tilde|underline)\s*(?:\{\s*([A-Za-z]{1,4})\s*\}|([A-Za-z]))"
)
_BEGIN = re.compile(r"\\begin\s*\{[a-zA-Z]*matrix\}|\\begin\s*\{array\}\s*\{[lcr| ]*\}")
_END = re.compile(r"\\end\s*\{(?:[a-zA-Z]*matrix|array)\}")
_COMMAND = re.compile(r"\\(?:[A-Za-z]+|.)", re.DOTALL)
_GROUP = r"(?:\{,\}|\\[,!; ]|,\\!|[\u00a0\u2009\u202f ])"
_NUMBER = re.compile(
    rf"(?P<grouped>[0-9]{{1,3}}(?:{_GROUP}[0-9]{{3}})+(?![0-9])(?:\.[0-9]+)?)"
    r"|(?P<european>[0-9]{1,3}(?:\.[0-9]{3})+,[0-9]+(?![0-9,.]))"
    r"|(?P<thousands>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])(?:\.[0-9]+)?)"
    r"|(?P<comma>[0-9]+\{,\}[0-9]+)"
    r"|(?P<plain>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+\-−]?[0-9]{1,3}(?![0-9A-Za-z.]))?)"
)
_DIGITS = re.compile(r"[0-9]+")
_LETTERS = re.compile(r"[A-Za-z]+|[\u4e00-\u9fff]+|[À-ɏA-Za-z]+")
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ", "0123456789+-n")
_RAISED_RUN = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+")
_LOWERED = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_LOWERED_RUN = re.compile(r"[₀₁₂₃₄₅₆₇₈₉]+")
_REPEATING = re.compile(r"(?<![0-9.])([0-9]{1,20})\.([0-9]{0,20})\\(?:overline|dot|bar)\s*\{?([0-9]{1,20})\}?")
_VULGAR = {
    **{"½": "1/2", "⅓": "1/3", "⅔": "2/3", "¼": "1/4", "¾": "3/4", "⅕": "1/5", "⅖": "2/5", "⅗": "3/5", "⅘": "4/5"},
    **{"⅙": "1/6", "⅚": "5/6", "⅛": "1/8", "⅜": "3/8", "⅝": "5/8", "⅞": "7/8"},
}
_VULGAR_SIGN = re.compile("[" + "".join(_VULGAR) + "]")
_ARC = re.compile(
    r"(?<![0-9.])([0-9]{1,4})\s*(?:°|\^\s*\{?\s*\\circ\s*\}?)\s*([0-9]{1,2}(?:\.[0-9]{1,6})?)\s*['′’](?!['′’])(?:\s*([0-9]{1,2}(?:\.[0-9]{1,6})?)\s*(?:''|′′|’’|\"|″))?"
)
_RAISED_PRIMES = re.compile(r"\^\s*(?:\{\s*((?:(?:\\prime(?![A-Za-z])|['′])\s*)+)\}|\\prime(?![A-Za-z]))")
_SET_LETTERS = dict(zip("ℝℕℤℚℂ", "RNZQC", strict=True))
_MAX_LETTERS = 4
_BEYOND = re.compile(
    r"\\(?:sum|i?int|oint|prod|lim|partial|nabla|forall|exists|begin|l?dots|cdots|to|rightarrow|mapsto|mod|pmod)(?![A-Za-z])"
    r"|\\(?:sum|int|prod|lim)_|[∑∫∏…→]"
)


def is_beyond(text: str) -> bool:
    """Whether the text holds mathematics that the grammar does not read (sums, integrals, limits, cases)."""
    return _BEYOND.search(text) is not None


def tokenize(text: str) -> list[Token]:
    """Cut a formula into tokens.

    Raises:
        NotAFormula: for anything outside the alphabet, and for texts that are too long.
    """
    if len(text) > MAX_LENGTH:
        raise NotAFormula("too long")
    text = _RAISED_RUN.sub(lambda found: "^{" + found.group().translate(_RAISED) + "}", text)
    text = _LOWERED_RUN.sub(lambda found: "_{" + found.group().translate(_LOWERED) + "}", text)
    text = _RAISED_PRIMES.sub(lambda found: "'" * max(1, len(re.findall(r"prime|['′]", found.group(1) or ""))), text)
    text = _ARC.sub(_in_degrees, text)
    text = _VULGAR_SIGN.sub(lambda found: "\\frac{" + _VULGAR[found.group()].replace("/", "}{") + "}", text)
    return _Scanner(_REPEATING.sub(_repeating, text)).tokens()


def _in_degrees(found: re.Match[str]) -> str:
    """Return an angle in degrees, minutes and seconds in degrees alone."""
    degrees, minutes, seconds = (Fraction(part or "0") for part in found.groups())
    value = degrees + minutes / 60 + seconds / 3600
    return f"\\frac{{{value.numerator}}}{{{value.denominator}}}°"


def _repeating(found: re.Match[str]) -> str:
    """Return a repeating decimal as a fraction."""
    whole, fixed, period = found.groups()
    numerator = int(whole + fixed + period) - int(whole + fixed or "0")
    return f"\\frac{{{numerator}}}{{{10 ** len(fixed) * (10 ** len(period) - 1)}}}"


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._spaced = False
        self._depth = 0
        self._found: list[Token] = []

    def tokens(self) -> list[Token]:
        while self._position < len(self._text):
            silent = _SILENT.match(self._text, self._position)
            if silent is not None:
                self._spaced, self._position = True, silent.end()
            elif not (self._wrapped() or self._number() or self._sign() or self._letters()):
                raise NotAFormula
            if len(self._found) > MAX_TOKENS:
                raise NotAFormula("too long")
        return self._found

    def _emit(self, kind: str, text: str, end: int) -> bool:
        self._found.append(Token(kind, text, self._spaced))
        self._spaced, self._position = False, end
        return True

    def _wrapped(self) -> bool:
        """Text commands, accents and the frames of matrices."""
        text, position = self._text, self._position
        found = _TEXT.match(text, position)
        if found is not None:
            return self._prose((found.group(1) or found.group(2) or "").strip(), found)
        accent = _ACCENT.match(text, position)
        if accent is not None:
            for letter in accent.group(1) or accent.group(2):
                self._emit("symbol", letter, accent.end())
            return True
        for kind, pattern in (("begin", _BEGIN), ("end", _END)):
            frame = pattern.match(text, position)
            if frame is not None:
                return self._emit(kind, frame.group(), frame.end())
        return False

    def _prose(self, inner: str, found: re.Match[str]) -> bool:
        end = found.end()
        if found.group().startswith("\\mathbb") and inner in _SET_LETTERS.values():
            return self._emit("named", inner, end)
        if inner in FUNCTIONS:
            return self._emit("function", inner, end)
        if _DIGITS.fullmatch(inner):
            return self._emit("number", inner, end)
        if inner.strip(" ,").lower() in SEPARATING:
            return self._emit(",", inner, end)
        if inner in ("e", "i", "pi", "π"):
            return self._emit("constant", CONSTANTS[inner], end)
        if inner == "%":
            return self._emit("%", inner, end)
        if len(inner) == 1 and inner.isalpha() and inner not in UNITS:
            return self._emit("symbol", inner, end)
        return self._emit("text", inner, end)

    def _number(self) -> bool:
        found = _NUMBER.match(self._text, self._position)
        if found is not None and found.lastgroup == "thousands" and self._depth:
            # In brackets commas separate: (100,200) is a pair.
            found = _DIGITS.match(self._text, self._position)
        if found is None:
            return False
        written = found.group()
        if found.lastgroup == "european":
            written = written.replace(".", "").replace(",", ".")
        elif found.lastgroup == "comma":
            written = written.replace("{,}", ".")
        elif found.lastgroup in ("grouped", "thousands"):
            head, dot, decimals = written.partition(".")
            written = re.sub(r"[^0-9]", "", head) + dot + decimals
        return self._emit("number", written.replace("−", "-").replace("E", "e").replace("e+", "e"), found.end())

    def _sign(self) -> bool:
        text, position = self._text, self._position
        if text[position] == "\\":
            return self._command()
        if text[position] in _SET_LETTERS:
            return self._emit("named", _SET_LETTERS[text[position]], position + 1)
        for table, kind in ((_SYMBOLS, "symbol"), (CONSTANTS, "constant")):
            if not text[position].isascii() and text[position] in table:
                return self._emit(kind, table[text[position]], position + 1)
        for size in (3, 2, 1):
            sign = text[position : position + size]
            if sign in _OPERATORS:
                return self._operator(sign, position + size)
        return False

    def _operator(self, sign: str, end: int) -> bool:
        kind = _OPERATORS[sign]
        self._depth += (kind in ("(", "[", "{set", "{")) - (kind in (")", "]", "}"))
        return self._emit(kind, sign, end)

    def _command(self) -> bool:
        found = _COMMAND.match(self._text, self._position)
        command = found.group() if found else ""
        if found is not None and command in _OPERATORS:
            return self._operator(command, found.end())
        for table, kind in ((CONSTANTS, "constant"), (_SYMBOLS, "symbol")):
            if found is not None and command in table:
                return self._emit(kind, table[command], found.end())
        if found is not None and command[1:] in FUNCTIONS:
            return self._emit("function", command[1:], found.end())
        if found is not None and command in ("\\max", "\\min"):
            return self._emit("word", command[1:], found.end())
        raise NotAFormula

    def _letters(self) -> bool:
        found = _LETTERS.match(self._text, self._position)
        if found is None:
            return False
        word, end = found.group(), found.end()
        lowered = word.lower()
        if lowered in SEPARATING:
            return self._emit(",", word, end)
        if not word.isascii():
            return self._emit("word", word, end)
        if word in CONSTANTS or lowered in ("pi", "infinity"):
            return self._emit("constant", CONSTANTS[word if word in CONSTANTS else lowered], end)
        if len(word) == 1:
            return self._emit("symbol", word, end)
        if lowered in GREEK:
            return self._emit("symbol", lowered, end)
        if word in UNITS or (lowered in ENGLISH and not word.isupper()):
            return self._emit("word", word, end)
        function = next((name for name in _PLAIN_FUNCTIONS if lowered.startswith(name)), None)
        if function is not None and (len(word) <= len(function) + 1 or lowered == function + "pi"):
            # "sinx", "lnx", "sinpi"
            kind = function if function in ("sqrt", "cbrt", "binom") else "function"
            return self._emit(kind, function, self._position + len(function))
        if len(word) > _MAX_LETTERS or (len(word) == _MAX_LETTERS and not word.isupper()):
            return self._emit("word", word, end)
        for letter in word[:-2] if lowered.endswith("pi") else word:
            self._emit(*(("constant", letter) if letter in CONSTANTS else ("symbol", letter)), end)
        return not lowered.endswith("pi") or self._emit("constant", "pi", end)
