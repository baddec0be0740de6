"""Figures: Altair charts, rendered by vl-convert when the report is built; the page itself ships no chart code."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree

from markupsafe import Markup

from mmeval.reports.drawing import DrawingError, draw
from mmeval.reports.format import visible_text

INK, MUTED, GRID, PAPER = "#101112", "#606264", "#d0d2d4", "#fefefd"
"""Stand-ins that report.css maps to the colours of the light and the dark theme; readable as they are in a saved figure."""
PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#a66f00", "#3b8ec4", "#56595c")
"""Okabe and Ito's colours, darkened where they would not reach 3:1 on white."""
SHAPES = ("circle", "square", "diamond", "triangle-up", "triangle-down", "cross")

LONGEST_LABEL = 80
"""Characters of a label that are drawn; more than fit beside any chart."""
_WHOLE = 6
"""Characters of a label that always fit; Vega cuts longer ones, and fails where it cuts a character of two code units."""
_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_DATA = {"values", "datasets", "domain", "sort"}
"""Parts of a specification that hold labels, and no expressions."""

_SVG = "http://www.w3.org/2000/svg"
_ELEMENTS = {"svg", "g", "path", "text", "line", "rect", "title", "desc", "defs", "clipPath", "tspan"}
_ATTRIBUTES = {
    "width", "height", "viewBox", "fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "stroke-miterlimit",
    "stroke-opacity", "fill-opacity", "opacity", "transform", "d", "x", "y", "x1", "x2", "y1", "y2", "text-anchor", "font-size",
    "font-weight", "font-style", "font-family", "display", "clip-path", "id", "aria-hidden",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Figure:
    """One chart."""

    name: str
    """Unique within a report: names the file of an export."""
    description: str
    """What the figure shows, for readers who cannot see it."""
    spec: str
    """Vega-Lite, as JSON."""

    def svg(self) -> Markup:
        """Return what a page shows: `drawn`, or where charts cannot be drawn a sentence that says so."""
        try:
            return self.drawn()
        except DrawingError as error:
            return Markup('<p class="notice">Not drawn: {}</p>').format(f"{self.description} ({error.message})")

    def drawn(self) -> Markup:
        """Return an inline SVG element with text as text and no styles, scripts or references.

        Raises:
            DrawingError: where charts cannot be drawn.
        """
        return _drawn(self.visible_spec(), self.description)

    def pdf(self) -> bytes:
        """Return the same chart as a PDF file.

        Raises:
            DrawingError: where charts cannot be drawn.
        """
        return draw(self.visible_spec(), "pdf")

    def visible_spec(self) -> str:
        """Return the specification without characters that hide or reorder text, or that no SVG can hold."""
        return json.dumps(_visible(json.loads(self.spec)))


@lru_cache(maxsize=1024)
def _drawn(spec: str, description: str) -> Markup:
    """The page is rendered twice (once to measure it): each chart is drawn once."""
    return _clean(draw(spec, "svg").decode(), description)


def _visible(value: Any, data: bool = False) -> Any:
    if isinstance(value, str):
        shown = visible_text(value)
        if len(shown) > _WHOLE:
            shown = _ASTRAL.sub(lambda match: f"[U+{ord(match.group()):04X}]", shown)
        return _short(shown) if data else shown
    if isinstance(value, list):
        return [_visible(entry, data) for entry in value]
    if isinstance(value, dict):
        return {name: _visible(entry, data or name in _DATA) for name, entry in value.items()}
    return value


def _short(text: str) -> str:
    """A label that is drawn in reasonable time; different ones stay different."""
    if len(text) <= LONGEST_LABEL:
        return text
    return f"{text[:LONGEST_LABEL]}… {hashlib.sha256(text.encode()).hexdigest()[:6]}"


def cycle(items: Sequence[str], length: int) -> list[str]:
    """Return `length` items, from the start again where there are fewer."""
    return [items[index % len(items)] for index in range(length)]


def _clean(svg: str, description: str) -> Markup:
    """Keep only known drawing elements and attributes: the page's policy forbids inline styles, and names are untrusted."""
    root = ElementTree.fromstring(svg)
    _clean_element(root)
    width, height = root.get("width", "0"), root.get("height", "0")
    root.set("viewBox", f"0 0 {width} {height}")
    root.set("role", "img")
    root.set("aria-label", visible_text(description))
    text = ElementTree.tostring(root, encoding="unicode", short_empty_elements=True)
    text = re.sub(r"<(/?)ns\d+:", r"<\1", text).replace(f'xmlns:ns0="{_SVG}"', f'xmlns="{_SVG}"')
    return Markup(text)  # safe: an allow-list of elements and attributes, serialised by ElementTree


def _clean_element(element: ElementTree.Element) -> None:
    for name in list(element.attrib):
        if name not in _ATTRIBUTES:
            del element.attrib[name]
    for child in list(element):
        invisible = child.tag == f"{{{_SVG}}}path" and (
            child.get("display") == "none" or child.get("d", "").endswith("h0v0h0Z")
        )
        if child.tag.removeprefix(f"{{{_SVG}}}") not in _ELEMENTS or invisible:
            element.remove(child)
        else:
            _clean_element(child)
