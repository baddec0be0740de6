"""Writes the fixtures of image quality, reward and lip-reading benchmarks: own rows in the data sets' schemas (see make_fixtures.py).

python tests/data/make_pair_and_quality_fixtures.py [NAME …]
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from datasets import List, Value
from make_fixtures import HERE, picture, write

LISTS = {
    "koniq-10k": ("test_koniq_2k", [7.05, 40.0, 62.5, 83.5]), "spaq": ("test_spaq_2k", [4.0, 40.0, 60.0, 93.67]),
    "kadid-10k": ("test_kadid_2k", [1.0, 2.5, 4.0, 4.93]), "live-wild": ("test_livew_1k", [3.42, 30.0, 60.0, 92.43]),
    "agiqa-3k": ("test_agiqa_3k", [0.0, 1.5, 3.0, 4.49]), "csiq": ("test_csiq_866", [0.0, 0.3, 0.6, 1.0]),
    "pipal": ("test_pipal_5k", [1100.0, 1300.0, 1450.0, 1700.0]),
}  # fmt: skip
"""Task -> list and subjective scores, in the list's own range."""


def source(name: str) -> None:
    """Write the SOURCE.md of a folder."""
    text = (
        f"# Rows in the schema of {name}\n\nWritten for this project (Apache-2.0, as the rest of it): questions, answers, pictures and clips are our\n"
        "own, the columns and names those of the data set. No published row stands here.\n"
    )
    (HERE / name).mkdir(parents=True, exist_ok=True)
    (HERE / name / "SOURCE.md").write_text(text, encoding="utf-8")


def save(path: str, text: str) -> Path:
    """Write a text below this folder."""
    place = HERE / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text, encoding="utf-8")
    return place


def draw(path: str, text: str) -> None:
    """Write a picture below this folder."""
    place = HERE / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(picture(text)["bytes"])


def quality() -> None:
    """Four pictures in each list that Q-Insight evaluates on."""
    for name, (listed, scores) in LISTS.items():
        rows = [
            {"id": f"{listed}_{number}", "image": f"images/I0{number // 2}_01_0{number % 2}.png", "gt_score": score}
            for number, score in enumerate(scores)
        ]
        save(f"{name}/metas/{listed}.json", json.dumps(rows, indent=1) + "\n")
        for row in rows:
            # Pictures lie beside the list, as the card's image_root says.
            draw(f"{name}/metas/{row['image']}", str(row["gt_score"]))
        source(name)


def degradation() -> None:
    """One of each class, and none."""
    kinds = (("jpeg", "slight"), ("noise", "obvious"), ("blur", "serious"), ("darken", "moderate"), (None, None))
    rows = []
    for number, (kind, level) in enumerate(kinds):
        draw(f"degradation/{number}.png", str(kind))
        rows.append(json.dumps({"image": f"{number}.png", "distortion_class": kind, "severity": level}))
    save("degradation/degradation.jsonl", "\n".join(rows) + "\n")
    source("degradation")


def q_bench() -> None:
    """Two options and four; "N/A" pads."""
    rows = [
        {"id": "0", "question": "Is it sharp?", "option0": "Yes", "option1": "No", "option2": "N/A", "option3": "N/A", "question_type": 0,
         "question_concern": 0, "correct_choice": "B", "image": picture("sharp")},
        {"id": "1", "question": "What blurs it?", "option0": "Motion", "option1": "Rain", "option2": "Fog", "option3": "Dust", "question_type": 1,
         "question_concern": 3, "correct_choice": "D", "image": picture("dust")},
    ]  # fmt: skip
    write("q-bench-a1/data/dev-00000-of-00001.parquet", rows, ["image"])
    source("q-bench-a1")


def vl_rewardbench() -> None:
    """A pair of each group, the better answer first, last, first."""
    pairs = (
        ("mathverse_1", ["GOOD", "BAD"], [0, 1]),
        ("RLAIF-2", ["BAD", "GOOD"], [1, 0]),
        ("wildvision-3", ["GOOD", "BAD..."], [0, 1]),
    )
    rows = [
        {
            "id": name,
            "query": f"Which of them, {name}?",
            "response": texts,
            "human_ranking": ranks,
            "image": picture(name),
        }
        for name, texts, ranks in pairs
    ]
    write(
        "vl-rewardbench/data/test-00000-of-00001.parquet",
        rows,
        ["image"],
        response=List(Value("string")),
        human_ranking=List(Value("int64")),
    )
    source("vl-rewardbench")


