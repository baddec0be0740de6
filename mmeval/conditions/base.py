"""What is done to a sample before it is asked. A condition changes media or messages and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mmeval.conditions import regions, texts
from mmeval.conditions.ablations import ABLATIONS
from mmeval.conditions.looking import VisualCoT
from mmeval.conditions.regions import ByRegion
from mmeval.conditions.segmented import Segmented
from mmeval.conditions.strategy import FACTS, Checklist, Strategy, TwoHop
from mmeval.core.errors import UsageError, unknown
from mmeval.core.types import Media, MediaPart, Sample, TextPart
from mmeval.tasks.looking import StrategySection
from mmeval.verifiers.base import Verifier
from mmeval.verifiers.registry import get_verifier

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Condition:
    """A named change of a sample.

    Attributes:
        name: what the results table calls it.
        version: raised whenever the change itself changes; part of the ask digest.
        sample: changes messages or drops media, or None.
        image: changes the pixels of one decoded RGB image (same size), or None; given the image and a seed.
        region: the same, given the gold boxes too; samples of one picture with gold boxes only.
        moves: whether pixels move, so that boxes and points in an answer would mean nothing; such items do not apply.
        pictured: whether it means nothing for an item without picture or video; such items do not apply.
        donor: shows another item's picture instead: the how-many-th of its partners (from 1), or 0.
        contrast: scores the tokens of the plain answer under this other condition too (token visual dependency), or "".
        strategy: asks in more than one call, or None; its last answer is the row's.
        verifier: name of the verifier that reads its rows, where that is not the card's own; no judge is asked then.
        metrics: what is computed of its rows, where that is not the card's own.
    """

    name: str
    version: str = "1"
    sample: Callable[[Sample], Sample] | None = None
    image: Callable[[Image, int], Image] | None = None
    region: ByRegion | None = None
    moves: bool = False
    pictured: bool = False
    donor: int = 0
    contrast: str = ""
    strategy: Strategy | None = None
    verifier: str | None = None
    metrics: tuple[str, ...] = ()

    @property
    def identity(self) -> list[str]:
        """Name and versions, for the ask digest."""
        steps = [] if self.strategy is None else [self.strategy.name, self.strategy.version]
        other = get_condition(self.contrast).identity if self.contrast else []
        return [self.name, self.version, *steps, *other]

    @property
    def changes_pixels(self) -> bool:
        """Whether other pixels are sent than the item's own."""
        return self.image is not None or self.region is not None or self.donor > 0

    @property
    def needs_picture(self) -> bool:
        """Whether an item without picture or video does not apply: nothing would be taken away, described or told apart."""
        return self.pictured or self.changes_pixels or bool(self.contrast)


def without_media(sample: Sample) -> Sample:
    """Remove every image and video, and leave the text as it is."""
    messages = tuple(
        replace(message, parts=tuple(part for part in message.parts if not isinstance(part, MediaPart)))
        for message in sample.messages
    )
    empty: tuple[Media, ...] = ()
    return replace(sample, messages=messages, media=empty)


GUESS = "There is no image to look at. Give your best answer to the question all the same."


def told_blind(sample: Sample) -> Sample:
    """Remove every image and video and say so: models behave differently when they are told."""
    stripped = without_media(sample)
    messages = list(stripped.messages)
    for place in reversed(range(len(messages))):
        if messages[place].role == "user":
            messages[place] = replace(messages[place], parts=(*messages[place].parts, TextPart(f"\n\n{GUESS}")))
            break
    return replace(stripped, messages=tuple(messages))


def with_facts(sample: Sample) -> Sample:
    """Make the visual facts of a sample its question: their texts for the parser, their right answers as target."""
    facts = sample.extras.get("facts") or ()
    options = {**sample.context.options, FACTS: [str(fact["question"]) for fact in facts]}
    target = [bool(fact["answer"]) for fact in facts]
    return replace(sample, context=replace(sample.context, options=options), target=target or None)


CONDITIONS: dict[str, Condition] = {
    "standard": Condition("standard"),
    "blind": Condition("blind", sample=without_media, pictured=True),
    "blind-told": Condition("blind-told", sample=told_blind, pictured=True),
    "two-hop": Condition("two-hop", strategy=TwoHop(), pictured=True),
    "checklist": Condition(
        "checklist", sample=with_facts, strategy=Checklist(), verifier="checklist", metrics=("accuracy", "mean")
    ),
    "caption": Condition("caption", strategy=TwoHop("caption", question_aware=False), pictured=True),
    "caption-exact": Condition("caption-exact", sample=texts.exact_caption),
    "hint-facts": Condition("hint-facts", sample=texts.hint_facts),
    "hint-boxes": Condition("hint-boxes", sample=texts.hint_boxes),
    "as-judge": Condition("as-judge", sample=texts.as_judge, verifier="mixed", metrics=("accuracy",)),
    "as-open": Condition("as-open", sample=texts.as_open, verifier="mixed", metrics=("accuracy",)),
    "hide-region": Condition("hide-region", region=regions.hide),
    "hide-elsewhere": Condition("hide-elsewhere", region=regions.hide_elsewhere),
    "crop": Condition("crop", region=regions.crop_to, moves=True),
    "crop-elsewhere": Condition("crop-elsewhere", region=regions.crop_elsewhere, moves=True),
    "crop-own": Condition(
        "crop-own", strategy=VisualCoT(StrategySection(name="visual-cot")), moves=True, pictured=True
    ),
}
"""Conditions that are no image ablations; those are `ABLATIONS`."""
SETS: dict[str, tuple[str, ...]] = {
    "diagnose": (
        "standard", "blind", "blind-told", "blank", "mask:0.2", "mask:0.4", "mask:0.6", "mask:0.8", "mask:1", "downscale:0.5",
        "downscale:0.25", "two-hop", "checklist",
    ),
    "shuffles": ("shuffled:1", "shuffled:2", "shuffled:3"),
    "regions": ("hide-region", "hide-elsewhere", "crop", "crop-elsewhere"),
    "captions": ("blind", "caption", "two-hop", "caption-exact"),
    "hints": ("standard", "hint-boxes", "hint-facts"),
    "formats": ("as-judge", "standard", "as-open"),
}  # fmt: skip
"""Names that stand for several conditions."""
SHUFFLED = "shuffled"
"""`shuffled:K` shows every item the picture of its K-th partner in the task."""
MOST_PARTNERS = 9
SEGMENT = "segment"
"""`segment:NAME` hands the boxes and points of the answer to a segmenter."""
DEPENDENCY = "dependency"
"""`dependency:CONDITION` scores the tokens of the plain answer with the picture and under that condition."""
DEPENDENCY_DEFAULT = "mask:0.5"
"""VPPO's; PAPO blackens with probability 0.6."""


