"""What the sample browser shows: one record per item, with the answers of all models side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from mmeval.core.hashing import digest
from mmeval.reports.excerpts import VALUE_LIMIT, excerpt, number_or_none, text_or_none, typed_text
from mmeval.reports.format import public_text
from mmeval.reports.indexing import brief
from mmeval.reports.names import RunNames, record_key, task_label
from mmeval.reports.preselection import GRADED_GAP, RANKS, Preselection, preselect
from mmeval.reports.shapes import regions, shapes
from mmeval.reports.spool import Spool
from mmeval.runs.cells import in_folder, json_cell, messages_cell, size_in
from mmeval.runs.folder import stream_batches, subset_pairs
from mmeval.runs.labels import ANNOTATIONS, KEY, Label, read_labels_table

SAMPLES = "samples.parquet"
CALL_LIMIT = 12
"""Calls behind one answer that the browser shows."""
ASKED_LIMIT = 600
"""Characters of what such a call was asked."""
ITEM_COLUMNS = ("task", "protocol", "sample_id", "item_hash")
CALL_COLUMNS = (
    *KEY, "turn", "role", "card", "caller", "messages", "step", "status", "response", "error", "completion_tokens",
)  # fmt: skip
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
    left: tuple[int, ...] = (0,) * RANKS
    """Items of each rank that were not read in full, because they could not be shown."""

    @property
    def total(self) -> int:
        """Items that there are."""
        return len(self.records) + sum(self.left)

    def texts(self, indices: Iterable[int]) -> list[bytes]:
        """JSON texts of some records."""
        return [self._spool.text(index) for index in indices]

    def briefs(self, indices: Iterable[int]) -> list[list[Any]]:
        """What filters and list need of some records (see `mmeval.reports.indexing`)."""
        return [self._spool.brief(index) for index in indices]


def read_corpus(names: Sequence[RunNames], most: int | None = None) -> Corpus:
    """Join samples and results of all runs: the same item under another model, condition or repeat is one record.

    Texts go to a temporary file, so memory holds a few hundred bytes per item.

    Args:
        names: the runs.
        most: items that could be shown; of larger runs the scores of all are read, and the rest of so many alone.

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
    guessers = {
        entry.models[record.name]
        for entry in names
        for record in entry.run.manifest.models
        if record.engine == "chance" and record.name in entry.models
    }
    chosen = preselect(names, guessers, most)
    for entry in names:
        for row in entry.run.rows("samples", ITEM_COLUMNS, chosen.mask):
            builder.note_item(row)
        for row in entry.run.rows("results", ITEM_COLUMNS, chosen.mask):
            builder.note_item(row)
    for entry in names:
        with in_folder(entry.run.path):
            _read_run(builder, entry, chosen, alone=len(names) == 1)
    builder.finish({builder.models[name] for name in guessers})
    return Corpus(builder.records, models, tasks, conditions, builder.spool, chosen.left)


