"""Provenance: prompts as sent, decoding, judge, and commands without the machine's folders and hosts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mmeval.reports.build import build_report
from mmeval.reports.format import public_text
from mmeval.reports.names import name_runs
from mmeval.reports.prompts import TEXT_LIMIT, first_prompts
from mmeval.reports.provenance import provenance, public_command
from mmeval.runs.folder import Run, open_run
from mmeval.runs.manifest import JudgeRecord, read_manifest, write_manifest
from tests.analysis.conftest import write_run

MEDIA = {"sha256": "a" * 64, "width": 320, "height": 240, "kind": "image", "format": "png", "frame": None}


def asked(folder: Path, messages: Any, **record: Any) -> Run:
    rows = [{"model": "one", "id": f"q{n}", "right": True, "media": [MEDIA]} for n in range(3)]
    write_run(folder, rows, ("one",), {"q0": {"messages": json.dumps(messages)}}, **record)
    return open_run(folder)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["/home/x/venv/bin/mmeval", "run", "-m", "tiny"], "mmeval run -m tiny"),
        (["/src/mmeval/__main__.py", "run", "-o", "runs/a"], "mmeval run -o runs/a"),
        (["mmeval", "-m", "hf:/home/john doe/secret folder/ckpt 7"], "mmeval -m 'hf:…/ckpt 7'"),
        (["mmeval", "-m", "hf:/a/b/x,vllm:/a/c/y"], "mmeval -m hf:…/x,vllm:…/y"),
        (["mmeval", "--data-dir=/mnt/lab/data/"], "mmeval --data-dir=…/data"),
        (["mmeval", "--engine-arg", "chat_template=~/secret/t.jinja"], "mmeval --engine-arg chat_template=…/t.jinja"),
        (["mmeval", "--data-dir", r"C:\Users\john\data"], "mmeval --data-dir …/data"),
        (["mmeval", "--base-url", "http://me:key@node17.lab:8000/v1"], "mmeval --base-url http://‹host›:8000/v1"),
        (["mmeval", "--base-url", "http://127.0.0.1:8000/v1"], "mmeval --base-url http://127.0.0.1:8000/v1"),
        (["mmeval", "-t", "synthetic/*", "--limit", "10%"], "mmeval -t 'synthetic/*' --limit 10%"),
        (
            ["mmeval", "-m", "openai:gpt-4o", "-t", "mathvista@official"],
            "mmeval -m openai:gpt-4o -t mathvista@official",
        ),
    ],
)
def test_commands_name_neither_folders_nor_hosts(arguments: list[str], shown: str) -> None:
    assert public_command(arguments) == shown


def test_errors_name_no_host() -> None:
    said = (
        "Cannot connect to host node17.lab:8000 ssl:default [Connect call failed ('10.2.0.3', 8000)] in /home/john/x.py"
    )
    assert public_text(said) == (
        "Cannot connect to host ‹host›:8000 ssl:default [Connect call failed ('‹host›', 8000)] in …/x.py"
    )
    assert public_text("torch 2.6.0, cuda 12.4.1.3, 127.0.0.1") == "torch 2.6.0, cuda 12.4.1.3, 127.0.0.1"


def test_the_first_prompt_of_each_task_and_condition_as_sent(tmp_path: Path) -> None:
    messages = [
        {"role": "system", "parts": ["Be brief. <b>"]},
        {"role": "user", "parts": [{"media": 0}, "How many?\nAnswer with a number."]},
    ]
    run = asked(tmp_path / "run", messages)
    (prompt,) = first_prompts(name_runs([run])[0])
    assert (prompt.task, prompt.condition, prompt.models, prompt.sample) == ("quiz", "standard", "", "q0")
    assert [turn.role for turn in prompt.turns] == ["system", "user"]
    assert prompt.turns[1].parts == (("media", "image 1: 320 × 240 png"), ("text", "How many?\nAnswer with a number."))
    build_report([run], tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert "Be brief. &lt;b&gt;" in page
    assert '<span class="placeholder">image 1: 320 × 240 png</span>' in page


def test_long_prompts_say_what_is_left_out_and_missing_ones_that_there_are_none(tmp_path: Path) -> None:
    run = asked(tmp_path / "long", [{"role": "user", "parts": ["x" * (TEXT_LIMIT + 1000)]}])
    (prompt,) = first_prompts(name_runs([run])[0])
    assert "[… 1\u202f000 characters left out …]" in prompt.turns[0].parts[0][1]
    empty = asked(tmp_path / "empty", [])
    assert first_prompts(name_runs([empty])[0]) == []
    build_report([empty], tmp_path / "b.html")
    assert "imported predictions bring no prompts" in (tmp_path / "b.html").read_text()


def test_a_prompt_for_each_way_of_asking(make_run: Any, tmp_path: Path) -> None:
    run = make_run(tmp_path / "own", count=4, box=0, hostile=False, own_prompts=2)
    found = [one for one in first_prompts(name_runs([run])[0]) if one.task == "text/own"]
    assert {one.models for one in found} == {"tiny-late", "tiny-early, chance"}


def test_decoding_judge_and_digests(tmp_path: Path) -> None:
    sampling = {"temperature": 0.0, "top_p": None, "max_tokens": 64, "stop": ["END"]}
    run = asked(tmp_path / "run", [], sampling=sampling)
    judge = JudgeRecord(
        name="grader", spec="vllm:/home/somebody/grader", engine="vllm", engine_version="0.24.0", identity={},
        identity_digest="5" * 64, shared_identity=True, cards={"extract-answer": "6" * 64}, summary={"calls": 3},
    )  # fmt: skip
    write_manifest(run.path, read_manifest(run.path).model_copy(update={"judge": judge}))
    facts = provenance(name_runs([open_run(run.path)])[0])
    (task,) = facts.tasks
    assert task.decoding == [("temperature", "0.0"), ("max tokens", "64"), ("stop", '["END"]'), ("left to the engine", "top p")]  # fmt: skip
    assert [name for name, _ in task.digests] == ["items", "ask", "score"]
    assert facts.judge is not None
    assert facts.judge.spec == "vllm:…/grader"
    assert facts.judge.cards == [("extract-answer", "6" * 64)]
    assert facts.judge.summary == [("calls", "3")]
    build_report([open_run(run.path)], tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert '<caption class="hidden-text">Judge of run</caption>' in page
    assert "somebody" not in page
    assert ("6" * 64) in page


def test_runs_without_recorded_decoding_show_what_the_user_gave(tmp_path: Path) -> None:
    run = asked(tmp_path / "run", [])
    manifest = read_manifest(run.path)
    write_manifest(run.path, manifest.model_copy(update={"config": {"sampling": {"temperature": 0.7}}}))
    (task,) = provenance(name_runs([open_run(run.path)])[0]).tasks
    assert task.decoding == [("temperature", "0.7")]
