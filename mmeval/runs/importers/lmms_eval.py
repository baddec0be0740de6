"""Sample files of lmms-eval: what each document was answered, and the verdicts of its metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.literals import read_literal
from mmeval.runs.importers.predictions import OwnItem, Prediction, Reading, files_of, listed, verdict_of
from mmeval.runs.importers.tables import lenient_json, parse_lenient

_NAME = re.compile(r"(?P<date>.*?)_?samples_(?P<task>.+)\.jsonl?$")
_NO_METRICS = frozenset(
    {
        "doc_id", "doc", "target", "arguments", "resps", "filtered_resps", "doc_hash", "prompt_hash", "target_hash", "input",
        "input_media", "token_counts", "filter", "metrics", "submission",
    }
)  # fmt: skip
_INNER = ("score", "correct", "is_correct", "hit", "acc")
"""Where the verdict stands in a metric that is an object."""
_QUESTIONS, _CHOICES, _ANSWERS = (
    ("question", "query"),
    ("choices", "options", "option"),
    ("answer", "target", "gt_answer"),
)
"""Keys of `doc` under which data sets keep question, options and gold answer."""
_FAILED = "[LMMS_EVAL_REQUEST_FAILED"
"""How an answer begins that lmms-eval wrote because the endpoint failed; its cache serves it ever after."""
_LIKELIHOOD = "the answer was chosen by likelihood, and there is no text"
_REPEATED = "the same answer once more, through another filter"


def read(paths: Sequence[Path], reading: Reading) -> Iterator[Prediction]:
    """Read `*_samples_TASK.jsonl`: `doc_id`, `target`, `resps` and `filtered_resps`, metrics, in older files `doc`.

    Samples are known by their row in the data set (`doc_id`), or by the card's id column where `doc` holds it. Of a folder,
    its one file of samples.

    Raises:
        DataError: naming file and row; also for a folder with samples of several tasks or runs.
    """
    for path in _files(paths):
        state = _File(path, reading)
        for number, line in enumerate(_lines(path), 1):
            yield from state.predictions(line, number)
        state.report()


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        files = files_of([path], ("*samples_*.jsonl", "*samples_*.json"), "samples_*.jsonl of lmms-eval")
        if path.is_dir() and len(files) > 1:
            names = listed([str(file.relative_to(path)) for file in files])
            raise DataError(f"{path}: samples of several tasks or runs: {names}", remedy="name one file")
        found += files
    return found


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open(encoding="utf-8-sig") as handle:
            for number, line in enumerate(handle, 1):
                if not line.strip():
                    continue
                value = parse_lenient(line, f"{path}, line {number}")
                if not isinstance(value, dict) or "doc_id" not in value:
                    raise DataError(
                        f"{path}, line {number}: no sample of lmms-eval (doc_id is expected)",
                        remedy="give a file *_samples_TASK.jsonl, made with --log_samples",
                    )
                yield value
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}", remedy="check the file") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 at byte {error.start}", remedy="save the file as UTF-8") from error


@dataclass(slots=True)
class _File:
    """One file while it is read."""

    path: Path
    reading: Reading
    seen: dict[Any, Any] = field(default_factory=dict)
    """doc_id -> answers, to tell one answer through several filters from two answers."""
    metrics: dict[str, int] = field(default_factory=dict)
    """Metric -> rows on which it gives a verdict or a score."""

    def predictions(self, values: Mapping[str, Any], number: int) -> Iterator[Prediction]:
        """Yield the answers of one line, one per repeat."""
        place = f"{self.path}, row {number}"
        position = values["doc_id"]
        if isinstance(position, bool) or not isinstance(position, (int, str)):
            raise DataError(f"{place}: key 'doc_id': {position!r} is no row number", remedy="correct the row")
        raw = values.get("resps", values.get("filtered_resps"))
        answers, filtered = texts_of(raw), texts_of(values.get("filtered_resps"))
        count = len(answers) if answers is not None else 1
        self.reading.found += count
        if position in self.seen:
            if self.seen[position] != (answers if answers is not None else raw):
                raise DataError(
                    f"{place}: document {position} has another answer in an earlier row",
                    remedy="keep the rows of one run; repeats stand in one row",
                )
            self.reading.lost[_REPEATED] += count
            return
        self.seen[position] = answers if answers is not None else raw
        official, score = self._verdict(values)
        own = self._item(values)
        shared: dict[str, Any] = {
            "id": self._identifier(values, own),
            "place": place,
            "own": own,
            "position": position if isinstance(position, int) else None,
            "official": official,
            "stored_score": score,
        }
        if answers is None:
            yield Prediction(**shared, problem=_LIKELIHOOD)
            return
        counts = _tokens(values.get("token_counts"), len(answers))
        for repeat, text in enumerate(answers):
            short = filtered[repeat] if filtered is not None and repeat < len(filtered) else None
            if repeat:
                shared = {**shared, "official": None, "stored_score": None}
            if text.lstrip().startswith(_FAILED):
                told = {**shared, "official": None, "stored_score": None}
                yield Prediction(
                    **told,
                    repeat=repeat,
                    status="error",
                    error=f"lmms-eval stored {text.strip()[:200]!r} instead of an answer",
                )
                continue
            yield Prediction(
                **shared,
                repeat=repeat,
                response=text,
                extraction=short if short != text else None,
                prompt_tokens=counts[repeat][0],
                completion_tokens=counts[repeat][1],
            )

    def _identifier(self, values: Mapping[str, Any], own: OwnItem | None) -> str:
        column = self.reading.columns.get("id") or self.reading.id_column
        document = values.get("doc")
        if column and isinstance(document, Mapping) and document.get(column) is not None:
            return str(document[column])
        return str(values["doc_id"])

    def _item(self, values: Mapping[str, Any]) -> OwnItem | None:
        document = values.get("doc")
        document = document if isinstance(document, Mapping) else {}
        target = values.get("target")
        question = _first(document, self.reading.columns.get("question"), _QUESTIONS)
        if question is None:
            question = values.get("input")
            question = question[0] if isinstance(question, list) and question else question
        if question is None:
            return None
        choices, problem = _choices(_first(document, self.reading.columns.get("choices"), _CHOICES), document)
        answer = _first(document, self.reading.columns.get("answer"), _ANSWERS) if document else None
        if answer is None:
            answer = target
        if choices:
            answer = _letter(answer, choices)
        return OwnItem(str(question), answer, choices, {**document, "target": target}, problem)

    def _verdict(self, values: Mapping[str, Any]) -> tuple[bool | None, float | None]:
        """The verdict of the metric that the user names, or of the only one that gives verdicts."""
        found: dict[str, tuple[bool | None, float | None]] = {}
        for name, value in values.items():
            if name in _NO_METRICS:
                continue
            inner = value if not isinstance(value, Mapping) else _first(value, None, _INNER)
            correct, score = verdict_of(inner) if not isinstance(inner, str) else (None, None)
            if score is not None:
                found[name] = (correct, score)
                self.metrics[name] = self.metrics.get(name, 0) + 1
        named = self.reading.columns.get("verdict")
        if named is not None:
            return found.get(named, (None, None))
        return next(iter(found.values())) if len(found) == 1 else (None, None)

    def report(self) -> None:
        """Say which metrics there are, and what the results file beside the samples says."""
        named = self.reading.columns.get("verdict")
        if named is not None and named not in self.metrics:
            raise DataError(
                f"{self.path}: no metric {named!r} with numbers",
                remedy=f"the file has {', '.join(sorted(self.metrics)) or 'none'}",
            )
        if named is None and len(self.metrics) > 1:
            self.reading.notes.append(
                f"{self.path.name} has several metrics ({', '.join(sorted(self.metrics))}): name one with --column verdict=METRIC"
                " to compare verdicts with it"
            )
        self._results()

    def _results(self) -> None:
        name = _NAME.match(self.path.name)
        if name is None:
            return
        results = self.path.with_name(f"{name['date']}_results.json" if name["date"] else "results.json")
        if not results.is_file():
            return
        content = lenient_json(results)
        if not isinstance(content, dict):
            return
        task = name["task"]
        counts = (content.get("n-samples") or {}).get(task)
        expected = counts.get("effective") if isinstance(counts, Mapping) else None
        if isinstance(expected, int):
            self.reading.expected = (self.reading.expected or 0) + expected
        values = (content.get("results") or {}).get(task)
        if isinstance(values, Mapping):
            shown = [f"{key} {value}" for key, value in values.items() if isinstance(value, (int, float))]
            model = content.get("model_name") or content.get("model_source") or ""
            self.reading.notes.append(
                f"{results.name}{f' ({model})' if model else ''} says of {task}: {listed(shown) or 'no numbers'}"
            )


def texts_of(value: Any) -> list[str] | None:
    """Return the texts of `resps` or `filtered_resps`, one per repeat; None where they are likelihoods and no texts."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not value:
        return None
    if all(isinstance(entry, str) for entry in value):
        return None if _is_likelihood(value) else list(value)
    if all(isinstance(entry, list) for entry in value):
        inner = [texts_of(entry) for entry in value]
        if any(texts is None for texts in inner):
            return None
        return [text for texts in inner if texts is not None for text in texts]
    return None


