"""Videos to frames: which frames a protocol shows, exact to the frame, decoded once and kept by content."""

from __future__ import annotations

import errno
import io
import os
import threading
import zipfile
from array import array
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmeval.core.errors import MediaError
from mmeval.core.file_hashes import hash_files
from mmeval.core.files import create
from mmeval.core.frames import sample_indices
from mmeval.core.hashing import digest, sha256_bytes
from mmeval.core.types import FrameSampling, Media

if TYPE_CHECKING:
    from PIL.Image import Image

VERSION = 1
"""Raised whenever the same video and sampling can give other frames, so that kept ones are not taken for them."""
MAX_PACKETS = 20_000_000
"""A stream with more packets is refused: it would take hours only to be counted."""
MAX_FRAME_PIXELS = 64_000_000
_CONTAINERS = (
    "mov", "mp4", "matroska", "webm", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "asf", "ogg", "gif", "apng", "ivf", "h264", "hevc",
    "m4v", "obu", "mjpeg", "mxf", "nut", "rm", "dv", "yuv4mpegpipe", "swf", "wtv", "amv", "bink", "smk", "roq", "vc1", "h263", "h261",
    "wav", "mp3", "flac", "aac",
)  # fmt: skip
"""Formats of FFmpeg that hold what they show. Playlists and session descriptions name other files, addresses and ports, which it opens."""
_READ_ONLY = {"format_whitelist": ",".join(_CONTAINERS), "protocol_whitelist": "file"}


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame."""

    index: int
    """0-based position in the source video, in playing order."""
    data: bytes
    """PNG."""
    source_sha256: str
    """Hash of the video's content and the frame's index: the frame's identity, whatever decoded it."""


def decode_video(media: Media, store: Path | None = None) -> tuple[Frame, ...]:
    """Return the frames of a video that its sampling asks for; sound is never read.

    Args:
        media: a video with `path` or `data`, and `sampling`.
        store: folder in which decoded frames are kept by content.

    Raises:
        MediaError: a file that cannot be read, is no video, has no frames, or breaks off before a frame that is needed.
    """
    sampling = media.sampling
    if sampling is None:
        raise MediaError(f"{media.label}: no frame sampling is declared for this video")
    source = _source_hash(media)
    kept = None if store is None else store / f"{digest([VERSION, source, sampling.key])}.zip"
    if kept is not None and (found := _read_kept(kept, source)) is not None:
        return found
    try:
        frames = tuple(_decode(media, sampling, source))
    except MediaError as error:
        raise MediaError(f"{media.label}: {error.message}") from error
    if not frames:
        raise MediaError(f"{media.label}: the video has no frames")
    if kept is not None:
        _keep(kept, frames)
    return frames


def _source_hash(media: Media) -> str:
    if media.data is not None:
        return sha256_bytes(media.data)
    if media.path is None:
        raise MediaError(f"{media.label}: a video is a file or bytes")
    try:
        return hash_files({"video": media.path})["video"]
    except OSError as error:
        raise MediaError(f"cannot read {media.label}: {error.strerror or error}") from error


