"""Logs of Inspect (`.eval`, or `.json`): samples, their outputs and the verdicts of their scorers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError
from mmeval.core.types import Status
from mmeval.runs.importers.archive import Archive
from mmeval.runs.importers.predictions import OwnItem, Prediction, Reading, files_of, listed, verdict_of
from mmeval.runs.importers.tables import lenient_json, parse_lenient

MOST_LOG_BYTES = 64 << 30
"""All members of a log together, unpacked; they are read one at a time."""
MOST_SAMPLE_BYTES = 512 << 20
"""One member, unpacked."""
_SAMPLE = re.compile(r"samples/(?P<stem>.+_epoch_\d+)(?:\.json|/sample\.json)$")
_ATTACHMENT = re.compile(r"attachment://([0-9a-zA-Z]+)")
_LETTERS = {"C": 1.0, "I": 0.0, "P": 0.5, "N": 0.0}
"""Inspect's grades: correct, incorrect, partial, no answer."""
_FINISHED = {"max_tokens": "length", "model_length": "length"}


def read(paths: Sequence[Path], reading: Reading) -> Iterator[Prediction]:
    """Read logs; an epoch is a repeat. Of a folder, its one log.

    Raises:
        DataError: naming file and sample; for files that are no logs, or that want to be larger than any log.
    """
    for path in _files(paths):
        header, samples = _open_json(path) if path.suffix.lower() == ".json" else _open_zip(path)
        state = _Log(path, reading)
        count = 0
        for place, sample in samples:
            count += 1
            reading.found += 1
            yield state.prediction(sample, place)
        state.report(header, count)


