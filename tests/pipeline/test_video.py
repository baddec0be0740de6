"""Videos: the frames that are asked for are the frames that are shown, and what is no video says so."""

from __future__ import annotations

import io
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmeval.core.errors import DataError, MediaError
from mmeval.core.frames import sample_indices
from mmeval.core.types import FrameSampling, Media
from mmeval.pipeline import video as video_module
from mmeval.pipeline.media import prepare
from mmeval.pipeline.video import _opened, decode_video
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import CardFile
from mmeval.tasks.task import Task


def film(
    path: Path,
    count: int = 40,
    rate: int = 10,
    *,
    gop: int = 12,
    size: tuple[int, int] = (64, 48),
    codec: str = "mpeg4",
) -> Path:
    """A clip whose frame number is its grey level times four."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.gop_size = gop
        for number in range(count):
            pixels = np.full((size[1], size[0], 3), 4 * number % 256, dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def levels(media: Media, store: Path | None = None) -> list[tuple[int, int]]:
    """(frame index, the number that its grey level spells)."""
    found = []
    for frame in decode_video(media, store):
        pixels = np.asarray(Image.open(io.BytesIO(frame.data)).convert("L"), dtype=float)
        found.append((frame.index, round(pixels.mean() / 4)))
    return found


def video(path: Path, **sampling: object) -> Media:
    return Media("video", path=path, name=path.name, sampling=FrameSampling(**sampling))


@pytest.mark.parametrize("codec", ["mpeg4", "libx264", "mjpeg"])
def test_frames_are_exact_also_behind_key_frames(tmp_path: Path, codec: str) -> None:
    try:
        path = film(tmp_path / "clip.mkv", codec=codec)
    except (av.FFmpegError, ValueError):
        pytest.skip(f"this PyAV has no encoder {codec}")
    found = levels(video(path, frames=8))
    assert [index for index, _ in found] == [0, 5, 11, 16, 22, 27, 33, 39]
    assert all(abs(index - shown) <= 1 for index, shown in found)
    assert [index for index, _ in levels(video(path, method="fps", fps=2.0, frames=100))] == list(range(0, 40, 5))
    assert len(levels(video(path, method="all", frames=64))) == 40


def test_a_long_film_is_sought_and_not_decoded_whole(tmp_path: Path) -> None:
    path = film(tmp_path / "long.mkv", count=600, rate=2, gop=10)
    found = levels(video(path, frames=4))
    assert [index for index, _ in found] == [0, 199, 399, 599]
    assert all(abs(index * 4 % 256 / 4 - shown) <= 1.5 for index, shown in found)


def sparse(path: Path, seconds: list[float], *, gop: int = 1) -> Path:
    """A film with one frame at each of these times, and nothing between them."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = 64, 48, "yuv420p", gop
        stream.codec_context.time_base = Fraction(1, 1000)
        for number, second in enumerate(seconds):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 100 + number % 2, dtype=np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(second * 1000), Fraction(1, 1000)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


class Counted:
    """A container that counts the frames that are decoded, and the most that are waited for at once."""

    def __init__(self, container: Any, counts: dict[str, int]) -> None:
        self._container, self._counts = container, counts

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def seek(self, *args: Any, **keys: Any) -> None:
        self._counts["seeks"] += 1
        self._container.seek(*args, **keys)

    def decode(self, stream: Any) -> Iterator[Any]:
        for frame in self._container.decode(stream):
            self._counts["decoded"] += 1
            yield frame


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    found = {"decoded": 0, "seeks": 0}
    opened = video_module._opened

    @contextmanager
    def counted(media: Media) -> Iterator[tuple[Any, Any]]:
        with opened(media) as (container, stream):
            yield Counted(container, found), stream

    monkeypatch.setattr(video_module, "_opened", counted)
    return found


FOUR_HOURS = 4 * 3600


def test_of_four_hours_only_what_is_asked_for_is_decoded(tmp_path: Path, counts: dict[str, int]) -> None:
    path = sparse(tmp_path / "long.mp4", [float(second) for second in range(0, FOUR_HOURS, 12)], gop=10)  # 1,200 frames
    found = decode_video(video(path, frames=8))
    assert [frame.index for frame in found] == [0, 171, 342, 513, 685, 856, 1027, 1199]
    assert counts["seeks"] == 8
    assert counts["decoded"] <= 8 * 11


def test_four_hours_behind_few_key_frames_are_decoded_once(tmp_path: Path, counts: dict[str, int]) -> None:
    path = sparse(
        tmp_path / "still.mkv", [float(second) for second in range(0, FOUR_HOURS, 60)], gop=10**6
    )  # 240 frames
    found = decode_video(video(path, frames=16))
    assert (len(found), found[-1].index) == (16, 239)
    assert counts["seeks"] <= 2  # the encoder sets a second key frame by itself
    assert counts["decoded"] <= 240