def _is_likelihood(pair: Sequence[str]) -> bool:
    """Whether two texts are a log-likelihood and whether it was the greedy choice."""
    if len(pair) != 2 or pair[1] not in ("True", "False"):
        return False
    try:
        return float(pair[0]) <= 0
    except ValueError:
        return False


def _tokens(value: Any, count: int) -> list[tuple[int | None, int | None]]:
    entries = value if isinstance(value, list) and len(value) == count else [None] * count
    return [
        (_count(entry.get("input_tokens")), _count(entry.get("output_tokens")))
        if isinstance(entry, Mapping)
        else (None, None)
        for entry in entries
    ]


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _first(values: Mapping[str, Any], named: str | None, defaults: Sequence[str]) -> Any:
    for key in (named,) if named else defaults:
        if values.get(key) is not None:
            return values[key]
    return None


def _choices(value: Any, document: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    if isinstance(value, str) and value.strip().startswith(("[", "{")):
        try:
            value = read_literal(value)
        except DataError as error:
            return (), f"the options cannot be read: {error.message}"
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list):
        return tuple(str(entry) for entry in value), ""
    letters = [letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if document.get(letter) not in (None, "")]
    if letters and letters == list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(letters)]):
        return tuple(str(document[letter]) for letter in letters), ""
    return (), ""


def _letter(answer: Any, choices: Sequence[str]) -> Any:
    """Return the letter of a gold answer that is given as letter or as an option's text; anything else as it is."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(choices)]
    text = str(answer).strip()
    bare = text.strip("().").upper()
    if len(bare) == 1 and bare in letters:
        return bare
    return letters[list(choices).index(text)] if list(choices).count(text) == 1 else answer
