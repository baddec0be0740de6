"""No parser can see a gold answer: shown on the source of every verifier, whichever there are."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import mmeval
from mmeval.core.errors import MmevalError
from mmeval.core.types import AnswerContext, Extraction, Response
from mmeval.verifiers.abilities import abilities_of
from mmeval.verifiers.base import Verifier, verify
from mmeval.verifiers.registry import get_verifier, list_verifiers
from tests.verifiers.contexts import contexts

PACKAGE = Path(mmeval.__file__).parent
NAMES = list_verifiers()
CLASSES = sorted({type(get_verifier(name)) for name in NAMES}, key=lambda cls: cls.__name__)
GOLD_NAMES = frozenset({"target", "targets", "gold", "golds", "gold_answer", "ground_truth"})
"""What this project calls a gold answer."""
MUTATORS = frozenset({"append", "extend", "insert", "add", "update", "setdefault", "pop", "remove", "clear", "discard", "popitem"})  # fmt: skip
PARSE_SIDE = frozenset({"choices", "options", "image_size", "sent_size", "coordinates", "coordinate_order"})


def bases(cls: type) -> list[type]:
    """The class and its bases in this project or a plug-in, most special first."""
    return [base for base in cls.__mro__ if base is not object and base.__module__ != "typing"]


def methods(cls: type) -> dict[str, tuple[type, ast.FunctionDef]]:
    """Name -> (class that defines it, source tree) of all methods that an instance has."""
    found: dict[str, tuple[type, ast.FunctionDef]] = {}
    for base in bases(cls):
        tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                found.setdefault(node.name, (base, node))
    return found


def called(function: ast.FunctionDef) -> set[tuple[bool, str]]:
    """What a function names: (whether it is a method of its own class, name)."""
    found = {(False, node.id) for node in ast.walk(function) if isinstance(node, ast.Name)}
    return found | {
        (True, node.attr)
        for node in ast.walk(function)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("self", "cls")
    }


@cache
def module_functions(module: str) -> dict[str, ast.FunctionDef]:
    """The functions that a module defines, and those that it imports from other modules of verifiers."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    found = {}
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("mmeval.verifiers."):
            there = module_functions(str(node.module))
            found |= {name.asname or name.name: there[name.name] for name in node.names if name.name in there}
    return found | {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def parse_side(cls: type) -> Iterator[ast.FunctionDef]:
    """`parse`, and all methods and functions of the verifiers' modules that it reaches by name."""
    own = methods(cls)
    waiting = [(own["parse"][0].__module__, own["parse"][1])]
    seen: set[int] = set()
    while waiting:
        module, function = waiting.pop()
        if id(function) in seen:
            continue
        seen.add(id(function))
        yield function
        for of_self, name in called(function):
            if of_self and name in own:
                waiting.append((own[name][0].__module__, own[name][1]))
            elif not of_self and name in module_functions(module):
                waiting.append((module, module_functions(module)[name]))


def test_the_context_of_a_parser_holds_nothing_else() -> None:
    assert {field.name for field in fields(AnswerContext)} == PARSE_SIDE


@pytest.mark.parametrize("cls", [*CLASSES, Verifier], ids=lambda cls: cls.__name__)
def test_parse_takes_text_and_context_alone(cls: type) -> None:
    signature = inspect.signature(cls.parse, eval_str=True)  # type: ignore[attr-defined]
    assert [(name, parameter.annotation, parameter.kind) for name, parameter in signature.parameters.items()] == [
        ("self", inspect.Parameter.empty, inspect.Parameter.POSITIONAL_OR_KEYWORD),
        ("text", str, inspect.Parameter.POSITIONAL_OR_KEYWORD),
        ("context", AnswerContext, inspect.Parameter.POSITIONAL_OR_KEYWORD),
    ]
    assert signature.return_annotation is Extraction


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_nothing_that_parse_reaches_takes_a_gold_answer(cls: type) -> None:
    reached = list(parse_side(cls))
    assert any(function.name == "parse" for function in reached)
    for function in reached:
        arguments = {argument.arg for argument in [*function.args.args, *function.args.kwonlyargs]}
        names = {node.id for node in ast.walk(function) if isinstance(node, ast.Name)}
        attributes = {node.attr for node in ast.walk(function) if isinstance(node, ast.Attribute)}
        assert not (arguments | names | attributes) & GOLD_NAMES, f"{cls.__module__}.{function.name}"


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_a_verifier_keeps_nothing_of_a_row(cls: type) -> None:
    """What `match` was given cannot reach a later `parse`: nothing is stored but by the constructor."""
    for name, (owner, function) in methods(cls).items():
        where = f"{owner.__name__}.{name}"
        for node in ast.walk(function):
            assert not isinstance(node, ast.Global), where
            if name in ("__init__", "__post_init__"):
                continue
            stored = isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, (ast.Store, ast.Del))
            assert not (stored and rooted(node) == "self"), where
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                of_self = isinstance(node.func.value, ast.Attribute) and rooted(node.func.value) == "self"
                assert not (of_self and node.func.attr in MUTATORS), where


