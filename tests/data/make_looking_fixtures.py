"""Writes the fixtures of benchmarks with several turns: own rows and pictures in the data sets' schemas.

python tests/data/make_looking_fixtures.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

ROOT = Path(__file__).parent
SPOT = (60, 20, 99, 59)
COLOURS = ("red", "green", "blue")


def page(path: Path, colour: str, size: tuple[int, int] = (120, 80)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.new("RGB", size, "white")
    ImageDraw.Draw(picture).rectangle(SPOT, fill=colour)
    picture.save(path)


def lines(path: Path, rows: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def visual_cot() -> None:
    """A wide and a tall picture; the gold boxes are 0-1 on the padded square."""
    folder = ROOT / "visual-cot" / "viscot_benchmark"
    asks = "Please provide the bounding box coordinate of the region that can help you answer the question better."
    for number, name, size, question, box, answer in (
        (1, "gqa", (120, 80), "What colour is the square?", [0.5, 0.3333, 0.8333, 0.6667], "red"),
        (2, "docvqa", (80, 120), "Which colour has the stamp?", [0.6667, 0.1667, 0.8333, 0.5], "blue"),
    ):
        page(folder / f"cot/{name}/{number}.png", answer, size)
        image = f"cot/{name}/{number}.png"
        said = (
            ("human", f"<image>\n{question} {asks}"),
            ("gpt", json.dumps(box)),
            ("human", "<image>"),
            ("gpt", answer),
        )
        row = {
            "question_id": number, "image": [image, f"{image}###[60, 20, 100, 60]"],
            "conversations": [{"from": who, "value": value} for who, value in said],
        }  # fmt: skip
        lines(folder / f"{name}.jsonl", [row])


def slidevqa() -> None:
    """Two questions about one deck of three slides."""
    folder = ROOT / "slidevqa"
    for number, colour in enumerate(COLOURS, 1):
        page(folder / f"deck-a/{number}.png", colour)
    shown = {f"page_{number}": f"deck-a/{number}.png" for number in (1, 2, 3)}
    common = {"deck_name": "deck-a", "arithmetic_expression": "None", **shown}
    lines(
        folder / "test.jsonl",
        [
            {**common, "qa_id": 11, "question": "Which colour has the square on the second slide?", "answer": "green",
             "evidence_pages": [2], "answer_type": "Single-Span"},
            {**common, "qa_id": 12, "question": "Which colours do the first and the last slide have?",
             "answer": "red and blue", "evidence_pages": [1, 3], "answer_type": "Multi-Span"},
        ],
    )  # fmt: skip


def vidoseek() -> None:
    """A question with one page and one with two."""
    rows = [
        {"uid": uid, "query": query, "reference_answer": answer,
         "meta_info": {"file_name": "deck-a.pdf", "reference_page": pages, "source_type": source, "query_type": kind}}
        for uid, query, answer, pages, source, kind in (
            ("a_1", "Which colour has the square on the second slide?", "green", [2], "chart", "Single-Hop"),
            ("a_2", "Which colours do the first and the last slide have?", "red and blue", [1, 3], "text", "Multi-Hop"),
        )
    ]  # fmt: skip
    (ROOT / "vidoseek").mkdir(exist_ok=True)
    (ROOT / "vidoseek" / "vidoseek.json").write_text(json.dumps(rows, indent=1) + "\n")


def mmlongbench_doc() -> None:
    """Every form of answer, one of them that there is none."""
    rows = [
        {"doc_id": "report.pdf", "doc_type": "Research report / Introduction", "question": question, "answer": answer,
         "evidence_pages": pages, "evidence_sources": "['Chart']", "answer_format": form}
        for question, answer, pages, form in (
            ("How many squares are on page 5?", "12", "[5]", "Int"),
            ("What share is red?", "25.5%", "[3, 5]", "Float"),
            ("What colour is the square?", "dark red", "[2]", "Str"),
            ("Which colours are there?", "['red', 'blue']", "[1, 3]", "List"),
            ("Who drew the square?", "Not answerable", "[]", "None"),
        )
    ]  # fmt: skip
    (ROOT / "mmlongbench-doc").mkdir(exist_ok=True)
    (ROOT / "mmlongbench-doc" / "samples.json").write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    for make in (visual_cot, slidevqa, vidoseek, mmlongbench_doc):
        make()
    for name, what in (
        ("visual-cot", "the Visual CoT benchmark (question, box, crop, answer)"), ("slidevqa", "SlideVQA"),
        ("vidoseek", "ViDoSeek"), ("mmlongbench-doc", "MMLongBench-Doc (data/samples.json)"),
    ):  # fmt: skip
        (ROOT / name / "SOURCE.md").write_text(
            f"Own rows and pictures in the schema of {what}; see make_looking_fixtures.py.\n"
        )
