"""The `replay` backend: answers from a predictions file, keyed by sample id and, where given, task and repeat.

Forms read: JSON lines, a JSON list of such objects, or a JSON object that maps ids to a text or to such an object.
A row holds `id` (or `sample_id`, `pid`, `question_id`, `index`) and `response` (or `prediction`, `answer`, `output`,
`text`), and may hold `task`, `repeat`, `reasoning`, `finish_reason`, `status`, `error` and the token counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any, get_args

import orjson

from mmeval.core.errors import EngineError
from mmeval.core.hashing import sha256_bytes
from mmeval.core.json_keys import repeated_key
from mmeval.core.types import Request, Response, Status
from mmeval.core.user_paths import user_path
from mmeval.engines.base import SAMPLING_FIELDS, EngineInfo, ModelSpec
from mmeval.engines.options import refuse_unknown
from mmeval.engines.profiles import choose_profile

ID_KEYS = ("id", "sample_id", "pid", "question_id", "index")
TEXT_KEYS = ("response", "prediction", "answer", "output", "text")
ARGUMENTS = frozenset({"id_key", "text_key"})
_STATUSES = get_args(Status)

_Key = tuple[str | None, str, int]
"""Task (None: any), sample id, repeat."""


class ReplayEngine:
    """Answers that are already there.

    Engine arguments: `id_key` and `text_key` name the columns where they have other names than the usual ones.
    """

    supported_sampling = SAMPLING_FIELDS
    modalities = frozenset({"text", "image", "images", "video"})
    exclusive = False

    def __init__(self, spec: ModelSpec) -> None:
        refuse_unknown("replay", spec.engine_args, ARGUMENTS)
        self._path = user_path(spec.target)
        self._profile = spec.profile
        id_key, text_key = spec.engine_args.get("id_key"), spec.engine_args.get("text_key")
        self._id_keys = ID_KEYS if id_key is None else (str(id_key),)
        self._text_keys = TEXT_KEYS if text_key is None else (str(text_key),)
        self._answers: dict[_Key, Response] = {}
        self._info: EngineInfo | None = None

    async def describe(self) -> EngineInfo:
        """Read the file.

        Raises:
            EngineError: naming file, line and key of what is missing or double.
        """
        if self._info is None:
            data = await asyncio.to_thread(self._read)
            identity = {"predictions": sha256_bytes(data), "id_keys": self._id_keys, "text_keys": self._text_keys}
            details = {"file": str(self._path), "predictions": len(self._answers)}
            profile = choose_profile(self._profile)
            self._info = EngineInfo(
                "replay", "1", identity, reads_sample=True, slots=64, details=details, profile=profile
            )
        return self._info

    async def start(self) -> EngineInfo:
        """See `Engine.start`."""
        return await self.describe()

    def _read(self) -> bytes:
        try:
            data = self._path.read_bytes()
        except OSError as error:
            reason = error.strerror or error
            raise EngineError(f"{self._path} cannot be read: {reason}", remedy="write replay:FILE.jsonl") from error
        answers: dict[_Key, Response] = {}
        columns = frozenset((*self._id_keys, *self._text_keys))
        for place, row in _rows(data, str(self._path), columns):
            key, response = self._row(row, place)
            if key in answers and answers[key] != response:
                raise EngineError(
                    f"{place}: sample {key[1]!r} (repeat {key[2]}) has two answers",
                    remedy="keep one, or number `repeat`",
                )
            answers[key] = response
        if not answers:
            raise EngineError(
                f"{self._path} holds no predictions", remedy="one JSON object per line with id and response"
            )
        self._answers = answers
        return data

    def _row(self, row: Any, place: str) -> tuple[_Key, Response]:
        if not isinstance(row, dict):
            raise EngineError(
                f"{place}: a JSON {type(row).__name__}, an object is expected", remedy="see docs/engines.md"
            )
        identifier = next((row[key] for key in self._id_keys if row.get(key) is not None), None)
        if identifier is None:
            raise EngineError(
                f"{place}: no id ({', '.join(self._id_keys)})", remedy="--engine-arg id_key=COLUMN names it"
            )
        repeat = row.get("repeat", 0)
        if not isinstance(repeat, int) or isinstance(repeat, bool) or repeat < 0:
            raise EngineError(f"{place}: repeat is {repeat!r}", remedy="repeats are numbered 0, 1, 2 …")
        task = row.get("task")
        return (None if task is None else str(task), str(identifier), repeat), self._response(row, place)

    def _response(self, row: dict[str, Any], place: str) -> Response:
        status = row.get("status", "ok")
        if status not in _STATUSES:
            raise EngineError(f"{place}: status {status!r} is unknown", remedy=f"it may be {', '.join(_STATUSES)}")
        if status != "ok":
            return Response(status, error=str(row.get("error") or f"the file says {status}"))
        column = next((key for key in self._text_keys if key in row), None)
        if column is None:
            names = ", ".join(self._text_keys)
            raise EngineError(f"{place}: no answer ({names})", remedy="--engine-arg text_key=COLUMN names it")
        value = row[column]
        if value is None:
            return Response("error", error=f"{place}: {column} is null")
        if not isinstance(value, (str, int, float)):
            kind = type(value).__name__
            raise EngineError(
                f"{place}: {column} is a JSON {kind}, text is expected", remedy="write the raw answer text"
            )
        return Response(
            "ok",
            text=str(value),
            reasoning=_optional(row, "reasoning", str),
            finish_reason=_optional(row, "finish_reason", str),
            prompt_tokens=_optional(row, "prompt_tokens", int),
            completion_tokens=_optional(row, "completion_tokens", int),
            reasoning_tokens=_optional(row, "reasoning_tokens", int),
            latency_s=None,
            model=_optional(row, "model", str),
        )

    async def generate(self, request: Request) -> Response:
        """See `Engine.generate`; a sample that the file lacks is an error that names it."""
        if request.sample is None:
            return Response("error", error="the replay engine answers samples of tasks only")
        sample = request.sample
        for task in (sample.task, None):
            found = self._answers.get((task, sample.id, request.repeat))
            if found is not None:
                return found
        repeat = f", repeat {request.repeat}" if request.repeat else ""
        return Response(
            "error", error=f"{self._path.name} has no answer to sample {sample.id!r} of {sample.task}{repeat}"
        )

    async def close(self) -> None:
        """See `Engine.close`."""


def _optional(row: dict[str, Any], key: str, kind: type[Any]) -> Any:
    value = row.get(key)
    return value if isinstance(value, kind) and not isinstance(value, bool) else None


def _rows(data: bytes, name: str, columns: frozenset[str]) -> Iterator[tuple[str, Any]]:
    """Yield (place for messages, row) of a predictions file; `columns` tell one row from a mapping of ids to rows."""
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    try:
        whole = orjson.loads(data)
    except orjson.JSONDecodeError:
        yield from _lines(data, name)
        return
    if isinstance(whole, list):
        yield from ((f"{name}, entry {number}", row) for number, row in enumerate(whole, 1))
    elif isinstance(whole, dict) and not columns.intersection(whole):
        twice = repeated_key(data)
        if twice is not None:
            raise EngineError(f"{name}: the key {twice!r} is there twice", remedy="keep one answer of each sample")
        for identifier, value in whole.items():
            row = {"id": identifier, **value} if isinstance(value, dict) else {"id": identifier, "response": value}
            yield f"{name}, entry {identifier!r}", row
    else:
        yield f"{name}, line 1", whole


def _lines(data: bytes, name: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(data.splitlines(), 1):
        if not line.strip():
            continue
        try:
            yield f"{name}, line {number}", orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise EngineError(f"{name}, line {number}: no JSON ({error})", remedy="one JSON object per line") from error
