"""Unusual and broken media through the whole of `mmeval run`: each is shown exactly, or is its row's error while the run goes on."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image

CARD = """
name: own/media
family: custom
title: Pictures of all kinds
dataset: {local: {files: [rows.jsonl]}}
fields: {id: id, question: question, images: [image], answer: answer}
answer: {kind: %s}
metrics: [%s]
decoding: {max_tokens: 4}
"""


def encoded(image: Image.Image, kind: str, **more: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb() -> bytes:
    """A PNG of a few KB that says it has 50,000 × 50,000 pixels."""
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 50_001)) + chunk(b"IEND", b"")  # fmt: skip


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(COLOURS, "JPEG", exif=exif)


HALVES = np.zeros((40, 60, 3), dtype=np.uint8)
HALVES[:, :30], HALVES[:, 30:] = (255, 0, 0), (0, 0, 255)
COLOURS = Image.fromarray(HALVES)
SECOND = Image.fromarray(HALVES[:, ::-1].copy())
TRANSPARENT = Image.merge("RGBA", (*COLOURS.split(), Image.new("L", (60, 40), 128)))
NOISE = encoded(Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 300, 3), dtype=np.uint8)), "JPEG")
SHOWN = {
    "grey.png": encoded(COLOURS.convert("L"), "PNG"), "grey.jpg": encoded(COLOURS.convert("L"), "JPEG"), "bits.png": encoded(COLOURS.convert("1"), "PNG"),
    "cmyk.jpg": encoded(COLOURS.convert("CMYK"), "JPEG"), "cmyk.tif": encoded(COLOURS.convert("CMYK"), "TIFF"),
    "sixteen.png": encoded(Image.fromarray(np.arange(2400, dtype=np.uint16).reshape(40, 60)), "PNG"),
    "palette.png": encoded(COLOURS.convert("P"), "PNG"), "rgba.png": encoded(TRANSPARENT, "PNG"), "rgba.webp": encoded(TRANSPARENT, "WEBP"),
    "greyalpha.png": encoded(TRANSPARENT.convert("LA"), "PNG"),
    "animated.gif": encoded(COLOURS, "GIF", save_all=True, append_images=[SECOND], duration=100),
    "animated.webp": encoded(COLOURS, "WEBP", save_all=True, append_images=[SECOND], duration=100),
    "animated.png": encoded(COLOURS, "PNG", save_all=True, append_images=[SECOND], duration=100),
    **{f"turned{number}.jpg": turned(number) for number in range(1, 9)},
}  # fmt: skip
REFUSED = {
    "truncated.jpg": (NOISE[: len(NOISE) // 2], "truncated"), "header.jpg": (NOISE[:30], "damaged"),
    "truncated.png": (encoded(COLOURS, "PNG")[:-20], "truncated"), "empty.jpg": (b"", "0 bytes"),
    "page.jpg": (b"<html>404 Not Found</html>", "not an image"), "bomb.png": (bomb(), "decompression bomb"),
    "float.tif": (encoded(Image.fromarray(np.zeros((4, 4), dtype=np.float32)), "TIFF"), "no defined white"),
}  # fmt: skip


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


@pytest.mark.model
def test_pictures(mmeval: Callable, tmp_path: Path) -> None:
    data = tmp_path / "data"
    names = ["plain.png", *SHOWN, *REFUSED, "missing.png"]
    write(data, [{"id": name, "question": "Is the left half red?", "image": name, "answer": "yes"} for name in names])
    (data / "plain.png").write_bytes(encoded(COLOURS, "PNG"))
    for name, content in {**SHOWN, **{name: content for name, (content, _) in REFUSED.items()}}.items():
        (data / name).write_bytes(content)
    (tmp_path / "media.yaml").write_text(CARD % ("yes-no", "accuracy"))
    done = mmeval("run", "-m", "tiny", "--task-path", ".", "-t", "own/media", "--data-dir", "data", "--no-report", "-o", "runs/r", timeout=300)  # fmt: skip
    assert done.code == 6, done.err
    rows = pd.read_parquet(tmp_path / "runs/r/results.parquet").set_index("sample_id")
    assert set(rows.index) == set(names)
    for name in ("plain.png", *SHOWN):
        assert rows.loc[name, "outcome"] in ("scored", "no_answer"), (name, rows.loc[name, "error"])
        sent = rows.loc[name, "media"][0]
        upright = (40, 60) if name in {f"turned{number}.jpg" for number in (5, 6, 7, 8)} else (60, 40)
        assert (sent["width"], sent["height"]) == upright, name
    for name, (_, why) in {**REFUSED, "missing.png": (b"", "cannot read")}.items():
        assert pd.isna(rows.loc[name, "score"])
        assert rows.loc[name, "outcome"] == "error"
        assert name in rows.loc[name, "error"]
        assert why in rows.loc[name, "error"], rows.loc[name, "error"]


def test_boxes_are_those_of_the_upright_picture(mmeval: Callable, tmp_path: Path) -> None:
    """The gold counts in pixels of the picture as it is seen; so does the answer, and the rotation is applied once."""
    data = tmp_path / "data"
    gold = [5, 10, 25, 50]  # within 40 × 60, beyond 60 × 40
    write(data, [{"id": str(n), "question": "Where?", "image": f"{n}.jpg", "answer": gold} for n in (5, 6, 7, 8)])
    for number in (5, 6, 7, 8):
        (data / f"{number}.jpg").write_bytes(turned(number))
    (tmp_path / "media.yaml").write_text(CARD % ("box", "iou"))
    (tmp_path / "said.jsonl").write_text(
        "".join(f'{{"sample_id": "{n}", "response": "{gold}"}}\n' for n in (5, 6, 7, 8))
    )
    done = mmeval("run", "-m", "replay:said.jsonl", "--task-path", ".", "-t", "own/media", "--data-dir", "data", "--no-report", "-o", "runs/r")  # fmt: skip
    assert done.code == 0, done.err
    rows = pd.read_parquet(tmp_path / "runs/r/results.parquet")
    assert rows["score"].tolist() == [1.0] * 4
    assert {(media[0]["width"], media[0]["height"]) for media in rows["media"]} == {(40, 60)}


def clip(path: Path, frames: int = 6, size: tuple[int, int] = (32, 32), step: int = 1, sound: str = "") -> bytes:
    """Write a clip of grey frames (`step` times the frame time apart), with sound beside or in place of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".txt").write_text("Text:  HELLO THERE\n")
    with av.open(str(path), "w") as container:
        streams: list[Any] = []
        if sound != "alone":
            video = container.add_stream("mpeg4", rate=25)
            video.width, video.height, video.pix_fmt = *size, "yuv420p"
            streams.append(video)
        if sound:
            audio = container.add_stream("aac", rate=16000)
            streams.append(audio)
        for number in range(frames if sound != "alone" else 0):
            grey = np.full((size[1], size[0], 3), 40 * number % 255, dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(grey, format="rgb24")
            frame.pts = number * step
            container.mux(streams[0].encode(frame))
        if sound:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 4096), dtype=np.float32), format="fltp", layout="mono")
            silence.sample_rate = 16000
            container.mux(streams[-1].encode(silence))
        for stream in streams:
            container.mux(stream.encode())
    return path.read_bytes()


