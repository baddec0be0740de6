"""Engines that answer from data: replay, chance, fake."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import EngineError
from mmeval.core.types import AnswerContext, Message, Request, Response, Sample, Sampling, TextPart
from mmeval.engines.chance import ChanceEngine, answer_form, most_frequent
from mmeval.engines.fake import FakeEngine
from mmeval.engines.registry import create_engine, parse_model
from mmeval.engines.replay import ReplayEngine
from mmeval.tasks.prompts import INSTRUCTIONS, instruction_for
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from tests.engines.conftest import make_request, picture, still


def asked(engine: Any, *requests: Request) -> list[Response]:
    async def go() -> list[Response]:
        await engine.start()
        answers = [await engine.generate(request) for request in requests]
        await engine.close()
        return answers

    return asyncio.run(go())


def sample_request(identifier: str = "s1", text: str = "?", repeat: int = 0, **context: Any) -> Request:
    messages = (Message("user", (TextPart(text),)),)
    sample = Sample(identifier, "task", messages, None, context=AnswerContext(**context))
    return Request(identifier, messages, (), Sampling(), repeat=repeat, sample=sample)


class TestReplay:
    def write(self, path: Path, content: Any) -> ReplayEngine:
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return ReplayEngine(parse_model(f"replay:{path}"))

    @pytest.mark.parametrize(
        "content",
        [
            '{"id": "s1", "response": "A"}\n\n{"id": "s2", "response": "B"}\n',
            [{"id": "s1", "response": "A"}, {"sample_id": "s2", "prediction": "B"}],
            {"s1": "A", "s2": {"response": "B"}},
            '\ufeff{"id": "s1", "response": "A"}\n{"id": "s2", "response": "B"}',
        ],
    )
    def test_forms_of_files(self, content: Any, tmp_path: Path) -> None:
        engine = self.write(tmp_path / "p.json", content)
        answers = asked(engine, sample_request("s1"), sample_request("s2"), sample_request("s3"))
        assert [a.text for a in answers] == ["A", "B", None]
        assert answers[2].status == "error"
        assert "'s3'" in (answers[2].error or "")

    def test_one_line_is_one_prediction(self, tmp_path: Path) -> None:
        assert asked(self.write(tmp_path / "p.jsonl", '{"id": 7, "answer": 3.5}'), sample_request("7"))[0].text == "3.5"

    def test_repeats_tasks_and_details(self, tmp_path: Path) -> None:
        rows = [
            {"id": "s1", "repeat": 0, "response": "first", "finish_reason": "length", "completion_tokens": 9},
            {"id": "s1", "repeat": 1, "response": "second", "reasoning": "hm"},
            {"id": "s1", "task": "other", "response": "not this one"},
            {"id": "s2", "task": "task", "response": "this one"},
            {"id": "s3", "status": "too_long"},
            {"id": "s4", "response": None},
        ]
        engine = self.write(tmp_path / "p.jsonl", "\n".join(json.dumps(row) for row in rows))
        first, second, third, named, long, null = asked(
            engine,
            sample_request("s1"),
            sample_request("s1", repeat=1),
            sample_request("s1", repeat=2),
            sample_request("s2"),
            sample_request("s3"),
            sample_request("s4"),
        )
        assert (first.text, first.finish_reason, first.completion_tokens) == ("first", "length", 9)
        assert (second.text, second.reasoning) == ("second", "hm")
        assert "repeat 2" in (third.error or "")
        assert (named.text, long.status, null.status) == ("this one", "too_long", "error")

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ('{"id": "a", "response": "x"}\n{broken', "line 2: no JSON"),
            ('{"response": "x"}\n{"response": "y"}', "line 1: no id"),
            ('{"id": "a"}\n{"id": "b"}', "line 1: no answer"),
            ('{"id": "a", "response": "x"}\n{"id": "a", "response": "y"}', "line 2: sample 'a'.*two answers"),
            ('{"id": "a", "response": ["x"]}\n{"id": "b", "response": "x"}', "line 1: response is a JSON list"),
            ('{"id": "a", "status": "fine"}\n{}', "status 'fine'"),
            ('{"id": "a", "repeat": -1, "response": ""}\n{}', "repeat is -1"),
            ("[1]", "entry 1: a JSON int"),
            ('{"response": "x"}', "line 1: no id"),
            ("", "holds no predictions"),
        ],
    )
    def test_mistakes_name_the_place(self, content: str, message: str, tmp_path: Path) -> None:
        engine = self.write(tmp_path / "p.jsonl", content)
        with pytest.raises(EngineError, match=message):
            asyncio.run(engine.describe())

    def test_columns_of_other_names(self, tmp_path: Path) -> None:
        path = tmp_path / "p.jsonl"
        path.write_text('{"qid": "s1", "out": "A"}')
        engine = create_engine(parse_model(f"replay:{path}", engine_args={"id_key": "qid", "text_key": "out"}))
        assert asked(engine, sample_request("s1"))[0].text == "A"

    def test_identity_follows_the_content_not_the_path(self, tmp_path: Path) -> None:
        one = asyncio.run(self.write(tmp_path / "a.jsonl", '{"id": "s", "response": "A"}').describe())
        two = asyncio.run(self.write(tmp_path / "b.jsonl", '{"id": "s", "response": "A"}').describe())
        three = asyncio.run(self.write(tmp_path / "a.jsonl", '{"id": "s", "response": "B"}').describe())
        assert one.identity == two.identity != three.identity

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(EngineError, match="cannot be read"):
            asyncio.run(ReplayEngine(parse_model(f"replay:{tmp_path / 'none.jsonl'}")).describe())


class TestChance:
    def engine(self, word: str = "chance") -> ChanceEngine:
        return ChanceEngine(parse_model(word))

    @pytest.mark.parametrize("kind", sorted(INSTRUCTIONS))
    def test_knows_the_default_instructions(self, kind: str) -> None:
        text = "What is it?\n" + instruction_for(kind, {"low": 1, "high": 5}, "thousand", "xy")
        context = {"choices": ("a", "b")} if kind == "choice" else {}
        # Masks and heat maps are asked for as boxes and points; what is drawn for a box in space or an open number is no answer.
        drawn = {"mask": "boxes", "heatmap": "point", "box3d": "box", "open": "number"}
        assert answer_form(sample_request(text=text, **context)) == drawn.get(kind, kind)

    def test_choices_are_drawn_evenly_and_the_same_every_time(self) -> None:
        requests = [sample_request(f"s{n}", choices=("w", "x", "y", "z")) for n in range(800)]
        answers = [a.text for a in asked(self.engine(), *requests)]
        assert answers == [a.text for a in asked(self.engine(), *reversed(requests))][::-1]
        counts = Counter(answers)
        assert set(counts) == set("ABCD")
        assert all(150 < count < 250 for count in counts.values())

    def test_repeats_are_drawn_anew(self) -> None:
        requests = [sample_request(repeat=n, choices=("w", "x", "y", "z")) for n in range(30)]
        assert len({a.text for a in asked(self.engine(), *requests)}) > 1

    def test_numbers_ratings_and_yes_no(self) -> None:
        numbers = asked(self.engine(), *(sample_request(f"n{n}", options={"range": [2, 4]}) for n in range(60)))
        assert {a.text for a in numbers} == {"2", "3", "4"}
        ratings = asked(self.engine(), *(sample_request(f"r{n}", options={"low": 1, "high": 5}) for n in range(100)))
        assert {a.text for a in ratings} == set("12345")
        answers = asked(self.engine(), *(sample_request(f"y{n}", text="Answer yes or no.") for n in range(40)))
        assert {a.text for a in answers} == {"yes", "no"}
        shares = asked(self.engine(), sample_request(options={"range": [0.0, 1.0]}))
        assert 0 <= float(shares[0].text or "") <= 1

    @pytest.mark.parametrize(
        ("kind", "context", "expected"),
        [
            ("box", {"coordinates": "thousand"}, "[250, 250, 750, 750]"),
            ("box", {"coordinates": "pixels", "sent_size": (200, 100)}, "[50, 25, 150, 75]"),
            ("box", {"coordinates": "pixels", "sent_size": (200, 100), "coordinate_order": "yx"}, "[25, 50, 75, 150]"),
            ("point", {"coordinates": "unit"}, "[0.5, 0.5]"),
            ("boxes", {"coordinates": "thousand"}, "[[250, 250, 750, 750]]"),
        ],
    )
    def test_regions_are_central(self, kind: str, context: dict[str, Any], expected: str) -> None:
        text = instruction_for(kind, {}, context["coordinates"], context.get("coordinate_order", "xy"))
        assert asked(self.engine(), sample_request(text=text, **context))[0].text == expected

    def test_open_text_has_nothing_to_draw_from(self) -> None:
        assert asked(self.engine(), sample_request(text="Describe the image."))[0].text == ""

    @pytest.mark.parametrize(
        ("task", "options", "drawn"),
        [
            ("vl-rewardbench", {}, {"A", "B"}),
            ("vl-rewardbench@votes-10", {}, {"A", "B"}),
            ("mm-rlhf-rewardbench", {}, {"A", "B"}),
            ("videorewardbench", {}, {"A", "B"}),
            ("image-pair-judging@alignment", {}, {"A", "B"}),
            ("multimodal-rewardbench", {}, {"A", "B"}),
            ("quality-pairs", {}, {"A", "B", "similar"}),
            ("visual-process-bench", {"steps": 1}, {"+", "-"}),
        ],
    )
    def test_verdicts_are_drawn_in_the_form_that_cards_ask_for(self, task: str, options: Any, drawn: set[str]) -> None:
        card = Task.load(*Registry().resolve([task])[0])
        options = {**dict(card.card.answer.options), **options, "answer_kind": card.card.answer.kind}
        # What is judged may ask for something else itself.
        text = f"[Question]\nAnswer yes or no.\n{card.card.prompt.template}{card.card.prompt.instruction}"
        verifier = card.verifier
        answers = asked(self.engine(), *(sample_request(f"v{n}", text=text, options=options) for n in range(40)))
        read = [verifier.parse(one.text or "", AnswerContext(options=options)).value for one in answers]
        assert {value[0] if isinstance(value, list) else value for value in read} == drawn

    def test_the_target_is_never_looked_at(self) -> None:
        request = sample_request(choices=("w", "x", "y", "z"))
        assert request.sample is not None
        other = replace(request, sample=replace(request.sample, target="C"))
        assert asked(self.engine(), request)[0].text == asked(self.engine(), other)[0].text

    def test_most_frequent(self) -> None:
        engine = self.engine("chance:most-frequent")
        assert engine.needs_targets
        engine.prime({"task": ["B", "A", "B"], "boxes": [[1, 2, 3, 4]]})
        assert asked(engine, sample_request(), sample_request("s2"))[1].text == "B"
        identity = asyncio.run(engine.describe()).identity
        engine.prime({"task": ["A"]})
        assert asyncio.run(engine.describe()).identity != identity

    def test_most_frequent_without_targets_is_an_error_row(self) -> None:
        answer = asked(self.engine("chance:most-frequent"), sample_request())[0]
        assert (answer.status, answer.text) == ("error", None)

    def test_ties_and_types(self) -> None:
        assert most_frequent(["C", "B", "C", "B"]) == "B"
        assert most_frequent([3, 3.0, 4]) == "3"
        assert most_frequent([[1, 2], {"box": []}]) is None


class TestFake:
    def engine(self, **arguments: Any) -> FakeEngine:
        return FakeEngine(parse_model("fake", engine_args=arguments))

    def test_answers_depend_on_everything_that_is_asked(self) -> None:
        base = sample_request(choices=tuple("abcdefghijklmnopqrstuvwxyz"))
        variants = [
            base,
            replace(base, sampling=Sampling(seed=1)),
            replace(base, sampling=Sampling(temperature=1.0)),
            replace(base, repeat=1),
            replace(base, media=(still(picture("red")),)),
            replace(base, media=(still(picture("blue")),)),
            replace(base, schema={"type": "object"}),
        ]
        first = [a.text for a in asked(self.engine(), *variants)]
        assert first == [a.text for a in asked(self.engine(), *variants)]
        assert len(set(first)) >= 5
        assert asked(self.engine(), replace(base, id="another"))[0].text == first[0]

    def test_failures_hit_the_declared_share_and_always_the_same(self) -> None:
        requests = [sample_request(f"s{n}", text=str(n)) for n in range(1000)]
        answers = asked(self.engine(failure_share=0.05), *requests)
        failed = [n for n, a in enumerate(answers) if a.status == "error"]
        assert 25 <= len(failed) <= 80
        assert all(answers[n].retryable for n in failed)
        again = asked(self.engine(failure_share="0.05"), *requests)
        assert failed == [n for n, a in enumerate(again) if a.status == "error"]
        other = asked(self.engine(failure_share=0.05, failure_seed=1), *requests)
        assert failed != [n for n, a in enumerate(other) if a.status == "error"]

    def test_failures_that_pass(self) -> None:
        request = sample_request()
        answers = asked(self.engine(failure_share=1, failure_times=2), request, request, request)
        assert [a.status for a in answers] == ["error", "error", "ok"]

    @pytest.mark.parametrize("status", ["timeout", "too_long", "refused"])
    def test_kinds_of_failure(self, status: str) -> None:
        answer = asked(self.engine(failure_share=1.0, failure_status=status), sample_request())[0]
        assert (answer.status, answer.text, answer.retryable) == (status, None, status == "timeout")

    def test_faults_and_latency_are_no_part_of_the_identity(self) -> None:
        plain = asyncio.run(self.engine().describe())
        faulty = asyncio.run(self.engine(failure_share=0.5, latency_s=0.1, crash_after=3).describe())
        assert plain.identity == faulty.identity != asyncio.run(self.engine(answer="B").describe()).identity

    def test_a_fixed_answer(self) -> None:
        assert {a.text for a in asked(self.engine(answer="B"), make_request(), sample_request())} == {"B"}

    @pytest.mark.parametrize(
        "arguments", [{"failure_share": 2}, {"failure_status": "sad"}, {"latency": 1}, {"crash_after": -1}]
    )
    def test_wrong_arguments(self, arguments: dict[str, Any]) -> None:
        with pytest.raises(EngineError, match=next(iter(arguments))):
            self.engine(**arguments)

    def test_crash_after_ends_the_process(self) -> None:
        code = (
            "import asyncio\n"
            "from tests.engines.test_data_engines import *\n"
            "engine = FakeEngine(parse_model('fake', engine_args={'crash_after': 2}))\n"
            "print(asked(engine, sample_request(), sample_request())[1].status, flush=True)\n"
            "asked(engine, sample_request())\n"
            "print('alive')\n"
        )
        root = Path(__file__).resolve().parents[2]
        ended = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, cwd=root, timeout=60, check=False
        )
        assert (ended.returncode, ended.stdout.split()) == (-9, ["ok"])
