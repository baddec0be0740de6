"""What the sample browser shows: one record per item, with the answers of all models side by side."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from mmeval.reports.format import json_text
from mmeval.reports.names import RunNames, task_label
from mmeval.runs.folder import subset_pairs

if TYPE_CHECKING:
    import pandas as pd

TEXT_LIMIT = 20_000
"""Characters of one text that the browser shows; longer ones keep head, tail and the extracted span."""
VALUE_LIMIT = 2_000
SHAPE_LIMIT = 300
"""Boxes or points drawn per answer."""
GRADED_GAP = 0.25
"""Models disagree on a graded score when their means differ by at least this much."""

Pieces: TypeAlias = list[list[Any]]
"""A text as [kind, text] pairs: `text`, `mark` (the extracted span) or `cut` (a number of characters left out)."""
_Key: TypeAlias = tuple[str, str, str, str | None]


@dataclass(slots=True)
class Record:
    """One item with everything that was asked and answered about it."""

    key: str
    """Short stable name in links."""
    data: dict[str, Any]
    images: list[str] = field(default_factory=list)
    """Hashes of its media as sent, each once."""
    urgent: bool = False
    """Models disagree, or something failed; kept first when the report must be cut."""


@dataclass(frozen=True, slots=True)
class Corpus:
    """All records in the order of the runs, and the names that they refer to by index."""

    records: list[Record]
    models: list[str]
    tasks: list[str]
    conditions: list[str]


def read_corpus(names: Sequence[RunNames]) -> Corpus:
    """Join samples and results of all runs: the same item under another model, condition or repeat is one record."""
    models = [label for entry in names for label in entry.models.values()]
    tasks = _unique(task_label(task.name, task.protocol) for entry in names for task in entry.run.manifest.tasks)
    conditions = _unique(condition for entry in names for condition in entry.run.manifest.conditions)
    builder = _Builder(
        {name: i for i, name in enumerate(models)}, {name: i for i, name in enumerate(tasks)}, conditions
    )
    frames = [(entry, _records(entry.run.samples()), _records(entry.run.results())) for entry in names]
    for _, samples, rows in frames:
        builder.note_items([*samples, *rows])
    for entry, samples, rows in frames:
        for sample in samples:
            builder.add_view(sample, entry.label if len(names) > 1 else "")
        for row in rows:
            builder.add_answer(row, entry.models[row["model"]])
    guessers = {
        entry.models[record.name]
        for entry in names
        for record in entry.run.manifest.models
        if record.engine == "chance" and record.name in entry.models
    }
    builder.finish({builder.models[name] for name in guessers})
    return Corpus(list(builder.records.values()), models, tasks, conditions)


def excerpt(text: str, span: tuple[int, int] | None = None, limit: int = TEXT_LIMIT) -> Pieces:
    """Cut a text into pieces around the extracted span, leaving out the middle of what is too long.

    Args:
        text: the whole text.
        span: start and end of what was read, in characters; a span outside the text is ignored.
        limit: characters to keep at most, apart from a short span.
    """
    if span is not None and not 0 <= span[0] < span[1] <= len(text):
        span = None
    windows = [(0, len(text))] if len(text) <= limit else [(0, limit * 2 // 3), (len(text) - limit // 3, len(text))]
    if span is not None and len(windows) > 1:
        span = (span[0], min(span[1], span[0] + limit))
        windows = _merge([*windows, (max(0, span[0] - 400), min(len(text), span[1] + 400))])
    pieces: Pieces = []
    position = 0
    for start, end in windows:
        if start > position:
            pieces.append(["cut", start - position])
        if span is not None and start <= span[0] < end:
            pieces += [
                ["text", text[start : span[0]]],
                ["mark", text[span[0] : span[1]]],
                ["text", text[span[1] : end]],
            ]
        else:
            pieces.append(["text", text[start:end]])
        position = end
    return [piece for piece in pieces if piece[1]]


def shapes(verifier: str | None, value: Any) -> list[list[float]]:
    """Return the boxes [x1, y1, x2, y2] and points [x, y] of a typed value, in pixels of the original image.

    Only values of the box, boxes and point verifiers are coordinates; any other list of numbers is not drawn.
    """
    if (verifier or "").partition("/")[0] not in {"box", "boxes", "point"}:
        return []
    return list(_shapes(value))[:SHAPE_LIMIT]


def _shapes(value: Any) -> Iterator[list[float]]:
    if isinstance(value, Mapping):
        for key in ("box", "boxes", "point", "points"):
            if key in value:
                yield from _shapes(value[key])
    elif isinstance(value, (list, tuple)):
        if len(value) in (2, 4) and all(
            isinstance(number, (int, float)) and not isinstance(number, bool) for number in value
        ):
            yield [round(float(number), 2) for number in value]
        else:
            for entry in value:
                yield from _shapes(entry)


@dataclass(slots=True)
class _Builder:
    models: dict[str, int]
    tasks: dict[str, int]
    conditions: list[str]
    records: dict[_Key, Record] = field(default_factory=dict)
    _hashes: dict[tuple[str, str, str], set[str]] = field(default_factory=dict)

    def note_items(self, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            known = self._hashes.setdefault((row["task"], row["protocol"], row["sample_id"]), set())
            if _text(row["item_hash"]):
                known.add(row["item_hash"])

    def add_view(self, row: Mapping[str, Any], run: str) -> None:
        record = self._record(row)
        data = record.data
        context = _json(row["context"]) or {}
        messages = [
            {
                "role": message["role"],
                "parts": [excerpt(part) if isinstance(part, str) else part["media"] for part in message["parts"]],
            }
            for message in _json(row["messages"]) or []
        ]
        media = [
            [entry["sha256"], int(entry["width"]), int(entry["height"]), entry["kind"]] for entry in _list(row["media"])
        ]
        record.images += [entry[0] for entry in media if entry[0] not in record.images]
        view = {"messages": messages, "media": media, "size": context.get("image_size") or None}
        label = [row["condition"], run]
        for known in data["views"]:
            if all(known[name] == view[name] for name in view):
                known["labels"].append(label)
                return
        data["views"].append(view | {"labels": [label]})
        data["question"] = data["question"] or (row["question"] or "")[:240]
        data["choices"] = data["choices"] or [choice[:VALUE_LIMIT] for choice in _list(row["choices"])]

    def add_answer(self, row: Mapping[str, Any], model: str) -> None:
        record = self._record(row)
        data = record.data
        verifier = _text(row["verifier"])
        extracted, target = _json(row["extracted"]), _json(row["target"])
        if target is not None and data["target"] is None:
            data["target_shapes"] = shapes(verifier, target)
            data["target"] = excerpt(_value_text(target, bool(data["target_shapes"])), limit=VALUE_LIMIT)
        span = _list(row["extracted_span"])
        response, reasoning = _text(row["response"]), _text(row["reasoning"])
        drawn = shapes(verifier, extracted)
        answer = {
            "model": self.models[model],
            "condition": self.conditions.index(row["condition"]),
            "repeat": int(row["repeat"]),
            "outcome": row["outcome"],
            "score": _number(row["score"], 4),
            "correct": None if row["correct"] is None else bool(row["correct"]),
            "scores": {name: _number(value, 4) for name, value in sorted(row["scores"].items())},
            "extracted": None if extracted is None else excerpt(_value_text(extracted, bool(drawn)), limit=VALUE_LIMIT),
            "shapes": drawn,
            "response": None
            if response is None
            else excerpt(response, (int(span[0]), int(span[1])) if len(span) == 2 else None),
            "reasoning": None if reasoning is None else excerpt(reasoning),
            "error": None if _text(row["error"]) is None else excerpt(row["error"], limit=VALUE_LIMIT),
            "reason": _text(row["reason"]),
            "status": _text(row["status"]),
            "finish": _text(row["finish_reason"]),
            "verifier": verifier,
            "judge": [_text(row[f"judge_{name}"]) for name in ("model", "verdict", "reason")],
            "tokens": [_number(row[f"{name}_tokens"], 0) for name in ("prompt", "completion", "reasoning")],
            "seconds": _number(row["latency_s"], 3),
        }
        data["answers"].append(
            {name: value for name, value in answer.items() if value not in (None, [], {}, [None, None, None])}
        )

    def finish(self, guessers: set[int]) -> None:
        for record in self.records.values():
            answers = record.data["answers"]
            answers.sort(key=lambda answer: (answer["condition"], answer["model"], answer["repeat"]))
            record.data["disagree"] = _disagree(answers, guessers)
            record.urgent = record.data["disagree"] or any(answer["outcome"] != "scored" for answer in answers)

    def _record(self, row: Mapping[str, Any]) -> Record:
        item = (row["task"], row["protocol"], row["sample_id"])
        hashes = self._hashes[item]
        # An unreadable item has no hash and joins its id; two different items under one id stay apart.
        key: _Key = (*item, _text(row["item_hash"]) if len(hashes) > 1 else None)
        if key not in self.records:
            task = task_label(row["task"], row["protocol"])
            short = hashlib.sha256(json.dumps(key).encode()).hexdigest()[:12]
            data = {
                "key": short,
                "task": self.tasks[task],
                "id": row["sample_id"],
                "cluster": row["cluster"] if row["cluster"] != row["sample_id"] else None,
                "subsets": [list(pair) for pair in subset_pairs(row["subsets"])],
                "question": "",
                "choices": [],
                "target": None,
                "target_shapes": [],
                "views": [],
                "answers": [],
            }
            self.records[key] = Record(short, data)
        return self.records[key]


def _disagree(answers: Sequence[Mapping[str, Any]], guessers: set[int]) -> bool:
    """Whether, under one condition, the majority of repeats is right for one model and wrong for another.

    Graded scores disagree from a gap of GRADED_GAP on. The chance engine has no opinion.
    """
    for condition in {answer["condition"] for answer in answers}:
        by_model: dict[int, list[tuple[float, bool]]] = {}
        for answer in answers:
            if answer["condition"] == condition and answer["model"] not in guessers and "score" in answer:
                graded = "correct" not in answer
                value = answer["score"] if graded else float(answer["correct"])
                by_model.setdefault(answer["model"], []).append((value, graded))
        means = [sum(value for value, _ in values) / len(values) for values in by_model.values()]
        graded = any(flag for values in by_model.values() for _, flag in values)
        if len(means) > 1 and (max(means) - min(means) >= GRADED_GAP if graded else max(means) >= 0.5 > min(means)):
            return True
    return False


def _value_text(value: Any, coordinates: bool) -> str:
    """Show a typed value; whole pixels without their `.0`."""
    return re.sub(r"\.0(?=[,\]])", "", json_text(value)) if coordinates else json_text(value)


def _merge(windows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(windows):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]


def _unique(names: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else None


def _list(value: Any) -> list[Any]:
    return [] if value is None or isinstance(value, float) else list(value)


def _number(value: Any, digits: int) -> float | int | None:
    if value is None or value != value:
        return None
    return round(float(value), digits) if digits else int(value)