@pytest.mark.parametrize("method", ["uniform", "fps", "all"])
def test_a_film_with_hours_between_its_frames(tmp_path: Path, method: str) -> None:
    path = sparse(tmp_path / "sparse.mkv", [0.0, 7200.0, FOUR_HOURS])
    found = decode_video(video(path, method=method, frames=32, fps=0.5))
    # Every frame is there once, however many are asked for; empty hours hold none.
    assert [frame.index for frame in found] == [0, 1, 2][: len(found)]
    assert len(found) == 3 or (method == "fps" and found)


def test_a_single_frame_is_a_video(tmp_path: Path) -> None:
    assert [frame.index for frame in decode_video(video(film(tmp_path / "one.mp4", count=1), frames=32))] == [0]


def test_a_video_without_frames_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "empty.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    with pytest.raises(MediaError, match=r"empty\.mkv"):
        decode_video(video(path))


def test_a_stream_whose_frames_do_not_decode_is_an_error(tmp_path: Path) -> None:
    whole = film(tmp_path / "clip.mp4", count=30, codec="mpeg4").read_bytes()
    start = whole.index(b"mdat") + 4
    end = whole.index(b"moov", start) - 4
    path = tmp_path / "noise.mp4"
    path.write_bytes(whole[:start] + bytes(end - start) + whole[end:])
    with pytest.raises(MediaError, match=r"noise\.mp4"):
        decode_video(video(path, frames=4))


