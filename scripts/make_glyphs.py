"""Render the glyph atlas of the procedural tasks from the DejaVu fonts.

Run once, by hand: ``python scripts/make_glyphs.py /usr/share/fonts/truetype/dejavu``. The result is
committed, because FreeType's pixels differ between versions and the tasks' must not.

File: 8 bytes magic, 4 bytes big-endian length of a JSON index, the index, then zlib-compressed coverage
bytes (0–255 in 16 steps). The index maps ``bold-20`` → {"ascent", "descent", "glyphs": {character:
[offset, width, height, left, top, advance]}} in pixels, top measured from the top of the line.
"""

from __future__ import annotations

import json
import struct
import sys
import zlib
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

MAGIC = b"MMGLYPH1"
PRINTABLE = "".join(chr(code) for code in range(32, 127))
LETTERS_AND_DIGITS = "".join(c for c in PRINTABLE if c.isalnum()) + " -.:%"
FACES = (
    ("regular", 14, PRINTABLE),
    ("regular", 20, PRINTABLE),
    ("bold", 14, PRINTABLE),
    ("bold", 20, PRINTABLE),
    ("bold", 28, LETTERS_AND_DIGITS),
    ("bold", 40, LETTERS_AND_DIGITS),
    ("bold", 56, LETTERS_AND_DIGITS),
)
FILES = {"regular": "DejaVuSans.ttf", "bold": "DejaVuSans-Bold.ttf"}


def main(fonts: Path, target: Path) -> None:
    index: dict[str, object] = {}
    data = bytearray()
    for weight, size, characters in FACES:
        font = ImageFont.truetype(str(fonts / FILES[weight]), size, layout_engine=ImageFont.Layout.BASIC)
        ascent, descent = font.getmetrics()
        glyphs: dict[str, list[int]] = {}
        for character in characters:
            picture = Image.new("L", (2 * size, 2 * size), 0)
            ImageDraw.Draw(picture).text((size // 2, 0), character, fill=255, font=font)
            box = picture.getbbox() or (size // 2, 0, size // 2, 0)
            glyph = picture.crop(box)
            advance = round(font.getlength(character))
            glyphs[character] = [len(data), glyph.width, glyph.height, box[0] - size // 2, box[1], advance]
            data += bytes(((value + 8) // 17) * 17 for value in glyph.tobytes())
        index[f"{weight}-{size}"] = {"ascent": ascent, "descent": descent, "glyphs": glyphs}
    head = json.dumps(index, separators=(",", ":")).encode()
    target.write_bytes(MAGIC + struct.pack(">I", len(head)) + head + zlib.compress(bytes(data), 9))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(__file__).parent.parent / "mmeval/tasks/synthetic/glyphs.bin")
