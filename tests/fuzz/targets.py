"""What is fuzzed: every place where bytes from outside become something else.

A target takes any bytes and returns; whatever is no documented refusal of ours (`MmevalError`, and what the function's docstring names) is a defect.
"""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from mmeval.core.errors import DataError, MmevalError, UsageError
from mmeval.core.types import AnswerContext, Response

Target = Callable[[bytes, Path], None]
"""Bytes, and a folder for those that want a file."""

TARGETS: tuple[Any, ...] = (
    "B", "yes", 3, 3.5, "a red hat", [1, 2, 3], [10, 20, 30, 40], [[1, 2, 30, 40]], {"box": [0, 0, 50, 50]}, ["blur", "slight"], True, None,
    {"polygon": [[0, 0], [9, 0], [9, 9]]},
)  # fmt: skip
PIECES = (
    "<think>", "</think>", "<answer>", "</answer>", "\\boxed{", "\\frac{1}{2}", "answer is", "(A)", "[10, 20, 30, 40]", '{"bbox_2d": [1, 2, 3, 4]}',
    "```json\n", "\n```", "yes", "no", "None of the above", "1,234.5", "-1e308", "NaN", "Infinity", "click(x=1, y=2)", "<tool_call>", "</tool_call>",
    "<box>", "<|box_start|>", "(1,2),(3,4)", "pyautogui.click(", "答案", "３", "\u202e", "\u200b", "\\text{", "$", "%", "°", "[[", "]]", "{'a': 1}",
    "Step 1:", "| a | b |", "\u2028", "π", "sqrt(2)", "1/3", "x^2", "<bbox>", "<search>", "null", '"id": "', "I'm sorry", "- ", "1. ", "**",
)  # fmt: skip
"""What model output is made of: the fuzzer's dictionary."""


@cache
def _verifiers() -> tuple[tuple[Any, list[AnswerContext]], ...]:
    """Every verifier, with contexts in which it can be asked."""
    from mmeval.verifiers.registry import get_verifier, list_verifiers
    from tests.verifiers.contexts import contexts

    return tuple((get_verifier(name), contexts(name)) for name in list_verifiers())


def _symbolic(verifier: Any) -> bool:
    """Whether comparing may start a process of symbolic mathematics, which is far too slow here."""
    return any(
        word in type(verifier).__module__
        for word in ("expression", "formula", "math", "symbolic", "mixed", "logicvista", "emma")
    )


def answers(data: bytes, folder: Path) -> None:
    """Model output, read and scored by every verifier in every frame."""
    from mmeval.verifiers.base import verify

    if len(data) < 3:
        return
    verifiers = _verifiers()
    verifier, contexts = verifiers[data[0] % len(verifiers)]
    context = contexts[data[1] % len(contexts)]
    space = ("pixels", "unit", "thousand")[(data[2] >> 5) % 3]
    context = replace(context, coordinates=space, image_size=None if data[2] >> 5 == 7 else context.image_size)
    text = data[3:].decode("utf-8", "surrogateescape" if data[2] & 16 else "replace")
    target = TARGETS[(data[2] & 15) % len(TARGETS)]
    try:
        found = verifier.parse(text, context)
    except MmevalError:
        return  # the context lacks what this verifier needs
    if found.span is not None:
        start, end = found.span
        assert 0 <= start <= end <= len(text), f"{verifier.name}: span {found.span} of {len(text)} characters"
    if _symbolic(verifier):
        return
    verdict = verify(verifier, Response("ok", text), target, context)
    assert verdict.outcome in {"scored", "no_answer", "unscored"}
    # What stands in a table must be JSON.
    json.dumps(verdict.extracted, allow_nan=False)


def golds(data: bytes, folder: Path) -> None:
    """Gold answers of any JSON form, against an answer that every verifier's own family reads."""
    from mmeval.verifiers.base import verify

    if not data:
        return
    verifiers = _verifiers()
    verifier, contexts = verifiers[data[0] % len(verifiers)]
    try:
        target = json.loads(data[1:])
    except (ValueError, RecursionError):
        return
    if _symbolic(verifier):
        return
    context = contexts[len(data) % len(contexts)]
    for text in ("B", "3.5", "[10, 20, 30, 40]", "yes", '[{"bbox_2d": [1, 2, 30, 40], "label": "cat"}]'):
        try:
            verify(verifier, Response("ok", text), target, context)
        except UsageError:
            return  # the context lacks what this verifier needs


def endpoint(data: bytes, folder: Path) -> None:
    """What an endpoint sends back."""
    from mmeval.engines.openai_reply import failure, reply, retry_after

    if not data:
        return
    body = data[1:]
    found = reply(("application/json", "text/html", "", "application/json; charset=latin-1")[data[0] % 4], body)
    assert found.status == "ok" or found.text is None, "a failure with a text"
    refused = failure(400 + data[0] % 200, {"Retry-After": body[:40].decode("latin-1")}, body)
    assert refused.status != "ok"
    assert refused.text is None
    wait = retry_after({"Retry-After": body.decode("latin-1")})
    assert wait is None or 0 <= wait < float("inf")


@cache
def _judges() -> tuple[Any, ...]:
    from mmeval.verifiers.judge_files import list_judges

    return tuple(list_judges())


