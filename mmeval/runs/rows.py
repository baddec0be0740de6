"""From a finished unit of work to a row of `results.parquet` and `samples.parquet`."""

from __future__ import annotations

from typing import Any

import orjson

from mmeval.core.types import Response
from mmeval.pipeline.identity import message_json
from mmeval.pipeline.runner import Finished
from mmeval.pipeline.sent_media import media_json
from mmeval.pipeline.work import Unit, prompt_json


def result_row(finished: Finished, model: str) -> dict[str, Any]:
    """Return one row with the columns of `results_schema`. An error text is never a response."""
    unit, response, verdict = finished.unit, finished.response, finished.verdict
    task, sample = unit.task, unit.sample
    return {
        "model": model,
        "task": task.name,
        "protocol": task.protocol,
        "family": task.card.family,
        "condition": unit.condition,
        "sample_id": sample.id,
        "repeat": unit.order.repeat,
        "cluster": sample.cluster,
        "item_hash": unit.item_hash or None,
        "request_hash": unit.request_hash or None,
        "outcome": verdict.outcome,
        "score": verdict.score,
        "correct": verdict.correct,
        "scores": dict(verdict.scores),
        "extracted": _json(verdict.extracted),
        "extracted_span": list(verdict.span) if verdict.span else None,
        "target": _json(sample.target),
        "response": response.text,
        "reasoning": response.reasoning,
        "status": response.status,
        "finish_reason": response.finish_reason,
        "error": response.error,
        "reason": verdict.reason or None,
        "verifier": verdict.verifier,
        "judge_model": verdict.judge_model,
        "judge_verdict": verdict.judge_verdict,
        "judge_reason": verdict.judge_reason,
        "prompt_tokens": response.prompt_tokens,
        "completion_tokens": response.completion_tokens,
        "reasoning_tokens": response.reasoning_tokens,
        "latency_s": response.latency_s,
        "subsets": dict(sample.subsets),
        "media": media_json(unit.media),
    }


def call_rows(finished: Finished, model: str) -> list[dict[str, Any]]:
    """Return the rows of `calls_schema` of a row with more than one call.

    Turn 0 is the plain answer, whose text is in the results; a strategy's calls stand for it.
    """
    if not finished.calls:
        return []
    unit, response = finished.unit, finished.response
    common = {
        "model": model,
        "task": unit.task.name,
        "protocol": unit.task.protocol,
        "condition": unit.condition,
        "sample_id": unit.sample.id,
        "repeat": unit.order.repeat,
    }
    answer: dict[str, Any] = {
        "role": "model",
        "card": None,
        "caller": model,
        "request_hash": unit.request_hash or None,
        "messages": None,
        "media": [],
        "step": None,
    }
    by_strategy = any(call.role != "judge" for call in finished.calls)
    rows = [{**common, "turn": 0, **answer, **_reply(response), "response": None, "reasoning": None}]
    rows = [] if by_strategy else rows
    for turn, call in enumerate(finished.calls, len(rows)):
        asked = {
            "role": call.role,
            "card": call.card,
            "caller": call.model,
            "request_hash": call.request_hash,
            "messages": _json(message_json(call.messages)),
            "media": media_json(call.media),
            "step": _json(call.step),
        }
        rows.append({**common, "turn": turn, **asked, **_reply(call.response)})
    return rows


def _reply(response: Response) -> dict[str, Any]:
    return {
        "status": response.status,
        "response": response.text,
        "reasoning": response.reasoning,
        "finish_reason": response.finish_reason,
        "error": response.error,
        "prompt_tokens": response.prompt_tokens,
        "completion_tokens": response.completion_tokens,
        "latency_s": response.latency_s,
    }


def sample_row(unit: Unit) -> dict[str, Any]:
    """Return one row with the columns of `samples_schema`, but for `models`, which the writer knows."""
    sample = unit.sample
    context = sample.context
    return {
        "task": unit.task.name,
        "protocol": unit.task.protocol,
        "condition": unit.condition,
        "sample_id": sample.id,
        "item_hash": unit.item_hash or None,
        "cluster": sample.cluster,
        "question": str(sample.item.get("question", "")),
        "choices": list(context.choices),
        "target": _json(sample.target),
        "messages": _json(prompt_json(sample)),
        "context": _json(
            {
                "options": dict(context.options),
                "image_size": context.image_size,
                "sent_size": context.sent_size,
                "coordinates": context.coordinates,
                "coordinate_order": context.coordinate_order,
            }
        ),
        "extras": _json(dict(sample.extras)),
        "subsets": dict(sample.subsets),
        "media": media_json(unit.media),
        "source_media": [image.source_sha256 for media in unit.media for image in media.images],
    }


def _json(value: Any) -> str | None:
    return None if value is None else orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
