"""What the sample browser shows: one record per item, with the answers of all models side by side."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import orjson

from mmeval.core.errors import DataError
from mmeval.reports.format import json_text
from mmeval.reports.names import RunNames, task_label
from mmeval.reports.spool import Spool
from mmeval.runs.folder import subset_pairs

TEXT_LIMIT = 20_000
"""Characters of one text that the browser shows; longer ones keep head, tail and the extracted span."""
VALUE_LIMIT = 2_000
SHAPE_LIMIT = 300
"""Boxes or points drawn per answer."""
GRADED_GAP = 0.25
"""Models disagree on a graded score when their means differ by at least this much."""

Pieces: TypeAlias = list[list[Any]]
"""A text as [kind, text] pairs: `text`, `mark` (the extracted span) or `cut` (a number of characters left out)."""
ITEM_COLUMNS = ("task", "protocol", "sample_id", "item_hash")
_Item: TypeAlias = tuple[int, str]
_Piece: TypeAlias = dict[str, Any]


@dataclass(slots=True)
class Record:
    """One item with everything that was asked and answered about it; its text is in the corpus."""

    key: str
    """Short stable name in links."""
    images: list[str] = field(default_factory=list)
    """Hashes of its media as sent, each once."""
    disagree: bool = False
    """Models disagree; kept first when the report must be cut."""
    failed: bool = False
    """An answer has no score; kept next."""
    size: int = 0
    """Bytes of its text."""
    has_target: bool = False


@dataclass(frozen=True, slots=True)
class Corpus:
    """All records in the order of the runs, and the names that they refer to by index."""

    records: list[Record]
    models: list[str]
    tasks: list[str]
    conditions: list[str]
    _spool: Spool

    def texts(self, indices: Iterable[int]) -> list[bytes]:
        """JSON texts of some records."""
        return [self._spool.text(index) for index in indices]


def read_corpus(names: Sequence[RunNames]) -> Corpus:
    """Join samples and results of all runs: the same item under another model, condition or repeat is one record.

    Texts go to a temporary file, so memory holds a few hundred bytes per item.

    Raises:
        DataError: when a table is damaged.
        StorageError: when the temporary file cannot be written.
    """
    models = [label for entry in names for label in entry.models.values()]
    tasks = _unique(task_label(task.name, task.protocol) for entry in names for task in entry.run.manifest.tasks)
    conditions = _unique(condition for entry in names for condition in entry.run.manifest.conditions)
    hidden = frozenset(
        (task_label(task.name, task.protocol), column)
        for entry in names
        for task in entry.run.manifest.tasks
        for column in task.group_columns
    )
    builder = _Builder(
        {name: i for i, name in enumerate(models)},
        {name: i for i, name in enumerate(tasks)},
        conditions,
        hidden=hidden,
    )
    for entry in names:
        for row in entry.run.rows("samples", ITEM_COLUMNS):
            builder.note_item(row)
        for row in entry.run.rows("results", ITEM_COLUMNS):
            builder.note_item(row)
    for entry in names:
        for row in entry.run.rows("samples"):
            asked = entry.models if row.get("models") is None else row["models"]
            builder.add_view(
                row,
                entry.label if len(names) > 1 else "",
                [entry.models[name] for name in asked if name in entry.models],
            )
        for row in entry.run.rows("results"):
            builder.add_answer(row, entry.models[row["model"]])
    guessers = {
        entry.models[record.name]
        for entry in names
        for record in entry.run.manifest.models
        if record.engine == "chance" and record.name in entry.models
    }
    builder.finish({builder.models[name] for name in guessers})
    return Corpus(builder.records, models, tasks, conditions, builder.spool)


def record_key(task: str, protocol: str, sample: str, item_hash: str | None) -> str:
    """Return the short stable name of a record in links; `item_hash` only where one id stands for several items."""
    return hashlib.sha256(json.dumps((task, protocol, sample, item_hash)).encode()).hexdigest()[:12]


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
    if (verifier or "").partition("/")[0] not in {"box", "boxes", "point", "mask", "heatmap", "detections", "v-triune"}:
        return []
    return list(_shapes(value))[:SHAPE_LIMIT]


def _shapes(value: Any) -> Iterator[list[float]]:
    if isinstance(value, Mapping):
        for key in ("box", "boxes", "point", "points", "objects"):
            if key in value:
                yield from _shapes(value[key])
    elif isinstance(value, (list, tuple)):
        if len(value) in (2, 4) and all(
            isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number)
            for number in value
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
    records: list[Record] = field(default_factory=list)
    spool: Spool = field(default_factory=Spool)
    _places: dict[tuple[_Item, str | None], int] = field(default_factory=dict)
    _hashes: dict[_Item, str] = field(default_factory=dict)
    hidden: frozenset[tuple[str, str]] = frozenset()
    """(task label, column) of columns that group rows and are no subsets."""
    _several: set[_Item] = field(default_factory=set)
    """Ids that stand for more than one item."""

    def note_item(self, row: Mapping[str, Any]) -> None:
        item_hash = _text(row["item_hash"])
        if item_hash and self._hashes.setdefault(self._item(row), item_hash) != item_hash:
            self._several.add(self._item(row))

    def add_view(self, row: Mapping[str, Any], run: str, models: Sequence[str]) -> None:
        index = self._index(row)
        record = self.records[index]
        context = _json(row, "context") or {}
        messages = [
            {
                "role": message["role"],
                "parts": [excerpt(part) if isinstance(part, str) else part["media"] for part in message["parts"]],
            }
            for message in _json(row, "messages") or []
        ]
        media = [
            [entry["sha256"], int(entry["width"]), int(entry["height"]), entry["kind"]] for entry in row["media"] or []
        ]
        record.images += [entry[0] for entry in media if entry[0] not in record.images]
        self.spool.add(
            index,
            {
                "view": {"messages": messages, "media": media, "size": context.get("image_size") or None},
                "label": [row["condition"], run, [self.models[name] for name in models]],
                "question": (row["question"] or "")[:240],
                "choices": [choice[:VALUE_LIMIT] for choice in row["choices"] or []],
            },
        )

    def add_answer(self, row: Mapping[str, Any], model: str) -> None:
        index = self._index(row)
        verifier = _text(row["verifier"])
        extracted, target = _json(row, "extracted"), _json(row, "target")
        piece: _Piece = {}
        if target is not None and not self.records[index].has_target:
            self.records[index].has_target = True
            piece["target_shapes"] = shapes(verifier, target)
            piece["target"] = excerpt(_value_text(target, bool(piece["target_shapes"])), limit=VALUE_LIMIT)
        span = row["extracted_span"] or []
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
        piece["answer"] = {n: value for n, value in answer.items() if value not in (None, [], {}, [None, None, None])}
        self.spool.add(index, piece)

    def finish(self, guessers: set[int]) -> None:
        for index, pieces in self.spool.pieces():
            data = _assembled(pieces)
            data["disagree"] = _disagree(data["answers"], guessers)
            record = self.records[index]
            record.disagree = data["disagree"]
            record.failed = any(answer["outcome"] != "scored" for answer in data["answers"])
            record.size = self.spool.put_text(index, data)
        self.spool.drop_pieces()

    def _item(self, row: Mapping[str, Any]) -> _Item:
        return self.tasks[task_label(row["task"], row["protocol"])], row["sample_id"]

    def _index(self, row: Mapping[str, Any]) -> int:
        item = self._item(row)
        # An unreadable item has no hash and joins its id; two different items under one id stay apart.
        item_hash = _text(row["item_hash"]) if item in self._several else None
        place = self._places.get((item, item_hash))
        if place is None:
            place = self._places[item, item_hash] = len(self.records)
            short = record_key(row["task"], row["protocol"], row["sample_id"], item_hash)
            self.records.append(Record(short))
            head = {
                "key": short,
                "task": item[0],
                "id": row["sample_id"],
                "cluster": row["cluster"] if row["cluster"] != row["sample_id"] else None,
                "subsets": [
                    [column, label]
                    for column, label in subset_pairs(row["subsets"])
                    if (task_label(row["task"], row["protocol"]), column) not in self.hidden
                ],
            }
            self.spool.add(place, {"head": head})
        return place


def _assembled(pieces: Sequence[_Piece]) -> dict[str, Any]:
    """One record of its pieces: equal prompts are one view with several labels."""
    data: dict[str, Any] = {"question": "", "choices": [], "target": None, "target_shapes": [], "views": []}
    answers: list[dict[str, Any]] = []
    for piece in pieces:
        data |= piece.get("head", {})
        if "view" in piece:
            known = next(
                (v for v in data["views"] if all(v[name] == piece["view"][name] for name in piece["view"])), None
            )
            if known is None:
                data["views"].append(known := piece["view"] | {"labels": []})
            known["labels"].append(piece["label"])
            data["question"] = data["question"] or piece["question"]
            data["choices"] = data["choices"] or piece["choices"]
        if "answer" in piece:
            answers.append(piece["answer"])
        if "target" in piece:
            data |= {"target": piece["target"], "target_shapes": piece["target_shapes"]}
    answers.sort(key=lambda answer: (answer["condition"], answer["model"], answer["repeat"]))
    return data | {"answers": answers}


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


def _unique(names: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(names))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _json(row: Mapping[str, Any], column: str) -> Any:
    value = row[column]
    try:
        return orjson.loads(value) if isinstance(value, str) else None
    except orjson.JSONDecodeError as error:
        raise DataError(
            f"sample {row['sample_id']!r} of {row['task']}: column {column} holds no JSON: {error}",
            remedy="delete the run's tables and run the same command again to rebuild them",
        ) from error


def _number(value: Any, digits: int) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    return round(float(value), digits) if digits else int(value)
