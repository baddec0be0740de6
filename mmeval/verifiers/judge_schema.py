"""The JSON schemas of judges' replies: the part of JSON Schema that every engine can force, and how a reply breaks one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

KEYWORDS = frozenset(
    {"type", "properties", "required", "additionalProperties", "items", "enum", "anyOf", "description"}
    | {"minimum", "maximum", "minItems", "maxItems"}
)
"""What a card's schema may use: endpoints refuse others in strict mode, and a keyword that one engine ignores is a trap."""
_FORMS: tuple[tuple[str, type | tuple[type, ...], str], ...] = (
    ("type", str, "text"), ("enum", list, "a list"), ("required", list, "a list"), ("anyOf", list, "a list"), ("minimum", (int, float), "a number"),
    ("maximum", (int, float), "a number"), ("minItems", int, "a whole number"), ("maxItems", int, "a whole number"),
)  # fmt: skip
TYPES = frozenset({"object", "array", "string", "number", "integer", "boolean", "null"})


def schema_mistakes(schema: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with the schema of a card, a line per mistake."""
    if schema.get("type") != "object":
        return ["schema: the reply is one object (type: object)"]
    return list(_mistakes(schema, "schema"))


def _mistakes(node: Any, place: str) -> Iterator[str]:
    if not isinstance(node, Mapping):
        yield f"{place}: must be a mapping"
        return
    for keyword in sorted(map(str, node.keys() - KEYWORDS)):
        yield f"{place}: keyword {keyword!r} is not supported (known: {', '.join(sorted(KEYWORDS))})"
    misshapen = [
        f"{place}: {keyword} must be {words}"
        for keyword, kinds, words in _FORMS
        if keyword in node and (not isinstance(node[keyword], kinds) or isinstance(node[keyword], bool))
    ]
    if misshapen:
        yield from misshapen
        return
    if "anyOf" not in node and node.get("type") not in TYPES:
        yield f"{place}: type must be one of {', '.join(sorted(TYPES))}"
    if any(isinstance(value, float) for value in node.get("enum") or ()):
        # xgrammar (in vLLM) spells 0.1 as 0.10000000000000001 and lets a judge write nothing else.
        yield f"{place}: an enum has texts or whole numbers; give minimum and maximum instead"
    if node.get("type") == "object":
        properties = node.get("properties")
        if not isinstance(properties, Mapping) or not properties:
            yield f"{place}: an object has properties"
            return
        if node.get("additionalProperties") is not False:
            yield f"{place}: an object has additionalProperties: false"
        if list(node.get("required") or ()) != list(properties):
            yield f"{place}: required lists all properties, in their order"
        for name, inner in properties.items():
            yield from _mistakes(inner, f"{place}.{name}")
    if node.get("type") == "array":
        yield from _mistakes(node.get("items"), f"{place}[]")
    for number, inner in enumerate(node.get("anyOf") or ()):
        yield from _mistakes(inner, f"{place}.anyOf[{number}]")


def form(schema: Mapping[str, Any], reply_id: str) -> str:
    """Return how a reply looks, on one line, as a judge is shown it. It is no JSON, so that an echo of it is no verdict."""
    parts = (
        f'"{key}": ' + (f'"{reply_id}"' if key == "id" else _shape(inner))
        for key, inner in schema["properties"].items()
    )
    return "{" + ", ".join(parts) + "}"


def _shape(node: Mapping[str, Any]) -> str:
    if "anyOf" in node:
        return "(" + " or ".join(_shape(inner).strip("()") for inner in node["anyOf"]) + ")"
    if "enum" in node:
        return (
            "(one of "
            + ", ".join(f'"{value}"' if isinstance(value, str) else f"{value}" for value in node["enum"])
            + ")"
        )
    kind = node["type"]
    if kind == "object":
        return "{" + ", ".join(f'"{key}": {_shape(inner)}' for key, inner in node["properties"].items()) + "}"
    if kind == "array":
        return f"[{_shape(node['items'])}, …]"
    if kind == "number" and "minimum" in node and "maximum" in node:
        return f"(number from {node['minimum']:g} to {node['maximum']:g})"
    return {"boolean": "(true or false)", "null": "(null)"}.get(kind, f"({kind})")


def first_violation(schema: Mapping[str, Any], reply: Mapping[str, Any]) -> str | None:
    """Return in words how a reply breaks the schema, None when it does not.

    The words come from the schema alone: text of a reply may be the candidate's, and must not reach a repair request.
    """
    from jsonschema import Draft202012Validator

    error = next(Draft202012Validator(schema).iter_errors(reply), None)
    return None if error is None else _in_words(error)


def _in_words(error: ValidationError) -> str:
    place = ".".join(str(part) for part in error.absolute_path) or "the object"
    expected = error.schema
    match error.validator:
        case "additionalProperties":
            return f"{place} has a key that the form does not have"
        case "required":
            return f"{place} lacks a key; it has {', '.join(error.validator_value)}"
        case "minItems" | "maxItems":
            return f"{place} has too {'few' if error.validator == 'minItems' else 'many'} entries"
        case _:
            return (
                f"{place} must be {_shape(expected).strip('()')}"
                if isinstance(expected, Mapping)
                else f"{place} is wrong"
            )
