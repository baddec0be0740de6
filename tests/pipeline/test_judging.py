"""Judges in a run: who is asked, what a verdict becomes, what is kept, and what a judge that fails does to a row."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mmeval.conditions.base import get_condition
from mmeval.core.types import Request, Response, TextPart
from mmeval.engines.base import SAMPLING_FIELDS, EngineInfo
from mmeval.pipeline.asking import Asker, Progress
from mmeval.pipeline.cache import ResponseCache
from mmeval.pipeline.chain import NOT_JUDGED
from mmeval.pipeline.judging import JudgeDesk, JudgeSettings
from mmeval.pipeline.plan import Effort, RunPlan
from mmeval.pipeline.runner import Finished, Judging, ModelRun
from mmeval.pipeline.work import Stage, style_of
from mmeval.tasks.options import DataOptions
from mmeval.tasks.registry import CardFile
from mmeval.tasks.task import Task

TEXT = frozenset({"text"})
JUDGE = EngineInfo("judge", "1", {"weights": "j"}, slots=3)
MODEL = EngineInfo("model", "1", {"weights": "w"}, slots=3)
EXTRACT = {"card": "extract-answer", "when": "no_answer"}
EQUAL = {"card": "equivalence", "when": "not_right"}


class Speaker:
    """An engine that answers from the text that it is sent."""

    supported_sampling = SAMPLING_FIELDS
    modalities = TEXT
    exclusive = False
    forces_schema = True

    def __init__(self, say: Callable[[str, int], Response]) -> None:
        self.say = say
        self.requests: list[Request] = []

    async def describe(self) -> EngineInfo:
        return JUDGE

    async def start(self) -> EngineInfo:
        return JUDGE

    async def generate(self, request: Request) -> Response:
        self.requests.append(request)
        await asyncio.sleep(0)
        text = "".join(part.text for part in request.messages[-1].parts if isinstance(part, TextPart))
        return self.say(text, len(self.requests))

    async def close(self) -> None:
        return None


def answers(*texts: str) -> Callable[[str, int], Response]:
    """The model: sample `Question N` gets the N-th text."""

    def say(text: str, _: int) -> Response:
        found = re.search(r"Question (\d+)", text)
        assert found is not None
        return Response("ok", text=texts[int(found.group(1))], finish_reason="stop")

    return say


def verdict(**keys: Any) -> Callable[[str, int], Response]:
    """A judge that gives these keys with the id of the request."""

    def say(text: str, _: int) -> Response:
        ids = re.findall(r'"id": "(r[0-9a-f]+)"', text)
        body = json.dumps({"id": ids[-1], **keys})
        return Response(
            "ok", text=body, finish_reason="stop", prompt_tokens=100, completion_tokens=7, model="the-judge"
        )

    return say


def run(
    folder: Path,
    judge: Speaker | None,
    texts: list[str],
    steps: list[dict[str, Any]],
    *,
    answer: dict[str, Any] | None = None,
    golds: list[str] | None = None,
    settings: JudgeSettings | None = None,
    judging: Judging = "now",
    model: Speaker | None = None,
) -> tuple[dict[str, Finished], JudgeDesk | None]:
    rows = [
        {"id": str(n), "question": f"Question {n}", "options": ["red", "blue"], "answer": (golds or ["B"] * 99)[n]}
        for n in range(len(texts))
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    raw = {
        "name": "t", "family": "f", "title": "T", "dataset": {"local": {"files": ["*.jsonl"]}},
        "fields": {"id": "id", "choices": "options"}, "answer": answer or {"kind": "choice", "target": "letter"}, "judges": steps,
    }  # fmt: skip
    task = Task.load(CardFile("t", folder / "t.yaml", raw)).open(DataOptions(folder))
    finished: dict[str, Finished] = {}

    def deliver(row: Finished) -> None:
        assert row.unit.sample.id not in finished
        finished[row.unit.sample.id] = row

    desk = None
    with ResponseCache(folder / "cache.sqlite") as cache:
        stage = Stage(
            RunPlan([task], [get_condition("standard")]),
            0,
            MODEL,
            TEXT,
            SAMPLING_FIELDS,
            style_of(MODEL),
            cache,
            None,
            None,
        )
        effort = Effort(concurrency=3, attempts=1)
        if judge is not None:
            asker = Asker(judge, JUDGE.slots, effort, Progress("judge", None))
            desk = JudgeDesk("given-name", judge, JUDGE, asker, cache, None, settings or JudgeSettings())
        asked = model or Speaker(answers(*texts))

        async def go() -> None:
            await ModelRun(asked, stage, effort, Progress("m", len(texts)), deliver, None, judging, desk).run(
                asyncio.Event()
            )

        asyncio.run(go())
    return finished, desk


UNCLEAR = "It looks like the colour of the sea."


def test_only_what_rules_leave_open_goes_to_the_judge(tmp_path: Path) -> None:
    judge = Speaker(verdict(answer="B"))
    found, desk = run(tmp_path, judge, ["B", UNCLEAR, "A"], [EXTRACT])
    assert len(judge.requests) == 1
    by_rule, judged, wrong = (found[name].verdict for name in "012")
    assert (by_rule.correct, by_rule.scores) == (True, {"rule_correct": 1.0, "judged": 0.0})
    assert (judged.outcome, judged.correct, judged.extracted) == ("scored", True, "B")
    assert judged.scores == {"rule_correct": 0.0, "judged": 1.0}
    assert (judged.judge_model, judged.judge_verdict) == ("the-judge", "B")
    assert judged.verifier.startswith("judge:extract-answer/1+choice/")
    assert (wrong.correct, wrong.judge_model) == (False, None)
    assert desk is not None
    assert (desk.tally.rows, desk.tally.calls, desk.tally.prompt_tokens) == (1, 1, 100)
    assert [call.card for call in found["1"].calls] == ["extract-answer"]
    assert found["0"].calls == ()


def test_a_second_step_sees_what_the_first_left(tmp_path: Path) -> None:
    def say(text: str, number: int) -> Response:
        if "equivalent" in text:
            return verdict(reason="the same", equivalent=True)(text, number)
        return verdict(answer=None)(text, number)

    found, _ = run(tmp_path, Speaker(say), [UNCLEAR, "A"], [EXTRACT, EQUAL])
    assert [call.card for call in found["0"].calls] == ["extract-answer", "equivalence"]
    assert (found["0"].verdict.correct, found["0"].verdict.judge_reason) == (True, "the same")
    assert [call.card for call in found["1"].calls] == ["equivalence"]


def test_where_the_first_extracts_nothing_the_second_has_nothing_to_compare(tmp_path: Path) -> None:
    """MathVerse's two steps; without an extraction the row keeps no answer and is not lost as unscored."""
    judge = Speaker(verdict(answer=None))
    steps = [{"card": "mathverse-extract", "when": "always"}, {"card": "mathverse-score", "when": "always"}]
    found, _ = run(
        tmp_path, judge, [UNCLEAR], steps, answer={"kind": "choice", "target": "letter", "reads": "extraction"}
    )
    assert len(judge.requests) == 1
    assert (found["0"].verdict.outcome, found["0"].verdict.score) == ("no_answer", 0.0)


