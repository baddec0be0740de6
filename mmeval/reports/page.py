"""From template, style sheet and script modules to one HTML file with a strict content policy."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from mmeval.core.errors import UsageError
from mmeval.core.shortage import shortage
from mmeval.reports.format import breakable, script_json, visible
from mmeval.reports.templates import Templates, template_error

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment


@dataclass(frozen=True, slots=True)
class Face:
    """Which files of the template folder make a page, and what it may connect to."""

    template: str = "report.html.j2"
    entry: str = "main.js"
    """The script module that starts everything."""
    styles: tuple[str, ...] = ("report.css",)
    connect: str = "'none'"
    """Source of the content policy's `connect-src`."""
    beside: bool = False
    """Scripts and pictures lie in files beside the page, which otherwise holds everything itself."""


REPORT = Face()
CUSTOM = "custom.css"
"""Comes behind the style sheets of every page; empty unless somebody has one of their own."""

_IMPORT = re.compile(r'^import \{\s*([^}]*?)\s*\} from "\./([\w-]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|class) (\w+))", re.MULTILINE)


def render_page(templates: Templates, values: Mapping[str, Any], face: Face = REPORT) -> str:
    """Render a page.

    Args:
        templates: finds the templates, style sheets and script modules.
        values: what the template may use; besides, it gets `style`, `script` and `policy`.
        face: which of them; the report's by default.

    Raises:
        UsageError: when a file is missing or wrong, with its name and line.
    """
    style = "".join(_style(templates, name) for name in (*face.styles, CUSTOM))
    script = bundle(templates, face.entry)
    # Browsers take 'self' of a page opened from disk for the files of this disk, and for nothing else.
    scripts, pictures = (f"{_source(script)} 'self'", "'self' data:") if face.beside else (_source(script), "data:")
    policy = (
        f"default-src 'none'; script-src {scripts}; style-src {_source(style)}; img-src {pictures}; "
        f"connect-src {face.connect}; base-uri 'none'; form-action 'none'"
    )
    # Style and script are the project's own files; everything else in `values` is escaped by the template.
    own = {"style": Markup(style), "script": Markup(script), "policy": policy}
    page = render(templates, face.template, {**values, **own})
    templates.check_names()
    return page


def page_environment(templates: Templates) -> SandboxedEnvironment:
    """Return the environment of templates with the filters that they use."""
    environment = templates.environment()
    environment.filters["visible"] = visible
    environment.filters["breakable"] = breakable
    environment.filters["script_json"] = script_json
    return environment


def render(templates: Templates, name: str, values: Mapping[str, Any]) -> str:
    """Render one template, which escapes all values.

    Raises:
        UsageError: when it is missing or wrong, with its name and line.
    """
    environment = page_environment(templates)
    try:
        return environment.get_template(name).render(**values)
    except Exception as error:
        if isinstance(error, UsageError) or shortage(error) or (told := template_error(error, templates, name)) is None:
            raise
        raise told from error


def _style(templates: Templates, name: str) -> str:
    text = templates.read(name)
    if (place := text.lower().find("</style")) >= 0:
        line = text.count("\n", 0, place) + 1
        raise UsageError(f"{templates.path(name)}, line {line}: a style sheet cannot hold </style")
    return text


def bundle(templates: Templates, entry: str) -> str:
    """Join a script module and its imports into one script, each module in a scope of its own, imported ones first.

    Modules may use `import { a, b } from "./name.js";` and `export function|const|class`, nothing else.

    Raises:
        UsageError: for a missing module, another form of import or export, or modules that import each other.
    """
    done: dict[str, str] = {}
    _bundle(templates, entry, done, ())
    return '"use strict";\nconst modules = {};\n' + "".join(done.values())


def _bundle(templates: Templates, name: str, done: dict[str, str], above: tuple[str, ...]) -> None:
    if name in done:
        return
    path = templates.path(name)
    if name in above:
        raise UsageError(f"{path}: modules import each other: {' -> '.join([*above, name])}")
    source = templates.read(name)
    for match in _IMPORT.finditer(source):
        _bundle(templates, match.group(2), done, (*above, name))
    body = _IMPORT.sub(lambda match: f'const {{ {match.group(1)} }} = modules["{match.group(2)}"];\n', source)
    exports = _EXPORT.findall(body)
    body = _EXPORT.sub("", body)
    stray = re.search(r"^(?:import|export)\b.*|</script", body, re.MULTILINE | re.IGNORECASE)
    if stray:
        line = source.count("\n", 0, source.index(stray.group())) + 1
        raise UsageError(f"{path}, line {line}: cannot be inlined: {stray.group()}")
    done[name] = f'modules["{name}"] = (() => {{\n{body}return {{ {", ".join(exports)} }};\n}})();\n'


def _source(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
