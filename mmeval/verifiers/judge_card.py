"""A judge card: a judge's prompt, the JSON schema of its reply, and its calibration."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from mmeval.core.errors import UsageError
from mmeval.core.hashing import digest
from mmeval.core.templates import compile_template, undeclared
from mmeval.core.types import Sampling
from mmeval.verifiers.judge_schema import schema_mistakes

JudgeKind = Literal["extraction", "equivalence", "grade", "steps", "label", "preference"]

VALUE_KEYS: dict[JudgeKind, str] = {
    "extraction": "answer",
    "equivalence": "equivalent",
    "grade": "grade",
    "steps": "steps",
    "label": "label",
    "preference": "preference",
}
"""The key of the reply that holds what the judge found, by kind."""
PREFERENCES = ("A", "B", "tie")
OTHER = "other"
"""The field with the second answer of a pair."""

COMMON_NAMES = frozenset({"question", "choices", "response", "target", "extraction"})
PAIR_NAMES = frozenset({"first", "second"})
CONSTANT_NAMES = frozenset({"labels", "low", "high", "swapped"})
HIDDEN_FROM_EXTRACTION = frozenset({"target", "extraction"})
_GOLD_WORDS = ("answer", "correct", "gold", "ground", "label", "reference", "solution", "target", "truth")
"""A field of an extraction card whose name holds one of these is taken for the gold answer, and refused."""
_NO_GOLD = frozenset({"answer_type", "answer_kind", "answer_format"})

NOT_IDENTITY = frozenset({"name", "title", "version", "notes", "calibration"})
"""Keys of a card that cannot change a verdict; every other key is part of the digest."""
RULES_VERSION = 1
"""Raised whenever the way in which data are marked, replies are read or repair is asked for changes a verdict."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid")


class JudgeDecoding(_Section):
    """Decoding of the judge; everything else is left to the engine."""

    temperature: float = Field(default=0.0, ge=0, le=100)
    max_tokens: int = Field(default=512, ge=16, le=1_000_000)


class StepScore(_Section):
    """How judged steps become a number: the share of steps whose `key` is true, and the final answer by its weight."""

    key: str
    """Boolean key of every step."""
    final_key: str | None = None
    """Boolean key that marks the one step, the last, that is the final answer."""
    final_weight: float = Field(default=0.0, ge=0, le=1)
    """Weight of the final answer; the other steps together have the rest. Without other steps the final answer counts alone."""


class ExampleInput(_Section):
    """The row of an example, as `JudgeInput` has it."""

    question: str = ""
    choices: list[str] = Field(default_factory=list)
    response: str = ""
    target: Any = None
    extraction: str | None = None
    fields: dict[str, Any] = Field(default_factory=dict)


class JudgeExample(_Section):
    """A worked example, shown to the judge as a turn unless the card shows images."""

    given: ExampleInput
    reply: dict[str, Any]
    """Without its `id`."""


