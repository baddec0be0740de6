"""Contexts in which any verifier can be tried."""

from __future__ import annotations

from typing import Any

from mmeval.core.types import AnswerContext
from mmeval.verifiers.abilities import abilities_of

FURTHER: tuple[dict[str, Any], ...] = ({"type": "VQA en", "question": "How many?"}, {"question_type": "free_form", "answer_type": "integer"})  # fmt: skip
CHOICES = ((), ("red", "blue", "3", "none"))
SIZE = (100, 80)


def contexts(name: str) -> list[AnswerContext]:
    """Contexts with every value of every option that a verifier takes from a list, each by itself."""
    abilities = abilities_of(name, {})
    rules = abilities.options if abilities is not None else {}
    one_of = [(option, rule.wants.removeprefix("one of ")) for option, rule in rules.items() if rule.wants.startswith("one of ")]  # fmt: skip
    options = [{}, *FURTHER, *({option: value} for option, listed in one_of for value in listed.split(", "))]
    return [AnswerContext(choices, given, SIZE, SIZE) for choices in CHOICES for given in options]
