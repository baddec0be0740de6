"""Text from the glyph atlas that ships with the package (DejaVu Sans, see glyphs-LICENSE.txt)."""

from __future__ import annotations

import json
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import numpy as np

from mmeval.tasks.synthetic.canvas import Canvas, Color, Mask

_MAGIC = b"MMGLYPH1"


@dataclass(frozen=True, slots=True)
class Glyph:
    mask: Mask
    left: int
    top: int
    advance: int


@dataclass(frozen=True, slots=True)
class Font:
    ascent: int
    descent: int
    glyphs: dict[str, Glyph]


@lru_cache(maxsize=1)
def _fonts() -> dict[str, Font]:
    raw = (files("mmeval.tasks.synthetic") / "glyphs.bin").read_bytes()
    if raw[:8] != _MAGIC:
        raise ValueError("glyphs.bin is not a glyph atlas: reinstall mmeval")
    (length,) = struct.unpack(">I", raw[8:12])
    index = json.loads(raw[12 : 12 + length])
    coverage = np.frombuffer(zlib.decompress(raw[12 + length :]), np.uint8)
    fonts = {}
    for face, entry in index.items():
        glyphs = {}
        for character, (offset, width, height, left, top, advance) in entry["glyphs"].items():
            mask = coverage[offset : offset + width * height].reshape(height, width)
            glyphs[character] = Glyph(mask, left, top, advance)
        fonts[face] = Font(entry["ascent"], entry["descent"], glyphs)
    return fonts


@lru_cache(maxsize=512)
def text_mask(text: str, face: str) -> tuple[Mask, int]:
    """Coverage of a line of text, cut to its ink, and the ink's distance from the top of the line.

    Args:
        text: printable ASCII; the large faces hold letters, digits and `` -.:%`` only.
        face: ``regular-14``, ``regular-20``, ``bold-14``, ``bold-20``, ``bold-28``, ``bold-40``, ``bold-56``.
    """
    font = _fonts()[face]
    glyphs = [font.glyphs[character] for character in text]
    pad = 4
    width = sum(glyph.advance for glyph in glyphs) + 2 * pad
    line = np.zeros((font.ascent + font.descent + 2 * pad, width), np.uint8)
    x = pad
    for glyph in glyphs:
        rows, columns = glyph.mask.shape
        area = line[glyph.top : glyph.top + rows, x + glyph.left : x + glyph.left + columns]
        np.maximum(area, glyph.mask, out=area)
        x += glyph.advance
    ys, xs = np.flatnonzero(line.any(axis=1)), np.flatnonzero(line.any(axis=0))
    if ys.size == 0:
        return line[:1, :1], 0
    mask = line[ys[0] : ys[-1] + 1, xs[0] : xs[-1] + 1].copy()
    mask.flags.writeable = False
    return mask, int(ys[0])


def text_size(text: str, face: str) -> tuple[int, int]:
    """(width, height) of the ink in pixels."""
    mask, _ = text_mask(text, face)
    return int(mask.shape[1]), int(mask.shape[0])


def cap_height(face: str) -> int:
    return int(_fonts()[face].glyphs["H"].mask.shape[0])


def draw_text(canvas: Canvas, x: int, y: int, text: str, face: str, color: Color) -> None:
    """Text whose ink starts at column x and whose capital letters are centred on row y."""
    mask, top = text_mask(text, face)
    capital = _fonts()[face].glyphs["H"]
    line_top = y - capital.top - capital.mask.shape[0] // 2
    canvas.paste(mask, x, line_top + top, color)


def draw_centered(canvas: Canvas, x: int, y: int, text: str, face: str, color: Color) -> None:
    """Text centred on column x; capital letters centred on row y."""
    draw_text(canvas, x - text_size(text, face)[0] // 2, y, text, face, color)
