"""Looking again: a first call for the region and a second with its crop (Visual-CoT), and loops of tool calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from mmeval.conditions.declared import DeclaredStrategy
from mmeval.conditions.dialects import Crop, Final, Gaze, Malformed, Search, Step, read_tags, read_tool_call
from mmeval.conditions.scoring import ScalarPair, ScalarSteps
from mmeval.conditions.selection import GuidedGreedy, Rated, RefinedBestOfN
from mmeval.conditions.strategy import Answered, Page, Session, Strategy, Trail
from mmeval.core.geometry import Size, View
from mmeval.core.types import Extraction, MediaPart, Message, Part, PreparedMedia, Response, Sample, TextPart
from mmeval.core.views import FRAMES, Frame, Region, box_to_original, region_of, to_original
from mmeval.tasks.looking import StrategySection
from mmeval.verifiers.answer import answer_section
from mmeval.verifiers.base import NO_BOX, TURNS_USED
from mmeval.verifiers.box import one_shape
from mmeval.verifiers.coordinates import find_boxes, sorted_corners

SPACES = {
    "pixels": "in pixels of the picture as you see it",
    "unit": "with x and y from 0 to 1 of the picture's width and height",
    "percent": "with x and y in percent of the picture's width and height",
    "thousand": "with x and y from 0 to 1000 of the picture's width and height",
    "unit-square": "with x and y from 0 to 1 of the picture padded to a square (the picture in its middle)",
}
"""What a model is told of each space."""
ASK_BOX = (
    "Do not answer yet. Which region of the picture has to be looked at to answer the question? "
    "Give the bounding box of that region as [{corners}], {space}, and nothing else."
)
ASK_AGAIN = "Here is that region, enlarged. Answer the question from the whole picture and from this detail.\n\n"


def frame_of(section: StrategySection, sample: Sample) -> Frame:
    """The space in which boxes are read: the card's, or the model's own."""
    declared = section.coordinates if section.coordinates != "model" else sample.context.coordinates
    return next(frame for frame in FRAMES if frame == declared)


_OTHERS: Mapping[str, Callable[[StrategySection], Strategy]] = {
    "scalar-pair": ScalarPair, "scalar-steps": ScalarSteps, "rated": Rated, "guided-greedy": GuidedGreedy, "refined-best-of-n": RefinedBestOfN,
}  # fmt: skip


def strategy_of(section: StrategySection) -> Strategy:
    """The strategy that a card declares."""
    if section.name in _OTHERS:
        return _OTHERS[section.name](section)
    return VisualCoT(section) if section.name == "visual-cot" else ToolLoop(section)


@dataclass(frozen=True, slots=True)
class VisualCoT(DeclaredStrategy):
    """Ask for the region that matters, then for the answer with the whole picture and the region (Visual-CoT, VisRL)."""

    async def answer(self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Session, /) -> Answered:
        """See `Strategy.answer`. Without a box in the first reply no second call is made: there is no answer.

        A sample without a picture (a condition has taken it away) is asked once, plainly.
        """
        if not media:
            response = await ask(sample.messages, (), "answer")
            return Answered(response, Trail(turns=int(response.status == "ok")))
        if media[0].kind == "video":
            return Answered(Response("unsupported", error=NO_VIDEO), Trail())
        frame = frame_of(self.section, sample)
        yx = sample.context.coordinate_order == "yx"
        question = str(sample.item.get("question", ""))
        request = ASK_BOX.format(corners="y1, x1, y2, x2" if yx else "x1, y1, x2, y2", space=SPACES[frame])
        shown = [await ask.view(picture, None) for picture in media]
        pictures = tuple(picture for picture, _ in shown)
        system = tuple(message for message in sample.messages if message.role == "system")
        parts: tuple[Part, ...] = tuple(MediaPart(index) for index in range(len(pictures)))
        parts = (*parts, TextPart(f"{question}\n{request}"))
        opened = (*system, Message("user", parts))
        first = await ask(opened, pictures, "box")
        if first.status != "ok":
            return Answered(first, Trail())
        text = first.text or ""
        found = _box_of(text, sample)
        if isinstance(found, str):
            ask.note({"action": "box", "error": found})
            return Answered(_ended(NO_BOX, first), Trail(turns=1, tool_errors=1))
        view = shown[0][1]
        box = box_to_original(view, found, frame)
        region = _cut(box, self.section, view.original)
        if region is None:
            ask.note({"action": "box", "box": list(box), "error": OUTSIDE})
            return Answered(_ended(NO_BOX, first), Trail(turns=1, tool_errors=1, box=box))
        detail, _ = await ask.view(media[0], region)
        ask.note({"action": "box", "box": list(box), "region": list(region), "sha256": detail.sha256})
        asked = [message for message in sample.messages if message.role != "system"]
        again = tuple(part for message in asked for part in message.parts if isinstance(part, TextPart))
        second = Message("user", (MediaPart(len(pictures)), TextPart(ASK_AGAIN), *again))
        said = Message("assistant", (TextPart(text),))
        response = await ask((*opened, said, second), (*pictures, detail), "answer")
        turns = 1 + int(response.status == "ok")
        return Answered(_summed(response, [first]), Trail(turns, 0, 1, 0, box, (region,)))


OUTSIDE = "the box lies outside the picture"
NO_VIDEO = "no part of a video can be shown"


def _box_of(text: str, sample: Sample) -> tuple[float, ...] | str:
    section = answer_section(text, sample.context.options)
    if isinstance(section, Extraction):
        return section.reason
    found = one_shape(section.text, find_boxes(section.text, sample.context.coordinate_order))
    if isinstance(found, str):
        return found
    if found.whole is not None:
        return "a box in steps of its own"
    return tuple(sorted_corners(list(found.numbers)))


def _cut(box: tuple[float, ...], section: StrategySection, size: Size) -> Region | None:
    """The part of the original that is shown for a box in its pixels: clipped, padded, and not too small. None outside."""
    return region_of(box, size, section.padding, section.min_side, square=section.square)


def _ended(reason: str, last: Response) -> Response:
    """A conversation without an answer; its text is empty, because nothing that was said is one."""
    return Response("ok", text="", finish_reason=reason, completion_tokens=last.completion_tokens)


def _summed(response: Response, before: list[Response]) -> Response:
    """The response with the tokens that the whole conversation has written."""
    if response.status != "ok":
        return response
    counts = [one.completion_tokens for one in (*before, response)]
    if any(count is None for count in counts):
        return response
    return replace(response, completion_tokens=sum(count or 0 for count in counts))


TOOLS = {
    "tags": "You may look closer before you answer. Think first between <think> and </think>, then write exactly one of:\n{tags}"
    "- <answer>your answer</answer> when you are sure.\nYou have {turns} replies at most, the answer included.",
    "tool-call": "You may look closer before you answer. To enlarge a region write\n"
    '<tool_call>{{"name": "{tool}", "arguments": {{"bbox_2d": [{corners}]}}}}</tool_call>\n'
    'with the box {space}; it refers to the {refers} picture, unless you add "img_idx", the number of a picture from 0. '
    "Write the final answer between <answer> and </answer>. You have {turns} replies at most, the answer included.",
    "gaze": "You look at the picture through a movable eye. Write <gaze>[{point}, zoom]</gaze> to see the part around a point of the first "
    "picture, {space}; at zoom z each side of the part is 1/z of the picture's. Write the final answer between <answer> and "
    "</answer>. You have {turns} replies at most, the answer included.",
}
"""What the model is told of its tools, by dialect."""
_TAG_LINES = {
    "search": "- <search>a query</search> to be shown a page that fits it;\n",
    "bbox": "- <bbox>[{corners}]</bbox> to enlarge a region of the {refers} picture, {space};\n",
}


@dataclass(frozen=True, slots=True)
class ToolLoop(DeclaredStrategy):
    """The model calls tools until it answers: crops, gazes, searches. A faulty call is answered with an error message."""

    async def answer(self, sample: Sample, media: tuple[PreparedMedia, ...], ask: Session, /) -> Answered:
        """See `Strategy.answer`. A conversation that does not end within the turns has no answer."""
        table = _Table(self.section, frame_of(self.section, sample), sample, media, ask)
        return await table.run()


class _Table:
    """One conversation of a tool loop."""

    def __init__(
        self, section: StrategySection, frame: Frame, sample: Sample, media: tuple[PreparedMedia, ...], ask: Session
    ) -> None:
        self.section = section
        self.frame = frame
        self.sample = sample
        self.ask = ask
        self.originals = list(media)
        self.shown: list[tuple[int, View]] = []
        """What each picture of the conversation shows: number of its original, part."""
        self.pictures: list[PreparedMedia] = []
        self.messages: list[Message] = []
        self.trail = Trail()

    async def run(self) -> Answered:
        for number, picture in enumerate(self.originals):
            await self._show(number, picture, None)
        self.messages = list(_opened(self.sample, self._instruction()))
        before: list[Response] = []
        for _ in range(self.section.turns):
            response = await self.ask(tuple(self.messages), tuple(self.pictures), "turn")
            if response.status != "ok":
                return Answered(response, self.trail)
            self.trail = replace(self.trail, turns=self.trail.turns + 1)
            text = response.text or ""
            step = self._read(text, complete=response.finish_reason != "length")
            if isinstance(step, Final):
                self.ask.note({"action": "answer"})
                return Answered(_summed(response, before), self.trail)
            before.append(response)
            failure = await self._act(text, step)
            if failure is not None:
                return Answered(failure, self.trail)
        return Answered(_ended(TURNS_USED, _summed(before[-1], before[:-1])), self.trail)

    @property
    def _tags(self) -> tuple[str, ...]:
        if self.section.dialect == "gaze":
            return ("gaze",)
        return ("search", "bbox") if self.section.retrieval is not None else ("bbox",)

    def _instruction(self) -> str:
        section = self.section
        if section.instruction is not None:
            return section.instruction
        yx = self.sample.context.coordinate_order == "yx"
        words = {
            "corners": "y1, x1, y2, x2" if yx else "x1, y1, x2, y2", "point": "y, x" if yx else "x, y",
            "space": SPACES[self.frame], "turns": section.turns, "tool": section.tool, "refers": section.refers,
        }  # fmt: skip
        tags = "".join(_TAG_LINES[tag].format(**words) for tag in self._tags if tag in _TAG_LINES)
        return TOOLS[section.dialect].format(tags=tags, **words)

    def _read(self, text: str, *, complete: bool) -> Step:
        options = self.sample.context.options
        if self.section.dialect == "tool-call":
            return read_tool_call(text, self.section.tool, complete=complete, options=options)
        if self.section.dialect == "gaze" and "<gaze" not in text.lower():
            return Final()  # the answer, with or without its tag
        return read_tags(text, self._tags, complete=complete, options=options)

    async def _act(self, text: str, step: Step) -> Response | None:
        """Carry a call out and put its result before the model; returns the failure that ends the row, if any."""
        end = getattr(step, "end", None)
        self.messages.append(Message("assistant", (TextPart(text if end is None else text[:end]),)))
        if isinstance(step, Search):
            return await self._search(step)
        if isinstance(step, (Crop, Gaze)):
            await self._look(step)
        elif isinstance(step, Malformed):
            self._refuse("none", step.reason)
        return None

    def _refuse(self, action: str, reason: str, **facts: object) -> None:
        self.trail = replace(self.trail, tool_errors=self.trail.tool_errors + 1)
        self.ask.note({"action": action, "error": reason, **facts})
        self.messages.append(Message("user", (TextPart(f"Error: {reason}."),)))

    async def _look(self, step: Crop | Gaze) -> None:
        action = "crop" if isinstance(step, Crop) else "gaze"
        last = len(self.shown) - 1
        named = step.picture if isinstance(step, Crop) else 0
        number = named if named is not None else 0 if self.section.refers == "first" else last
        if not 0 <= number <= last:
            reason = "there is no picture yet" if last < 0 else f"there is no picture {number}; the last one is {last}"
            self._refuse(action, reason)
            return
        original, view = self.shown[number]
        if self.originals[original].kind == "video":
            self._refuse(action, NO_VIDEO, picture=number)
            return
        box = self._box(step, view)
        region = _cut(box, self.section, view.original)
        if region is None:
            self._refuse(action, OUTSIDE, box=list(box), picture=number)
            return
        picture, _ = await self._show(original, self.originals[original], region)
        first = original == 0 and self.section.retrieval is None
        self.trail = replace(
            self.trail,
            crops=self.trail.crops + 1,
            box=box if first else self.trail.box,
            regions=(*self.trail.regions, region) if first else self.trail.regions,
        )
        facts = {"box": list(box), "region": list(region), "picture": number, "sha256": picture.sha256}
        self.ask.note({"action": action, **facts})
        self._observe(f"Picture {len(self.pictures) - 1}, that region enlarged:", 1)

    def _box(self, step: Crop | Gaze, view: View) -> tuple[float, ...]:
        """What a call wants to see, in pixels of the original."""
        swap = self.sample.context.coordinate_order == "yx"
        if isinstance(step, Crop):
            a, b, c, d = step.box
            return box_to_original(view, (b, a, d, c) if swap else (a, b, c, d), self.frame)
        x, y = to_original(view, (step.y, step.x) if swap else (step.x, step.y), self.frame)
        zoom = step.zoom or self.section.zoom
        width, height = view.original
        wide, high = width / zoom, height / zoom
        if not (0 <= x <= width and 0 <= y <= height):
            return x, y, x, y  # outside, which has no area to show
        left, top = min(max(0.0, x - wide / 2), width - wide), min(max(0.0, y - high / 2), height - high)
        return left, top, left + wide, top + high

    async def _search(self, step: Search) -> Response | None:
        section = self.section.retrieval
        assert section is not None
        found = await self.ask.search(step.query)
        if found.failure is not None:
            return found.failure
        trail = self.trail
        fresh: list[Page] = [page for page in found.pages if page.id not in trail.shown][: section.show]
        listed = [page.id for page in found.pages]
        ranked = (*trail.ranked, *(page for page in dict.fromkeys(listed) if page not in trail.ranked))
        self.trail = replace(
            trail, searches=trail.searches + 1, ranked=ranked, shown=(*trail.shown, *(page.id for page in fresh))
        )
        facts = {"query": step.query, "pages": listed, "scores": [page.score for page in found.pages]}
        self.ask.note({"action": "search", **facts, "shown": [page.id for page in fresh]})
        for page in fresh:
            self.originals.append(page.media)
            await self._show(len(self.originals) - 1, page.media, None)
        if fresh:
            self._observe("Found:", len(fresh))
        else:
            self.messages.append(Message("user", (TextPart("Nothing new was found."),)))
        return None

    async def _show(self, original: int, picture: PreparedMedia, region: Region | None) -> tuple[PreparedMedia, View]:
        seen, view = await self.ask.view(picture, region)
        self.pictures.append(seen)
        self.shown.append((original, view))
        return seen, view

    def _observe(self, words: str, count: int) -> None:
        numbers = range(len(self.pictures) - count, len(self.pictures))
        self.messages.append(Message("user", (TextPart(words), *(MediaPart(number) for number in numbers))))


def _opened(sample: Sample, instruction: str) -> tuple[Message, ...]:
    """The sample's conversation with what the model is told of its tools at the end of the last user message."""
    messages = list(sample.messages)
    for place in reversed(range(len(messages))):
        if messages[place].role == "user":
            parts = (*messages[place].parts, TextPart(f"\n\n{instruction}"))
            messages[place] = replace(messages[place], parts=parts)
            return tuple(messages)
    return (*messages, Message("user", (TextPart(instruction),)))
