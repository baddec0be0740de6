"""Which columns of a row are its gold answer, and that no parser is shown them.

A parser gets the response and a context that the card makes of the row: the options, what `answer.row_options` names, the
kind of answer, the coordinate space. None of these may be read from the gold, not even its form: a reader that was chosen
because the gold is a number has seen that it is one (the answer type `open` chooses where answer and gold are compared).
Prompts are not looked at: official ones may say how many decimals the gold has.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from jinja2 import TemplateError, nodes

from mmeval.core.templates import environment
from mmeval.tasks.card import Card


def leaks(card: Card) -> list[str]:
    """Return the mistakes of a card by which the gold answer would reach a parser, as lines that begin with their key."""
    gold = gold_columns(card)
    return [
        f"{key}: it reads {name}, which is the gold answer (fields.answer), and parsers never see that ({remedy})"
        for key, column, remedy in _of_parsers(card)
        for name in sorted(reads(column))
        if any(_within(name, own) or _within(own, name) for own in gold)
    ]


def gold_columns(card: Card) -> frozenset[str]:
    """Return what `fields.answer` reads and neither question nor media nor options do."""
    fields = card.fields
    known = [fields.question, *fields.images, *fields.videos]
    if fields.choices != fields.answer:
        known += [fields.choices] if isinstance(fields.choices, str) else fields.choices or []
    public = frozenset[str]().union(*map(reads, known), card.dataset.each)
    own = reads(fields.answer) if fields.answer else frozenset()
    return frozenset(name for name in own if not any(_within(name, shown) for shown in public))


def _within(name: str, other: str) -> bool:
    """Whether a column or member is another one, or a part of it."""
    return name == other or name.startswith(f"{other}.")


def _of_parsers(card: Card) -> Iterator[tuple[str, str, str]]:
    """Yield key, column or expression, and remedy, of all that a parser gets of a row."""
    for option, column in card.answer.of_row().items():
        yield f"answer.row_options.{option}", column, "name another column"
    if card.fields.answer_type:
        yield "fields.answer_type", card.fields.answer_type, "it may be 'open' where only the gold tells the form"
    if card.strategy is not None and card.strategy.retrieval is not None:
        for name, column in card.strategy.retrieval.send.items():
            yield f"strategy.retrieval.send.{name}", column, "name another column"
    if card.answer.coordinates.startswith("="):
        yield "answer.coordinates", card.answer.coordinates, "name another column"
    if isinstance(card.fields.choices, str) and card.fields.choices == card.fields.answer:
        yield "fields.choices", card.fields.choices, "name the column of the options"


@lru_cache(maxsize=4096)
def reads(column: str) -> frozenset[str]:
    """Return the columns that a column, path or `=` expression reads, with their members (`a.b`) where it names them.

    A key of `row` that is computed stands as its own text.
    """
    if not column.startswith("="):
        return frozenset({column})
    parsed = _parsed("{{ " + column[1:].strip() + " }}")
    if parsed is None:
        return frozenset()
    own = {name.name for name in parsed.find_all(nodes.Name) if name.ctx == "store"} | environment.globals.keys()
    found: set[str] = set()
    _collect(parsed, found)
    return frozenset(name for name in found if name.partition(".")[0] not in own)


def _collect(node: nodes.Node, found: set[str]) -> None:
    path = _path(node)
    if path is not None:
        found.update([path] if path else [])
        return
    if isinstance(node, nodes.Call) and isinstance(node.node, nodes.Getattr):
        # The method of a value is no member of it; `row.get("NAME")` reads NAME.
        method = node.node
        if _is_row(method.node) and method.attr == "get" and node.args:
            found.add(_key(node.args[0]))
        else:
            _collect(method.node, found)
        for part in (*node.args, *node.kwargs):
            _collect(part, found)
        return
    if isinstance(node, nodes.Getitem) and _is_row(node.node):
        found.add(_key(node.arg))
    for child in node.iter_child_nodes():
        _collect(child, found)


def _path(node: nodes.Node) -> str | None:
    """The column and members that a node names, `""` for the row itself; None for any other node."""
    if isinstance(node, nodes.Name):
        return "" if node.name == "row" else node.name
    if isinstance(node, nodes.Getattr):
        before, key = _path(node.node), node.attr
    elif isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str):
        before, key = _path(node.node), node.arg.value
    else:
        return None
    return None if before is None else f"{before}.{key}".lstrip(".")


def _parsed(text: str) -> nodes.Template | None:
    try:
        return environment.parse(text)
    except (TemplateError, RecursionError):
        return None  # another check says so


def _is_row(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Name) and node.name == "row"


def _key(node: nodes.Node) -> str:
    return str(node.value) if isinstance(node, nodes.Const) else f"row[{node!r}]"
