"""Jinja2 in a sandbox with bounds: templates of cards are data, and undefined names are mistakes."""

from __future__ import annotations

from functools import lru_cache

from jinja2 import StrictUndefined, Template, TemplateError, meta

from mmeval.core.errors import UsageError
from mmeval.core.literals import read_literal
from mmeval.core.template_limits import BoundedEnvironment

# A prompt is plain text for a model: escaping it as HTML would change what is asked.
environment = BoundedEnvironment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=False)
environment.filters["literal"] = lambda value: read_literal(value) if isinstance(value, str) else value
"""`options | literal`: the list that a column holds, as text or as such."""


@lru_cache(maxsize=256)
def compile_template(text: str) -> Template:
    """Compile a prompt template in Jinja's sandbox.

    Raises:
        UsageError: with the line of the mistake.
    """
    try:
        return environment.from_string(text)
    except RecursionError as error:
        raise UsageError("prompt template: it is nested too deeply", remedy="correct the Jinja2 template") from error
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        raise UsageError(
            f"prompt template{f', line {line}' if line else ''}: {error}", remedy="correct the Jinja2 template"
        ) from error


@lru_cache(maxsize=1024)
def undeclared(text: str) -> frozenset[str]:
    """Return the names that a template takes from outside, without Jinja's own functions."""
    return frozenset(meta.find_undeclared_variables(environment.parse(text))) - environment.globals.keys()
