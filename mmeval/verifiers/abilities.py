"""What the built-in verifiers take and give: their options, the scores of their verdicts, what rows must bring."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mmeval.core.geometry import DIVISORS
from mmeval.verifiers.box3d import FORMS as BOXES_3D
from mmeval.verifiers.class_names import RULES as CLASS_RULES
from mmeval.verifiers.detections import CURVE, FRAMES, MATCHINGS, POLICIES, is_frame
from mmeval.verifiers.gui.dialects import DIALECTS
from mmeval.verifiers.gui.rules import RULES as STEP_RULES
from mmeval.verifiers.mask import READINGS
from mmeval.verifiers.mmlongbench import FORMS as FORMATS
from mmeval.verifiers.mmlongbench import RULES as DOCUMENT_RULES
from mmeval.verifiers.option_rules import (
    BOUND,
    EXPRESSION_OPTIONS,
    FLAG,
    FRAME,
    LIST_OPTIONS,
    MATCHING_OPTIONS,
    MATHVISTA_OPTIONS,
    NAME,
    NAMES,
    NUMBER_OPTIONS,
    PART,
    RATING_OPTIONS,
    REASONMAP_OPTIONS,
    SHARE,
    STEP_LIST,
    TAG_OPTIONS,
    TEXT_OPTIONS,
    TRANSIT_OPTIONS,
    VLMEVALKIT_OPTIONS,
    YES_NO_OPTIONS,
    OptionRule,
    is_number,
    one_of,
)
from mmeval.verifiers.points import BOXES as POINT_BOXES
from mmeval.verifiers.points import RULES as POINT_RULES
from mmeval.verifiers.points import TAKEN as POINTS_TAKEN
from mmeval.verifiers.published_letters import RULES as LETTER_RULES
from mmeval.verifiers.ranking import SCORES as PAIR_SCORES
from mmeval.verifiers.refcoco import RULES as BOX_RULES
from mmeval.verifiers.scene_answer import CLEANINGS
from mmeval.verifiers.screenspot import FORMS as CLICKS
from mmeval.verifiers.sparbench import RULES as VIEW_RULES
from mmeval.verifiers.spatialladder import FORMATS as OMNISPATIAL_FORMATS
from mmeval.verifiers.squad import RULES as ANSWER_RULES
from mmeval.verifiers.steps import COUNTS, STEPS
from mmeval.verifiers.text import SCORES
from mmeval.verifiers.transcript import CASES, MARKS, NUMBERS, PUNCTUATION, UNITS
from mmeval.verifiers.verdict import STYLES, TIES
from mmeval.verifiers.visemes import VISEME_MAPS


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a verifier takes and gives under some options."""

    options: Mapping[str, OptionRule]
    """The options that it, or the engine that guesses, reads."""
    scores: frozenset[str] = frozenset()
    """Names that the `scores` of every scored verdict have."""
    correct: bool = True
    """Whether its verdicts are right or wrong, beside the score."""
    more: str = ""
    """Which option would make it give more, in words."""
    needs: frozenset[str] = frozenset()
    """Options that every row must bring where the card does not set them."""


def abilities_of(verifier: str, options: Mapping[str, Any]) -> Abilities | None:
    """Return what the built-in verifier takes and gives with a card's options; None for a package's verifier."""
    found = _BUILT_IN.get(verifier.replace("_", "-"))
    return found(options) if found is not None else None


def _number(options: Mapping[str, Any]) -> Abilities:
    rules = {**TAG_OPTIONS, **NUMBER_OPTIONS}
    if options.get("mra"):
        return Abilities(rules, frozenset({"mra"}))
    return Abilities(rules, more="set answer.options.mra: true for the score mra")


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
    names = frozenset({"iou", "iou@0.25", "iou@0.5"})
    correct = "threshold" in more and options.get("threshold") is not None
    hint = "set answer.options.threshold for right and wrong" if more and not correct else ""
    return Abilities({**TAG_OPTIONS, "form": one_of(*BOXES_3D), **more}, names, correct=correct, more=hint)


def _mask(options: Mapping[str, Any]) -> Abilities:
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


