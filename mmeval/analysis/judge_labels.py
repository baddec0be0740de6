"""Human labels of answers: one row per answer, from CSV, JSON lines or any table that mmeval reads."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmeval.analysis.judge_record import LabelSource
from mmeval.analysis.judge_rows import Column, JudgedRow
from mmeval.core.errors import ComparisonError, DataError, nearest, unknown
from mmeval.stats.scores import is_binary
from mmeval.tasks.data import read_rows

NAMES = ("task", "model", "condition")
_TRUTH = {"true": 1.0, "false": 0.0}
_EMPTY = (None, "")


@dataclass(frozen=True, slots=True)
class Label:
    """One row of a label file."""

    place: str
    """File and row, for messages."""
    sample: str
    task: str | None = None
    model: str | None = None
    condition: str | None = None
    repeat: int | None = None
    human: float | None = None
    """In [0, 1]; None in a row that nobody has labelled."""
    judge: float | None = None
    """The judge's verdict, where the file has it; in [0, 1]."""
    response: str | None = None
    cluster: str | None = None

    @property
    def key(self) -> tuple[str | None, str | None, str, str | None, int | None]:
        """What names the answer."""
        return self.task, self.model, self.sample, self.condition, self.repeat

    def fits(self, row: JudgedRow) -> bool:
        """Whether a row of a run can be the labelled answer."""
        named = all(getattr(self, name) in (None, getattr(row, name)) for name in NAMES)
        return named and self.repeat in (None, row.repeat)


def read_labels(path: Path) -> list[Label]:
    """Read a label file.

    Columns: `id` or `sample_id`, `human`, and where needed `task`, `model`, `condition`, `repeat`, `judge`, `cluster` and
    `response`. Further columns may stand beside them.

    Raises:
        DataError: naming file, row and column: a missing id or column, a value outside [0, 1], one answer twice, no
            label at all.
    """
    labels: list[Label] = []
    places: dict[object, str] = {}
    columns: set[str] = set()
    for number, values in enumerate(read_rows(path), 1):
        columns |= set(values)
        label = _label(values, f"{path}, row {number}")
        if label.key in places:
            raise DataError(
                f"{label.place}: the answer to {label.sample!r} is labelled at {places[label.key]} too",
                remedy="keep one label of every answer (columns task, model, condition and repeat tell answers apart)",
            )
        places[label.key] = label.place
        labels.append(label)
    if not labels:
        raise DataError(f"{path}: no labels", remedy="give a file with the columns id and human")
    if "human" not in columns:
        close = nearest("human", columns, 1)
        raise DataError(
            f"{path}: column 'human' is missing",
            remedy=(f"is {close[0]!r} meant? " if close else "")
            + f"the file has {', '.join(sorted(columns))}; `human` holds 0, 1, true, false or a grade in [0, 1]",
        )
    if all(label.human is None for label in labels):
        raise DataError(f"{path}: column 'human' is empty in every row", remedy="label some answers")
    return labels


def _label(values: Mapping[str, Any], place: str) -> Label:
    names = [name for name in ("id", "sample_id") if values.get(name) not in _EMPTY]
    if len({str(values[name]) for name in names}) != 1:
        found = "no id" if not names else "column 'id' and column 'sample_id' differ"
        raise DataError(f"{place}: {found}", remedy="name the sample in one column, id or sample_id")
    repeat = values.get("repeat")
    if repeat not in _EMPTY and not (isinstance(repeat, int) or str(repeat).isdecimal()):
        raise DataError(f"{place}: column 'repeat': {repeat!r} is no count", remedy="number repeats from 0")
    return Label(
        place=place,
        sample=str(values[names[0]]),
        task=_text(values, "task"),
        model=_text(values, "model"),
        condition=_text(values, "condition"),
        repeat=None if repeat in _EMPTY else int(repeat),
        human=fraction(values.get("human"), f"{place}: column 'human'"),
        judge=fraction(values.get("judge"), f"{place}: column 'judge'"),
        response=None if values.get("response") is None else str(values["response"]),
        cluster=_text(values, "cluster"),
    )


def _text(values: Mapping[str, Any], name: str) -> str | None:
    return None if values.get(name) in _EMPTY else str(values[name])


