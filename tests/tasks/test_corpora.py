"""Corpora of clips without a table: tiny trees in their own layouts, with clips written here."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from mmeval.core.errors import DataError, MediaError
from mmeval.core.types import FrameSampling, Response, Sample
from mmeval.metrics import estimate
from mmeval.pipeline.media import ImageFacts, prepare
from mmeval.tasks.clip_lists import listed_rows
from mmeval.tasks.corpora import corpus_row, grid_transcript
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify
from tests.conformance.support import table_row

REGISTRY = Registry([])


def clip(path: Path) -> None:
    """Write six frames without sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg2video" if path.suffix == ".mpg" else "mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for shade in range(6):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 40 * shade, dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    ("task", "files", "targets"),
    [
        ("grid", ["s1/bbaf2n.mpg", "s20/swwzzs.mpg", "s3/lgip9a.mpg"], {"s1/bbaf2n": "bin blue at f two now", "s20/swwzzs": "set white with z zero soon"}),
        ("lrs3", ["test/talk/00001.mp4"], {"talk/00001": "IT'S THE FIRST OF MANY"}),
        ("lrw", ["ABOUT/test/ABOUT_00001.mp4"], {"ABOUT_00001": "ABOUT"}),
    ],
)  # fmt: skip
def test_clips_become_rows(task: str, files: list[str], targets: dict[str, str], tmp_path: Path) -> None:
    for name in files:
        clip(tmp_path / name)
        (tmp_path / name).with_suffix(".txt").write_text("Text:  IT'S THE FIRST {OF} MANY\nConf: 3\n", encoding="utf-8")
    loaded = Task.load(REGISTRY.cards[task], "default")
    samples = [build() for _, build in loaded.open(DataOptions(data_dir=tmp_path)).samples(AskStyle())]
    assert {sample.id: " ".join(str(sample.target).split()) for sample in samples} == targets
    for sample in samples:
        assert [media.kind for media in sample.media] == ["video"]
        found = verify(loaded.verifier, Response("ok", str(sample.target)), sample.target, sample.context)
        assert (found.score, found.correct) == (1.0, True)


def test_names_that_are_none_of_the_corpus(tmp_path: Path) -> None:
    assert grid_transcript("bbaf2") is None
    assert grid_transcript("bbaw2n") is None
    for layout, path in (
        ("grid", "s1/other.mpg"),
        ("grid", "x/bbaf2n.mpg"),
        ("lrw", "A/test/B_1.mp4"),
        ("lrs", "a/1.mp4"),
    ):
        with pytest.raises(DataError):
            corpus_row(layout, tmp_path / path)  # type: ignore[arg-type]


def opened(task: str, folder: Path, protocol: str = "default") -> tuple[Task, list[Sample]]:
    loaded = Task.load(REGISTRY.cards[task], protocol)
    return loaded, [build() for _, build in loaded.open(DataOptions(data_dir=folder)).samples(AskStyle())]


@pytest.mark.parametrize("place", ["{clip}.mp4", "video/{clip}.mp4", "../{clip}.mp4", "../video/{clip}.avi"])
def test_lists_of_cmlr(place: str, tmp_path: Path) -> None:
    folder = tmp_path / ("labels" if place.startswith("..") else "")
    folder.mkdir(exist_ok=True)
    clips = {"s4/20110304/section_4_002.92_004.59": "今天 天气很好", "s11/20120101/section_1_0.1_0.9": "各位观众晚上好"}
    lines = [f"{name} {text}" for name, text in clips.items()]
    (folder / "test.ref").write_text("\ufeff" + "\n".join(lines) + "\n\n", encoding="utf-8")
    for name in clips:
        clip(folder / place.format(clip=name))
    task, samples = opened("cmlr", tmp_path)
    assert {sample.id: sample.target for sample in samples} == clips
    assert [(sample.cluster, sample.subsets["speaker"]) for sample in samples] == [("s4", "s4"), ("s11", "s11")]
    assert all(sample.media[0].path is not None and sample.media[0].path.is_file() for sample in samples)
    said = ["今天天气很好。", "各位观众早上"]
    rows = [
        table_row(task.verifier, sample.id, text, sample.target, sample.context)
        for sample, text in zip(samples, said, strict=True)
    ]
    assert estimate("cer", rows).value == pytest.approx(2 / 13)
    assert estimate("mean:other_script", rows).value == 0.0


