"""What the verifiers of places take and give: points, boxes, masks, moments, detections and screens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mmeval.core.geometry import DIVISORS
from mmeval.verifiers.option_rules import (
    FLAG,
    FRAME,
    NAME,
    NAMES,
    PART,
    SHARE,
    TAG_OPTIONS,
    Abilities,
    OptionRule,
    is_number,
    one_of,
)


def _box(options: Mapping[str, Any]) -> Abilities:
    names = frozenset({"iou", "iou@0.5", "iou@0.75"})
    rules = {**TAG_OPTIONS, "threshold": PART}
    if options.get("threshold") is not None:
        return Abilities(rules, names)
    return Abilities(rules, names, correct=False, more="set answer.options.threshold for right and wrong")


def _moment(options: Mapping[str, Any]) -> Abilities:
    rules = {**TAG_OPTIONS, "threshold": PART}
    if options.get("threshold") is not None:
        return Abilities(rules, frozenset({"iou"}))
    return Abilities(rules, frozenset({"iou"}), correct=False, more="set answer.options.threshold for right and wrong")


def _boxes(options: Mapping[str, Any]) -> Abilities:
    return Abilities(TAG_OPTIONS, frozenset({"precision", "recall", "f1"}), correct=False)


def _box3d(options: Mapping[str, Any], more: Mapping[str, OptionRule]) -> Abilities:
    from mmeval.verifiers.box3d import FORMS

    names = frozenset({"iou", "iou@0.25", "iou@0.5"})
    correct = "threshold" in more and options.get("threshold") is not None
    hint = "set answer.options.threshold for right and wrong" if more and not correct else ""
    return Abilities({**TAG_OPTIONS, "form": one_of(*FORMS), **more}, names, correct=correct, more=hint)


def _mask(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.mask import READINGS

    rules = {
        **TAG_OPTIONS,
        "prediction": one_of(*READINGS),
        "empty": one_of("0", "1"),
        "threshold": OptionRule(
            "a number of at least 0 and below 1", lambda value: is_number(value) and 0 <= value < 1
        ),
        "frame": FRAME,
    }
    names = frozenset({"iou", "p@50-95"})
    if options.get("prediction") != "box":
        names |= {"intersection", "union"}
    correct = options.get("threshold") is not None
    more = "" if correct else "set answer.options.threshold for right and wrong"
    return Abilities(rules, names, correct=correct, more=more)


def _detections(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.detections import FRAMES, POLICIES, is_frame

    rules = {
        **TAG_OPTIONS,
        "score_policy": one_of(*POLICIES),
        "frame": OptionRule(f"one of {', '.join(FRAMES)} or [width, height]", is_frame),
        "duplicates": one_of("keep", "drop", "drop-places"),
        "reversed": one_of("sort", "drop"),
        "labels": one_of("match", "ignore"),
        "category": NAME,
        "match_iou": PART,
        "precision_weight": SHARE,
    }
    names = {"precision", "recall", "f1", "mean_iou", "completeness", "weighted_pr", "boxes", "golds"}
    return Abilities(rules, frozenset(names), correct=False)


def _v_triune(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.detections import CURVE, MATCHINGS

    plain = _detections(options)
    rules = {**plain.options, "matching": one_of(*MATCHINGS), "completeness_weight": SHARE}
    curve = {f"{name}@{threshold:g}" for name in ("iou_sum", "completeness", "reward") for threshold in CURVE}
    return Abilities(rules, plain.scores | curve | {"format"}, correct=False)


def _step(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.gui.dialects import DIALECTS
    from mmeval.verifiers.gui.rules import RULES

    rules = {
        "reasoning_tags": NAMES,
        "form": one_of(*DIALECTS),
        "rule": one_of(*RULES),
        "space": one_of("pixels", *DIVISORS),
        "scroll": one_of("content", "finger"),
    }
    return Abilities(rules, frozenset({"type", "grounding", "grounded", "counted"}), needs=frozenset({"form"}))


def _refcoco(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.refcoco import RULES

    return Abilities({"rule": one_of(*RULES)}, frozenset({"iou"}), needs=frozenset({"rule"}))


def _screenspot(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.screenspot import FORMS

    return Abilities(
        {
            "form": one_of(*FORMS),
            "wrapper": OptionRule("an object with a point", lambda value: isinstance(value, Mapping)),
        },
        needs=frozenset({"form"}),
    )


def _points(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.detections import FRAMES, is_frame
    from mmeval.verifiers.points import BOXES, RULES, TAKEN

    rules = {
        **TAG_OPTIONS,
        "take": one_of(*TAKEN),
        "rule": one_of(*RULES),
        "boxes": one_of(*BOXES),
        "frame": OptionRule(f"one of {', '.join(FRAMES)} or [width, height]", is_frame),
    }
    return Abilities(rules, frozenset({"points", "any"}))


def _web_step(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.detections import FRAMES, is_frame

    rules = {"reasoning_tags": NAMES, "frame": OptionRule(f"one of {', '.join(FRAMES)} or [width, height]", is_frame)}
    return Abilities(rules, frozenset({"element", "operation_f1", "type"}))


PLACES: Mapping[str, Callable[[Mapping[str, Any]], Abilities]] = {
    "box": _box,
    "boxes": _boxes,
    "moment": _moment,
    "detections": _detections,
    "v-triune": _v_triune,
    "gui-step": _step,
    "screen-place": lambda options: Abilities({**TAG_OPTIONS, "accept_box": FLAG}, frozenset({"refused"})),
    "box3d": lambda options: _box3d(options, {"threshold": PART}),
    "caption3d": lambda options: _box3d(options, {}),
    "heatmap": lambda options: Abilities(
        {**TAG_OPTIONS, "sigma": PART, "frame": FRAME},
        frozenset({"sim", "kld", "nss"}),
        correct=False,
        needs=frozenset({"sigma"}),
    ),
    "mask": _mask,
    "point": lambda options: Abilities({**TAG_OPTIONS, "accept_box": FLAG}),
    "points": _points,
    "web-step": _web_step,
    "refcoco": _refcoco,
    "screenspot": _screenspot,
}

IN_PICTURE = frozenset(PLACES) - {"moment", "box3d", "caption3d"}
"""Verifiers whose answers are places in a picture as it is shown."""
