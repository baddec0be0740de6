"""The columns by which the sample browser filters, counts and lists: small enough to be read before any text is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

import orjson

from mmeval.runs.labels import kind_of

OUTCOMES = ("scored", "no_answer", "unsupported", "unscored", "error")
VERDICTS = ("", "correct", "wrong", "graded")
"""Right or wrong; nothing where nothing was decided."""
KINDS = 60
"""Kinds of error and reasons that can be filtered by, the most frequent ones; the rest is `other`."""
QUESTION = 140
"""Characters of a question in the list."""
REASON = 80
OTHER = ("reason", "other")
_Name = TypeVar("_Name")


def brief(data: Mapping[str, Any]) -> list[Any]:
    """Return what `index_columns` needs of one record of the corpus."""
    answers = [
        [
            answer["model"],
            answer["condition"],
            OUTCOMES.index(answer["outcome"]),
            VERDICTS.index(verdict(answer)),
            answer.get("finish"),
            kinds(answer),
        ]
        for answer in data["answers"]
    ]
    question = data["question"]
    short = question if len(question) <= QUESTION else question[:QUESTION] + "…"
    return [
        data["key"], data["id"], data["task"], short, data["cluster"], int(data["disagree"]), data["subsets"], answers,
    ]  # fmt: skip


def verdict(answer: Mapping[str, Any]) -> str:
    """Return one of `VERDICTS`: no answer is wrong; a score without right and wrong is graded."""
    if answer["outcome"] not in ("scored", "no_answer"):
        return ""
    if answer.get("correct") is None:
        return "wrong" if answer["outcome"] == "no_answer" else "graded"
    return "correct" if answer["correct"] else "wrong"


def kinds(answer: Mapping[str, Any]) -> list[list[str]]:
    """Return the kinds of error of an answer as [group, text]: what judges and people call it, and why a row has no score."""
    found: dict[tuple[str, str], None] = {}
    for label in answer.get("labels", ()):
        if label.get("label"):
            found["label", kind_of(label["label"])] = None
            found["label", label["label"]] = None
    if answer["outcome"] != "scored":
        said = "".join(text for kind, text in answer.get("error", ()) if kind != "cut") or answer.get("reason") or ""
        line = said.strip().partition("\n")[0].strip()
        if line:
            found["reason", line if len(line) <= REASON else line[:REASON] + "…"] = None
    return [list(pair) for pair in found]


def index_columns(briefs: Sequence[Sequence[Any]], chunk: int) -> bytes:
    """Return the columns of some records as JSON; answers follow each other in the order of their records.

    Args:
        briefs: see `brief`.
        chunk: records per block of texts.
    """
    answers = [answer for one in briefs for answer in one[7]]
    clusters = _Places[tuple[int, str]]()
    subsets = _Places[tuple[str, str]]()
    finishes = _Places[str]()
    frequent = Counter(tuple(kind) for answer in answers for kind in answer[5])
    kept = [kind for kind, _ in sorted(frequent.items(), key=lambda pair: (-pair[1], pair[0]))[:KINDS]]
    if len(frequent) > KINDS:
        kept.append(OTHER)
    place_of = {kind: place for place, kind in enumerate(kept)}
    columns = {
        "chunk": chunk,
        "keys": [one[0] for one in briefs],
        "ids": [one[1] for one in briefs],
        "tasks": [one[2] for one in briefs],
        "questions": [one[3] for one in briefs],
        "clusters": [-1 if one[4] is None else clusters.of((one[2], one[4])) for one in briefs],
        "disagree": [one[5] for one in briefs],
        "subsets": [sorted({subsets.of((column, label)) for column, label in one[6]}) for one in briefs],
        "counts": [len(one[7]) for one in briefs],
        "models": [answer[0] for answer in answers],
        "conditions": [answer[1] for answer in answers],
        "outcomes": [answer[2] for answer in answers],
        "verdicts": [answer[3] for answer in answers],
        "finishes": [-1 if answer[4] is None else finishes.of(answer[4]) for answer in answers],
        # Most answers have none: pairs of answer and kind.
        "kinds": [
            [place, kind]
            for place, answer in enumerate(answers)
            for kind in sorted({place_of.get(tuple(kind), KINDS) for kind in answer[5]})
        ],
        "subset_names": subsets.names,
        "finish_names": finishes.names,
        "kind_names": kept,
    }
    return orjson.dumps(columns)


class _Places(Generic[_Name]):
    """Names in the order in which they come, each with its place."""

    def __init__(self) -> None:
        self._places: dict[_Name, int] = {}

    def of(self, name: _Name) -> int:
        return self._places.setdefault(name, len(self._places))

    @property
    def names(self) -> list[_Name]:
        return list(self._places)