def fraction(value: Any, place: str) -> float | None:
    """Return a verdict in [0, 1], None for an empty cell.

    Raises:
        DataError: for a value that is no number, not finite, a percentage or outside [0, 1].
    """
    if value in _EMPTY:
        return None
    text = str(value).strip()
    if text.lower() in _TRUTH:
        return _TRUTH[text.lower()]
    try:
        number = float(text.removesuffix("%"))
    except ValueError as error:
        raise DataError(
            f"{place}: {text!r} is no verdict", remedy="write 0, 1, true, false or a grade in [0, 1]"
        ) from error
    if math.isnan(number):
        raise DataError(f"{place}: {text} is no verdict", remedy="leave the cell empty where there is no verdict")
    if text.endswith("%") or not 0 <= number <= 1:
        hint = f"{text.removesuffix('%')} % is {number / 100:g}: " if 1 < number <= 100 or text.endswith("%") else ""
        raise DataError(f"{place}: {text} is outside [0, 1]", remedy=f"{hint}give fractions, not percent or points")
    return number


def label_source(path: Path, labels: Sequence[Label], left_out: dict[str, int]) -> LabelSource:
    """Describe a label file that was read."""
    with path.open("rb") as handle:
        digest = hashlib.file_digest(handle, "sha256").hexdigest()
    count = sum(label.human is not None for label in labels)
    return LabelSource(file=path.name, sha256=digest, labels=count, left_out=left_out)


@dataclass(frozen=True, slots=True)
class Joined:
    """Rows of a run with their labels."""

    rows: tuple[tuple[JudgedRow, float], ...]
    """Labelled rows in the order of the run, with the human verdict."""
    left_out: dict[str, int]
    """Labels that are not used, by reason."""


def join_labels(labels: Sequence[Label], rows: Sequence[JudgedRow], where: str, allow_missing: bool) -> Joined:
    """Find the row of each label.

    Args:
        labels: from `read_labels`; rows that nobody labelled are passed over.
        rows: of the run.
        where: what to call the run in messages.
        allow_missing: leave out labels that fit no row or another response, instead of refusing.

    Raises:
        ComparisonError: labels that the run has no row for, or about other responses; no label fits.
        DataError: a label that fits several rows, or two that fit the same.
    """
    by_sample: dict[str, list[int]] = {}
    for position, row in enumerate(rows):
        by_sample.setdefault(row.sample, []).append(position)
    found: dict[int, Label] = {}
    unknown: list[Label] = []
    changed: list[Label] = []
    for label in labels:
        if label.human is None:
            continue
        fitting = [position for position in by_sample.get(label.sample, ()) if label.fits(rows[position])]
        if len(fitting) > 1:
            raise DataError(
                f"{label.place}: {len(fitting)} rows of {where} answer {label.sample!r}",
                remedy=f"add the column {' and '.join(_telling([rows[position] for position in fitting]))}",
            )
        if not fitting:
            unknown.append(label)
        elif fitting[0] in found:
            raise DataError(
                f"{label.place}: the answer to {label.sample!r} is labelled at {found[fitting[0]].place} too",
                remedy="keep one label of every answer",
            )
        elif label.response is not None and label.response != rows[fitting[0]].response:
            changed.append(label)
        else:
            found[fitting[0]] = label
    _check(unknown, changed, bool(found), (where, sorted(by_sample)), allow_missing)
    empty = sum(label.human is None for label in labels)
    left_out = {
        "without a human label": empty,
        "no such row in the run": len(unknown),
        "about another response": len(changed),
    }
    joined = []
    for position in sorted(found):
        human = found[position].human
        assert human is not None
        joined.append((rows[position], human))
    return Joined(tuple(joined), {reason: count for reason, count in left_out.items() if count})


def _telling(rows: Sequence[JudgedRow]) -> list[str]:
    """The columns that tell rows of one sample apart."""
    return [name for name in (*NAMES, "repeat") if len({getattr(row, name) for row in rows}) > 1] or ["task"]


