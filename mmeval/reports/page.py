"""From template, style sheet and script modules to one HTML file with a strict content policy."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from mmeval.core.errors import UsageError
from mmeval.reports.format import script_json, visible


@dataclass(frozen=True, slots=True)
class Face:
    """Which files of the template folder make a page, and what it may connect to."""

    template: str = "report.html.j2"
    entry: str = "main.js"
    """The script module that starts everything."""
    styles: tuple[str, ...] = ("report.css",)
    connect: str = "'none'"
    """Source of the content policy's `connect-src`."""


REPORT = Face()

_IMPORT = re.compile(r'^import \{\s*([^}]*?)\s*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)


def render_page(folder: Path, values: Mapping[str, Any], face: Face = REPORT) -> str:
    """Render a page.

    Args:
        folder: holds the templates, style sheets and script modules.
        values: what the template may use; besides, it gets `style`, `script` and `policy`.
        face: which of them; the report's by default.

    Raises:
        UsageError: when a file of the folder is missing or the template is wrong, with its name and line.
    """
    style = "".join(_read(folder / name) for name in face.styles)
    script = bundle(folder, face.entry)
    policy = (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; img-src data:; "
        f"connect-src {face.connect}; base-uri 'none'; form-action 'none'"
    )
    # Style and script are the project's own files; everything else in `values` is escaped by the template.
    return render(folder, face.template, {**values, "style": Markup(style), "script": Markup(script), "policy": policy})


def render(folder: Path, name: str, values: Mapping[str, Any]) -> str:
    """Render one template, which escapes all values.

    Raises:
        UsageError: when it is missing or wrong, with its name and line.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError

    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = visible
    environment.filters["script_json"] = script_json
    try:
        return environment.get_template(name).render(**values)
    except TemplateError as error:
        line = getattr(error, "lineno", None)
        place = f"{folder / (getattr(error, 'name', None) or name)}{f', line {line}' if line else ''}"
        raise UsageError(f"{place}: {error}", remedy="correct the template, or leave --template-dir out") from error


def bundle(folder: Path, entry: str) -> str:
    """Join a script module and its imports into one script, each module in a scope of its own, imported ones first.

    Modules may use `import { a, b } from "./name.js";` and `export function|const|class`, nothing else.

    Raises:
        UsageError: for a missing module, another form of import or export, or modules that import each other.
    """
    done: dict[str, str] = {}
    _bundle(folder, entry, done, ())
    return '"use strict";\nconst modules = {};\n' + "".join(done.values())


def _bundle(folder: Path, name: str, done: dict[str, str], above: tuple[str, ...]) -> None:
    if name in done:
        return
    if name in above:
        raise UsageError(f"{folder / name}: modules import each other: {' -> '.join([*above, name])}")
    source = _read(folder / name)
    for match in _IMPORT.finditer(source):
        _bundle(folder, match.group(2), done, (*above, name))
    body = _IMPORT.sub(lambda match: f'const {{ {match.group(1)} }} = modules["{match.group(2)}"];\n', source)
    exports = _EXPORT.findall(body)
    body = _EXPORT.sub("", body)
    stray = re.search(r"^(?:import|export)\b.*", body, re.MULTILINE)
    if stray or "</script" in body.lower():
        raise UsageError(f"{folder / name}: cannot be inlined: {stray.group() if stray else '</script'}")
    done[name] = f'modules["{name}"] = (() => {{\n{body}return {{ {", ".join(exports)} }};\n}})();\n'


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"cannot read {path}: {error.strerror}", remedy="a template folder needs every file of reports/"
        ) from error


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