def test_a_list_may_name_clips_that_are_missing(tmp_path: Path) -> None:
    (tmp_path / "overlapped_test.ref").write_text(
        "s1/bbaf2n BIN BLUE AT F TWO NOW\ns3/lgip9a LAY GREEN IN P NINE AGAIN\n"
    )
    clip(tmp_path / "s1/video/bbaf2n.mpg")
    _, samples = opened("grid-overlapped", tmp_path)
    assert [sample.target for sample in samples] == ["BIN BLUE AT F TWO NOW", "LAY GREEN IN P NINE AGAIN"]
    assert len(prepared(samples[0], None).images) == 6
    with pytest.raises(MediaError, match=r"s3/lgip9a\.mp4"):
        prepared(samples[1], None)


def prepared(sample: Sample, store: Path | None):  # type: ignore[no-untyped-def]
    found: dict[str, ImageFacts] = {}
    return prepare(sample.media[0], found.get, found.__setitem__, frame_store=store)


def test_frames_and_classes_of_lrw_1000(tmp_path: Path) -> None:
    info = tmp_path / "info/tst_1000.txt"
    info.parent.mkdir()
    # Frames int(25 t) + 1: 0.4 s is frame 11, 0.52 s frame 14; the second clip ends a frame before its rounded time.
    info.write_text("a01,a01_audio,beijing,0.4,0.52\nb02,b02_audio,中国,zhongguo,0.0,0.16\n", encoding="utf-8")
    for name, count in (("a01", 20), ("b02", 4)):
        for number in range(1, count + 1):
            path = tmp_path / f"images/{name}/{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (24, 24), (10 * number, 0, 0)).save(path)
    task, samples = opened("lrw-1000", tmp_path)
    assert [(sample.id, sample.target, sample.cluster) for sample in samples] == [
        ("a01/11-14", "beijing", "a01"),
        ("b02/1-5", "zhongguo", "b02"),
    ]
    frames = [[media.path.name for media in sample.media[0].frames if media.path] for sample in samples]
    assert frames == [["11.jpg", "12.jpg", "13.jpg", "14.jpg"], ["1.jpg", "2.jpg", "3.jpg", "4.jpg"]]
    assert samples[0].subsets == {"length": "up to 40 frames"}
    assert verify(task.verifier, Response("ok", "Běi jīng"), "beijing", samples[0].context).correct


@pytest.mark.parametrize(
    ("layout", "line"),
    [
        ("lrw-1000", "a01,a01_audio,beijing,0.4"), ("lrw-1000", "a01,a01_audio,beijing,x,0.5"), ("lrw-1000", "a01,x,beijing,0.5,0.4"),
        ("lrw-1000", "a01,x,beijing,0,inf"), ("lrw-1000", "a01,x,beijing,0,1e15"), ("lrw-1000", ",x,beijing,0,1"), ("transcript-list", "s1/bbaf2n"), ("transcript-list", "BIN BLUE"),
    ],
)  # fmt: skip
def test_lines_that_are_none_of_the_corpus(layout: str, line: str, tmp_path: Path) -> None:
    path = tmp_path / "list.txt"
    path.write_text(f"\n{line}\n")
    (found,) = listed_rows(layout, path, tmp_path)
    assert isinstance(found, DataError)
    assert "list.txt, line 2: not" in found.message
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match="not UTF-8"):
        list(listed_rows(layout, path, tmp_path))