@pytest.mark.parametrize("module", sorted({base.__module__ for cls in CLASSES for base in bases(cls)}))
def test_no_module_of_a_verifier_has_a_store_of_its_own(module: str) -> None:
    """No function writes into a table of its module, and none that is remembered (lru_cache) looks at such a table."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    tables = {
        target.id
        for node in tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        own = {node.id for node in ast.walk(function) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
        own |= {argument.arg for argument in function.args.args}
        for node in ast.walk(function):
            if isinstance(node, ast.Subscript) and isinstance(node.ctx, (ast.Store, ast.Del)):
                assert rooted(node) not in tables - own, f"{module}.{function.name}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATORS:
                assert rooted(node.func) not in tables - own, f"{module}.{function.name}"


def rooted(node: ast.AST) -> str:
    """The name at the root of `a.b[c].d`."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def test_one_place_alone_hands_a_response_to_a_parser() -> None:
    """Outside the verifiers nothing calls their `parse`; `verify` does it before it looks at the target."""
    calls: list[str] = []
    for path in sorted(PACKAGE.rglob("*.py")):
        # A strategy reads what its own verifier says of an answer, in a context of its own, without a gold answer.
        if "verifiers" in path.relative_to(PACKAGE).parts or path == PACKAGE / "conditions" / "selection.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "parse":
                receiver = ast.unparse(node.func.value)
                if receiver not in ("ast", "environment", "ET", "ElementTree", "urllib.parse", "expat"):
                    calls.append(f"{path.relative_to(PACKAGE)}: {ast.unparse(node)}")
    assert not calls

    source = ast.parse((PACKAGE / "verifiers" / "base.py").read_text(encoding="utf-8"))
    verdict = next(node for node in source.body if isinstance(node, ast.FunctionDef) and node.name == "_verdict")
    first = verdict.body[0]
    assert ast.unparse(first) == "extraction = verifier.parse(text, context)"


TEXTS = (
    "", "A", "(B)", "The answer is C.", r"\boxed{B}", "<think>Two of them, I see A.</think><answer>B</answer>", "yes", "No, there is none.",
    "3", "3.5 metres", "about 4 or 5", "red", "[10, 20, 30, 40]", '[{"bbox_2d": [1, 2, 30, 40], "label": "cat"}]', "[0.4, 0.6]",
    '<answer>{"rating": 3.4}</answer>', '{"distortion_class": "blur", "severity": "slight"}', "Overall Judgment: Answer 1 is better.",
    r"The area is \boxed{\frac{\sqrt{3}}{2}}", "[1, 2, 3]", "[1, 2, 3, 4, 5, 6]", "bin blue at f two now", '["yes", "no", null]', "[['a red hat']]",
    "I'm sorry, I cannot see the image.", "<think>unfinished", "click(x=120, y=80)", "A: Yes\nB: No", "答案是B", "none of them",
    '{"tokens": ["a"], "with": [-0.1], "without": [-0.5]}', '{"action": "click", "point": [30, 40]}',
)  # fmt: skip
TARGETS: tuple[Any, ...] = (
    None, "A", "B", "C", "D", "yes", "no", True, False, 0, 1, 3, 3.5, 4.0, "3", "red", "a red hat", r"\frac{\sqrt{3}}{2}", [1, 2, 3], ["red", "blue"],
    [10, 20, 30, 40], [[1, 2, 30, 40]], {"box": [0, 0, 50, 50]}, {"polygon": [[0, 0], [9, 0], [9, 9]]}, ["blur", "slight"], [True, False],
    {"changed": "a red hat", "original": "a blue hat"}, "bin blue at f two now", ["yes", "no"], "",
)  # fmt: skip
"""Gold answers of every form; most are not the verifier's own, which a parser must not notice either."""


def read(verifier: Any, text: str, context: AnswerContext) -> Extraction | str:
    """What a parser reads, or the message of what the context lacks."""
    try:
        return verifier.parse(text, context)
    except MmevalError as error:
        return error.message


@pytest.mark.parametrize("name", NAMES)
def test_what_is_read_does_not_change_with_the_target(name: str) -> None:
    verifier = get_verifier(name, {})
    answered = 0
    for number, text in enumerate(TEXTS):
        for context in contexts(name):
            before = read(verifier, text, context)
            if isinstance(before, str):
                continue
            answered += before.found
            for step in (0, 7, 13):
                target = TARGETS[(number + step) % len(TARGETS)]
                found = verify(verifier, Response("ok", text), target, context)
                assert repr((found.extracted, found.span)) == repr((before.value, before.span)), (text, context, target)
                if target is not None and found.outcome != "unscored":
                    assert (found.outcome == "no_answer") == (not before.found)
            assert repr(read(verifier, text, context)) == repr(before)
    needs = getattr(abilities_of(name, {}), "needs", frozenset())
    assert answered or needs, "no text of this test is an answer for it: add one"
