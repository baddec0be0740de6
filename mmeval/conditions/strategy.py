"""Call strategies: an answer that takes several calls. They see a sample and a way to ask, no engine and no gold answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, TypeAlias

import orjson

from mmeval.core.geometry import View
from mmeval.core.types import Media, MediaPart, Message, PreparedMedia, Response, Sample, TextPart
from mmeval.core.views import Region

Ask: TypeAlias = Callable[[tuple[Message, ...], tuple[PreparedMedia, ...], str], Awaitable[Response]]
"""Asks the model: conversation, media that it refers to, and the role of the call (`describe`, `answer` …).

Every call is committed by itself, so a run that is cut off goes on inside a conversation.
"""


SCORE = "score"
"""Role of a call whose last message is an answer to be scored by a reward model; the response's text is the number."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page that a retriever found."""

    id: str
    score: float | None
    media: PreparedMedia
    """Its picture, at its own size."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a retriever answered, best first, or why it did not."""

    pages: tuple[Page, ...] = ()
    failure: Response | None = None
    """The row's response where the search failed: an error of the infrastructure is never an answer."""


class Session(Protocol):
    """One conversation: the way to the model, to parts of pictures, and to a retriever."""

    async def __call__(self, messages: tuple[Message, ...], media: tuple[PreparedMedia, ...], role: str, /) -> Response:
        """Ask the model, see `Ask`."""
        ...

    async def view(self, picture: PreparedMedia, region: Region | None) -> tuple[PreparedMedia, View]:
        """Return a part (None: all) of a picture at the size in which it is to be shown, and what it shows.

        Raises:
            MediaError: when the picture cannot be decoded.
        """
        ...

    async def search(self, query: str, /) -> Found:
        """Ask the retriever for pages, best first."""
        ...

    async def draw(
        self, messages: tuple[Message, ...], media: tuple[PreparedMedia, ...], role: str, number: int, /
    ) -> Response:
        """Ask the model for one of several answers to the same conversation: another number, another seed."""
        ...

    async def verify(
        self,
        messages: tuple[Message, ...],
        media: tuple[PreparedMedia, ...],
        accepts: Callable[[str], bool] | None,
        /,
    ) -> Response:
        """Ask the verifier, which is the run's judge model.

        Args:
            messages: the conversation; its last turn is to be scored where `accepts` is None, else answered.
            media: what they refer to.
            accepts: whether a reply can be read; another one is not kept, so that the next run asks again.
        """
        ...

    def note(self, step: Mapping[str, Any], /) -> None:
        """Keep what became of the last reply (JSON), beside it."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """The row's response, and how it came about."""

    response: Response
    trail: Trail


@dataclass(frozen=True, slots=True)
class Trail:
    """What a strategy did on its way to an answer; boxes are in pixels of the first picture."""

    turns: int = 0
    """Calls of the model that were answered."""
    tool_errors: int = 0
    """Replies that were answered with an error message."""
    crops: int = 0
    searches: int = 0
    box: tuple[float, ...] | None = None
    """The last box in the first picture, as the model gave it, (x1, y1, x2, y2)."""
    regions: tuple[Region, ...] = ()
    """Parts of the first picture that were shown after it."""
    ranked: tuple[str, ...] = field(default_factory=tuple)
    """Ids of all pages in the order in which the searches listed them."""
    shown: tuple[str, ...] = field(default_factory=tuple)
    """Ids of the pages that were shown, in that order."""
    rewards: Mapping[str, float] = field(default_factory=dict)
    """What a verifier said of the answer, by score."""


class Strategy(Protocol):
    """How one answer is obtained in several calls."""

    @property
    def name(self) -> str:
        """For the identity of the condition."""
        ...

    @property
    def version(self) -> str:
        """Raised whenever what is asked changes."""
        ...

    async def answer(self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Session, /) -> Response | Answered:
        """Return the row's response. A call that fails is the row's response, unless the strategy can do without it.

        Args:
            sample: without its gold answer.
            media: as they are sent.
            ask: the way to the model, and more.
        """
        ...


