"""The output files of MMMU's and MMMU-Pro's own scripts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from mmeval.core.errors import DataError
from mmeval.core.json_keys import repeated_key
from mmeval.core.literals import read_literal
from mmeval.runs.importers.predictions import OwnItem, Prediction, Reading, as_text, files_of, listed
from mmeval.tasks.data import read_rows

_FOUR = re.compile(r"4 ?opt")
"""In the names of MMMU-Pro's files with the original options."""
_FORMS = "a list of rows with id and response, an object of id -> answer, or MMMU-Pro's JSON lines"


def read(paths: Sequence[Path], reading: Reading) -> Iterator[Prediction]:
    """Read `<Subject>/output.json` (rows with the raw response), `total_val_output.json` (id -> parsed answer), or JSON lines.

    Of a folder, all `output.json` below it; where there is none, all JSON lines.

    Raises:
        DataError: when a file is of another form, or a folder holds several models' answers.
    """
    for path in _files(paths):
        if path.suffix.lower() in {".jsonl", ".ndjson"}:
            yield from _pro(path, reading)
        else:
            yield from _json(path, reading)


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found += files_of([path], (), "")
            continue
        subjects = sorted(path.rglob("output.json"))
        if subjects:
            models = {file.parent.parent for file in subjects}
            if len(models) > 1:
                raise DataError(
                    f"{path}: several folders hold output.json of subjects: {listed([str(name) for name in sorted(models)])}",
                    remedy="import one model's folder at a time",
                )
            found += subjects
        else:
            found += files_of([path], ("*.jsonl",), "output.json or JSON lines")
    return found


def _json(path: Path, reading: Reading) -> Iterator[Prediction]:
    try:
        data = path.read_bytes()
        content = orjson.loads(data)
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", remedy="check the file") from error
    except orjson.JSONDecodeError as error:
        raise DataError(f"{path}: not JSON: {error}", remedy=f"MMMU's outputs are {_FORMS}") from error
    if isinstance(content, dict) and all(isinstance(value, (str, list)) for value in content.values()):
        twice = repeated_key(data)
        if twice is not None:
            raise DataError(f"{path}: the key {twice!r} is there twice", remedy="keep one row of each key")
        reading.notes.append(f"{path.name} holds answers that MMMU's script had parsed (or drawn), not the responses")
        for number, (name, value) in enumerate(content.items(), 1):
            reading.found += 1
            text = value if isinstance(value, str) else ", ".join(map(str, value))
            yield Prediction(id=name, place=f"{path}, row {number}", response=text, extraction=text)
        return
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise DataError(f"{path}: no MMMU output", remedy=f"MMMU's outputs are {_FORMS}")
    for number, row in enumerate(content, 1):
        yield _prediction(row, f"{path}, row {number}", reading)


def _prediction(row: Mapping[str, Any], place: str, reading: Reading) -> Prediction:
    if row.get("id") is None or "response" not in row:
        raise DataError(
            f"{place}: no MMMU output (id and response are expected)", remedy=f"MMMU's outputs are {_FORMS}"
        )
    reading.found += 1
    index2ans = row.get("index2ans")
    choices = tuple(str(text) for text in index2ans.values()) if isinstance(index2ans, Mapping) else ()
    if row.get("question_type") not in (None, "multiple-choice"):
        choices = ()
    return Prediction(
        id=str(row["id"]),
        place=place,
        response=as_text(row, "response", place),
        own=OwnItem(str(row.get("question") or ""), row.get("answer"), choices, row),
    )


def _pro(path: Path, reading: Reading) -> Iterator[Prediction]:
    """MMMU-Pro: the data set's own row with the response; early files hold the ten options in columns of their own."""
    for number, row in enumerate(read_rows(path), 1):
        place = f"{path}, row {number}"
        if row.get("id") is None or "response" not in row or "options" not in row:
            raise DataError(
                f"{place}: no MMMU-Pro output (id, options and response are expected)",
                remedy=f"MMMU's outputs are {_FORMS}",
            )
        if row.get("shuffled_options") is not None and not _FOUR.search(path.name):
            row = {**row, "options": row["shuffled_options"], "answer": row.get("shuffled_options_answer")}
        reading.found += 1
        right = row.get("if_right")
        known = right if isinstance(right, bool) else None
        options = row["options"]
        try:
            choices = tuple(map(str, read_literal(options) if isinstance(options, str) else options))
        except DataError as error:
            raise DataError(f"{place}: key 'options': {error.message}", remedy=error.remedy) from error
        yield Prediction(
            id=str(row["id"]),
            place=place,
            response=as_text(row, "response", place),
            own=OwnItem(str(row.get("question") or ""), row.get("answer"), choices, row),
            official=known,
            stored_score=None if known is None else float(known),
        )
