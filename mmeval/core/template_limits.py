"""Jinja's sandbox with bounds on steps, texts and numbers: a template that computes for ever is a mistake with a name.

Jinja itself bounds `range` alone. Here loops and calls are counted, and what can make much of little (powers, repeated
and padded texts, joined lists, lists of lists) is looked at before it is done.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from typing import Any

from jinja2 import nodes, pass_context
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from mmeval.core.errors import UsageError

MOST_STEPS = 1_000_000
"""Rounds of loops and calls in one rendering."""
MOST_TEXT = 50_000_000
"""Characters of a text, or parts of a list with all that is in them."""
MOST_WIDTH = 100_000
"""To which a text is padded or repeated, or a number written."""
MOST_BITS = 100_000
"""Of a whole number."""
_LONG_NUMBER = re.compile(r"\d{6,}|%[^%a-zA-Z]*\*|:[^{}]*\{")
"""Widths in a format that are large, or come from elsewhere."""
_NO_TEXT = frozenset(
    {
        "attr", "count", "d", "default", "dictsort", "first", "groupby", "items", "last", "length", "lettered", "list", "literal",
        "map", "max", "min", "random", "reject", "rejectattr", "reverse", "select", "selectattr", "sort", "sum", "unique",
    }
)  # fmt: skip
"""Filters that write nothing out."""


class TemplateLimitError(UsageError):
    """A template asks for more steps, text or digits than any prompt needs."""

    def __init__(self, problem: str) -> None:
        super().__init__(f"the template {problem}", remedy="correct the Jinja2 template")


class _Context(Context):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.steps = [0]

    def derived(self, locals: dict[str, Any] | None = None) -> Context:
        """See jinja2: a context inside of this one; it shares the count."""
        found = super().derived(locals)
        if isinstance(found, _Context):
            found.steps = self.steps
        return found

    def step(self) -> None:
        """Count one step."""
        self.steps[0] += 1
        if self.steps[0] > MOST_STEPS:
            raise TemplateLimitError(f"takes more than {MOST_STEPS:,} steps (rounds of loops, calls)")


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """The sandbox with bounds; every one of them raises `TemplateLimitError`."""

    context_class = _Context
    intercepted_binops = frozenset({"*", "**", "+", "%"})

    def __init__(self, **options: Any) -> None:
        super().__init__(finalize=_written, **options)
        del self.globals["lipsum"]
        for name, function in list(self.filters.items()):
            if name not in _NO_TEXT:
                self.filters[name] = _bounded(name, function)
        self.filters[_COUNTED] = _counted
        self.filters[_TOGETHER] = lambda parts: _joined(str(_written(part)) for part in parts)

    def _generate(
        self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False
    ) -> str:
        bounded: nodes.Template = _Bounds(self).visit(source)
        return super()._generate(bounded, name, filename, defer_init)

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """See jinja2: puts together what a template, a macro or a block has written."""
        return _joined(parts)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """See jinja2."""
        if operator == "**":
            _check_power(left, right)
        elif operator == "%" and isinstance(left, str):
            _check_format(left, right if isinstance(right, tuple) else (right,))
        elif operator == "*":
            _check_product(left, right)
        elif operator == "+" and hasattr(left, "__len__") and hasattr(right, "__len__"):
            _check_size(len(left) + len(right))
        return super().call_binop(context, operator, left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:
        """See jinja2."""
        if isinstance(__context, _Context):
            __context.step()
            if isinstance(__obj, LoopContext):  # a recursive loop goes over what it is handed
                args = tuple(_counted(__context, one) for one in args)
        method = getattr(__obj, "__wrapped__", __obj)  # Jinja wraps `format`
        owner, name = getattr(method, "__self__", None), getattr(method, "__name__", "")
        if isinstance(owner, str):
            args = tuple(map(_held, args)) if name == "join" else args
            _check_method(name, owner, [*args, *kwargs.values()])
        return super().call(__context, __obj, *args, **kwargs)


_COUNTED, _TOGETHER = "counted rounds", "texts together"
"""Names of filters that no template can write."""


class _Bounds(NodeTransformer):
    """Loops count their rounds, and `a ~ b` looks at what it joins."""

    def __init__(self, environment: BoundedEnvironment) -> None:
        self._environment = environment

    def visit_For(self, node: nodes.For) -> nodes.Node:
        """See jinja2."""
        self.generic_visit(node)
        node.iter = self._filter(node.iter, _COUNTED, node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        """See jinja2."""
        self.generic_visit(node)
        parts = nodes.Tuple(node.nodes, "load", lineno=node.lineno, environment=self._environment)
        return self._filter(parts, _TOGETHER, node.lineno)

    def _filter(self, node: nodes.Node, name: str, line: int) -> nodes.Filter:
        return nodes.Filter(node, name, [], [], None, None, lineno=line, environment=self._environment)


@pass_context
def _counted(context: Context, rounds: Iterable[Any]) -> Iterable[Any]:
    if isinstance(rounds, (list, tuple, str, Mapping, range)) and isinstance(context, _Context):
        context.steps[0] += len(rounds) - 1  # `loop.length` and the like need the thing itself
        context.step()
        return rounds
    return _counting(context, rounds)


def _counting(context: Context, rounds: Iterable[Any]) -> Iterator[Any]:
    for one in rounds:
        if isinstance(context, _Context):
            context.step()
        yield one


def _joined(parts: Iterable[str]) -> str:
    kept, size = [], 0
    for part in parts:
        size += len(part)
        _check_size(size)
        kept.append(part)
    return "".join(kept)


def _written(value: Any) -> Any:
    """What is about to become text, once it is known to be of bounded size."""
    if isinstance(value, (list, tuple, set, frozenset, Mapping)):
        _check_size(_weight(value))
    return value


def _weight(value: Any) -> int:
    """Parts of nested lists and mappings, those that stand in several places each time; characters of their texts."""
    known: dict[int, int] = {}

    def weigh(one: Any, depth: int) -> int:
        if isinstance(one, (str, bytes)):
            return len(one)
        if not isinstance(one, (list, tuple, set, frozenset, Mapping)):
            return 1
        if depth > 200:
            raise TemplateLimitError("writes out lists nested more than 200 deep")
        if id(one) not in known:
            inner = [*one.keys(), *one.values()] if isinstance(one, Mapping) else one
            known[id(one)] = 1 + sum(weigh(part, depth + 1) for part in inner)
        return known[id(one)]

    return weigh(value, 0)


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that looks at its arguments first."""

    @wraps(function)  # keeps Jinja's marks of what it is handed
    def checked(*args: Any, **kwargs: Any) -> Any:
        args = tuple(map(_held, args)) if name == "join" else args
        values = [value for value in (*args, *kwargs.values()) if not isinstance(value, Context)]
        if name == "format":
            text = next((value for value in values if isinstance(value, str)), "")
            _check_format(text, [value for value in values if value is not text])
        elif values:
            for value in values:
                _written(value)
            subject = next((value for value in values if isinstance(value, (str, list, tuple))), "")
            given = values[1:] if name == "round" else [value for value in values if value is not subject]
            _check_method(name, subject, given)
        return function(*args, **kwargs)

    return checked


