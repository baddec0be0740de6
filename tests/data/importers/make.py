"""Write the handmade prediction files of this folder (`python tests/data/importers/make.py`)."""

from __future__ import annotations

import json
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
CUT = "The boat is blue. " * 1_821

VLMEVALKIT: list[dict[str, Any]] = [
    {"index": 0, "prediction": "B", "answer": "B", "hit": 1, "log": "Match Log: B. "},
    {"index": 1, "prediction": "The answer is blue", "answer": "A", "hit": 0, "log": "Match Log: B. "},
    {"index": 2, "prediction": "It must be the second one.", "answer": "B", "hit": 1, "log": "Match Log: B. "},
    {"index": 3, "prediction": CUT[:32_767], "answer": "B", "hit": 0, "log": "Match Log: Z. "},
    {"index": 4, "prediction": None, "answer": "C", "hit": 0, "log": "Match Log: nan. "},
    {"index": 5, "prediction": 12, "answer": "C", "hit": 1, "log": "Match Log: 12. "},
    {"index": 6, "prediction": True, "answer": "C", "hit": 0, "log": "Match Log: True. "},
    {"index": 7, "prediction": "=B", "answer": "B", "hit": 1, "log": "Match Log: =B. "},
    {"index": 8, "prediction": datetime(2026, 3, 1), "answer": "B", "hit": 0, "log": "Match Log: 2026. "},
    {"index": 9, "prediction": "Failed to obtain answer via API.", "answer": "B", "hit": 0, "log": "Match Log: Z. "},
    {"index": 10, "prediction": "Step one._x000D_\nC", "answer": "C", "hit": 1, "log": "Match Log: C. "},
    {"index": 11, "prediction": "A", "answer": "A", "hit": 1, "log": "Match Log: A. ", "B": None},
]
LMMS: list[dict[str, Any]] = [
    {"doc_id": 0, "target": "B", "filtered_resps": "B", "exact_match": 1.0},
    {"doc_id": 1, "target": "A", "resps": ["I think it is C."], "filtered_resps": "C", "exact_match": 0.0},
    {"doc_id": 2, "target": "C", "resps": ["C", "A"], "filtered_resps": "C", "exact_match": 1.0},
    {"doc_id": 3, "target": "B", "resps": [[["-1.5", "False"]], [["-0.1", "True"]]], "filtered_resps": [["-1.5", "False"], ["-0.1", "True"]], "exact_match": 1.0},
    {"doc_id": 0, "target": "B", "resps": ["B"], "filtered_resps": "b", "exact_match": 0.0},
]  # fmt: skip
DOCS = [
    {
        "qid": f"q{number}",
        "question": f"What is in picture {number}?",
        "options": ["a cat", "a dog", "a boat"],
        "answer": answer,
    }
    for number, answer in enumerate("BACB")
]


def inspect_sample(name: str, epoch: int, text: Any, target: str, value: Any, **more: Any) -> dict[str, Any]:
    """Return one sample as Inspect stores it."""
    return {
        "id": name, "epoch": epoch, "input": "Is there a cat?", "target": target, "messages": [],
        "output": {
            "model": "toy", "choices": [{"message": {"role": "assistant", "content": text}, "stop_reason": "stop"}],
            "usage": {"input_tokens": 9, "output_tokens": 2, "total_tokens": 11},
        },
        "scores": {"match": {"value": value, "answer": None, "explanation": "as it stands"}}, "metadata": {"level": "easy"},
        "attachments": {},
    } | more  # fmt: skip


INSPECT = [
    inspect_sample("a", 1, "Yes", "Yes", "C"),
    inspect_sample(
        "a", 2, [{"type": "reasoning", "reasoning": "I see one."}, {"type": "text", "text": "No"}], "Yes", "I"
    ),
    inspect_sample("b", 1, "attachment://0123abcd", "No", "C", attachments={"0123abcd": "No, there is none."}),
    inspect_sample("b", 2, "", "No", "N", error={"message": "connection reset", "traceback": ""}),
]
HEADER = {
    "version": 2, "status": "success",
    "eval": {"task": "cats", "model": "toy/model", "dataset": {"samples": 2, "sample_ids": ["a", "b"]}},
    "results": {"total_samples": 4, "completed_samples": 3},
}  # fmt: skip


def main() -> None:
    """Write all files."""
    _vlmevalkit(HERE / "vlmevalkit")
    _lmms_eval(HERE / "lmms-eval")
    _inspect(HERE / "inspect")


def _vlmevalkit(folder: Path) -> None:
    import openpyxl

    folder.mkdir(exist_ok=True)
    columns = ["index", "question", "A", "B", "C", "answer", "category", "image_path", "prediction", "hit", "log"]
    rows = []
    for number, row in enumerate(VLMEVALKIT):
        common = {
            "question": f"What is in picture {number}?", "A": "red", "B": "blue", "C": "12",
            "category": "colour" if number % 2 else "number", "image_path": f"{number // 2}.png",
        }  # fmt: skip
        rows.append(common | row)
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(columns)
    for row in rows:
        sheet.append([row[column] for column in columns])
    book.save(folder / "toy_Toy.xlsx")
    plain = [row for row in rows if isinstance(row["prediction"], str) and len(row["prediction"]) < 99]
    cells = [[str(row[column] if row[column] is not None else "") for column in columns] for row in plain]
    lines = ["\t".join(f'"{cell}"' for cell in line) for line in [columns, *cells]]
    (folder / "toy_Toy.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    stored = [{key: row[key] for key in columns if key not in ("hit", "log")} | {"thinking": "hm"} for row in plain[:4]]
    text = json.dumps([*stored, stored[0] | {"index": 99, "prediction": float("nan")}], indent=1)
    (folder / "toy_Toy.json").write_text(text + "\n", encoding="utf-8")


def _lmms_eval(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    shared = {
        "doc_hash": "0",
        "input": "What is in the picture?",
        "token_counts": [{"input_tokens": 7, "output_tokens": 1}],
    }
    lines = [json.dumps(row | shared) for row in LMMS]
    (folder / "20260101_000000_samples_toy.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    results = {
        "results": {"toy": {"alias": "toy", "exact_match,none": 0.75, "exact_match_stderr,none": float("nan")}},
        "n-samples": {"toy": {"original": 9, "effective": 5}}, "model_name": "toy-model",
    }  # fmt: skip
    (folder / "20260101_000000_results.json").write_text(json.dumps(results) + "\n", encoding="utf-8")
    with_doc = [json.dumps(row | shared | {"doc": DOCS[row["doc_id"]]}) for row in LMMS[:2]]
    (folder / "with_doc_samples_toy.jsonl").write_text("\n".join(with_doc) + "\n", encoding="utf-8")


def _inspect(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    with zipfile.ZipFile(folder / "toy.eval", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_entry("_journal/start.json"), json.dumps(HEADER))
        for sample in INSPECT:
            archive.writestr(_entry(f"samples/{sample['id']}_epoch_{sample['epoch']}.json"), json.dumps(sample))
        archive.writestr(_entry("header.json"), json.dumps(HEADER))
    (folder / "toy.json").write_text(json.dumps(HEADER | {"samples": INSPECT}) + "\n", encoding="utf-8")


def _entry(name: str) -> zipfile.ZipInfo:
    """A member with a date of its own, so that the file is the same every time."""
    entry = zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


if __name__ == "__main__":
    main()
