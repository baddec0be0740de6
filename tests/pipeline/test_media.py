"""Images: never half of one, turned once, original bytes wherever possible, bombs refused unopened."""

from __future__ import annotations

import contextlib
import io
import re
import struct
import subprocess
import sys
import warnings
import zlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from mmeval.core.errors import MediaError
from mmeval.core.hashing import sha256_bytes
from mmeval.core.pictures import MAX_PIXELS
from mmeval.core.types import Media, PreparedImage
from mmeval.pipeline.media import Grid, ImageFacts, decode_rgb, prepare, prepare_image, validate

ORIENTATION = 0x0112


def noise(width: int = 83, height: int = 61) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bare_png(width: int, height: int, pixels: bytes, extra: bytes = b"") -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + extra + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = value
    return exif


@lru_cache
def samples() -> dict[str, bytes]:
    image = noise()
    return {
        "jpeg": encode(image, "JPEG"),
        "progressive jpeg": encode(image, "JPEG", progressive=True),
        "grey jpeg": encode(image.convert("L"), "JPEG"),
        "jpeg with exif": encode(image, "JPEG", exif=orientation(6)),
        "png": encode(image, "PNG"),
        "png with alpha": encode(image.convert("RGBA"), "PNG"),
        "palette png": encode(image.quantize(16), "PNG"),
        "webp": encode(image, "WEBP"),
        "lossless webp": encode(image, "WEBP", lossless=True),
        "tiff": encode(image, "TIFF"),
        "gif": encode(image, "GIF"),
        "animated gif": encode(image, "GIF", save_all=True, append_images=[image.rotate(180)]),
        "animated webp": encode(image, "WEBP", save_all=True, append_images=[image.rotate(180)]),
    }


COMPLETE_OR_NOTHING = (
    "jpeg", "progressive jpeg", "grey jpeg", "jpeg with exif", "png", "png with alpha", "palette png", "webp",
    "lossless webp", "tiff", "animated webp",
)  # fmt: skip


@pytest.mark.parametrize("kind", COMPLETE_OR_NOTHING)
@settings(max_examples=60, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_cut_image_is_an_error(kind: str, share: float) -> None:
    whole = samples()[kind]
    cut = int(share * len(whole))
    with pytest.raises(MediaError, match="the name"):
        prepare_image(whole[:cut], "the name")


@pytest.mark.parametrize("kind", COMPLETE_OR_NOTHING)
@pytest.mark.parametrize("missing", [1, 2, 5, 12, 13, 30])
def test_the_last_bytes_are_needed(kind: str, missing: int) -> None:
    with pytest.raises(MediaError):
        prepare_image(samples()[kind][:-missing], "x")


@pytest.mark.parametrize("kind", ["gif", "animated gif"])
@settings(max_examples=40, deadline=None)
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_cut_gif_gives_its_first_frame_or_an_error(kind: str, share: float) -> None:
    whole = samples()[kind]
    try:
        cut = decode_rgb(whole[: int(share * len(whole))], "x")
    except MediaError:
        return
    assert cut.tobytes() == decode_rgb(whole, "x").tobytes()


@pytest.mark.parametrize("kind", sorted(samples()))
@settings(max_examples=60, deadline=None)
@given(
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
    head=st.booleans(),
)
def test_damaged_bytes_never_raise_anything_else(kind: str, flips: list[tuple[float, int]], head: bool) -> None:
    data = bytearray(samples()[kind])
    for place, value in flips:
        data[int(place * (80 if head else len(data)))] = value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(MediaError):
            image, _ = prepare_image(bytes(data), "x")
            assert image.width * image.height <= MAX_PIXELS


@settings(max_examples=100, deadline=None)
@given(data=st.binary(max_size=200))
def test_garbage_is_an_error(data: bytes) -> None:
    with pytest.raises(MediaError, match="x: "):
        validate(data, "x")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>', "not an image.*reads JPEG, PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", "not an image"),
        (b"<html><body>404</body></html>", "not an image"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "not an image"),
    ],
)
def test_what_is_no_image_is_said_so(data: bytes, says: str) -> None:
    with pytest.raises(MediaError, match=says):
        validate(data, "x")


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_plain_images_keep_their_bytes(mode: str, kind: str) -> None:
    data = encode(noise().convert(mode), kind)
    image, facts = prepare_image(data, "x")
    assert image.data == data
    assert image.format == kind.lower()
    assert image.sha256 == image.source_sha256 == sha256_bytes(data)
    assert (image.width, image.height) == (image.source_width, image.source_height) == (83, 61)
    assert facts.plain