def _held(value: Any) -> Any:
    """A list of what an iterator gives, whose size is then known."""
    return list(value) if isinstance(value, Iterator) else value


def _check_method(name: str, subject: Any, given: Iterable[Any]) -> None:
    """Methods of texts, and filters, by what they can make of their arguments."""
    given = list(given)
    if name in ("format", "format_map"):
        _check_format(str(subject), given)
        return
    if name in ("ljust", "rjust", "center", "zfill", "expandtabs", "indent", "batch", "slice", "round", "wordwrap"):
        for value in given:
            if isinstance(value, (int, float)) and abs(value) > MOST_WIDTH:
                raise TemplateLimitError(f"asks {name} for {value:.6g}, more than {MOST_WIDTH:,}")
        lines = subject.count("\n") + 1 if name == "indent" and isinstance(subject, str) else 1
        _check_size(
            lines * max([len(v) if isinstance(v, str) else int(v) for v in given if isinstance(v, (str, int))] or [0])
        )
    elif name == "replace" and isinstance(subject, str):
        texts = [len(value) for value in given if isinstance(value, str)]
        _check_size((len(subject) + 1) * (texts[-1] if len(texts) > 1 else 1))
    elif name == "join":
        for value in given:
            _written(value)
        sizes = [len(value) for value in (subject, *given) if hasattr(value, "__len__")]
        _check_size((sizes[0] + 1) * (sizes[1] + 1) if len(sizes) > 1 else 0)


def _check_format(text: str, values: Iterable[Any]) -> None:
    if _LONG_NUMBER.search(text):
        raise TemplateLimitError(f"formats by {text[:40]!r}, which may pad without bounds")
    size = len(text)
    for value in values:
        _written(value)
        size += len(value) if isinstance(value, str) else 0
    _check_size(size)


def _check_power(base: Any, exponent: Any) -> None:
    if isinstance(base, int) and isinstance(exponent, int) and base.bit_length() * max(exponent, 0) > MOST_BITS:
        raise TemplateLimitError(f"raises {_short(base)} to the power of {_short(exponent)}")


def _check_product(left: Any, right: Any) -> None:
    for one, other in ((left, right), (right, left)):
        if isinstance(other, int) and hasattr(one, "__len__"):
            _check_size(len(one) * max(other, 0))
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() + right.bit_length() > MOST_BITS:
        raise TemplateLimitError("multiplies numbers of endless digits")


def _short(number: int) -> str:
    return str(number) if number.bit_length() < 64 else "a large number"


def _check_size(size: int) -> None:
    if size > MOST_TEXT:
        raise TemplateLimitError(f"makes a text or list of more than {MOST_TEXT:,} characters or parts")