def test_a_declared_crop_is_what_is_shown(tmp_path: Path) -> None:
    from dataclasses import replace

    file = tmp_path / "ABOUT/test/ABOUT_00001.mp4"
    clip(file)
    _, samples = opened("lrw", tmp_path)
    whole = prepared(samples[0], tmp_path / "frames")
    sampling = FrameSampling("all", 29, crop=(4, 8, 20, 18))
    assert sampling.key != FrameSampling("all", 29).key
    cut = replace(samples[0], media=(replace(samples[0].media[0], sampling=sampling),))
    part = prepared(cut, tmp_path / "frames")
    assert {(image.width, image.height) for image in whole.images} == {(32, 32)}
    assert {(image.width, image.height) for image in part.images} == {(16, 10)}
    assert part.frame_indices == whole.frame_indices
    beyond = replace(sampling, crop=(0, 0, 33, 32))
    with pytest.raises(MediaError, match=r"crop \[0, 0, 33, 32\] reaches beyond the frame of 32×32"):
        prepared(replace(cut, media=(replace(cut.media[0], sampling=beyond),)), None)
    # The card's mouth crop wants the corpus's own frames of 256 x 256; frames that are pictures are cut alike.
    mouth, cards = opened("lrw", tmp_path, "mouth")
    assert mouth.card.video.crop == (79, 115, 175, 211)
    with pytest.raises(MediaError, match="reaches beyond"):
        prepared(cards[0], None)
    picture = np.zeros((256, 256, 3), dtype=np.uint8)
    picture[115:211, 79:175] = 255
    Image.fromarray(picture).save(tmp_path / "1.png")
    still = replace(
        cards[0].media[0], path=None, frames=(replace(cards[0].media[0], kind="image", path=tmp_path / "1.png"),)
    )
    shown = prepared(replace(cards[0], media=(still,)), None).images[0]
    import io

    assert np.asarray(Image.open(io.BytesIO(shown.data))).min() == 255
    assert (shown.width, shown.height) == (96, 96)


def test_sound_never_reaches_the_model(tmp_path: Path) -> None:
    """A clip with an audio track is sent as pictures of its frames, and as nothing else."""
    file = tmp_path / "test/talk/00001.mp4"
    file.parent.mkdir(parents=True)
    file.with_suffix(".txt").write_text("Text:  HELLO\n")
    with av.open(str(file), "w") as container:
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        audio = container.add_stream("aac", rate=16000)
        for shade in range(6):
            container.mux(
                video.encode(av.VideoFrame.from_ndarray(np.full((32, 32, 3), 40 * shade, np.uint8), format="rgb24"))
            )
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16000
        container.mux(audio.encode(sound))
        for stream in (video, audio):
            container.mux(stream.encode())
    with av.open(str(file)) as container:
        assert [len(container.streams.video), len(container.streams.audio)] == [1, 1]
    _, samples = opened("lrs3", tmp_path)
    assert [media.kind for media in samples[0].media] == ["video"]
    sent = prepared(samples[0], None)
    assert len(sent.images) == 6
    assert {image.format for image in sent.images} <= {"png", "jpeg", "webp"}
    assert all(image.data[:8] == b"\x89PNG\r\n\x1a\n" for image in sent.images)


def test_a_clip_at_fault_is_its_rows_alone(tmp_path: Path) -> None:
    for name in ("00001", "00002", "00003"):
        clip(tmp_path / f"test/talk/{name}.mp4")
    (tmp_path / "test/talk/00001.txt").write_text("nothing\n")
    (tmp_path / "test/talk/00003.txt").write_text("Text:  GOOD MORNING\n")
    loaded = Task.load(REGISTRY.cards["lrs3"], "default")
    built = [build for _, build in loaded.open(DataOptions(data_dir=tmp_path)).samples(AskStyle())]
    assert built[2]().target == "GOOD MORNING"
    for build, why in ((built[0], r"00001\.txt: the first line is not"), (built[1], r"00002\.txt: cannot be read")):
        with pytest.raises(DataError, match=why):
            build()
