"""Reading YAML files that people write: nothing in them runs, and a mistake names its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mmeval.core.errors import UsageError
from mmeval.core.files import read_regular

MOST_BYTES = 64 * 1024 * 1024
MOST_VALUES = 1_000_000
"""Of a file, with what its aliases stand for written out: ten lines can stand for billions."""
MOST_MERGED = 10_000
"""Keys that one mapping may have by merging others into it."""
_WRITE_OUT = "write out what the aliases stand for"


class _KeyTwice(Exception):
    """A mapping holds a key twice, of which YAML would keep the last."""


class _TooMany(Exception):
    """Aliases or merge keys that stand for too much."""


class _Endless(Exception):
    """A value that holds itself."""


class _OnceLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A SafeLoader that refuses a key that a mapping holds twice."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Resolve merge keys (`<<`), which copy what they name."""
        super().flatten_mapping(node)
        if len(node.value) > MOST_MERGED:
            raise _TooMany

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Check the keys, then construct as usual."""
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            line = key.start_mark.line + 1
            if key.value in lines:
                raise _KeyTwice(f"line {line}: key {key.value!r} stands in line {lines[key.value]} too")
            lines[key.value] = line
        found: dict[Any, Any] = super().construct_mapping(node, deep)
        return found


def _date(loader: _OnceLoader, node: yaml.ScalarNode) -> Any:
    try:
        return loader.construct_yaml_timestamp(node)
    except ValueError as error:
        raise yaml.constructor.ConstructorError(
            None, None, f"{node.value} is no date: {error}", node.start_mark
        ) from error


_OnceLoader.add_constructor("tag:yaml.org,2002:timestamp", _date)


def read_yaml(path: Path) -> Any:
    """Read one YAML file without running anything in it.

    Raises:
        UsageError: naming file and line when it is not YAML, holds a key twice, or cannot be read.
    """
    try:
        found = yaml.load(read_regular(path, MOST_BYTES).decode("utf-8"), Loader=_OnceLoader)  # safe: a SafeLoader
        if _size(found, {}) > MOST_VALUES:
            raise _TooMany
        return found
    except _TooMany:
        raise UsageError(f"{path}: its aliases stand for more values than are read", remedy=_WRITE_OUT) from None
    except _Endless:
        raise UsageError(f"{path}: an alias stands within its own anchor", remedy=_WRITE_OUT) from None
    except _KeyTwice as error:
        raise UsageError(f"{path}, {error}", remedy="keep one of the two") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", remedy="check the path") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        raise UsageError(f"{path}{place}: not valid YAML: {problem}", remedy="correct the file") from error


def _size(value: Any, known: dict[int, int | None]) -> int:
    """How many values a value is when every alias is written out; `known` is by identity, None for one under way.

    Raises:
        _Endless: for a value that holds itself.
    """
    if not isinstance(value, (dict, list, set, tuple)):
        return 1
    place = id(value)
    if place in known:
        size = known[place]
        if size is None:
            raise _Endless
        return size
    known[place] = None
    inner = [*value, *value.values()] if isinstance(value, dict) else value
    known[place] = size = 1 + sum(_size(entry, known) for entry in inner)
    return size