def expand_conditions(names: Iterable[str]) -> list[Condition]:
    """Return the conditions of a list of names, sets taken apart, each once.

    Raises:
        UsageError: for an unknown name or a number out of range.
    """
    found: dict[str, Condition] = {}
    for name in names:
        for single in SETS.get(name, (name,)):
            condition = get_condition(single)
            found.setdefault(condition.name, condition)
    return list(found.values())


def get_condition(name: str) -> Condition:
    """Return the condition of that name: `blind`, `noise` (its default number), `noise:50`.

    Raises:
        UsageError: for an unknown one (with the nearest names), or a number that is missing, wrong or out of range.
    """
    family, colon, number = name.partition(":")
    if name in CONDITIONS:
        return CONDITIONS[name]
    if family == SEGMENT:
        return Condition(f"{SEGMENT}:{number or 'box'}", strategy=Segmented.of(number or "box"))
    if family == DEPENDENCY:
        return _dependency(name, number if colon else DEPENDENCY_DEFAULT)
    if family == SHUFFLED:
        return _shuffled(name, number if colon else "1")
    if family not in ABLATIONS:
        known = [*CONDITIONS, *ABLATIONS, SHUFFLED, DEPENDENCY, SEGMENT, *SETS, "described-by:RUN"]
        raise unknown("condition", name, known)
    ablation = ABLATIONS[family]
    if ablation.default is None:
        if colon:
            raise UsageError(f"condition {name!r}: {family} takes no number", remedy=f"use {family}")
        return Condition(family, image=ablation.make(0.0))
    try:
        value = float(number) if colon else ablation.default
    except ValueError:
        value = math.nan
    if not ablation.low <= value <= ablation.high:
        raise UsageError(
            f"condition {name!r}: {number!r} is no number from {ablation.low:g} to {ablation.high:g}",
            remedy=f"e.g. {family}:{ablation.default:g}",
        )
    if ablation.whole and not value.is_integer():
        raise UsageError(
            f"condition {name!r}: {number!r} is no whole number", remedy=f"e.g. {family}:{ablation.default:g}"
        )
    # The name is the identity: what is done is done with the number as it is written there.
    written = f"{value:g}"
    return Condition(f"{family}:{written}", image=ablation.make(float(written)))


def _dependency(name: str, inner: str) -> Condition:
    other = get_condition(inner)
    if other.strategy is not None or other.contrast or other.verifier is not None:
        raise UsageError(
            f"condition {name!r}: {inner} is no other way of showing one prompt",
            remedy="name a condition that changes the picture or takes it away: mask:0.5, blank, noise, shuffled:1, blind",
        )
    return Condition(
        f"{DEPENDENCY}:{other.name}", sample=for_scores, contrast=other.name, verifier="dependency",
        metrics=("mean:k3", "mean:log_ratio"),
    )  # fmt: skip


def for_scores(sample: Sample) -> Sample:
    """The same prompt; no gold answer is needed to score its tokens."""
    return replace(sample, target=True)


def _shuffled(name: str, number: str) -> Condition:
    if not number.isdecimal() or not 1 <= int(number) <= MOST_PARTNERS:
        raise UsageError(
            f"condition {name!r}: {number!r} is no whole number from 1 to {MOST_PARTNERS}",
            remedy="shuffled:1, shuffled:2 and shuffled:3 are `shuffles`",
        )
    return Condition(f"{SHUFFLED}:{int(number)}", donor=int(number))


def _known(name: str) -> Condition | None:
    return get_condition(name) if name.startswith(f"{DEPENDENCY}:") else CONDITIONS.get(name)


def verifier_of(condition: str) -> Verifier | None:
    """The verifier of a condition's rows, where that is not the card's own; None for it, and for a name that is not known here."""
    found = _known(condition)
    return None if found is None or found.verifier is None else get_verifier(found.verifier)


def metrics_of(condition: str) -> list[str]:
    """The metrics of a condition's rows; empty where they are the card's own."""
    found = _known(condition)
    return list(found.metrics) if found is not None else []
