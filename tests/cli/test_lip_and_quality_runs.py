"""Cards of lip reading and image quality on trees made here, run by the embedded model from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
from PIL import Image


def clip(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for shade in range(4):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 40 * shade, dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.model
def test_the_embedded_model_runs_them(mmeval: Callable, tmp_path: Path) -> None:
    data = tmp_path / "data"
    for task, name in (("cmlr", "test.ref"), ("grid-overlapped", "overlapped_test.ref")):
        (data / task).mkdir(parents=True)
        clips = [f"s{speaker}/bbaf{number}n" for speaker in (1, 2) for number in (1, 2)]
        text = "今天天气很好" if task == "cmlr" else "BIN BLUE AT F TWO NOW"
        lines = [f"{one} {text}" for one in clips]
        broken = "a line that is none" if task == "cmlr" else "s1/missing BIN BLUE AT F TWO NOW"
        (data / task / name).write_text("\n".join([*lines, broken]), encoding="utf-8")
        for one in clips:
            clip(data / task / f"{one}.mp4")
    info = data / "lrw-1000/info/tst_1000.txt"
    info.parent.mkdir(parents=True)
    info.write_text("a,a,beijing,0.0,0.1\na,a,beijing,0.2,0.3\nb,b,zhongguo,0.0,0.1\n")
    for folder, missing in (("a", 99), ("b", 2)):
        for number in range(1, 10):
            path = data / f"lrw-1000/images/{folder}/{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            if number != missing:
                Image.new("RGB", (24, 24), (20 * number, 0, 0)).save(path)
    (data / "quality-pairs").mkdir()
    scores = {"a": 80.0, "b": 20.0, "c": 50.0, "d": None, "e": 33.0, "f": 21.0}
    rows = [{"id": name, "image": f"{name}.png", "gt_score": score} for name, score in scores.items()]
    (data / "quality-pairs/test_koniq_2k.json").write_text(json.dumps(rows))
    for name in scores:
        Image.new("RGB", (24, 24), "grey").save(data / f"quality-pairs/{name}.png")
    tasks = "cmlr,grid-overlapped,lrw-1000,quality-pairs"
    done = mmeval("run", "-m", "tiny", "-t", tasks, "--data-dir", "data", "--no-report", "--json", "-o", "runs/r", timeout=300)  # fmt: skip
    assert done.code == 6, done.err
    table = pd.read_parquet(tmp_path / "runs/r/results.parquet")
    found = dict(iter(table.groupby("task")))
    assert {task: len(part) for task, part in found.items()} == {"cmlr": 5, "grid-overlapped": 5, "lrw-1000": 3, "quality-pairs": 3}  # fmt: skip
    faults = {task: part[part["outcome"] == "error"] for task, part in found.items()}
    assert {task: len(part) for task, part in faults.items()} == {"cmlr": 1, "grid-overlapped": 1, "lrw-1000": 1, "quality-pairs": 1}  # fmt: skip
    assert "test.ref, line 5: not 'SPEAKER/CLIP TEXT'" in faults["cmlr"]["error"].iloc[0]
    assert "s1/missing.mp4" in faults["grid-overlapped"]["error"].iloc[0]
    assert "b/2.jpg" in faults["lrw-1000"]["error"].iloc[0]
    assert "test_koniq_2k.json" in faults["quality-pairs"]["error"].iloc[0]
    cells = {(cell["task"], cell["metric"]): cell for cell in done.json["leaderboard"] if cell["subset"] is None}
    assert cells["cmlr", "cer"]["coverage"] == 0.8
    assert 0 <= cells["quality-pairs", "accuracy"]["value"] <= 1