@contextmanager
def _opened(media: Media) -> Iterator[tuple[Any, Any]]:
    import av

    # The name of a protocol at the start of a path, such as `concat:`, is part of a file's name.
    source = io.BytesIO(media.data) if media.data is not None else f"file:{media.path}"
    try:
        container = av.open(source, mode="r", options=_READ_ONLY)
    except (av.FFmpegError, OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if isinstance(error, av.FFmpegError) and error.errno == errno.EINVAL:
            reason += " (or a playlist, which could name other files and addresses)"
        raise MediaError(f"not a video that can be read: {reason}") from error
    try:
        if not container.streams.video:
            raise MediaError("the file holds no video stream")
        stream = container.streams.video[0]
        codec = stream.codec_context
        if codec.width * codec.height > MAX_FRAME_PIXELS:
            raise MediaError(f"{codec.width}×{codec.height} pixels per frame are refused")
        codec.options = {"max_pixels": str(MAX_FRAME_PIXELS)}  # a later frame may say another size than the file
        stream.thread_type = "NONE"  # frames of several samples are decoded at once, each in its own thread
        yield container, stream
    finally:
        container.close()


@dataclass(frozen=True, slots=True)
class _Index:
    """What a pass over a stream's packets tells, without decoding any."""

    times: Sequence[int]
    """Presentation times of all frames in playing order."""
    keys: Sequence[int]
    """Those of the key frames, at which decoding can start."""
    rate: float | None
    """Average frames per second."""


def _index(media: Media) -> _Index:
    import av

    times, keys = array("q"), array("q")
    with _opened(media) as (container, stream):
        rate = float(stream.average_rate) if stream.average_rate else None
        try:
            for packet in container.demux(stream):
                if packet.pts is not None and packet.size:
                    times.append(packet.pts)
                    if packet.is_keyframe:
                        keys.append(packet.pts)
                    if len(times) > MAX_PACKETS:
                        raise MediaError(f"more than {MAX_PACKETS} frames")
        except av.FFmpegError as error:
            if not times:
                raise MediaError(f"damaged video: {error}") from error
    return _Index(array("q", sorted(set(times))), array("q", sorted(set(keys))), rate)


def _decode(media: Media, sampling: FrameSampling, source: str) -> Iterator[Frame]:
    import av

    index = _index(media)
    indices = sample_indices(len(index.times), index.rate, sampling)
    if not indices:
        return
    wanted = [index.times[place] for place in indices]
    found: dict[int, bytes] = {}
    with _opened(media) as (container, stream):
        try:
            for group in _groups(index.keys, stream, wanted):
                container.seek(group[0], stream=stream, backward=True, any_frame=False)
                remaining = list(group)
                for frame in container.decode(stream):
                    if frame.pts is None:
                        continue
                    while remaining and frame.pts >= remaining[0]:
                        found[remaining.pop(0)] = _encoded(_picture(frame, sampling))
                    if not remaining:
                        break
        except (av.FFmpegError, ValueError, MemoryError) as error:
            raise MediaError(f"damaged video: {error}") from error
    for number, time in zip(indices, wanted, strict=True):
        if time not in found:
            raise MediaError(f"the video breaks off: frame {number} of {len(index.times)} cannot be decoded")
        yield Frame(number, found[time], digest([source, number]))


def _groups(keys: Sequence[int], stream: Any, wanted: Sequence[int]) -> Iterator[Sequence[int]]:
    """Frames that lie close together are decoded in one go; far ones are sought, so that a film is not decoded whole.

    Without a key frame between two of them a search would only decode the same frames again.
    """
    gap = int(10 / float(stream.time_base)) if stream.time_base else 0
    group: list[int] = []
    for time in wanted:
        if group and gap and time - group[-1] > gap:
            before, upto = (bisect_right(keys, place) for place in (group[-1], time))
            if upto > before:
                yield group
                group = []
        group.append(time)
    yield group


def _encoded(image: Image) -> bytes:
    """Return a picture as PNG: a decoded one of a large video takes many times the memory."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _picture(frame: Any, sampling: FrameSampling) -> Image:
    if frame.width * frame.height > MAX_FRAME_PIXELS:
        raise MediaError(f"{frame.width}×{frame.height} pixels per frame are refused")
    image: Image = frame.to_image()
    turn = getattr(frame, "rotation", 0) or 0
    if turn % 360:
        image = image.rotate(turn, expand=True)
    return shown_part(image, sampling).convert("RGB")


def shown_part(image: Image, sampling: FrameSampling) -> Image:
    """Return what the sampling shows of an upright frame: its crop, scaled down to `max_side`.

    Raises:
        MediaError: when the crop reaches beyond the frame.
    """
    if sampling.crop is not None:
        if sampling.crop[2] > image.width or sampling.crop[3] > image.height:
            raise MediaError(
                f"the crop {list(sampling.crop)} reaches beyond the frame of {image.width}×{image.height} pixels"
                " (video.crop of the card)"
            )
        image = image.crop(sampling.crop)
    side = max(image.size)
    if sampling.max_side is not None and side > sampling.max_side:
        scale = sampling.max_side / side
        image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))), 3)
    return image


def _read_kept(path: Path, source: str) -> tuple[Frame, ...] | None:
    """Frames that were decoded before; a damaged file counts as none."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
            return tuple(Frame(int(name), archive.read(name), digest([source, int(name)])) for name in names) or None
    except (OSError, zipfile.BadZipFile, ValueError, RuntimeError):
        return None


def _keep(path: Path, frames: Sequence[Frame]) -> None:
    """Keep frames for the next run; a store that cannot be written is no fault of the run."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with create(temporary) as handle, zipfile.ZipFile(handle, "w", zipfile.ZIP_STORED) as archive:
            for frame in frames:
                archive.writestr(f"{frame.index:012d}", frame.data)
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