DESCRIBE = (
    "Describe the image so that someone who cannot see it could answer the question below from your description alone. "
    "State everything that matters for it: objects, texts, numbers, positions, relations. Do not answer the question.\n\nQuestion: "
)
DESCRIBE_ALL = (
    "Describe the image so completely that someone who cannot see it could answer any question about it: objects and how many, "
    "attributes, texts, numbers, positions, relations."
)
READ = "Someone described an image for you, which you cannot see. Use only the description.\n\nDescription:\n"
_TAGGED = re.compile(r"<description>(.*?)</description>", re.IGNORECASE | re.DOTALL)
DESCRIBER = "describe"
"""Role of the call whose answer is handed on."""
NO_DESCRIPTION = "the first answer holds no description"


@dataclass(frozen=True, slots=True)
class TwoHop:
    """Self-containment (Vision-SR1, arXiv:2508.19652): describe with the image, then answer from the description without it.

    Where the first answer has a `<description>` only that is handed on; reasoning is never. An empty description makes the row
    `unsupported`: handing on anything else would leak the answer.
    """

    name: str = "two-hop"
    version: str = "1"
    question_aware: bool = True
    """Whether the describer is told the question."""

    async def answer(self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Ask, /) -> Response:
        """See `Strategy.answer`."""
        wanted = DESCRIBE + str(sample.item.get("question", "")) if self.question_aware else DESCRIBE_ALL
        shown = tuple(MediaPart(index) for index in range(len(media)))
        described = await ask((Message("user", (*shown, TextPart(wanted))),), media, DESCRIBER)
        if described.status != "ok":
            return described
        description = description_of(described.text or "")
        if not description:
            return Response("unsupported", error=NO_DESCRIPTION)
        return await ask(blind_messages(sample, READ + description + "\n\n"), (), "answer")


FACTS = "facts"
"""Option of the context that holds the questions of a checklist."""
FACT_FORMAT = "Answer with yes or no."
NO_FACTS = "the sample has no visual facts"


@dataclass(frozen=True, slots=True)
class Checklist:
    """Ask every visual fact of the sample by itself (PEARL, arXiv:2511.18437); the response is the JSON list of the answers."""

    name: str = "checklist"
    version: str = "1"

    async def answer(self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Ask, /) -> Response:
        """See `Strategy.answer`."""
        questions = [str(question) for question in sample.context.options.get(FACTS) or ()]
        if not questions:
            return Response("unsupported", error=NO_FACTS)
        shown = tuple(MediaPart(index) for index in range(len(media)))

        def conversation(question: str) -> tuple[Message, ...]:
            return (Message("user", (*shown, TextPart(f"{question}\n{FACT_FORMAT}"))),)

        answers = await asyncio.gather(*(ask(conversation(question), media, "fact") for question in questions))
        failed = next((answer for answer in answers if answer.status != "ok"), None)
        if failed is not None:
            return failed
        text = orjson.dumps([answer.text for answer in answers]).decode()
        return Response(
            "ok", text=text, finish_reason="stop", completion_tokens=sum(a.completion_tokens or 0 for a in answers)
        )


def description_of(text: str) -> str:
    """The part of an answer that describes the image: what stands in its tags, or else what follows the reasoning."""
    tagged = _TAGGED.findall(text)
    if tagged:
        return str(tagged[-1]).strip()
    closed = text.rfind("</think>")
    if "<think>" in text and closed < 0:
        return ""
    return text[closed + len("</think>") :].strip() if closed >= 0 else text.strip()


def blind_messages(sample: Sample, before: str) -> tuple[Message, ...]:
    """The sample's conversation without its media, with a text before the first user message."""
    messages = []
    placed = False
    for message in sample.messages:
        parts = tuple(part for part in message.parts if not isinstance(part, MediaPart))
        if message.role == "user" and not placed:
            parts = (TextPart(before), *parts)
            placed = True
        messages.append(replace(message, parts=parts))
    return tuple(messages)


def without_gold(sample: Sample) -> Sample:
    """What a strategy may see: no gold answer, no visual facts, and no unread media."""
    empty: tuple[Media, ...] = ()
    item = {name: value for name, value in sample.item.items() if name != "target"}
    return replace(sample, target=None, extras={}, item=item, media=empty)
