"""Reading YAML files that people write: nothing in them runs, and a mistake names its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from mmeval.core.errors import UsageError


class _KeyTwice(Exception):
    """A mapping holds a key twice, of which YAML would keep the last."""


class _OnceLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A SafeLoader that refuses a key that a mapping holds twice."""

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


def read_yaml(path: Path) -> Any:
    """Read one YAML file without running anything in it.

    Raises:
        UsageError: naming file and line when it is not YAML, holds a key twice, or cannot be read.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_OnceLoader)  # safe: a SafeLoader
    except _KeyTwice as error:
        raise UsageError(f"{path}, {error}", remedy="keep one of the two") from error
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}", remedy="check the path") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: no UTF-8, or a date that does not exist
        mark = getattr(error, "problem_mark", None)
        place = f", line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        raise UsageError(f"{path}{place}: not valid YAML: {problem}", remedy="correct the file") from error