@pytest.mark.model
def test_clips_of_lip_reading(mmeval: Callable, tmp_path: Path) -> None:
    talk = tmp_path / "data/test/talk"
    clip(talk / "plain.mp4")
    clip(talk / "single.mp4", frames=1)
    clip(talk / "odd.mp4", size=(34, 18))
    clip(talk / "hours.mp4", frames=3, step=25 * 7200)
    clip(talk / "sound.mp4", sound="beside")
    said = bytearray(clip(talk / "claims.mp4"))
    for box, offset, value in ((b"mvhd", 16, 14_400_000), (b"tkhd", 20, 14_400_000), (b"mdhd", 16, 14_400 * 12_800)):
        struct.pack_into(">I", said, said.index(box) + 4 + offset, value)  # four hours in the headers, six frames
    (talk / "claims.mp4").write_bytes(said)
    frames = {"plain": 6, "single": 1, "odd": 6, "hours": 3, "sound": 6, "claims": 6}
    clip(talk / "mute.mp4", sound="alone")
    whole = clip(talk / "half.mp4", frames=60)
    (talk / "half.mp4").write_bytes(whole[: len(whole) // 2])
    for name, content in (("empty", b""), ("text", b"not a video at all" * 10)):
        clip(talk / f"{name}.mp4")
        (talk / f"{name}.mp4").write_bytes(content)
    done = mmeval("run", "-m", "tiny", "-t", "lrs3", "--data-dir", "data", "--no-report", "-o", "runs/r", timeout=300)
    assert done.code == 6, done.err
    rows = pd.read_parquet(tmp_path / "runs/r/results.parquet").set_index("sample_id")
    assert len(rows) == len(frames) + 4
    for name, count in frames.items():
        assert rows.loc[f"talk/{name}", "outcome"] in ("scored", "no_answer"), rows.loc[f"talk/{name}", "error"]
        sent = rows.loc[f"talk/{name}", "media"]
        assert [entry["kind"] for entry in sent] == ["frame"] * count, name
    for name in ("mute", "half", "empty", "text"):
        assert rows.loc[f"talk/{name}", "outcome"] == "error"
        assert f"{name}.mp4" in rows.loc[f"talk/{name}", "error"]
