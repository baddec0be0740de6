"""Labels of people and judges, of perception and of the kind of error, aligned to the items of a task."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mmeval.core.errors import DataError
from mmeval.core.hashing import digest
from mmeval.runs.labels import ANNOTATIONS, ERROR_KINDS, HUMAN, Label, kind_of
from mmeval.stats.intervals import FloatArray

if TYPE_CHECKING:
    import pandas as pd

    from mmeval.analysis.diagnose_data import TaskItems

RECALL = "perception-consistency"
"""Judge card whose value is the share of known visual facts that a response states (Perception-R1's annotation recall)."""


@dataclass(frozen=True, slots=True)
class AlignedLabels:
    """Labels of one task, aligned to its items (those of the first labelled repeat count), or to its answers."""

    people: FloatArray | None
    """Perception as people labelled it: 1, 0, NaN where nobody did; None where nobody did anywhere. Shape (n,)."""
    judged: dict[str, FloatArray]
    """The same by judge card, NaN unknown. Shape (n,) each."""
    errors: dict[str, tuple[str, ...]]
    """Kind of error by source; empty where there is none."""
    judges: dict[str, str]
    """Judge card -> which model judged with which version of it."""
    raters: dict[str, tuple[str, ...]]
    """Label by person, where several people labelled."""

    @classmethod
    def of(cls, labels: Sequence[Label], places: Sequence[tuple[str, int, bool]], threshold: float) -> AlignedLabels:
        """Align labels; `places` are sample id, repeat, and whether any repeat of the sample will do."""
        by_source: dict[str, dict[tuple[str, int | None], Label]] = {}
        identities: dict[str, set[str]] = {}
        for one in labels:
            if one.source != HUMAN:
                identities.setdefault(one.source, set()).add(_judge(one))
        judged, errors, judges = {}, {}, {}
        people = None
        for one in sorted(labels, key=lambda label: label.repeat):
            # Two judges, or two versions of a card, are two sources.
            name = f"{one.source} by {_judge(one)}" if len(identities.get(one.source, ())) > 1 else one.source
            given = by_source.setdefault(name, {})
            given.setdefault((one.sample_id, one.repeat), one)
            given.setdefault((one.sample_id, None), one)
        for source, given in by_source.items():
            rows = [given.get((name, None if any_will_do else repeat)) for name, repeat, any_will_do in places]
            first = next(iter(given.values()))
            if source == HUMAN:
                seen = np.array([np.nan if row is None else _perceived(row) for row in rows])
                people = None if bool(np.isnan(seen).all()) else seen
            elif first.source == RECALL:
                judged[source] = np.array(
                    [
                        np.nan if row is None or row.value is None else float(row.value >= threshold - 1e-9)
                        for row in rows
                    ]
                )
            kinds = {(row.label or "").partition("/")[0] for row in given.values()} - {""}
            if kinds and kinds <= set(ERROR_KINDS):
                errors[source] = tuple("" if row is None else row.label or "" for row in rows)
                if source != HUMAN:
                    judged[source] = np.array([np.nan if row is None else _perceived(row) for row in rows])
            if source != HUMAN:
                judges[source] = _judge(first)
        return cls(people, judged, errors, judges, _raters(labels, places))


def _raters(labels: Sequence[Label], places: Sequence[tuple[str, int, bool]]) -> dict[str, tuple[str, ...]]:
    """What each of several people said: the kind of error, or else whether the picture was perceived."""
    given: dict[str, dict[tuple[str, int | None], str]] = {}
    for one in sorted(labels, key=lambda label: label.repeat):
        if one.source == HUMAN:
            said = kind_of(one.label) if one.label else f"{one.perceived:g}"
            own = given.setdefault(one.judge_model or "unnamed", {})
            own.setdefault((one.sample_id, one.repeat), said)
            own.setdefault((one.sample_id, None), said)
    if len(given) < 2:
        return {}
    return {
        rater: tuple(own.get((name, None if any_will_do else repeat), "") for name, repeat, any_will_do in places)
        for rater, own in given.items()
    }


def _judge(label: Label) -> str:
    return f"{label.judge_model} with {(label.card_digest or '')[:12]}"


def _perceived(label: Label) -> float:
    """Whether the picture was perceived, by a label: as people say it, or no error of perception; NaN where nobody can know."""
    if label.perceived is not None:
        return label.perceived
    kind = (label.label or "").partition("/")[0]
    if kind in ("", "no_answer", "label_suspect") or kind not in ERROR_KINDS:
        return float("nan")
    return 0.0 if kind == "perception" else 1.0


def current_labels(labels: Sequence[Label], standard: pd.DataFrame) -> tuple[list[Label], list[str]]:
    """Labels of the answers that the run holds now; and how many of each source are of other texts (answers asked again, solutions)."""
    if not labels:
        return [], []
    texts = {
        (row["sample_id"], row["repeat"]): digest(row["response"] or "")
        for row in standard[["sample_id", "repeat", "response"]].to_dict("records")
    }
    kept, other = [], Counter[str]()
    for one in labels:
        if one.status != "ok" or one.condition != "standard":
            continue
        if one.response_hash is None or texts.get((one.sample_id, one.repeat)) == one.response_hash:
            kept.append(one)
        elif one.source != ANNOTATIONS:
            other[one.source] += 1
    return kept, [
        f"{count} labels of {source} are of other texts than the answers in this run and were left out; label it again"
        for source, count in other.items()
    ]


def labels_of_itself(labels: Sequence[Label]) -> list[str]:
    """Return what must be said of sources in which a model judges itself."""
    names = dict.fromkeys(one.source for one in labels if one.source != HUMAN and one.judge_model == one.model)
    return [f"labels of {name} are of the model itself, which is no independent judge" for name in names]


def read_labels(path: Path, model: str | None = None, named_only: bool = False) -> dict[tuple[str, str], float]:
    """Read perception labels of people: a CSV with `task`, `id` and `perceived` (0 or 1, true or false), perhaps `model`.

    Args:
        path: the file.
        model: whose answers are diagnosed; rows of another model are left out.
        named_only: whether rows that name no model are left out too.

    Raises:
        DataError: naming file, line and key.
    """
    words = {"1": 1.0, "0": 0.0, "true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
    found: dict[tuple[str, str, str], float] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream)
            missing = {"task", "id", "perceived"} - set(reader.fieldnames or ())
            if missing:
                raise DataError(
                    f"{path}: column {sorted(missing)[0]!r} is missing", remedy="the columns are task, id, perceived"
                )
            for number, row in enumerate(reader, 2):
                place = f"{path}, line {number}"
                text = str(row["perceived"] or "").strip().lower()
                if not text:
                    continue
                if text not in words:
                    raise DataError(
                        f"{place}: key perceived: {text!r} is neither 0 nor 1", remedy="write 0 or 1, or leave it empty"
                    )
                key = (str(row["task"]), str(row["id"]), str(row.get("model") or ""))
                if key in found:
                    raise DataError(
                        f"{place}: task {key[0]!r}, id {key[1]!r} is labelled twice", remedy="keep one of the two"
                    )
                found[key] = words[text]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read {path}: {error}", remedy="give a UTF-8 CSV with task, id, perceived") from error
    if not found:
        raise DataError(f"{path}: no label", remedy="fill the column perceived")
    known = {model or "", *(() if named_only else ("",))}
    return {(task, name): value for (task, name, whose), value in found.items() if model is None or whose in known}


def check_labels(
    labels: Mapping[tuple[str, str], float], items: Mapping[tuple[str, str], TaskItems], place: str
) -> None:
    """Refuse labels that name nothing of the run.

    Raises:
        DataError: naming the first of them.
    """
    known = {(task.record.name, name) for task in items.values() for name in task.ids}
    lost = [key for key in labels if key not in known]
    if lost:
        raise DataError(
            f"{place}: {len(lost)} of {len(labels)} labels name no item of the run, e.g. task {lost[0][0]!r}, id {lost[0][1]!r}",
            remedy="label this run's items, or take those lines out",
        )
