"""The files that a page is made of: those of a folder of one's own first, the packaged ones of `reports/` for the rest."""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mmeval.core.errors import UsageError, nearest
from mmeval.core.resources import resource_dir
from mmeval.reports.format import visible_text

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

SUFFIXES = (".j2", ".css", ".js")


@dataclass(slots=True)
class Templates:
    """Looks files up by name, and knows which were used."""

    own: Path | None = None
    """A folder with some of the files of `reports/`, and others that these use."""
    packaged: Path = field(default_factory=lambda: resource_dir("reports"))
    _used: set[str] = field(default_factory=set)

    @property
    def folders(self) -> list[Path]:
        """Where files are looked for, in this order."""
        return [self.packaged] if self.own is None else [self.own, self.packaged]

    def path(self, name: str) -> Path:
        """Return the place of a file; that of the packaged one when no folder has it."""
        self._used.add(name)
        return next((folder / name for folder in self.folders if (folder / name).is_file()), self.packaged / name)

    def read(self, name: str) -> str:
        """Return the text of a file.

        Raises:
            UsageError: when there is none, or it is no UTF-8 text.
        """
        path = self.path(name)
        try:
            return path.read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}", remedy=_REMEDY) from error
        except UnicodeDecodeError as error:
            line = error.object[: error.start].count(b"\n") + 1
            raise UsageError(f"{path}, line {line}: not UTF-8 text", remedy=_REMEDY) from error

    def environment(self) -> SandboxedEnvironment:
        """Return an environment that escapes every value, refuses undefined names, and reaches nothing but its values."""
        from jinja2 import FunctionLoader, StrictUndefined, TemplateNotFound
        from jinja2.sandbox import SandboxedEnvironment

        from mmeval.reports.compiled import COMPILED

        def load(name: str) -> tuple[str, str, None]:
            if not self.path(name).is_file():
                raise TemplateNotFound(name)
            return self.read(name), str(self.path(name)), None

        return SandboxedEnvironment(
            loader=FunctionLoader(load),
            bytecode_cache=COMPILED,
            autoescape=True,
            # Attributes and titles too: what hides or reorders text is written by its code point.
            finalize=lambda value: visible_text(value) if type(value) is str else value,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def check_names(self) -> None:
        """Refuse a folder of one's own with a file that nothing uses, which is most often a wrong name.

        Raises:
            UsageError: with the names that come close.
        """
        if self.own is None:
            return
        known = {path.name for path in self.packaged.iterdir() if path.suffix in SUFFIXES}
        for path in sorted(self.own.rglob("*")):
            name = path.relative_to(self.own).as_posix()
            if path.suffix in SUFFIXES and name not in known | self._used:
                close = " or ".join(nearest(name, known)) or ", ".join(sorted(known))
                raise UsageError(f"{path}: no file of the report has this name, and no template of yours uses it",
                                 remedy=f"call it {close}, or take it out of the folder")  # fmt: skip


_REMEDY = "correct the file, or leave it out of the folder of --template-dir: the packaged one is then used"


def template_error(error: Exception, templates: Templates, entry: str) -> UsageError | None:
    """Say where a template failed; None for an error that did not come out of one."""
    from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError

    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(".j2")
    ]  # jinja2 puts files and lines of templates into the traceback
    if isinstance(error, TemplateSyntaxError):
        place = f"{error.filename or templates.path(error.name or entry)}, line {error.lineno}"
    elif frames:
        place = f"{frames[-1].filename}, line {frames[-1].lineno}"
    elif isinstance(error, TemplateError):
        place = str(templates.path(entry))
    else:
        return None
    what = f"there is no template {error}" if isinstance(error, TemplateNotFound) else str(error)
    return UsageError(f"{place}: {what}", remedy=_REMEDY)