def _read_run(builder: _Builder, entry: RunNames, chosen: Preselection, *, alone: bool) -> None:
    for row in entry.run.rows("samples", keep=chosen.mask):
        asked = entry.models if row.get("models") is None else row["models"]
        builder.add_view(
            row, "" if alone else entry.label, [entry.models[name] for name in asked if name in entry.models]
        )
    labels: dict[tuple[Any, ...], list[Label]] = {}
    for label in read_labels_table(entry.run):
        if label.status == "ok" and label.source != ANNOTATIONS:
            labels.setdefault(label.key, []).append(label)
    for row in entry.run.rows("results", keep=chosen.mask):
        builder.add_answer(row, entry.models[row["model"]], labels.get(tuple(row[name] for name in KEY), ()))
    if (path := entry.run.path / "calls.parquet").exists():
        for batch in stream_batches(path, CALL_COLUMNS):
            for row in batch.to_pylist():
                if row["model"] in entry.models and chosen.keeps(row):
                    builder.add_call(row, entry.models[row["model"]])


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
    _sizes: dict[int, tuple[int, int]] = field(default_factory=dict)
    """Pixels of a record's first picture, where they are known."""

    def note_item(self, row: Mapping[str, Any]) -> None:
        item_hash = text_or_none(row["item_hash"])
        if item_hash and self._hashes.setdefault(self._item(row), item_hash) != item_hash:
            self._several.add(self._item(row))

    def add_view(self, row: Mapping[str, Any], run: str, models: Sequence[str]) -> None:
        index = self._index(row)
        record = self.records[index]
        context = json_cell(SAMPLES, row, "context", dict) or {}
        messages = [
            {
                "role": message["role"],
                "parts": [excerpt(part) if isinstance(part, str) else part["media"] for part in message["parts"]],
            }
            for message in messages_cell(SAMPLES, row)
        ]
        media = [
            [entry["sha256"], int(entry["width"]), int(entry["height"]), entry["kind"], entry.get("frame")]
            for entry in row["media"] or []
        ]
        size = size_in(SAMPLES, row, context, "image_size")
        if size:
            self._sizes.setdefault(index, size)
        record.images += [entry[0] for entry in media if entry[0] not in record.images]
        self.spool.add(
            index,
            {
                "view": {"messages": messages, "media": media, "size": size},
                "label": [row["condition"], run, [self.models[name] for name in models]],
                "question": (row["question"] or "")[:240],
                "choices": [choice[:VALUE_LIMIT] for choice in row["choices"] or []],
            },
        )

    def add_answer(self, row: Mapping[str, Any], model: str, labels: Sequence[Label] = ()) -> None:
        index = self._index(row)
        verifier = text_or_none(row["verifier"])
        extracted, target = (json_cell("results.parquet", row, name) for name in ("extracted", "target"))
        size = self._sizes.get(index)
        piece: _Piece = {}
        if target is not None and not self.records[index].has_target:
            self.records[index].has_target = True
            piece["target_shapes"] = shapes(verifier, target, size)
            piece["target"] = excerpt(typed_text(target, bool(piece["target_shapes"])), limit=VALUE_LIMIT)
        span = row["extracted_span"] or []
        response, reasoning = text_or_none(row["response"]), text_or_none(row["reasoning"])
        drawn = shapes(verifier, extracted, size)
        answer = {
            "model": self.models[model],
            "condition": self.conditions.index(row["condition"]),
            "repeat": int(row["repeat"]),
            "outcome": row["outcome"],
            "score": number_or_none(row["score"], 4),
            "correct": None if row["correct"] is None else bool(row["correct"]),
            "scores": {name: number_or_none(value, 4) for name, value in sorted(row["scores"].items())},
            "extracted": None if extracted is None else excerpt(typed_text(extracted, bool(drawn)), limit=VALUE_LIMIT),
            "shapes": drawn,
            "response": None
            if response is None
            else excerpt(response, (int(span[0]), int(span[1])) if len(span) == 2 else None),
            "reasoning": None if reasoning is None else excerpt(reasoning),
            "error": None
            if text_or_none(row["error"]) is None
            else excerpt(public_text(row["error"]), limit=VALUE_LIMIT),
            "reason": text_or_none(row["reason"]),
            "status": text_or_none(row["status"]),
            "finish": text_or_none(row["finish_reason"]),
            "verifier": verifier,
            "judge": [text_or_none(row[f"judge_{name}"]) for name in ("model", "verdict", "reason")],
            "tokens": [number_or_none(row[f"{name}_tokens"], 0) for name in ("prompt", "completion", "reasoning")],
            "seconds": number_or_none(row["latency_s"], 3),
            "labels": _labels(labels, response),
        }
        piece["answer"] = {n: value for n, value in answer.items() if value not in (None, [], {}, [None, None, None])}
        self.spool.add(index, piece)

    def add_call(self, row: Mapping[str, Any], model: str) -> None:
        """Add a call behind an answer: what a strategy, or a judge, was asked last and replied."""
        item = self._item(row)
        # The table of calls names items by their id alone; where two items share it, a call is neither's for sure.
        place = None if item in self._several else self._places.get((item, None))
        if place is None or (row["response"] is None and row["messages"] is None):
            return
        asked = [
            part
            for message in messages_cell("calls.parquet", row)[-1:]
            for part in message["parts"]
            if isinstance(part, str)
        ]
        step = json_cell("calls.parquet", row, "step")
        call = {
            "role": row["role"],
            "card": text_or_none(row["card"]),
            "model": row["caller"] if row["caller"] != row["model"] else None,
            "asked": excerpt("\n".join(asked), limit=ASKED_LIMIT),
            "response": None if row["response"] is None else excerpt(row["response"], limit=VALUE_LIMIT),
            "step": None if step is None else excerpt(typed_text(step, True), limit=ASKED_LIMIT),
            "error": None if text_or_none(row["error"]) is None else excerpt(row["error"], limit=ASKED_LIMIT),
            "status": row["status"] if row["status"] != "ok" else None,
            "tokens": number_or_none(row["completion_tokens"], 0),
        }
        of = [self.models[model], self.conditions.index(row["condition"]), int(row["repeat"])]
        shown = {name: value for name, value in call.items() if value not in (None, [])}
        self.spool.add(place, {"call": shown, "of": of, "looked": regions(step)})

    def finish(self, guessers: set[int]) -> None:
        for index, pieces in self.spool.pieces():
            data = _assembled(pieces)
            data["disagree"] = _disagree(data["answers"], guessers)
            record = self.records[index]
            record.disagree = data["disagree"]
            record.failed = any(answer["outcome"] != "scored" for answer in data["answers"])
            record.size = self.spool.put_text(index, data, brief(data))
        self.spool.drop_pieces()

    def _item(self, row: Mapping[str, Any]) -> _Item:
        return self.tasks[task_label(row["task"], row["protocol"])], row["sample_id"]

    def _index(self, row: Mapping[str, Any]) -> int:
        item = self._item(row)
        # An unreadable item has no hash and joins its id; two different items under one id stay apart.
        item_hash = text_or_none(row["item_hash"]) if item in self._several else None
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
    calls: dict[tuple[int, ...], list[_Piece]] = {}
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
        if "call" in piece:
            calls.setdefault(tuple(piece["of"]), []).append(piece)
    # A region is one of the item's picture; where there are several, a step does not say of which in a form that holds for all.
    single = all(len(view["media"]) < 2 for view in data["views"])
    for answer in answers:
        made = calls.get((answer["model"], answer["condition"], answer["repeat"]), [])
        if made:
            answer["calls"] = [piece["call"] for piece in made[:CALL_LIMIT]]
            answer["more_calls"] = max(0, len(made) - CALL_LIMIT)
            answer["looked"] = [region for piece in made for region in piece["looked"] if single]
    answers.sort(key=lambda answer: (answer["condition"], answer["model"], answer["repeat"]))
    return data | {"answers": answers}


def _labels(labels: Sequence[Label], response: str | None) -> list[dict[str, Any]]:
    """What judges and people say of this answer; a label of another text (the row was asked again) is not of it."""
    found = []
    text = digest(response or "") if labels else ""
    for one in labels:
        if one.response_hash in (None, text):
            said = {
                "source": one.source,
                "label": one.label,
                "value": number_or_none(one.value, 4),
                "perceived": number_or_none(one.perceived, 0),
                "by": one.judge_model,
                "reason": None if not one.reason else one.reason[:VALUE_LIMIT],
            }
            found.append({name: value for name, value in said.items() if value is not None})
    return found


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


def _unique(names: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(names))
