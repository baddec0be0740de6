"""The floor that every report shows: answers that need no look at the image.

`uniform` draws once for every (sample, repeat) from a generator seeded by them; `most-frequent` gives every sample
of a task the same answer, the one that is most often right. The texts go through the same verifiers as a model's.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from mmeval.core.errors import EngineError
from mmeval.core.geometry import DIVISORS
from mmeval.core.hashing import canonical_json, derived_seed
from mmeval.core.types import AnswerContext, Request, Response, TextPart
from mmeval.engines.base import SAMPLING_FIELDS, EngineInfo, ModelSpec
from mmeval.engines.options import refuse_unknown
from mmeval.engines.profiles import choose_profile

STRATEGIES = ("uniform", "most-frequent")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
VERSION = "2"

CENTRE_BOX = (0.25, 0.25, 0.75, 0.75)
"""Half of the width and height around the centre, as shares of the image."""

_VERDICTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("pair", re.compile(r"\"Overall Judgment: (?:Answer|Image) X is better")),
    ("bracket", re.compile(r"\[\[A\]\] if [^\[\]\n]{1,60}\[\[B\]\] if ")),
    ("quality-pair", re.compile(r"\bImage A, Image B or Similar\b")),
    ("steps", re.compile(r"\"Step N: \+\"")),
)
"""How cards ask for a verdict, whose kind is text or list; what is judged may itself ask for a number or a yes."""
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("boxes", re.compile(r"list of (?:bounding )?boxes", re.IGNORECASE)),
    ("box", re.compile(r"\b(?:one|bounding) box\b", re.IGNORECASE)),
    ("point", re.compile(r"\bone point\b", re.IGNORECASE)),
    ("rating", re.compile(r"\ba number from \S+ to \S+", re.IGNORECASE)),
    ("yes-no", re.compile(r"\byes or no\b", re.IGNORECASE)),
    ("number", re.compile(r"\bwith (?:a|one) number\b", re.IGNORECASE)),
    ("list", re.compile(r"\bwith a list in square brackets\b", re.IGNORECASE)),
    ("expression", re.compile(r"\bfinal answer inside \\boxed\b", re.IGNORECASE)),
)
"""How the default format instructions announce the kind of answer, most specific first."""


_PAIRS: Mapping[str, tuple[str, ...]] = {
    "pair": ("Overall Judgment: Answer 1 is better.", "Overall Judgment: Answer 2 is better."),
    "bracket": ("[[A]]", "[[B]]"),
    "quality-pair": ("Image A", "Image B", "Similar"),
}
KINDS = frozenset({"choice", "number", "yes-no", "text", "expression", "list", "box", "boxes", "point", "rating"})


def answer_form(request: Request) -> str:
    """Return the kind of answer that a request asks for, `text` where nothing says so. Never reads the target."""
    context = request.sample.context if request.sample else AnswerContext()
    options = context.options
    turns = [message for message in request.messages if message.role == "user"]
    text = " ".join(part.text for turn in turns for part in turn.parts if isinstance(part, TextPart))
    verdict = next((form for form, pattern in _VERDICTS if pattern.search(text)), None)
    if verdict is not None and options.get("answer_kind") in (None, "text", "list"):
        return verdict
    for key in ("answer_kind", "answer_type"):
        if options.get(key) in KINDS:
            kind = str(options[key])
            if kind != "choice" or context.choices:
                return kind
    if context.choices:
        return "choice"
    if "low" in options and "high" in options:
        return "rating"
    if "range" in options:
        return "number"
    return next((form for form, pattern in _FORMS if pattern.search(text)), "text")


def uniform_answer(request: Request, generator: random.Random) -> str:
    """Draw an answer of the form that the request asks for.

    A verdict on a pair is drawn from both sides, one on a solution for each of its steps. Open text, expressions, lists, and numbers without a declared range, have no answers to draw from: the text is empty and scores as
    no answer.
    """
    context = request.sample.context if request.sample else AnswerContext()
    options = context.options
    form = answer_form(request)
    if form == "choice":
        return LETTERS[generator.randrange(min(len(context.choices), len(LETTERS)))]
    if form == "yes-no":
        return generator.choice(("yes", "no"))
    if form in _PAIRS:
        return generator.choice(_PAIRS[form])
    if form == "steps":
        return _steps(options.get("steps"), generator)
    if form == "rating":
        return str(generator.randint(int(options.get("low", 1)), int(options.get("high", 5))))
    if form == "number":
        return _number(options.get("range"), generator)
    if form in ("box", "boxes", "point"):
        return _centre(form, request, context)
    return ""


def _steps(declared: Any, generator: random.Random) -> str:
    count = len(declared) if isinstance(declared, (list, tuple)) else declared
    if not isinstance(count, int):
        return ""
    return "\n".join(f"Step {number}: {generator.choice('+-')}" for number in range(1, count + 1))


def _number(declared: Any, generator: random.Random) -> str:
    if not isinstance(declared, (list, tuple)) or len(declared) not in (2, 3):
        return ""
    low, high = declared[:2]
    if len(declared) == 3:
        return str(generator.randrange(int(low), int(high) + 1, int(declared[2])))
    if isinstance(low, int) and isinstance(high, int):
        return str(generator.randint(low, high))
    return f"{generator.uniform(float(low), float(high)):.6g}"


def _centre(form: str, request: Request, context: AnswerContext) -> str:
    width, height = _extent(request, context)
    x1, y1, x2, y2 = (share * side for share, side in zip(CENTRE_BOX, (width, height) * 2, strict=True))
    values = [(x1 + x2) / 2, (y1 + y2) / 2] if form == "point" else [x1, y1, x2, y2]
    if context.coordinate_order == "yx":
        values = [values[index ^ 1] for index in range(len(values))]
    text = "[" + ", ".join(f"{value:g}" for value in values) + "]"
    return f"[{text}]" if form == "boxes" else text


def _extent(request: Request, context: AnswerContext) -> tuple[float, float]:
    if context.coordinates in DIVISORS:
        return DIVISORS[context.coordinates], DIVISORS[context.coordinates]
    if context.sent_size is not None:
        return float(context.sent_size[0]), float(context.sent_size[1])
    if request.media and request.media[0].images:
        first = request.media[0].images[0]
        return float(first.width), float(first.height)
    return 1.0, 1.0


def most_frequent(targets: Iterable[Any]) -> str | None:
    """Return the most frequent target as answer text; of equally frequent ones the first in alphabetical order.

    Targets that are no plain value (boxes, points) have no most frequent answer: None.
    """
    counts = Counter(_as_text(target) for target in targets if isinstance(target, (str, int, float)))
    if not counts:
        return None
    best = max(counts.values())
    return min(text for text, count in counts.items() if count == best)


def _as_text(value: str | int | float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


class ChanceEngine:
    """The `chance` backend."""

    supported_sampling = SAMPLING_FIELDS
    modalities = frozenset({"text", "image", "images", "video"})
    exclusive = False

    def __init__(self, spec: ModelSpec) -> None:
        refuse_unknown("chance", spec.engine_args, frozenset())
        self._strategy = spec.target or "uniform"
        self._profile = spec.profile
        self._answers: dict[str, str | None] = {}

    def prime(self, targets: Mapping[str, Iterable[Any]]) -> None:
        """Tell `most-frequent` the targets of every task (task name -> targets), before the first request."""
        self._answers.update({task: most_frequent(values) for task, values in targets.items()})

    @property
    def needs_targets(self) -> bool:
        """Whether `prime` must be called before the run."""
        return self._strategy == "most-frequent"

    async def describe(self) -> EngineInfo:
        """See `Engine.describe`; `most-frequent` is primed before."""
        if self._strategy not in STRATEGIES:
            known = ", ".join(STRATEGIES)
            raise EngineError(f"unknown chance strategy {self._strategy!r}", remedy=f"it may be {known}")
        identity: dict[str, Any] = {"engine": "chance", "strategy": self._strategy}
        if self.needs_targets:
            identity["answers"] = canonical_json(self._answers).decode()
        return EngineInfo(
            "chance", VERSION, identity, reads_sample=True, slots=64, profile=choose_profile(self._profile)
        )

    async def start(self) -> EngineInfo:
        """See `Engine.start`."""
        return await self.describe()

    async def generate(self, request: Request) -> Response:
        """See `Engine.generate`."""
        if request.sample is None:
            return Response("error", error="the chance engine answers samples of tasks only")
        if self.needs_targets:
            return self._most_frequent(request, request.sample.task)
        seed = derived_seed("chance", request.sample.task, request.sample.id, request.repeat)
        generator = random.Random(seed)
        return Response("ok", text=uniform_answer(request, generator), finish_reason="stop", latency_s=0.0)

    def _most_frequent(self, request: Request, task: str) -> Response:
        if task not in self._answers:
            return Response("error", error=f"chance:most-frequent was not given the targets of task {task}")
        answer = self._answers[task]
        if answer is None:
            answer = uniform_answer(request, random.Random(0))
        elif answer_form(request) == "bracket":
            answer = f"[[{answer}]]"
        return Response("ok", text=answer, finish_reason="stop", latency_s=0.0)

    async def close(self) -> None:
        """See `Engine.close`."""