def multimodal_rewardbench() -> None:
    """A pair of mathematics and one of safety."""
    draw("multimodal-rewardbench/p.png", "pair")
    rows = [
        {"ID": "math_1", "Text": "How many?", "Image": "p.png", "Output1": "GOOD", "Output2": "BAD", "Better": "Output1", "Meta": {"Category": "reasoning"}},
        {"ID": "safety_2", "Text": "Who?", "Image": "p.png", "Output1": "BAD", "Output2": "GOOD", "Better": "Output2", "Meta": {"Category": "safety"}},
    ]  # fmt: skip
    save("multimodal-rewardbench/all_data.json", json.dumps(rows, indent=1) + "\n")
    source("multimodal-rewardbench")


def mm_rlhf_rewardbench() -> None:
    """Two pairs of one question, one of another."""
    draw("mm-rlhf-rewardbench/p.png", "pair")
    pairs = (("How many?", "BAD", "mcq"), ("How many?", "WORSE", "mcq"), ("What is it?", "BAD", "long"))
    rows = [
        {"question": question, "image": "p.png", "chosen": "GOOD", "rejected": rejected, "Task": task}
        for question, rejected, task in pairs
    ]
    save("mm-rlhf-rewardbench/mm_reward_bench.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    source("mm-rlhf-rewardbench")


def clip(path: str) -> Path:
    """Write four frames without sound."""
    import av
    import numpy as np

    place = HERE / path
    place.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(place), "w") as container:
        stream: Any = container.add_stream("mpeg2video" if place.suffix == ".mpg" else "mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for shade in range(4):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 60 * shade, dtype=np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return place


def lip_reading() -> None:
    """Clips of two unseen speakers and a seen one; two programmes; two words."""
    for name in ("s1/bbaf2n", "s20/swwzzs", "s3/lgip9a"):
        clip(f"grid/{name}.mpg")
    for task, folder in (("lrs2", "main"), ("lrs3", "test")):
        for place, words in (("talk/00001", "IT'S THE FIRST OF MANY"), ("news/00002", "GOOD EVENING")):
            clip(f"{task}/{folder}/{place}.mp4").with_suffix(".txt").write_text(
                f"Text:  {words}\nConf: 3\n", encoding="utf-8"
            )
    for word in ("ABOUT", "WATER"):
        clip(f"lrw/{word}/test/{word}_00001.mp4")
    listed = {
        "cmlr/test.ref": ("s4/20110304/section_4_002.92_004.59 今天 天气很好", "s11/20120101/section_1_0.1_0.9 各位观众晚上好"),
        "grid-overlapped/overlapped_test.ref": ("s1/bbaf2n BIN BLUE AT F TWO NOW", "s3/lgip9a LAY GREEN IN P NINE AGAIN"),
    }  # fmt: skip
    for path, lines in listed.items():
        save(path, "\n".join(lines) + "\n")
        for line in lines:
            clip(f"{path.partition('/')[0]}/{line.partition(' ')[0]}.mp4")
    save("lrw-1000/info/tst_1000.txt", "a01,a01_audio,beijing,0.0,0.12\nb02,b02_audio,中国,zhongguo,0.0,0.08\n")
    for name, count in (("a01", 4), ("b02", 3)):
        for number in range(1, count + 1):
            draw(f"lrw-1000/images/{name}/{number}.jpg", name)
    for task in ("grid", "lrs2", "lrs3", "lrw", "cmlr", "grid-overlapped", "lrw-1000"):
        source(task)


def other_parts() -> None:
    """The further parts of RefCOCO and the small part of MATH-Vision: the rows of the fixtures beside them."""
    parts = (
        ("refcoco", "refcoco", ("testA", "testB")),
        ("refcoco-plus", "refcoco+", ("testA", "testB")),
        ("refcocog", "refcocog", ("test",)),
    )
    for folder, stem, names in parts:
        for part in names:
            shutil.copyfile(HERE / folder / f"{stem}_val.jsonl", HERE / folder / f"{stem}_{part}.jsonl")
    (HERE / "mathvision-mini").mkdir(exist_ok=True)
    shutil.copyfile(
        HERE / "mathvision/data/testmini-00000-of-00001.parquet",
        HERE / "mathvision-mini/testmini-00000-of-00001.parquet",
    )
    shutil.copyfile(HERE / "mathvision/SOURCE.md", HERE / "mathvision-mini/SOURCE.md")


MADE: dict[str, Callable[[], None]] = {
    "quality": quality, "degradation": degradation, "q-bench-a1": q_bench, "vl-rewardbench": vl_rewardbench,
    "multimodal-rewardbench": multimodal_rewardbench, "mm-rlhf-rewardbench": mm_rlhf_rewardbench, "lip-reading": lip_reading,
    "other-parts": other_parts,
}  # fmt: skip

if __name__ == "__main__":
    for chosen in sys.argv[1:] or MADE:
        MADE[chosen]()