def test_what_a_comparison_leaves_undecided_is_open_too(tmp_path: Path) -> None:
    """VLMEvalKit's rules for open questions: the text is the answer, and only the gold tells whether it is one."""
    exact = {"kind": "text", "verifier": "vlmevalkit-mathverse"}
    judge = Speaker(verdict(answer="B"))
    found, _ = run(tmp_path, judge, ["B", "So it is B"], [EXTRACT], answer=exact)
    assert len(judge.requests) == 1
    assert (found["1"].verdict.correct, found["1"].verdict.scores) == (True, {"rule_correct": 0.0, "judged": 1.0})
    other = Speaker(verdict(answer="A"))
    (tmp_path / "2").mkdir()
    found, _ = run(tmp_path / "2", other, ["So it is A"], [EXTRACT], answer=exact)
    assert (found["0"].verdict.correct, "undecided" in found["0"].verdict.scores) == (False, False)
    (tmp_path / "3").mkdir()
    found, _ = run(tmp_path / "3", None, ["So it is B"], [EXTRACT], answer=exact)
    assert (found["0"].verdict.correct, found["0"].verdict.scores["undecided"]) == (False, 1.0)


def test_extraction_judges_never_see_the_gold(tmp_path: Path) -> None:
    judge = Speaker(verdict(answer="A"))
    run(tmp_path, judge, [UNCLEAR], [EXTRACT], golds=["B"])
    sent = " ".join(part.text for m in judge.requests[0].messages for part in m.parts if isinstance(part, TextPart))
    assert "TARGET" not in sent
    assert "(B) blue" in sent


@pytest.mark.parametrize(
    "reply",
    [
        "B",
        "",
        "The answer is B",
        '{"id": "wrong", "answer": "B"}',
        '{"answer": "B"}',
        '{"answer": "B"}{"answer": "A"}',
        "not correct",
    ],
)
def test_no_verdict_is_unscored_never_right_never_wrong_and_never_kept(tmp_path: Path, reply: str) -> None:
    bad = Speaker(lambda text, number: Response("ok", text=reply, finish_reason="stop"))
    found, desk = run(tmp_path, bad, [UNCLEAR], [EXTRACT])
    first = found["0"].verdict
    assert (first.outcome, first.score, first.correct) == ("unscored", None, None)
    assert first.reason.startswith("judge extract-answer: ")
    assert len(bad.requests) == 2  # one repair request
    assert desk is not None
    assert desk.tally.faults.total() == 1
    good = Speaker(verdict(answer="B"))
    again, _ = run(tmp_path, good, [UNCLEAR], [EXTRACT])
    assert again["0"].verdict.correct is True
    third = Speaker(verdict(answer="A"))
    kept, _ = run(tmp_path, third, [UNCLEAR], [EXTRACT])
    assert (kept["0"].verdict.correct, third.requests) == (True, [])


