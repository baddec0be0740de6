"""Verifiers that choose: scripted models and verifiers of which the best answer is known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from mmeval.conditions.selection import GuidedGreedy, Rated, RefinedBestOfN
from mmeval.conditions.strategy import Answered
from mmeval.core.types import Message, PreparedMedia, Response, Sample, TextPart
from mmeval.tasks.card import Card
from mmeval.tasks.check import problems
from mmeval.tasks.looking import Reward, StrategySection

SAMPLE = Sample("s", "t", (Message("user", (TextPart("What is 2 + 3?"),)),), None, item={"question": "What is 2 + 3?"})


def text_of(message: Message) -> str:
    return "".join(part.text for part in message.parts if isinstance(part, TextPart))


class Scripted:
    """A session: the model answers by what it is shown last, the verifier by what it is to rate."""

    def __init__(
        self, model: Callable[[list[str], int], str | Response], verifier: Callable[[str], str | Response]
    ) -> None:
        self.model, self.verifier = model, verifier
        self.asked: list[tuple[str, list[str]]] = []
        self.rated: list[str] = []

    async def __call__(self, messages: tuple[Message, ...], media: tuple[PreparedMedia, ...], role: str, /) -> Response:
        return self._model(messages, role, 0)

    async def draw(
        self, messages: tuple[Message, ...], media: tuple[PreparedMedia, ...], role: str, number: int, /
    ) -> Response:
        return self._model(messages, role, number)

    def _model(self, messages: tuple[Message, ...], role: str, number: int) -> Response:
        texts = [text_of(message) for message in messages]
        self.asked.append((role, texts))
        said = self.model(texts, number)
        return said if isinstance(said, Response) else Response("ok", said, finish_reason="stop", completion_tokens=2)

    async def verify(
        self, messages: tuple[Message, ...], media: tuple[PreparedMedia, ...], accepts: Any, /
    ) -> Response:
        shown = text_of(messages[-1])
        self.rated.append(shown)
        said = self.verifier(shown)
        return said if isinstance(said, Response) else Response("ok", said, finish_reason="stop")

    async def view(self, *_: Any) -> Any:
        raise AssertionError

    async def search(self, *_: Any) -> Any:
        raise AssertionError

    def note(self, *_: Any) -> None:
        raise AssertionError


def section(name: str, **more: Any) -> StrategySection:
    reward = {key: more.pop(key) for key in ("method", "steps", "by") if key in more}
    return StrategySection.model_validate({"name": name, "reward": reward, **more})


def run(strategy: Any, session: Scripted) -> Answered:
    found = asyncio.run(strategy.answer(SAMPLE, (), session))
    assert isinstance(found, Answered)
    return found


def test_an_answer_is_rated_whole() -> None:
    session = Scripted(lambda *_: "So 5.", lambda text: str(float(len(text))))
    found = run(Rated(section("rated")), session)
    assert (found.response.text, dict(found.trail.rewards), session.rated) == ("So 5.", {"reward": 5.0}, ["So 5."])


def test_steps_are_rated_with_those_before_them() -> None:
    values = iter(["0.5", "0.25", "1.0"])
    session = Scripted(lambda *_: "Step 1: a\nStep 2: b\nStep 3: c", lambda _: next(values))
    found = run(Rated(section("rated", steps=True, by="min")), session)
    assert session.rated == ["Step 1: a\n", "Step 1: a\nStep 2: b\n", "Step 1: a\nStep 2: b\nStep 3: c"]
    assert dict(found.trail.rewards) == {
        "reward": 0.25, "reward_min": 0.25, "reward_last": 1.0, "reward_mean": pytest.approx(1.75 / 3),
        "reward_product": 0.125, "reward_max": 1.0, "reward_steps": 3.0,
    }  # fmt: skip


@pytest.mark.parametrize("status", ["error", "timeout", "unsupported", "refused"])
@pytest.mark.parametrize("name", ["rated", "guided-greedy"])
def test_a_verifier_that_fails_is_never_the_worst_score(name: str, status: Any) -> None:
    session = Scripted(lambda *_: "So \\boxed{5}", lambda _: Response(status, error="down"))
    strategy = Rated(section("rated")) if name == "rated" else GuidedGreedy(section("guided-greedy"))
    found = run(strategy, session)
    assert found.response.status == ("error" if status == "refused" else status)
    assert "down" in str(found.response.error)
    assert not found.trail.rewards


@pytest.mark.parametrize("said", [Response("refused"), " \n"])
def test_a_refusal_and_silence_are_not_rated(said: str | Response) -> None:
    session = Scripted(lambda *_: said, lambda _: "1.0")
    found = run(Rated(section("rated")), session)
    assert (found.response.status, session.rated) == (said.status if isinstance(said, Response) else "ok", [])


class TestGuidedGreedy:
    """The right path is 'read', 'add', 'answer 5'; every step has candidates, of which the verifier knows the good one."""

    GOOD = ("I read 2 and 3.", "2 + 3 = 5.", "The answer is \\boxed{5}.")

    def session(self) -> Scripted:
        def model(texts: list[str], number: int) -> str:
            done = texts[1].count("\n\n") + 1 if len(texts) > 1 else 0
            return self.GOOD[done] if number % 3 == 1 else f"Nonsense {number}."

        return Scripted(model, lambda text: "0.1" if "Nonsense" in text else "0.9")

    def test_the_best_candidate_of_each_step_is_kept(self) -> None:
        session = self.session()
        found = run(GuidedGreedy(section("guided-greedy", candidates=3)), session)
        assert (found.response.text, found.response.finish_reason) == ("\n\n".join(self.GOOD), "stop")
        assert (found.trail.turns, dict(found.trail.rewards)) == (3, {"reward": 0.9})
        assert found.response.completion_tokens == 18

    def test_it_is_cut_off_after_its_turns(self) -> None:
        found = run(GuidedGreedy(section("guided-greedy", candidates=3, turns=2)), self.session())
        assert (found.response.text, found.response.finish_reason) == ("\n\n".join(self.GOOD[:2]), "length")

    def test_of_equal_candidates_the_first_is_kept(self) -> None:
        session = Scripted(lambda _, number: f"The answer is {number}.", lambda _: "0.5")
        found = run(GuidedGreedy(section("guided-greedy", candidates=3)), session)
        assert found.response.text == "The answer is 0."

    def test_a_candidate_that_fails_fails_the_row(self) -> None:
        session = Scripted(
            lambda _, number: Response("error", error="gone") if number == 2 else "Step", lambda _: "0.5"
        )
        found = run(GuidedGreedy(section("guided-greedy", candidates=3)), session)
        assert found.response.error == "gone"


def verdicts(*right: bool, correction: str = "") -> str:
    entries: list[dict[str, Any]] = [{"step": n, "visual_ok": ok, "logic_ok": True} for n, ok in enumerate(right, 1)]
    if correction:
        entries[right.index(False)]["correction"] = correction
    return f"```json\n{json.dumps(entries)}\n```"


class TestRefined:
    WRONG = "I read 2 and 3.\n\n2 + 3 = 6.\n\nSo \\boxed{6}."

    def session(self, correction: str = "2 + 3 = 5.", again: str | None = None) -> Scripted:
        def model(texts: list[str], number: int) -> str:
            return self.WRONG if len(texts) == 1 else "So \\boxed{5}."

        def critic(text: str) -> str:
            if "= 6." in text:
                return verdicts(True, False, False, correction=correction)
            return again or verdicts(True, True, True)

        return Scripted(model, critic)

    def test_the_first_wrong_step_is_replaced_and_the_model_goes_on(self) -> None:
        session = self.session()
        found = run(RefinedBestOfN(section("refined-best-of-n", method="critique")), session)
        assert found.response.text == "I read 2 and 3.\n\n2 + 3 = 5.\n\nSo \\boxed{5}."
        assert session.asked[1][1][1] == "I read 2 and 3.\n\n2 + 3 = 5.\n\n"
        rewards = dict(found.trail.rewards)
        assert (rewards["refined"], rewards["reward_first"], rewards["reward"]) == (1.0, pytest.approx(1 / 3), 1.0)

    def test_a_worse_refinement_is_not_taken(self) -> None:
        session = self.session(again=verdicts(False, False, False))
        found = run(RefinedBestOfN(section("refined-best-of-n", method="critique")), session)
        assert found.response.text == self.WRONG
        assert found.trail.rewards["reward"] == pytest.approx(1 / 3)

    def test_without_a_correction_the_answer_stays(self) -> None:
        session = self.session(correction="")
        found = run(RefinedBestOfN(section("refined-best-of-n", method="critique")), session)
        assert (found.response.text, found.trail.rewards["refined"], len(session.asked)) == (self.WRONG, 0.0, 1)

    def test_a_critique_that_cannot_be_read_is_an_error(self) -> None:
        session = Scripted(lambda *_: self.WRONG, lambda _: "Looks fine to me.")
        found = run(RefinedBestOfN(section("refined-best-of-n", method="critique")), session)
        assert found.response.status == "error"
        assert not found.trail.rewards


def test_greedy_candidates_are_refused() -> None:
    raw = {
        "name": "x", "family": "custom", "title": "x", "dataset": {"local": {"files": ["x.jsonl"]}}, "answer": {"kind": "number"},
        "strategy": {"name": "guided-greedy", "reward": {}},
    }  # fmt: skip
    assert any("alike" in line for line in problems(Card.model_validate(raw)))
    assert not problems(Card.model_validate({**raw, "decoding": {"temperature": 0.7}}))


@pytest.mark.parametrize(
    "raw",
    [
        {"name": "rated"},
        {"name": "visual-cot", "reward": {}},
        {"name": "refined-best-of-n", "reward": {"method": "score"}},
        {"name": "rated", "reward": {"by": "median"}},
    ],
)
def test_sections_that_make_no_sense(raw: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        StrategySection.model_validate(raw)


def test_only_what_is_asked_is_in_the_ask_digest() -> None:
    assert "reward" not in StrategySection(name="visual-cot").asked()
    assert "reward" in StrategySection(name="rated", reward=Reward()).asked()