def _points(options: Mapping[str, Any]) -> Abilities:
    rules = {
        **TAG_OPTIONS,
        "take": one_of(*POINTS_TAKEN),
        "rule": one_of(*POINT_RULES),
        "boxes": one_of(*POINT_BOXES),
        "frame": OptionRule(f"one of {', '.join(FRAMES)} or [width, height]", is_frame),
    }
    return Abilities(rules, frozenset({"points", "any"}))


def _v_triune(options: Mapping[str, Any]) -> Abilities:
    plain = _detections(options)
    rules = {**plain.options, "matching": one_of(*MATCHINGS), "completeness_weight": SHARE}
    curve = {f"{name}@{threshold:g}" for name in ("iou_sum", "completeness", "reward") for threshold in CURVE}
    return Abilities(rules, plain.scores | curve | {"format"}, correct=False)


def _text(options: Mapping[str, Any]) -> Abilities:
    how = str(options.get("match", "exact"))
    names = frozenset({"exact", "contains", *SCORES.get(how, ())})
    rules = {**TAG_OPTIONS, **TEXT_OPTIONS}
    if how in ("anls", "vqa"):
        return Abilities(rules, names, correct=False, more="set answer.options.match: exact for right and wrong")
    return Abilities(rules, names)


def _list(options: Mapping[str, Any]) -> Abilities:
    names = frozenset() if options.get("form") == "interval" else frozenset({"exact", "f1"})
    return Abilities({**TAG_OPTIONS, **LIST_OPTIONS}, names)


def _mixed(options: Mapping[str, Any]) -> Abilities:
    kinds = one_of("choice", "expression", "list", "number", "open", "text", "yes-no")
    # Rows of different kinds have different scores; those that only some have feed no metric.
    rules = {
        **TAG_OPTIONS,
        **NUMBER_OPTIONS,
        **TEXT_OPTIONS,
        **YES_NO_OPTIONS,
        **LIST_OPTIONS,
        "answer_type": kinds,
        "readers": NAMES,
    }
    return Abilities(rules, needs=frozenset({"answer_type"}))


def _rules(options: Mapping[str, Any]) -> Abilities:
    return Abilities({**TAG_OPTIONS, **NUMBER_OPTIONS, **MATHVISTA_OPTIONS}, needs=frozenset({"answer_type"}))


def _official(options: Mapping[str, Any]) -> Abilities:
    return Abilities({**MATHVISTA_OPTIONS, "cast": one_of("current", "2023")}, needs=frozenset({"answer_type"}))


def _ocrbench(options: Mapping[str, Any]) -> Abilities:
    text = OptionRule("a text, or nothing", lambda value: value is None or isinstance(value, str))
    taken = {"reasoning_tags": NAMES, "type": text, "eval": text, "question": text}
    return Abilities(taken, correct=False, needs=frozenset({"type"}))


def _vlmevalkit_mathvista(options: Mapping[str, Any]) -> Abilities:
    kinds = {name: MATHVISTA_OPTIONS[name] for name in ("answer_type", "question_type")}
    return Abilities({**MATCHING_OPTIONS, **kinds}, needs=frozenset({"answer_type"}))


def _vicrit(options: Mapping[str, Any]) -> Abilities:
    rules = {**TAG_OPTIONS, "match": one_of("strict", "contains", "token-f1", "compat"), "control": FLAG}
    names = frozenset() if options.get("control") else frozenset({"strict", "contains", "token_f1", "compat"})
    return Abilities(rules, names)


def _transcript(options: Mapping[str, Any]) -> Abilities:
    rules = {
        **TAG_OPTIONS,
        "case": one_of(*CASES),
        "punctuation": one_of(*PUNCTUATION),
        "numbers": one_of(*NUMBERS),
        "units": one_of(*UNITS),
        "marks": one_of(*MARKS),
        "spaces": FLAG,
        "visemes": one_of(*VISEME_MAPS),
    }
    names = frozenset({"words", "word_errors", "characters", "character_errors"})
    names |= {"other_script"}
    if options.get("visemes") is not None:
        return Abilities(rules, names | {"visemes", "viseme_errors"})
    return Abilities(rules, names, more="set answer.options.visemes for viseme errors")