def pixels(image: PreparedImage) -> Image.Image:
    assert image.format == "png"
    found = Image.open(io.BytesIO(image.data))
    assert found.mode == "RGB"
    assert found.size == (image.width, image.height)
    assert found.getexif().get(ORIENTATION, 1) == 1
    return found


CORNERS = np.array(
    [[[255, 0, 0], [0, 255, 0], [0, 0, 255]], [[255, 255, 255], [0, 0, 0], [128, 128, 128]]], dtype=np.uint8
)
# Row 0 and column 0 of the stored raster lie at these sides of the upright picture (EXIF 2.32, tag 0x0112).
UPRIGHT: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: a[::-1].transpose(1, 0, 2),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: a[:, ::-1].transpose(1, 0, 2),
}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("value", range(1, 9))
def test_exif_orientation_is_applied_once(kind: str, value: int) -> None:
    enlarged = np.kron(CORNERS, np.ones((16, 16, 1), dtype=np.uint8))
    options: dict[str, object] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}.get(kind, {})
    data = encode(Image.fromarray(enlarged), kind, exif=orientation(value), **options)
    image, facts = prepare_image(data, "x")
    expected = UPRIGHT[value](enlarged)
    height, width = expected.shape[:2]
    assert (facts.width, facts.height) == (width, height)
    assert (image.width, image.height, image.source_width, image.source_height) == (width, height, width, height)
    if value == 1 and kind != "TIFF":
        assert image.data == data
        return
    assert not facts.plain
    found = np.asarray(pixels(image)).astype(int)
    assert np.abs(found - expected).max() <= (12 if kind == "JPEG" else 0)
    again, _ = prepare_image(data, "x", facts=facts)
    assert again == image


@pytest.mark.parametrize(
    "block", [b"Exif\0\0XXjunk", b"Exif\0\0MM\0*\0\0\0\x08\0\x05junk", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"]
)
@pytest.mark.parametrize(("mode", "kind"), [("RGBA", "PNG"), ("CMYK", "JPEG"), ("RGB", "JPEG")])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_broken_exif_block_turns_nothing(block: bytes, mode: str, kind: str) -> None:
    image, _ = prepare_image(encode(Image.new(mode, (9, 5)), kind, exif=block), "x")
    assert (image.width, image.height) == (9, 5)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_alpha_is_flattened_on_white(mode: str) -> None:
    rgba = Image.new("RGBA", (4, 1))
    rgba.putdata([(0, 0, 0, 255), (0, 0, 0, 0), (0, 0, 0, 128), (90, 90, 90, 0)])
    image, facts = prepare_image(encode(rgba.convert("LA" if mode == "LA" else "RGBA"), "PNG"), "x")
    assert not facts.plain
    found = [pixels(image).getpixel((x, 0)) for x in range(4)]
    assert found == [(0, 0, 0), (255, 255, 255), (127, 127, 127), (255, 255, 255)]


def test_palette_with_transparency_is_flattened_on_white() -> None:
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    image, _ = prepare_image(encode(palette, "PNG", transparency=1), "x")
    assert [pixels(image).getpixel((x, 0)) for x in range(2)] == [(10, 20, 30), (255, 255, 255)]
    opaque, _ = prepare_image(encode(palette, "PNG"), "x")
    assert pixels(opaque).getpixel((1, 0)) == (40, 50, 60)


def test_a_transparent_colour_of_an_rgb_png_is_flattened() -> None:
    rgb = Image.new("RGB", (2, 1), (1, 2, 3))
    rgb.putpixel((1, 0), (9, 9, 9))
    image, facts = prepare_image(encode(rgb, "PNG", transparency=(9, 9, 9)), "x")
    assert not facts.plain
    assert [pixels(image).getpixel((x, 0)) for x in range(2)] == [(1, 2, 3), (255, 255, 255)]


@pytest.mark.parametrize("brightest", [100, 300, 60_000, 65_535])
def test_sixteen_bits_keep_their_scale(brightest: int) -> None:
    raw = np.array([[0, brightest]], dtype=np.uint16)
    for kind in ("PNG", "TIFF"):
        image, _ = prepare_image(encode(Image.fromarray(raw), kind), "x")
        assert pixels(image).getpixel((1, 0)) == (round(brightest / 257),) * 3


def test_floating_point_pixels_are_refused() -> None:
    with pytest.raises(MediaError, match="no defined white"):
        prepare_image(encode(Image.new("F", (2, 2), 0.5), "TIFF"), "x")


@pytest.mark.parametrize(
    ("mode", "kind", "colour", "expected"),
    [
        ("CMYK", "JPEG", (0, 255, 255, 0), (255, 0, 0)),
        ("1", "PNG", 1, (255, 255, 255)),
        ("RGB", "BMP", (1, 2, 3), (1, 2, 3)),
        ("RGB", "TIFF", (1, 2, 3), (1, 2, 3)),
        ("RGB", "GIF", (255, 0, 0), (255, 0, 0)),
        ("RGB", "PPM", (1, 2, 3), (1, 2, 3)),
        ("YCbCr", "JPEG", (255, 128, 128), None),
    ],
)
def test_other_modes_and_formats(mode: str, kind: str, colour: object, expected: tuple[int, ...] | None) -> None:
    data = encode(Image.new(mode, (8, 6), colour), kind)
    image, facts = prepare_image(data, "x")
    if expected is None:
        assert facts.plain
        assert image.data == data
        return
    found = pixels(image).getpixel((3, 3))
    assert isinstance(found, tuple)
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) <= 2


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "PNG"])
def test_of_an_animation_the_first_frame_is_sent(kind: str) -> None:
    frames = [Image.new("RGB", (8, 6), colour) for colour in ("red", "lime", "blue")]
    options: dict[str, object] = {"lossless": True} if kind == "WEBP" else {}
    image, facts = prepare_image(encode(frames[0], kind, save_all=True, append_images=frames[1:], **options), "x")
    assert not facts.plain
    assert pixels(image).getpixel((3, 3)) == (255, 0, 0)