def _check(
    unknown: Sequence[Label], changed: Sequence[Label], any_found: bool, run: tuple[str, list[str]], allow_missing: bool
) -> None:
    where, known = run
    if (not unknown and not changed) or (allow_missing and any_found):
        return
    parts = []
    if unknown:
        first = unknown[0]
        named = [f"{name} {getattr(first, name)}" for name in (*NAMES, "repeat") if getattr(first, name) is not None]
        parts.append(
            f"{len(unknown)} labels have no row, the first is {first.sample!r}"
            f"{' (' + ', '.join(named) + ')' if named else ''} at {first.place}"
        )
    if changed:
        parts.append(
            f"{len(changed)} labels are about another response, the first is {changed[0].sample!r} at {changed[0].place}"
        )
    close = nearest(unknown[0].sample, known) if unknown and unknown[0].sample not in known else []
    hint = f"ids there look like {', '.join(repr(name) for name in close or known[:2])}; " if close or known else ""
    if not any_found:
        raise ComparisonError(
            f"no label fits {where}: {'; '.join(parts)}", remedy=f"{hint}give the run whose answers were labelled"
        )
    raise ComparisonError(
        f"the labels do not fit {where}: {'; '.join(parts)}",
        remedy=f"{hint}correct the file, or add --allow-missing to leave them out",
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """One answer with the judge's verdict and, where there is one, the human's."""

    model: str
    task: str
    protocol: str
    condition: str
    cluster: str
    judge: float
    human: float | None
    decided_by: str
    subsets: tuple[tuple[str, str], ...]


def judged_in_run(
    labels: Sequence[Label], rows: Sequence[JudgedRow], where: str, wanted: Column | None, allow_missing: bool
) -> tuple[list[Judged], Column, dict[str, int]]:
    """Return every row of a run that has a verdict, with the labels; also the column and the labels left out.

    Args:
        labels, rows, where, allow_missing: as in `join_labels`.
        wanted: column of the run; None takes `correct` for labels of 0 and 1 where rows have it, else `score`.

    Raises:
        ComparisonError: labels without a row, about other responses, or of rows without a verdict, unless allowed.
        DataError: a label that fits several rows; verdicts outside [0, 1].
    """
    joined = join_labels(labels, rows, where, allow_missing)
    graded = not is_binary(np.array([human for _, human in joined.rows]))
    column = wanted or ("score" if graded else _binary_column(row for row, _ in joined.rows))
    human = {id(row): value for row, value in joined.rows}
    found, silent = [], 0
    for row in rows:
        value = row.value(column)
        if value is None or isinstance(value, str):
            silent += id(row) in human
            continue
        judge = fraction(value, f"{where}, sample {row.sample!r}: {column} of the judge")
        assert judge is not None
        found.append(
            Judged(
                row.model, row.task, row.protocol, row.condition, row.cluster, judge, human.get(id(row)),
                row.decided_by, row.subsets,
            )
        )  # fmt: skip
    left_out = dict(joined.left_out)
    if silent:
        if silent == len(joined.rows) or not allow_missing:
            raise ComparisonError(
                f"{silent} of {len(joined.rows)} labelled rows of {where} have no verdict of the judge ({column})",
                remedy="complete the run, name another --column, or add --allow-missing to leave them out",
            )
        left_out["the judge gave no verdict"] = silent
    return found, column, left_out


def _binary_column(rows: Iterable[JudgedRow]) -> Column:
    listed = list(rows)
    return "score" if all(row.correct is None for row in listed) else "correct"


def judged_in_file(labels: Sequence[Label], tasks: Sequence[str] = ()) -> tuple[list[Judged], dict[str, int]]:
    """Return the answers of a label file that has a column `judge`, and the rows left out.

    Args:
        labels: from `read_labels`.
        tasks: names of the tasks that count; all when empty.

    Raises:
        DataError: when no labelled row has a verdict of the judge.
        UsageError: when no label is about a named task.
    """
    for name in tasks:
        if all(label.task != name for label in labels):
            raise unknown("task in the label file", name, {label.task for label in labels if label.task})
    wanted = [label for label in labels if not tasks or label.task in tasks]
    found = []
    for label in wanted:
        if label.judge is None:
            continue
        task, model, condition = label.task or "", label.model or "", label.condition or "standard"
        cluster = f"{task} c:{label.cluster}" if label.cluster else f"{task} s:{label.sample}"
        subsets = (("model", model),) if model else ()
        found.append(Judged(model, task, "", condition, cluster, label.judge, label.human, "", subsets))
    if all(one.human is None for one in found):
        raise DataError(
            f"{labels[0].place}: no row has both a human and a judge's verdict",
            remedy="give the judge's verdicts in a column `judge`, or the run that holds them with --run",
        )
    silent = sum(label.judge is None for label in wanted)
    return found, {"without a verdict of the judge": silent} if silent else {}