class JudgeCard(_Section):
    """One judge."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]*$")
    title: str
    version: str
    """For people; what can change a verdict is in the digest."""
    notes: str = ""
    """Where the format comes from, and what is unverified."""
    kind: JudgeKind
    system: str
    """Jinja2; may use `labels`, `low`, `high`. The rules on data and on the reply are added to it."""
    prompt: str
    """Jinja2; may use `question`, `choices`, `response` (of a pair: `first`, `second`), `target`, `extraction`, the card's fields.

    Every value arrives between markers of the request. Kind `extraction` has neither `target` nor `extraction`. `swapped` is
    true where the judge is asked once more in another order; the order of a pair changes by itself.
    """
    shows_image: bool = False
    fields: list[str] = Field(default_factory=list)
    """Further row columns that the prompt needs, each under its own name (`JudgeInput.fields`)."""
    optional_fields: list[str] = Field(default_factory=list)
    """The same for what a row may lack; `target` and `extraction` may stand here too."""
    numbered_by: str | None = None
    """Kind `steps`: a field with a list whose entries are numbered from 1; the reply answers each once by `number`."""
    schema_: dict[str, Any] = Field(alias="schema")
    """JSON schema of the reply."""
    labels: list[str] = Field(default_factory=list)
    """Kind `label`: the labels, as in the schema."""
    scale: tuple[float, float] | None = None
    """Kind `grade`: lowest and highest grade; the finding is (grade - lowest) / (highest - lowest)."""
    step: float | None = Field(default=None, gt=0)
    """Kind `grade`: grades between these steps are no grades."""
    score: StepScore | None = None
    """Kind `steps`: how they become a number; without it they have none."""
    limit: int = Field(default=16_000, ge=1_000)
    """Characters of a response that are shown: of a longer one the first quarter and the last three quarters of these."""
    examples: list[JudgeExample] = Field(default_factory=list)
    decoding: JudgeDecoding = Field(default_factory=JudgeDecoding)
    calibration: str | None = None
    """Name of the calibration file, in the folder of the card."""

    @cached_property
    def digest(self) -> str:
        """Hash of everything that can change a verdict."""
        identity = self.model_dump(mode="json", by_alias=True, exclude=set(NOT_IDENTITY))
        return digest({"rules": RULES_VERSION, **identity})

    @cached_property
    def reads(self) -> frozenset[str]:
        """Names that the prompt takes from a row."""
        return undeclared(self.prompt) - CONSTANT_NAMES

    @property
    def swaps(self) -> bool:
        """Whether the judge can be asked in another order: of the pair, or of what the prompt orders by `swapped`."""
        return self.kind == "preference" or "swapped" in undeclared(self.prompt)

    @property
    def sampling(self) -> Sampling:
        """Decoding as requests carry it, without a seed."""
        return Sampling(temperature=self.decoding.temperature, max_tokens=self.decoding.max_tokens)

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> JudgeCard:
        mistakes = list(_mistakes(self))
        if mistakes:
            raise ValueError("\n".join(mistakes))
        return self


def _mistakes(card: JudgeCard) -> Iterator[str]:
    yield from _template_mistakes(card)
    yield from schema_mistakes(card.schema_)
    yield from _value_mistakes(card)
    if (card.scale is not None) != (card.kind == "grade"):
        yield "scale: kind grade needs it, other kinds have none"
    elif card.scale is not None and not card.scale[0] < card.scale[1]:
        yield "scale: the lowest grade comes first"
    if card.step is not None and card.kind != "grade":
        yield "step: only for kind grade"
    if bool(card.labels) != (card.kind == "label"):
        yield "labels: kind label needs them, other kinds have none"
    if (card.numbered_by or card.score) and card.kind != "steps":
        yield "numbered_by, score: only for kind steps"
    if card.calibration is not None and Path(card.calibration).name != card.calibration:
        yield "calibration: the name of a file in the folder of the card"


def _template_mistakes(card: JudgeCard) -> Iterator[str]:
    declared = {*card.fields, *card.optional_fields}
    for name in sorted(declared & ((COMMON_NAMES - HIDDEN_FROM_EXTRACTION) | PAIR_NAMES | CONSTANT_NAMES)):
        yield f"fields: {name!r} is a name of its own"
    allowed = (COMMON_NAMES - {"response"}) | PAIR_NAMES if card.kind == "preference" else COMMON_NAMES
    if card.kind == "extraction":
        allowed -= HIDDEN_FROM_EXTRACTION
        for name in sorted(declared):
            if name not in _NO_GOLD and any(word in name.lower() for word in _GOLD_WORDS):
                yield f"fields: an extraction never sees the gold answer, and {name!r} is named like one"
    for key, template, known in (
        ("system", card.system, CONSTANT_NAMES - {"swapped"}),
        ("prompt", card.prompt, allowed | CONSTANT_NAMES | declared - {OTHER}),
    ):
        try:
            compile_template(template)
        except UsageError as error:
            yield f"{key}: {error.message}"
            continue
        used = undeclared(template)
        for name in sorted(used - known):
            hidden = card.kind == "extraction" and name in HIDDEN_FROM_EXTRACTION
            yield f"{key}: " + (
                f"an extraction never sees {name!r}"
                if hidden
                else f"unknown name {name!r} (known: {', '.join(sorted(known))})"
            )
        if key == "prompt":
            yield from _unused(card, used)


def _unused(card: JudgeCard, used: frozenset[str]) -> Iterator[str]:
    if card.kind == "preference":
        if OTHER not in card.fields:
            yield f"fields: kind preference needs {OTHER!r}, the second answer"
        if not used >= PAIR_NAMES:
            yield "prompt: kind preference shows both 'first' and 'second'"
    elif not used & {"response", "extraction"}:
        yield "prompt: it shows nothing of the candidate (name 'response' or 'extraction')"
    for name in sorted({*card.fields, *card.optional_fields} - used - {OTHER}):
        yield f"fields: the prompt does not use {name!r}"
    if card.numbered_by is not None and card.numbered_by not in card.fields:
        yield f"numbered_by: {card.numbered_by!r} is none of the card's fields"


def _value_mistakes(card: JudgeCard) -> Iterator[str]:
    properties = card.schema_.get("properties")
    if not isinstance(properties, dict):
        return
    if properties.get("id") != {"type": "string"}:
        yield "schema: the reply has the property 'id' of type string"
    if properties.get("reason", {"type": "string"}) != {"type": "string"}:
        yield "schema: 'reason' is of type string"
    key = VALUE_KEYS[card.kind]
    found = properties.get(key)
    if not isinstance(found, dict):
        yield f"schema: kind {card.kind} has its finding in the property {key!r}"
        return
    expected: dict[JudgeKind, dict[str, Any]] = {
        "extraction": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "equivalence": {"type": "boolean"},
        "label": {"type": "string", "enum": card.labels},
        "preference": {"type": "string", "enum": list(PREFERENCES)},
    }
    if card.kind in expected and found != expected[card.kind]:
        yield f"schema: property {key!r} is {expected[card.kind]}"
    if card.kind == "grade" and found.get("type") not in ("number", "integer"):
        yield f"schema: property {key!r} is of type number"
    if card.kind == "steps":
        yield from _step_mistakes(card, found)


def _step_mistakes(card: JudgeCard, found: dict[str, Any]) -> Iterator[str]:
    items = found.get("items")
    if found.get("type") != "array" or not isinstance(items, dict) or items.get("type") != "object":
        yield "schema: property 'steps' is an array of objects"
        return
    properties = items.get("properties")
    if not isinstance(properties, dict):
        return  # `schema_mistakes` says so
    if card.numbered_by is not None and properties.get("number") != {"type": "integer"}:
        yield "schema: with numbered_by every step has the property 'number' of type integer"
    if card.score is not None:
        for key in filter(None, (card.score.key, card.score.final_key)):
            if properties.get(key) != {"type": "boolean"}:
                yield f"score: every step has the property {key!r} of type boolean"
        if (card.score.final_key is None) != (card.score.final_weight == 0):
            yield "score: final_key and final_weight go together"