def _files(paths: Sequence[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        files = files_of([path], ("*.eval",), ".eval log of Inspect")
        if path.is_dir() and len(files) > 1:
            names = listed([str(file.relative_to(path)) for file in files])
            raise DataError(f"{path}: several logs: {names}", remedy="name one log")
        found += files
    return found


Samples = Iterator[tuple[str, Mapping[str, Any]]]


def _open_json(path: Path) -> tuple[Mapping[str, Any], Samples]:
    content = lenient_json(path)
    if not isinstance(content, dict) or "eval" not in content or not isinstance(content.get("samples", []), list):
        raise DataError(
            f"{path}: no log of Inspect (eval and samples are expected)", remedy="give a .eval or .json log"
        )
    samples = content.get("samples") or []
    return content, ((f"{path}, sample {number}", sample) for number, sample in enumerate(samples, 1))


def _open_zip(path: Path) -> tuple[Mapping[str, Any], Samples]:
    with Archive(path, MOST_LOG_BYTES, "log of Inspect") as archive:
        header: Any = {}
        for name in ("header.json", "_journal/start.json"):
            if name in archive.members:
                place = f"{path}, {name}"
                header = parse_lenient(archive.read(archive.members[name], MOST_SAMPLE_BYTES), place)
                break
        names = [name for name in archive.members if _SAMPLE.fullmatch(name)]
    if not isinstance(header, dict) or not header:
        raise DataError(f"{path}: no log of Inspect (header.json is missing)", remedy="give a log as Inspect wrote it")
    return header, _zip_samples(path, names)


def _zip_samples(path: Path, names: Sequence[str]) -> Samples:
    with Archive(path, MOST_LOG_BYTES, "log of Inspect") as archive:
        for name in names:
            place = f"{path}, {name}"
            sample = parse_lenient(archive.read(archive.members[name], MOST_SAMPLE_BYTES), place)
            if not isinstance(sample, dict):
                raise DataError(f"{place}: no sample", remedy="give a log as Inspect wrote it")
            if name.endswith("/sample.json"):
                sample = {**sample, "attachments": _chunks(archive, name.removesuffix("sample.json"))}
            yield place, sample


def _chunks(archive: Archive, folder: str) -> dict[str, str]:
    """The attachments of a sample that is stored in parts, by their running number."""
    chunk = re.compile(re.escape(folder) + r"attachments/(\d+)\.json")
    found: dict[str, str] = {}
    for name, member in archive.members.items():
        part = chunk.fullmatch(name)
        if part is None:
            continue
        texts = parse_lenient(archive.read(member, MOST_SAMPLE_BYTES), f"{archive.path}, {name}")
        if isinstance(texts, list):
            found |= {str(int(part.group(1)) + offset): str(text) for offset, text in enumerate(texts)}
    return found


@dataclass(slots=True)
class _Log:
    """One log while it is read."""

    path: Path
    reading: Reading
    scorer: str | None = None
    """Whose verdicts are taken; the first one's where the user names none."""
    others: tuple[str, ...] = ()

    def prediction(self, sample: Mapping[str, Any], place: str) -> Prediction:
        """Return one sample's prediction.

        Raises:
            DataError: when the sample has no id or epoch.
        """
        identifier, epoch = sample.get("id"), sample.get("epoch", 1)
        if identifier is None or isinstance(epoch, bool) or not isinstance(epoch, int) or epoch < 1:
            raise DataError(f"{place}: no sample (id and epoch are expected)", remedy="give a log as Inspect wrote it")
        attachments = sample.get("attachments")
        resolve = _resolver(attachments if isinstance(attachments, Mapping) else {})
        status, error, text, reasoning, stop = _answer(sample, resolve)
        correct, score, explanation = self._verdict(sample)
        usage = (sample.get("output") or {}).get("usage") or {}
        return Prediction(
            id=str(identifier),
            place=place,
            repeat=epoch - 1,
            response=text,
            reasoning=reasoning,
            status=status,
            error=error,
            finish_reason=_FINISHED.get(stop or "", stop),
            prompt_tokens=_whole(usage.get("input_tokens")),
            completion_tokens=_whole(usage.get("output_tokens")),
            own=_item(sample, resolve),
            official=correct,
            stored_score=score,
            judge_verdict=explanation,
        )

    def _verdict(self, sample: Mapping[str, Any]) -> tuple[bool | None, float | None, str | None]:
        scores = sample.get("scores")
        if not isinstance(scores, Mapping) or not scores:
            return None, None, None
        named = self.reading.columns.get("verdict")
        if named is not None and named not in scores:
            raise DataError(
                f"{self.path}: no scorer {named!r}",
                remedy=f"the log has {', '.join(map(str, scores))} (--column verdict=NAME)",
            )
        if self.scorer is None:
            self.scorer = named or str(next(iter(scores)))
            self.others = tuple(str(name) for name in scores if name != self.scorer)
        score = scores.get(self.scorer)
        if not isinstance(score, Mapping):
            return None, None, None
        value = score.get("value")
        if isinstance(value, str) and value in _LETTERS:
            value = _LETTERS[value]
        correct, number = verdict_of(value)
        explanation = score.get("explanation")
        return correct, number, explanation if isinstance(explanation, str) else None

    def report(self, header: Mapping[str, Any], count: int) -> None:
        """Say what the log says of itself: its model and task, whether it is complete, which scorer counts."""
        about = header.get("eval") if isinstance(header.get("eval"), Mapping) else {}
        assert about is not None
        self.reading.notes.append(
            f"{self.path.name}: log of task {about.get('task', '?')} with model {about.get('model', '?')}"
        )
        status = header.get("status")
        if status != "success":
            self.reading.notes.append(
                f"{self.path.name}: the log's status is {status or 'not written (it was cut off)'}: samples may be missing"
            )
        if header.get("invalidated"):
            self.reading.notes.append(f"{self.path.name}: the log is marked as invalidated")
        if self.others:
            self.reading.notes.append(
                f"{self.path.name}: verdicts are those of scorer {self.scorer!r}; there are {', '.join(self.others)} too"
                " (--column verdict=NAME)"
            )
        ids = (about.get("dataset") or {}).get("sample_ids")
        if isinstance(ids, list):
            self.reading.expected = (self.reading.expected or 0) + len(ids)


def _resolver(attachments: Mapping[str, Any]) -> Callable[[str], str]:
    def resolve(text: str) -> str:
        return _ATTACHMENT.sub(lambda found: str(attachments.get(found.group(1), found.group())), text)

    return resolve


def _answer(
    sample: Mapping[str, Any], resolve: Callable[[str], str]
) -> tuple[Status, str | None, str | None, str | None, str | None]:
    """Return (status, error, text, reasoning, stop reason) of a sample's output."""
    error = sample.get("error")
    output = sample.get("output")
    output = output if isinstance(output, Mapping) else {}
    if error:
        message = error.get("message") if isinstance(error, Mapping) else error
        return "error", f"Inspect's sample ended in an error: {message}"[:500], None, None, None
    choices = output.get("choices")
    first = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], Mapping) else None
    if first is None:
        completion = output.get("completion")
        if isinstance(completion, str) and completion:
            return "ok", None, resolve(completion), None, None
        return "error", str(output.get("error") or "Inspect stored no output for this sample")[:500], None, None, None
    message = first.get("message")
    text, reasoning = _content(message.get("content") if isinstance(message, Mapping) else None, resolve)
    stop = first.get("stop_reason")
    stop = stop if isinstance(stop, str) else None
    if stop == "content_filter" and not text.strip():
        return "refused", "the provider's content filter stopped the answer", None, None, stop
    return "ok", None, text, reasoning or None, stop


def _content(content: Any, resolve: Callable[[str], str]) -> tuple[str, str]:
    """Return (text, reasoning) of a message's content."""
    if isinstance(content, str):
        return resolve(content), ""
    parts = [part for part in content if isinstance(part, Mapping)] if isinstance(content, list) else []
    text = [str(part.get("text") or "") for part in parts if part.get("type") == "text"]
    thought = [str(part.get("reasoning") or "") for part in parts if part.get("type") == "reasoning"]
    return resolve("\n".join(text)), resolve("\n".join(thought))


def _item(sample: Mapping[str, Any], resolve: Callable[[str], str]) -> OwnItem | None:
    given = sample.get("input")
    if isinstance(given, list):
        users = [entry for entry in given if isinstance(entry, Mapping) and entry.get("role") == "user"]
        given = _content(users[-1].get("content"), resolve)[0] if users else None
    if not isinstance(given, str):
        return None
    stored = sample.get("choices")
    choices = tuple(str(entry) for entry in stored) if isinstance(stored, list) else ()
    target = sample.get("target")
    if isinstance(target, list) and len(target) == 1:
        target = target[0]
    if isinstance(target, str):
        target = target.strip() or None
    metadata = sample.get("metadata")
    values = dict(metadata) if isinstance(metadata, Mapping) else {}
    return OwnItem(resolve(given), target, choices, values)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