def test_frames_are_not_held_decoded(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4", size=(640, 480))
    held = decode_video(video(path, frames=32))
    assert sum(len(frame.data) for frame in held) < 640 * 480 * 3  # 32 grey pictures as PNG, not as pixels


def test_bytes_and_file_give_the_same_frames_and_identity(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4")
    from_file = decode_video(video(path))
    from_bytes = decode_video(Media("video", data=path.read_bytes(), sampling=FrameSampling()))
    assert from_file == from_bytes


def test_decoded_frames_are_kept_by_content(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4")
    store = tmp_path / "frames"
    first = decode_video(video(path), store)
    kept = list(store.iterdir())
    assert len(kept) == 1
    moved = path.rename(tmp_path / "other.mp4")
    assert decode_video(video(moved), store) == first
    assert list(store.iterdir()) == kept
    kept[0].write_bytes(b"damaged")
    assert decode_video(video(moved), store) == first
    assert len(decode_video(video(moved, frames=3), store)) == 3


def test_preparing_records_indices_and_scales_down(tmp_path: Path) -> None:
    path = film(tmp_path / "clip.mp4", size=(128, 96))
    prepared = prepare(video(path, frames=3, max_side=64), lambda sha: None, lambda sha, facts: None)
    assert prepared.kind == "video"
    assert prepared.frame_indices == (0, 19, 39)
    assert {(image.width, image.height) for image in prepared.images} == {(64, 48)}
    assert len({image.source_sha256 for image in prepared.images}) == 3


@pytest.mark.parametrize(
    "content", [b"", b"no video at all", b"\x00\x00\x00\x18ftypmp42" + b"\x00" * 64, b"\x89PNG\r\n\x1a\n"]
)
def test_what_is_no_video_is_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.mp4"
    path.write_bytes(content)
    with pytest.raises(MediaError, match=r"broken\.mp4"):
        decode_video(video(path))


def test_a_truncated_video_is_an_error(tmp_path: Path) -> None:
    whole = film(tmp_path / "clip.mkv", count=200)
    path = tmp_path / "cut.mkv"
    data = whole.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    shown = decode_video(video(path, frames=4))
    assert shown[-1].index < 199  # a Matroska file that ends early says so by its last frame, which is shown
    mp4 = film(tmp_path / "clip.mp4", count=200)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(mp4.read_bytes()[:-2000])
    with pytest.raises(MediaError, match=r"cut\.mp4"):
        decode_video(video(cut))


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), dtype=np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        for packet in stream.encode(frame):
            container.mux(packet)
    with pytest.raises(MediaError, match="no video stream"):
        decode_video(video(path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match=r"cannot read gone\.mp4"):
        decode_video(video(tmp_path / "gone.mp4"))


@given(
    st.integers(0, 5000),
    st.integers(1, 300),
    st.sampled_from(["uniform", "fps", "all"]),
    st.floats(0.1, 120),
    st.floats(0.1, 60),
)
def test_indices_ascend_stay_inside_and_are_never_more_than_asked(
    count: int, frames: int, method: str, rate: float, fps: float
) -> None:
    found = sample_indices(count, rate, FrameSampling(method, frames, fps))
    assert len(found) <= frames
    assert list(found) == sorted(set(found))
    assert all(0 <= index < count for index in found)
    assert bool(found) == (count > 0)


@given(st.integers(2, 100_000), st.integers(2, 300))
def test_uniform_is_numpys_linspace(count: int, frames: int) -> None:
    expected = np.linspace(0, count - 1, frames).astype(int)
    assert sample_indices(count, None, FrameSampling("uniform", frames)) == tuple(dict.fromkeys(expected.tolist()))


def test_fps_without_a_rate_is_an_error() -> None:
    with pytest.raises(MediaError, match="frame rate"):
        sample_indices(10, None, FrameSampling("fps"))


def card(folder: Path, cell: object, **video_keys: object) -> Task:
    (folder / "rows.jsonl").write_text(
        json.dumps({"id": "1", "question": "What moves?", "clip": cell, "answer": "it"}) + "\n"
    )
    raw = {
        "name": "t", "family": "f", "title": "T", "dataset": {"local": {"files": ["rows.jsonl"]}},
        "fields": {"id": "id", "videos": ["clip"]}, "video": video_keys, "answer": {"kind": "text"},
    }  # fmt: skip
    return Task.load(CardFile("t", folder / "t.yaml", raw))


def only_media(task: Task, folder: Path) -> Media:
    ((_, build),) = task.open(DataOptions(folder)).samples(AskStyle())
    (media,) = build().media
    return media


def test_a_card_names_videos_and_folders_of_frames(tmp_path: Path) -> None:
    film(tmp_path / "clip.mp4")
    task = card(tmp_path, "clip.mp4", frames=4)
    assert [index for index, _ in levels(only_media(task, tmp_path))] == [0, 13, 26, 39]
    other = card(tmp_path, "clip.mp4", frames=5)
    assert task.ask_digest(task.sampling, "standard") != other.ask_digest(other.sampling, "standard")
    frames = tmp_path / "frames"
    frames.mkdir()
    for number in range(12):
        Image.new("RGB", (8, 8), (20 * number, 0, 0)).save(frames / f"{number}.png")
    media = only_media(card(tmp_path, "frames", frames=3), tmp_path)
    assert media.frame_indices == (0, 5, 11)
    assert [Path(frame.name).name for frame in media.frames] == ["0.png", "5.png", "11.png"]
    listed = only_media(card(tmp_path, ["frames/3.png", "frames/1.png"], frames=3), tmp_path)
    assert [Path(frame.name).name for frame in listed.frames] == ["3.png", "1.png"]


@pytest.mark.parametrize(
    ("cell", "message"),
    [("https://x.org/v.mp4", "fetches no videos"), (3, "no video"), ("../../v.mp4", "leaves the data folder")],
)
def test_cells_that_are_no_video_are_refused(tmp_path: Path, cell: object, message: str) -> None:
    task = card(tmp_path, cell)
    with pytest.raises(DataError, match=message):
        task.open(DataOptions(tmp_path))


def _playlists(port: int, film: Path) -> dict[str, bytes]:
    return {
        "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{film.as_uri()}\n#EXT-X-ENDLIST\n".encode(),
        "b.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:{port}/a.ts\n#EXT-X-ENDLIST\n".encode(),
        "c.mp4": f"ffconcat version 1.0\nfile {film.name}\n".encode(),
        "d.sdp": f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=video {port} RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n".encode(),
    }  # fmt: skip


def test_a_playlist_is_no_video_and_nothing_that_it_names_is_opened(tmp_path: Path) -> None:
    """FFmpeg would read another file of this machine, ask an address, or open a port and wait there."""
    secret = film(tmp_path / "private.mp4")
    with socket.create_server(("127.0.0.1", 0)) as asked:
        asked.setblocking(False)
        port = asked.getsockname()[1]
        for name, data in _playlists(port, secret).items():
            (tmp_path / name).write_bytes(data)
            for media in (video(tmp_path / name), replace(video(tmp_path / name), path=None, data=data)):
                with pytest.raises(MediaError, match="not a video that can be read"):
                    decode_video(media)
        with pytest.raises(BlockingIOError):
            asked.accept()


def test_a_path_is_a_file_and_never_a_protocol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("concat:a.mp4|b.mp4", "subfile,,start,0,end,0,,:a.mp4", "-i.mp4", "a b%03d.mp4"):
        film(tmp_path / "a.mp4").rename(tmp_path / name)
        assert len(decode_video(video(Path(name), frames=2))) == 2


@pytest.mark.parametrize("name", ["a\0b.mp4", "half \ud800.mp4"])
def test_a_name_that_no_video_can_have_is_its_rows_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no file has such a name"):
        decode_video(Media("video", path=tmp_path / name, name="row 3", sampling=FrameSampling()))


def test_a_pipe_in_place_of_a_video_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "clip.mp4")
    with pytest.raises(MediaError, match="pipe or a device"):
        decode_video(video(tmp_path / "clip.mp4"))


def test_frames_beyond_the_limit_are_refused_before_one_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / "clip.mp4")
    monkeypatch.setattr("mmeval.pipeline.video.MAX_FRAME_PIXELS", 64 * 48 - 1)
    monkeypatch.setattr("mmeval.pipeline.video._index", lambda media: pytest.fail("the packets were read"))
    with pytest.raises(MediaError, match="64×48 pixels per frame are refused"), _opened(video(path)):
        pass
