"""Pictures of strangers: few formats, no programs, no more pixels than there is room for."""

from __future__ import annotations

import ast
import io
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from mmeval.core.errors import DataError, MediaError
from mmeval.core.pictures import READ_FORMATS, open_picture
from mmeval.reports.images import _thumbnail
from mmeval.tasks.masks import read_picture
from mmeval.verifiers.heatmaps import from_picture
from mmeval.verifiers.masks import MaskError

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
MMEVAL = Path(__file__).resolve().parents[2] / "mmeval"


def encoded(form: str, size: tuple[int, int] = (3, 2)) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, "red").save(stream, form)
    return stream.getvalue()


def bomb() -> bytes:
    """A PNG whose header says 20,000 × 20,000 pixels."""
    data = bytearray(encoded("PNG"))
    data[16:24] = (20_000).to_bytes(4, "big") * 2
    import zlib

    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


BAD = {"EPS": EPS, "ICNS": encoded("ICNS", (16, 16)), "TGA": encoded("TGA"), "bomb": bomb(), "cut": encoded("PNG")[:40], "none": b""}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_every_place_that_decodes_refuses_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "check_call", lambda *_, **__: pytest.fail("a program was started"))
    monkeypatch.setattr("PIL.EpsImagePlugin.Ghostscript", lambda *_, **__: pytest.fail("Ghostscript was started"))
    if name != "cut":
        with pytest.raises(MediaError):
            open_picture(BAD[name], "x")
    with pytest.raises(DataError, match="no picture of a mask"):
        read_picture(BAD[name], "x")
    with pytest.raises(MaskError, match="no picture of a heat map"):
        from_picture(BAD[name])
    assert _thumbnail(BAD[name], 64, 50) is None


@pytest.mark.parametrize("form", READ_FORMATS)
def test_the_formats_that_are_read(form: str) -> None:
    assert open_picture(encoded(form), "x").size == (3, 2)
    assert _thumbnail(encoded(form), 64, 50) is not None


def test_nothing_else_opens_pictures() -> None:
    """Beside `core/pictures.py`, a worker does, which gets what was prepared for it, and an ablation, its own JPEG."""
    found = {
        path.relative_to(MMEVAL).as_posix()
        for path in MMEVAL.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"Image.open", "images.open", "PIL.Image.open"}
    }
    assert found == {"core/pictures.py", "conditions/ablations.py", "engines/worker/inputs.py"}
