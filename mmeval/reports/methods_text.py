"""Text with citations, free of mark-up, and its forms: plain, Markdown, LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from mmeval.reports.bibliography import Bibliography, Work
from mmeval.reports.escapes import LATEX_UNICODE, latex_text, markdown_text
from mmeval.reports.format import visible_text


@dataclass(frozen=True, slots=True)
class Cite:
    """A citation inside a text."""

    keys: tuple[str, ...]


Piece = str | Cite


@dataclass(frozen=True, slots=True)
class Methods:
    """The text, free of any mark-up, and what it cites."""

    paragraphs: tuple[tuple[Piece, ...], ...] = ()
    works: tuple[Work, ...] = ()

    def plain(self) -> list[str]:
        """Paragraphs with the keys in brackets."""
        return [_joined(one, visible_text, lambda keys: f" [{', '.join(keys)}]") for one in self.paragraphs]

    def markdown(self) -> str:
        """Pandoc's form of citations."""
        made = (_joined(one, markdown_text, lambda keys: f" [@{'; @'.join(keys)}]") for one in self.paragraphs)
        return "\n\n".join(made)

    def latex(self) -> str:
        """A fragment for `\\input`, with `\\cite`."""
        made = (_joined(one, latex_text, lambda keys: rf"~\cite{{{','.join(keys)}}}") for one in self.paragraphs)
        return LATEX_UNICODE + "\n" + "\n\n".join(made) + "\n"

    def bibtex(self) -> str:
        """Every entry that the text cites, and no other."""
        return "\n".join(work.bibtex() for work in self.works)


def _joined(pieces: Sequence[Piece], text: Any, cite: Any) -> str:
    return "".join(text(one) if isinstance(one, str) else cite(one.keys) for one in pieces)


@dataclass(slots=True)
class Text:
    """A text in the making."""

    books: Bibliography = field(default_factory=Bibliography)
    paragraphs: list[tuple[Piece, ...]] = field(default_factory=list)
    _pieces: list[Piece] = field(default_factory=list)

    def cite(self, *keys: str) -> list[Piece]:
        """Works on methods."""
        return [Cite(tuple(self.books.method(key) for key in keys))] if keys else []

    def say(self, sentences: Iterable[Sequence[Piece]]) -> None:
        """Add whole sentences."""
        for sentence in sentences:
            if self._pieces:
                self._pieces.append(" ")
            self._pieces += sentence

    def end(self) -> None:
        """End the paragraph."""
        if self._pieces:
            self.paragraphs.append(tuple(self._pieces))
        self._pieces = []


def listed(parts: Sequence[Sequence[Piece]], last: str = "and") -> list[Piece]:
    """Join phrases by commas and a last word."""
    found: list[Piece] = []
    for place, part in enumerate(parts):
        if place:
            found.append(
                f" {last} "
                if place == len(parts) - 1 and len(parts) == 2
                else f", {last} "
                if place == len(parts) - 1
                else ", "
            )
        found += part
    return found


def words_of(texts: Iterable[str], last: str = "and") -> str:
    """The same for plain words."""
    return "".join(str(piece) for piece in listed([[text] for text in texts], last))