def test_a_judge_that_is_down_leaves_rows_unscored(tmp_path: Path) -> None:
    down = Speaker(lambda text, number: Response("error", error="connection refused", retryable=True))
    found, _ = run(tmp_path, down, ["B", UNCLEAR], [EXTRACT])
    assert found["0"].verdict.correct is True
    assert found["1"].verdict.outcome == "unscored"
    assert "connection refused" in found["1"].verdict.reason
    assert found["1"].response.text == UNCLEAR  # the model's answer is committed all the same
    up = Speaker(verdict(answer="B"))
    model = Speaker(answers("B", UNCLEAR))
    again, _ = run(tmp_path, up, ["B", UNCLEAR], [EXTRACT], model=model)
    assert model.requests == []
    assert again["1"].verdict.correct is True


@pytest.mark.parametrize(
    ("response", "outcome", "reason"),
    [
        (Response("error", error="500"), "error", "500"),
        (Response("refused", error="policy"), "no_answer", "refusal"),
        (Response("too_long", error="context"), "unsupported", "context"),
        (Response("ok", text="<think>It is B, because", finish_reason="length"), "no_answer", "truncated"),
        (Response("ok", text="<think>It is B, because", finish_reason="stop"), "no_answer", "unfinished reasoning"),
        (Response("ok", text="  ", finish_reason="stop"), "no_answer", "empty"),
    ],
)
@pytest.mark.parametrize("reads", ["response", "extraction"])
def test_what_holds_no_answer_is_not_judged(
    tmp_path: Path, response: Response, outcome: str, reason: str, reads: str
) -> None:
    judge = Speaker(verdict(answer="B"))
    steps = [{**EXTRACT, "when": "always"}]
    answer = {"kind": "choice", "target": "letter", "reads": reads}
    model = Speaker(lambda text, number: response)
    found, _ = run(tmp_path, judge, ["x"], steps, answer=answer, model=model)
    assert judge.requests == []
    assert (found["0"].verdict.outcome, found["0"].verdict.reason) == (outcome, reason)


def test_a_verifier_that_reads_extractions_waits_for_the_judge(tmp_path: Path) -> None:
    answer = {"kind": "choice", "target": "letter", "reads": "extraction"}
    steps = [{**EXTRACT, "when": "always"}]
    found, _ = run(tmp_path, Speaker(verdict(answer="blue")), ["<think>A?</think>It is B"], steps, answer=answer)
    assert found["0"].verdict.correct is True
    assert found["0"].verdict.scores == {"judged": 1.0}
    without, _ = run(tmp_path, None, ["It is B"], steps, answer=answer)
    assert (without["0"].verdict.outcome, without["0"].verdict.reason) == ("unscored", NOT_JUDGED)


def test_in_a_second_phase_the_rest_is_judged_from_the_cache(tmp_path: Path) -> None:
    judge = Speaker(verdict(answer="B"))
    texts = ["B", UNCLEAR, UNCLEAR + " Really."]
    first, _ = run(tmp_path, judge, texts, [EXTRACT], judging="later")
    assert (sorted(first), judge.requests) == (["0"], [])
    model = Speaker(answers(*texts))
    second, _ = run(tmp_path, judge, texts, [EXTRACT], judging="only", model=model)
    assert sorted(second) == ["1", "2"]
    assert model.requests == []
    assert all(row.verdict.correct for row in second.values())


def test_repeats_have_seeds_of_their_own_and_the_majority_counts(tmp_path: Path) -> None:
    said = iter([True, False, True])

    def say(text: str, number: int) -> Response:
        return verdict(reason="r", equivalent=next(said))(text, number)

    judge = Speaker(say)
    found, desk = run(
        tmp_path, judge, [UNCLEAR], [{"card": "equivalence", "when": "always"}], settings=JudgeSettings(repeats=3)
    )
    assert len({request.sampling.seed for request in judge.requests}) == 3
    assert found["0"].verdict.correct is True
    assert found["0"].verdict.scores["judge_agreement"] == pytest.approx(2 / 3)
    assert desk is not None
    assert desk.tally.summary()["agreement"] == pytest.approx(2 / 3)


def test_a_swapped_request_shows_the_two_answers_the_other_way_round(tmp_path: Path) -> None:
    judge = Speaker(verdict(reason="r", equivalent=True))
    run(tmp_path, judge, [UNCLEAR], [{"card": "equivalence", "when": "always"}], settings=JudgeSettings(swap=True))
    orders = []
    for request in judge.requests:
        text = "".join(part.text for part in request.messages[-1].parts if isinstance(part, TextPart))
        orders.append(text.index("<<<TARGET") < text.index("<<<RESPONSE"))
    assert sorted(orders) == [False, True]


def test_an_endpoint_without_schemas_is_asked_without(tmp_path: Path) -> None:
    def say(text: str, number: int) -> Response:
        if judge.requests[-1].schema is not None:
            return Response("error", error="400: response_format is not supported by this model")
        return verdict(answer="B")(text, number)

    judge = Speaker(say)
    found, desk = run(tmp_path, judge, [UNCLEAR, UNCLEAR + "!"], [EXTRACT])
    assert all(row.verdict.correct for row in found.values())
    assert desk is not None
    assert any("cannot force a JSON schema" in notice for notice in desk.progress.notices)
