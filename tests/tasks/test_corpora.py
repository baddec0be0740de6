"""Corpora of clips without a table: tiny trees in their own layouts, with clips written here."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from mmeval.core.errors import DataError
from mmeval.core.types import Response
from mmeval.tasks.corpora import corpus_row, grid_transcript
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from mmeval.verifiers.base import verify

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