def test_an_ablation_keeps_size_and_pixels() -> None:
    data = samples()["png"]
    image, _ = prepare_image(data, "x", ablation=lambda picture: picture)
    assert image.data != data
    assert pixels(image).tobytes() == noise().tobytes()
    assert image.source_sha256 == sha256_bytes(data)
    assert image.sha256 == sha256_bytes(image.data)


BOMBS = {
    "header": bare_png(60_000, 60_000, zlib.compress(b"")),
    "wide": bare_png(2**31 - 1, 1, zlib.compress(b"")),
    "one pixel too many": bare_png(MAX_PIXELS + 1, 1, zlib.compress(b"")),
    "text": bare_png(4, 4, zlib.compress(bytes(52)), chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(80_000_000), 9))),
    "profile": bare_png(4, 4, zlib.compress(bytes(52)), chunk(b"iCCP", b"k\0\0" + zlib.compress(bytes(80_000_000), 9))),
}


CHILD = """
import pathlib, resource, sys
from mmeval.core.errors import MediaError
from mmeval.pipeline.media import decode_rgb, validate
decode_rgb(pathlib.Path(sys.argv[1]).read_bytes(), "warm")
data = pathlib.Path(sys.argv[2]).read_bytes()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    message = str(validate(data, "x").width)
except MediaError as error:
    message = str(error)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, message)
"""


def validate_in_child(data: bytes, folder: Path) -> tuple[int, str]:
    """Return by how many KiB the peak memory of a fresh process grew, and what validation said."""
    (folder / "bomb").write_bytes(data)
    (folder / "warm").write_bytes(samples()["png"])
    command = [sys.executable, "-c", CHILD, str(folder / "warm"), str(folder / "bomb")]
    grown, _, message = subprocess.run(command, capture_output=True, text=True, check=True).stdout.partition(" ")
    return int(grown), message


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("header", "60000×60000 pixels.*decompression bomb"),
        ("wide", "decompression bomb"),
        ("one pixel too many", "decompression bomb"),
        ("text", "too large"),
        ("profile", "too large"),
    ],
)
def test_a_decompression_bomb_is_refused_without_its_memory(name: str, says: str, tmp_path: Path) -> None:
    grown, message = validate_in_child(BOMBS[name], tmp_path)
    assert re.search(says, message)
    assert grown < 20_000


def test_surplus_compressed_pixels_are_never_unpacked(tmp_path: Path) -> None:
    grown, message = validate_in_child(bare_png(4, 4, zlib.compress(bytes(80_000_000), 9)), tmp_path)
    assert message == "4\n"
    assert grown < 20_000


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_forty_megapixels_are_fine(kind: str) -> None:
    data = encode(Image.new("RGB", (8000, 5000), (1, 2, 3)), kind, **({"compress_level": 1} if kind == "PNG" else {}))
    image, facts = prepare_image(data, "x")
    assert (facts.width, facts.height) == (8000, 5000)
    assert image.data == data