def judge(data: bytes, folder: Path) -> None:
    """A judge's reply, under every judge card."""
    from mmeval.verifiers.judge_prompt import JudgeInput, request_id
    from mmeval.verifiers.judge_reply import JudgeFault, parse_reply

    if not data:
        return
    cards = _judges()
    given = JudgeInput(
        "How many?",
        ("red", "blue"),
        "It is red.",
        "A",
        "A",
        {"facts": ["a"], "other": "blue", "steps": ["one"], "annotation": "a"},
    )
    card = cards[data[0] % len(cards)]
    try:
        # Only a reply that says the request's id is read further.
        text = data[1:].decode("utf-8", "replace").replace("ID", request_id(card, given))
        found = parse_reply(card, text, given, swapped=bool(data[0] & 128))
    except DataError:
        return
    if not isinstance(found, JudgeFault):
        json.dumps([found.value, found.score, dict(found.details)], allow_nan=False)


def steps(data: bytes, folder: Path) -> None:
    """What a model says when it may act: tags, tool calls, steps."""
    from mmeval.conditions.dialects import read_tags, read_tool_call
    from mmeval.conditions.step_splitting import split_steps

    text = data.decode("utf-8", "replace")
    for complete in (True, False):
        read_tags(text, ("search", "bbox", "gaze"), complete=complete)
        read_tool_call(text, "crop", complete=complete, options={"reasoning_tags": ["think"]})
    assert all(step.strip() for step in split_steps(text))


def frames(data: bytes, folder: Path) -> None:
    """Frames between us and a worker."""
    from mmeval.engines.worker.wire import WireError, lengths, unpack

    try:
        lengths((data + bytes(12))[: _prefix()])
        cut = data[0] if data else 0
        unpack(data[1 : 1 + cut], data[1 + cut :])
    except WireError:
        pass


@cache
def _prefix() -> int:
    from mmeval.engines.worker.wire import PREFIX

    return int(PREFIX.size)


def pictures(data: bytes, folder: Path) -> None:
    """Image files."""
    from mmeval.core.errors import MediaError
    from mmeval.pipeline.media import decode_rgb, validate

    try:
        validate(data, "a picture")
        decode_rgb(data, "a picture")
    except MediaError:
        pass


def pages(data: bytes, folder: Path) -> None:
    """What a retriever finds."""
    from mmeval.pipeline.retriever import read_pages

    with contextlib.suppress(MmevalError, ValueError):
        read_pages(data, folder)


def cards(data: bytes, folder: Path) -> None:
    """Task cards, gate policies, judge cards and profiles: YAML."""
    from mmeval.analysis.gate_policy import load_policy
    from mmeval.core.yaml_files import read_yaml
    from mmeval.engines.profiles import read_profile
    from mmeval.tasks.card import parse_card
    from mmeval.verifiers.judge_files import read_judge

    path = folder / "file.yaml"
    path.write_bytes(data)
    readers: tuple[Callable[[Path], object], ...] = (
        lambda file: parse_card(read_yaml(file), file),
        load_policy,
        read_judge,
        read_profile,
    )
    for read in readers:
        with contextlib.suppress(MmevalError):
            read(path)


NAMES: Mapping[str, str] = {
    "vlmevalkit": "model_bench.tsv", "lmms-eval": "1_samples_bench.jsonl", "inspect": "log.json", "mmmu": "output.json",
    "mmvet": "bench-grade-1runs.json", "dynamath": "bench-result.csv", "masks": "masks.jsonl", "mathvision": "output.jsonl", "jsonl": "answers.jsonl",
}  # fmt: skip


def predictions(data: bytes, folder: Path) -> None:
    """Other harnesses' files, by every importer."""
    from mmeval.runs.importers.formats import FORMATS, get_format
    from mmeval.runs.importers.predictions import Reading

    if not data:
        return
    formats = sorted(FORMATS)
    name = formats[data[0] % len(formats)]
    path = folder / NAMES.get(name, "answers.json")
    path.write_bytes(data[1:])
    try:
        for _ in get_format(name).load()([path], Reading()):
            pass
    except MmevalError:
        pass


def archives(data: bytes, folder: Path) -> None:
    """Answers carried from one cache to another."""
    from mmeval.pipeline.cache_archive import read_archive

    path = folder / "answers.gz"
    path.write_bytes(data if data[:2] == b"\x1f\x8b" else gzip.compress(data, 1))
    try:
        for _ in read_archive(path):
            pass
    except MmevalError:
        pass


def forms(data: bytes, folder: Path) -> None:
    """Foreign text on its way into pages, tables, spreadsheets, papers and terminals."""
    from mmeval.reports.escapes import csv_cell, latex_text, markdown_text
    from mmeval.reports.format import public_text, script_json, visible, visible_text

    text = data.decode("utf-8", "replace")
    shown = str(visible(text))
    assert "<script" not in shown.lower()
    assert not any(ord(sign) < 32 and sign not in "\t\n\r" for sign in visible_text(text))
    public_text(text)
    inline = str(script_json({"text": text}))
    assert "<" not in inline
    assert json.loads(inline)["text"] == text
    csv_cell(text)
    assert "\n" not in markdown_text(text)
    latex = latex_text(text)
    assert "\\input" not in latex
    assert "\\write" not in latex


ALL: Mapping[str, Target] = {
    target.__name__: target
    for target in (answers, golds, endpoint, judge, steps, frames, pictures, pages, cards, predictions, archives, forms)
}  # fmt: skip