def _step(options: Mapping[str, Any]) -> Abilities:
    rules = {
        "reasoning_tags": NAMES,
        "form": one_of(*DIALECTS),
        "rule": one_of(*STEP_RULES),
        "space": one_of("pixels", *DIVISORS),
        "scroll": one_of("content", "finger"),
    }
    return Abilities(rules, frozenset({"type", "grounding", "grounded", "counted"}), needs=frozenset({"form"}))


_BUILT_IN: Mapping[str, Callable[[Mapping[str, Any]], Abilities]] = {
    "blink": lambda options: Abilities({}),
    "box": _box,
    "boxes": _boxes,
    "moment": _moment,
    "detections": _detections,
    "v-triune": _v_triune,
    "checklist": lambda options: Abilities(TAG_OPTIONS, frozenset({"facts", "yes", "no"})),
    "choice": lambda options: Abilities(TAG_OPTIONS),
    "dependency": lambda options: Abilities(
        {},
        frozenset({"k3", "log_ratio", "log_ratio_sum", "k3_median", "k3_p90", "k3_max", "gini", "top_share", "tokens"}),
        correct=False,
    ),
    "dynamath": lambda options: Abilities(
        {"answer_type": NAME},
        needs=frozenset({"answer_type"}),
    ),
    "emma": lambda options: Abilities({"number_words": FLAG}),
    "expression": lambda options: Abilities({**TAG_OPTIONS, **EXPRESSION_OPTIONS}, frozenset({"exact"})),
    "gui-step": _step,
    "web-step": lambda options: Abilities(
        {"reasoning_tags": NAMES, "frame": OptionRule(f"one of {', '.join(FRAMES)} or [width, height]", is_frame)},
        frozenset({"element", "operation_f1", "type"}),
    ),
    "screen-place": lambda options: Abilities({**TAG_OPTIONS, "accept_box": FLAG}, frozenset({"refused"})),
    "screen-qa": lambda options: Abilities({**TAG_OPTIONS, "whole": FLAG}, frozenset({"em", "f1"})),
    "list": _list,
    "first-integer": lambda options: Abilities({}),
    "leading-letter": lambda options: Abilities({}),
    "logicvista": lambda options: Abilities({}),
    "logicvista-rules": lambda options: Abilities(TAG_OPTIONS),
    "class-name": lambda options: Abilities(
        {**TAG_OPTIONS, "rule": one_of(*CLASS_RULES), "whole": FLAG}, frozenset({"exact", "contained"})
    ),
    "label-set": lambda options: Abilities(TAG_OPTIONS, frozenset({"iou"})),
    "box3d": lambda options: _box3d(options, {"threshold": PART}),
    "caption3d": lambda options: _box3d(options, {}),
    "heatmap": lambda options: Abilities(
        {**TAG_OPTIONS, "sigma": PART, "frame": FRAME},
        frozenset({"sim", "kld", "nss"}),
        correct=False,
        needs=frozenset({"sigma"}),
    ),
    "mask": _mask,
    "mathvision": lambda options: Abilities({}),
    "mathvista": _official,
    "mathvista-rules": _rules,
    "mixed": _mixed,
    "mmlu-pro": lambda options: Abilities({}),
    "mmmu": lambda options: Abilities({"question_type": one_of("multiple-choice", "open")}),
    "mmmu-pro": lambda options: Abilities({}),
    "mmstar": lambda options: Abilities({}),
    "count": _number,
    "number": _number,
    "ocrbench-v2": _ocrbench,
    "point": lambda options: Abilities({**TAG_OPTIONS, "accept_box": FLAG}),
    "points": _points,
    "puzzlevqa": lambda options: Abilities({}),
    "pope": lambda options: Abilities({"rule": one_of("official", "lmms-eval")}),
    "refcoco": lambda options: Abilities({"rule": one_of(*BOX_RULES)}, frozenset({"iou"}), needs=frozenset({"rule"})),
    "scene-answer": lambda options: Abilities(
        {**TAG_OPTIONS, "clean": one_of(*CLEANINGS), "whole": FLAG, "first_match": FLAG},
        frozenset({"em", "em_refined"}),
    ),
    "scienceqa": lambda options: Abilities({}),
    "screenspot": lambda options: Abilities(
        {
            "form": one_of(*CLICKS),
            "wrapper": OptionRule("an object with a point", lambda value: isinstance(value, Mapping)),
        },
        needs=frozenset({"form"}),
    ),
    "reasonmap": lambda options: Abilities(
        {**TAG_OPTIONS, **TRANSIT_OPTIONS},
        frozenset({"map_score", "endpoints", "route_names", "stops", "via"}),
        needs=frozenset({"stations", "country", "city"}),
    ),
    "reasonmap-plus": lambda options: Abilities(REASONMAP_OPTIONS, needs=frozenset({"question_type"})),
    "reasonmap-plus-rules": lambda options: Abilities(
        {**TAG_OPTIONS, **REASONMAP_OPTIONS}, needs=frozenset({"question_type"})
    ),
    "omnispatial": lambda options: Abilities({"form": one_of(*OMNISPATIAL_FORMATS)}),
    "spatialladder": lambda options: Abilities({"brackets": FLAG, "answer_type": one_of("choice", "number")}),
    "published-letter": lambda options: Abilities({"rule": one_of(*LETTER_RULES)}, needs=frozenset({"rule"})),
    "squad": lambda options: Abilities(
        {
            **TAG_OPTIONS,
            "whole": FLAG,
            "rule": one_of(*ANSWER_RULES),
            "question": OptionRule("a text", lambda value: isinstance(value, str)),
        },
        frozenset({"em", "f1"}),
        needs=frozenset({"question"} if options.get("rule") == "slidevqa" else ()),
    ),
    "mmlongbench": lambda options: Abilities(
        {**TAG_OPTIONS, "whole": FLAG, "answer_format": one_of(*FORMATS), "rule": one_of(*DOCUMENT_RULES)},
        frozenset({"f1_matched", "f1_total"}),
        correct=False,
        needs=frozenset({"answer_format"}),
    ),
    "spar-bench": lambda options: Abilities(
        {
            **TAG_OPTIONS,
            "answer_type": one_of("choice", "number", "view-change"),
            "rule": one_of(*VIEW_RULES),
            "several_views": FLAG,
        },
        needs=frozenset({"answer_type"}),
    ),
    "text": _text,
    "vicrit": _vicrit,
    "rating": lambda options: Abilities({**TAG_OPTIONS, **RATING_OPTIONS}, frozenset({"exact", "rating", "opinion"})),
    "pair-verdict": lambda options: Abilities(
        {**TAG_OPTIONS, "style": one_of(*STYLES), "ties": one_of(*TIES)}, frozenset({"first", "tie"})
    ),
    "scalar-pair": lambda options: Abilities({}, PAIR_SCORES, needs=frozenset({"answers"})),
    "step-verdicts": lambda options: Abilities(
        {**TAG_OPTIONS, STEPS: STEP_LIST, "threshold": BOUND}, frozenset(COUNTS), needs=frozenset({STEPS})
    ),
    "degradation": lambda options: Abilities(TAG_OPTIONS, frozenset({"class", "severity"})),
    "transcript": _transcript,
    "quality-pair": lambda options: Abilities(TAG_OPTIONS),
    "vlmevalkit-choice": lambda options: Abilities(VLMEVALKIT_OPTIONS),
    "vlmevalkit-logicvista": lambda options: Abilities({}),
    "vlmevalkit-mathverse": lambda options: Abilities({}),
    "vlmevalkit-mathvision": lambda options: Abilities(MATCHING_OPTIONS),
    "vlmevalkit-mathvista": _vlmevalkit_mathvista,
    "vlmevalkit-mmmu": lambda options: Abilities(VLMEVALKIT_OPTIONS),
    "vlmevalkit-mmmu-pro": lambda options: Abilities(VLMEVALKIT_OPTIONS),
    "vlmevalkit-spatial": lambda options: Abilities({"answer_type": one_of("choice", "number")}),
    "vlmevalkit-wemath": lambda options: Abilities({}),
    "vlmevalkit-yes-no": lambda options: Abilities({}),
    "wemath": lambda options: Abilities({}),
    "vsi-bench": lambda options: Abilities({"answer_type": one_of("choice", "number")}),
    "yes-no": lambda options: Abilities({**TAG_OPTIONS, **YES_NO_OPTIONS}),
}