def test_pillow_is_not_imported_before_an_image_is() -> None:
    code = "import sys, mmeval.pipeline.media; print('PIL' in sys.modules, 'numpy' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False False\n"
    )


class Facts:
    """A store of verdicts that counts."""

    def __init__(self) -> None:
        self.known: dict[str, ImageFacts] = {}

    def remember(self, sha256: str, facts: ImageFacts) -> None:
        assert sha256 not in self.known
        self.known[sha256] = facts


def test_an_image_is_validated_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = samples()["jpeg"]
    path = tmp_path / "a.jpg"
    path.write_bytes(data)
    facts = Facts()
    first = prepare(Media("image", path=path), facts.known.get, facts.remember)
    monkeypatch.setattr("mmeval.pipeline.media.open_picture", lambda *_: pytest.fail("decoded again"))
    assert prepare(Media("image", data=data), facts.known.get, facts.remember) == first
    path.write_bytes(data + b"x")
    with pytest.raises(pytest.fail.Exception):
        prepare(Media("image", path=path), facts.known.get, facts.remember)


def test_an_unreadable_image_leaves_no_verdict() -> None:
    facts = Facts()
    with pytest.raises(MediaError):
        prepare(Media("image", data=samples()["png"][:-40]), facts.known.get, facts.remember)
    assert not facts.known


def test_frames_keep_their_order_and_one_bad_frame_fails_the_video() -> None:
    facts = Facts()
    frames = [encode(Image.new("RGB", (4, 4), (value, 0, 0)), "PNG") for value in (3, 1, 2)]
    video = Media("video", frames=tuple(Media("image", data=data) for data in frames))
    found = prepare(video, facts.known.get, facts.remember)
    assert [image.data for image in found.images] == frames
    assert found.sha256 == "+".join(sha256_bytes(data) for data in frames)
    broken = Media("video", frames=(Media("image", data=frames[0]), Media("image", data=b"", name="frame 2")))
    with pytest.raises(MediaError, match="frame 2"):
        prepare(broken, facts.known.get, facts.remember)
    with pytest.raises(MediaError, match="no frames"):
        prepare(Media("video", name="clip"), facts.known.get, facts.remember)


@pytest.mark.parametrize("name", ["a\0b.png", "half \ud800.png"])
def test_a_name_that_no_file_can_have_is_its_rows_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no file has such a name"):
        Media("image", path=tmp_path / name, name="row 3").read()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    facts = Facts()
    with pytest.raises(MediaError, match=r"absent\.png.*No such file"):
        prepare(Media("image", path=tmp_path / "absent.png"), facts.known.get, facts.remember)


def test_grid_matches_the_published_rule_on_worked_sizes() -> None:
    grid = Grid(28, 56 * 56, 12_845_056)
    assert grid.fit(1000, 700) == (1008, 700)
    assert grid.fit(28, 28) == (56, 56)
    assert grid.fit(5, 400) == (28, 392)
    wide, high = grid.fit(8000, 5000)
    assert wide * high <= 12_845_056
    assert wide / high == pytest.approx(1.6, rel=0.01)


@given(width=st.integers(1, 9000), height=st.integers(1, 9000))
def test_grid_sides_are_multiples_within_the_limit(width: int, height: int) -> None:
    wide, high = Grid(28, 3136, 1_000_000).fit(width, height)
    assert wide % 28 == high % 28 == 0
    assert wide >= 28
    assert high >= 28
    if max(width, height) / min(width, height) < 100:
        assert wide * high <= 1_000_000


def test_an_exact_size_is_itself() -> None:
    grid = Grid(28, 3136, 1_000_000, (840, 840))
    assert grid.fit(100, 3000) == (840, 840)
    sent, _ = prepare_image(encode(Image.new("RGB", (100, 60), "red"), "PNG"), "one", grid=grid)
    assert (sent.width, sent.height, sent.source_width, sent.source_height) == (840, 840, 100, 60)


def test_an_image_off_the_grid_is_resized_and_one_on_it_is_sent_unchanged() -> None:
    grid = Grid(28, 3136, 1_000_000)
    off, on = encode(Image.new("RGB", (100, 60), "red"), "PNG"), encode(Image.new("RGB", (112, 56), "red"), "PNG")
    resized, _ = prepare_image(off, "off", grid=grid)
    assert (resized.width, resized.height) == (112, 56)
    assert (resized.source_width, resized.source_height) == (100, 60)
    same, _ = prepare_image(on, "on", grid=grid)
    assert same.data == on
