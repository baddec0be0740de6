"""What the built-in verifiers take and give: their options, the scores of their verdicts, what rows must bring."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mmeval.core.geometry import DIVISORS
from mmeval.verifiers.box3d import FORMS as BOXES_3D
from mmeval.verifiers.class_names import RULES as CLASS_RULES
from mmeval.verifiers.detections import CURVE, FRAMES, MATCHINGS, POLICIES, is_frame
from mmeval.verifiers.gui.dialects import DIALECTS
from mmeval.verifiers.gui.rules import RULES as STEP_RULES
from mmeval.verifiers.lists import ELEMENTS, FORMS
from mmeval.verifiers.mask import READINGS
from mmeval.verifiers.mmlongbench import FORMS as FORMATS
from mmeval.verifiers.ranking import SCORES as PAIR_SCORES
from mmeval.verifiers.reasonmap import FORMS as ROUTE_FORMS
from mmeval.verifiers.reasonmap import RULES as ROUTE_RULES
from mmeval.verifiers.refcoco import RULES as BOX_RULES
from mmeval.verifiers.scene_answer import CLEANINGS
from mmeval.verifiers.screenspot import FORMS as CLICKS
from mmeval.verifiers.spatialladder import FORMATS as OMNISPATIAL_FORMATS
from mmeval.verifiers.steps import COUNTS, STEPS
from mmeval.verifiers.text import SCORES
from mmeval.verifiers.transcript import CASES, MARKS, NUMBERS, PUNCTUATION, UNITS
from mmeval.verifiers.verdict import STYLES, TIES
from mmeval.verifiers.visemes import VISEME_MAPS


@dataclass(frozen=True, slots=True)
class OptionRule:
    """What values an answer option may have."""

    wants: str
    """In words, for messages."""
    accepts: Callable[[Any], bool]


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


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


_STEPS = OptionRule("a number of steps, or the list of them", lambda value: isinstance(value, (int, list)))


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) in (2, 3)
        and all(map(_is_number, value))
        and value[0] <= value[1]
        and (len(value) == 2 or value[2] > 0)
    )


def _is_names(value: Any) -> bool:
    names = [value] if isinstance(value, str) else value
    return isinstance(names, (list, tuple)) and bool(names) and all(isinstance(name, str) and name for name in names)


def _one_of(*values: str) -> OptionRule:
    return OptionRule(f"one of {', '.join(values)}", lambda value: str(value) in values)


_FLAG = OptionRule("true or false", lambda value: isinstance(value, bool))
_TOLERANCE = OptionRule("a number of at least 0", lambda value: _is_number(value) and value >= 0)
_BOUND = OptionRule("a number", _is_number)
_NAMES = OptionRule("a name or a list of names", _is_names)
_COMMON = {"reasoning_tags": _NAMES, "answer_tags": _NAMES}
_NUMBER = {
    "tolerance_abs": _TOLERANCE,
    "tolerance_rel": _TOLERANCE,
    "precision": _TOLERANCE,
    "mra": _FLAG,
    "range": OptionRule("[lowest, highest] or [lowest, highest, step]", _is_range),
}
_TEXT = {"match": _one_of(*SCORES), "whole": _FLAG, "spaces": _FLAG}
_YES_NO = {"words": _one_of("any", "yes-no", "true-false")}
_EXPRESSION = dict.fromkeys(("tolerance_abs", "tolerance_rel", "precision"), _TOLERANCE)
_LIST = {**_EXPRESSION, "form": _one_of(*FORMS), "element": _one_of(*ELEMENTS), "order": _FLAG}
_RATING = {
    "low": _BOUND,
    "high": _BOUND,
    "target_range": OptionRule(
        "[lowest, highest], two different numbers",
        lambda value: _is_range(value) and len(value) == 2 and value[0] < value[1],
    ),
    "target_better": _one_of("higher", "lower"),
}
_MATHVISTA = {
    "answer_type": _one_of("text", "integer", "float", "list"),
    "question_type": _one_of("multi_choice", "free_form"),
    "precision": _TOLERANCE,
}
_MATCHING = {"verbose_guard": _FLAG, "answer_phrase": _FLAG, "length_guards": _FLAG}
_REASONMAP = {"question_type": _one_of("Counting1", "Counting2", "Counting3", "TorF1", "TorF2")}
_TRANSIT = {
    "form": _one_of(*ROUTE_FORMS),
    "rule": _one_of(*ROUTE_RULES),
    "stations": OptionRule("an object of lists of stations by line", lambda value: isinstance(value, Mapping)),
    "country": OptionRule("a name", lambda value: isinstance(value, str)),
    "city": OptionRule("a name", lambda value: isinstance(value, str)),
}
_VLMEVALKIT = {**_MATCHING, "fallback": _one_of("guess", "wrong")}


def _number(options: Mapping[str, Any]) -> Abilities:
    rules = {**_COMMON, **_NUMBER}
    if options.get("mra"):
        return Abilities(rules, frozenset({"mra"}))
    return Abilities(rules, more="set answer.options.mra: true for the score mra")


def _box(options: Mapping[str, Any]) -> Abilities:
    threshold = OptionRule("a number above 0 and at most 1", lambda value: _is_number(value) and 0 < value <= 1)
    names = frozenset({"iou", "iou@0.5", "iou@0.75"})
    rules = {**_COMMON, "threshold": threshold}
    if options.get("threshold") is not None:
        return Abilities(rules, names)
    return Abilities(rules, names, correct=False, more="set answer.options.threshold for right and wrong")


def _moment(options: Mapping[str, Any]) -> Abilities:
    rules = {**_COMMON, "threshold": _THRESHOLD}
    if options.get("threshold") is not None:
        return Abilities(rules, frozenset({"iou"}))
    return Abilities(rules, frozenset({"iou"}), correct=False, more="set answer.options.threshold for right and wrong")


def _boxes(options: Mapping[str, Any]) -> Abilities:
    return Abilities(_COMMON, frozenset({"precision", "recall", "f1"}), correct=False)


_THRESHOLD = OptionRule("a number above 0 and at most 1", lambda value: _is_number(value) and 0 < value <= 1)


def _box3d(options: Mapping[str, Any], more: Mapping[str, OptionRule]) -> Abilities:
    names = frozenset({"iou", "iou@0.25", "iou@0.5"})
    correct = "threshold" in more and options.get("threshold") is not None
    hint = "set answer.options.threshold for right and wrong" if more and not correct else ""
    return Abilities({**_COMMON, "form": _one_of(*BOXES_3D), **more}, names, correct=correct, more=hint)


def _is_frame(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple)) and len(value) == 2 and all(type(side) is int and side > 0 for side in value)
    )


_FRAME = OptionRule("[width, height] in pixels", _is_frame)
_SIGMA = OptionRule("a number above 0 and at most 1", lambda value: _is_number(value) and 0 < value <= 1)


def _mask(options: Mapping[str, Any]) -> Abilities:
    rules = {
        **_COMMON,
        "prediction": _one_of(*READINGS),
        "empty": _one_of("0", "1"),
        "threshold": OptionRule(
            "a number of at least 0 and below 1", lambda value: _is_number(value) and 0 <= value < 1
        ),
        "frame": _FRAME,
    }
    names = frozenset({"iou", "p@50-95"})
    if options.get("prediction") != "box":
        names |= {"intersection", "union"}
    correct = options.get("threshold") is not None
    more = "" if correct else "set answer.options.threshold for right and wrong"
    return Abilities(rules, names, correct=correct, more=more)


def _detections(options: Mapping[str, Any]) -> Abilities:
    share = OptionRule("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)
    rules = {
        **_COMMON,
        "score_policy": _one_of(*POLICIES),
        "frame": OptionRule(f"one of {', '.join(FRAMES)} or [width, height]", is_frame),
        "duplicates": _one_of("keep", "drop", "drop-places"),
        "reversed": _one_of("sort", "drop"),
        "labels": _one_of("match", "ignore"),
        "category": OptionRule("a class name", lambda value: isinstance(value, str)),
        "match_iou": OptionRule("a number above 0 and at most 1", lambda value: _is_number(value) and 0 < value <= 1),
        "precision_weight": share,
    }
    names = {"precision", "recall", "f1", "mean_iou", "completeness", "weighted_pr", "boxes", "golds"}
    return Abilities(rules, frozenset(names), correct=False)


def _v_triune(options: Mapping[str, Any]) -> Abilities:
    plain = _detections(options)
    share = OptionRule("a number from 0 to 1", lambda value: _is_number(value) and 0 <= value <= 1)
    rules = {**plain.options, "matching": _one_of(*MATCHINGS), "completeness_weight": share}
    curve = {f"{name}@{threshold:g}" for name in ("iou_sum", "completeness", "reward") for threshold in CURVE}
    return Abilities(rules, plain.scores | curve | {"format"}, correct=False)


def _text(options: Mapping[str, Any]) -> Abilities:
    how = str(options.get("match", "exact"))
    names = frozenset({"exact", "contains", *SCORES.get(how, ())})
    rules = {**_COMMON, **_TEXT}
    if how in ("anls", "vqa"):
        return Abilities(rules, names, correct=False, more="set answer.options.match: exact for right and wrong")
    return Abilities(rules, names)


def _list(options: Mapping[str, Any]) -> Abilities:
    names = frozenset() if options.get("form") == "interval" else frozenset({"exact", "f1"})
    return Abilities({**_COMMON, **_LIST}, names)


def _mixed(options: Mapping[str, Any]) -> Abilities:
    kinds = _one_of("choice", "expression", "list", "number", "open", "text", "yes-no")
    # Rows of different kinds have different scores; those that only some have feed no metric.
    rules = {**_COMMON, **_NUMBER, **_TEXT, **_YES_NO, **_LIST, "answer_type": kinds, "readers": _NAMES}
    return Abilities(rules, needs=frozenset({"answer_type"}))


def _rules(options: Mapping[str, Any]) -> Abilities:
    return Abilities({**_COMMON, **_NUMBER, **_MATHVISTA}, needs=frozenset({"answer_type"}))


def _official(options: Mapping[str, Any]) -> Abilities:
    return Abilities({**_MATHVISTA, "cast": _one_of("current", "2023")}, needs=frozenset({"answer_type"}))


def _ocrbench(options: Mapping[str, Any]) -> Abilities:
    text = OptionRule("a text, or nothing", lambda value: value is None or isinstance(value, str))
    taken = {"reasoning_tags": _NAMES, "type": text, "eval": text, "question": text}
    return Abilities(taken, correct=False, needs=frozenset({"type"}))


def _vlmevalkit_mathvista(options: Mapping[str, Any]) -> Abilities:
    kinds = {name: _MATHVISTA[name] for name in ("answer_type", "question_type")}
    return Abilities({**_MATCHING, **kinds}, needs=frozenset({"answer_type"}))


def _vicrit(options: Mapping[str, Any]) -> Abilities:
    rules = {**_COMMON, "match": _one_of("strict", "contains", "token-f1", "compat"), "control": _FLAG}
    names = frozenset() if options.get("control") else frozenset({"strict", "contains", "token_f1", "compat"})
    return Abilities(rules, names)


def _transcript(options: Mapping[str, Any]) -> Abilities:
    rules = {
        **_COMMON,
        "case": _one_of(*CASES),
        "punctuation": _one_of(*PUNCTUATION),
        "numbers": _one_of(*NUMBERS),
        "units": _one_of(*UNITS),
        "marks": _one_of(*MARKS),
        "spaces": _FLAG,
        "visemes": _one_of(*VISEME_MAPS),
    }
    names = frozenset({"words", "word_errors", "characters", "character_errors"})
    names |= {"other_script"}
    if options.get("visemes") is not None:
        return Abilities(rules, names | {"visemes", "viseme_errors"})
    return Abilities(rules, names, more="set answer.options.visemes for viseme errors")


def _step(options: Mapping[str, Any]) -> Abilities:
    rules = {
        "reasoning_tags": _NAMES,
        "form": _one_of(*DIALECTS),
        "rule": _one_of(*STEP_RULES),
        "space": _one_of("pixels", *DIVISORS),
        "scroll": _one_of("content", "finger"),
    }
    return Abilities(rules, frozenset({"type", "grounding", "grounded", "counted"}), needs=frozenset({"form"}))


_BUILT_IN: Mapping[str, Callable[[Mapping[str, Any]], Abilities]] = {
    "blink": lambda options: Abilities({}),
    "box": _box,
    "boxes": _boxes,
    "moment": _moment,
    "detections": _detections,
    "v-triune": _v_triune,
    "checklist": lambda options: Abilities(_COMMON, frozenset({"facts", "yes", "no"})),
    "choice": lambda options: Abilities(_COMMON),
    "dependency": lambda options: Abilities(
        {},
        frozenset({"k3", "log_ratio", "log_ratio_sum", "k3_median", "k3_p90", "k3_max", "gini", "top_share", "tokens"}),
        correct=False,
    ),
    "dynamath": lambda options: Abilities(
        {"answer_type": OptionRule("a kind of question", lambda value: isinstance(value, str))},
        needs=frozenset({"answer_type"}),
    ),
    "emma": lambda options: Abilities({"number_words": _FLAG}),
    "expression": lambda options: Abilities({**_COMMON, **_EXPRESSION}, frozenset({"exact"})),
    "gui-step": _step,
    "screen-place": lambda options: Abilities({**_COMMON, "accept_box": _FLAG}, frozenset({"refused"})),
    "screen-qa": lambda options: Abilities({**_COMMON, "whole": _FLAG}, frozenset({"em", "f1"})),
    "list": _list,
    "first-integer": lambda options: Abilities({}),
    "leading-letter": lambda options: Abilities({}),
    "logicvista": lambda options: Abilities({}),
    "logicvista-rules": lambda options: Abilities(_COMMON),
    "class-name": lambda options: Abilities(
        {**_COMMON, "rule": _one_of(*CLASS_RULES), "whole": _FLAG}, frozenset({"exact", "contained"})
    ),
    "label-set": lambda options: Abilities(_COMMON, frozenset({"iou"})),
    "box3d": lambda options: _box3d(options, {"threshold": _THRESHOLD}),
    "caption3d": lambda options: _box3d(options, {}),
    "heatmap": lambda options: Abilities(
        {**_COMMON, "sigma": _SIGMA, "frame": _FRAME},
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
    "mmmu": lambda options: Abilities({"question_type": _one_of("multiple-choice", "open")}),
    "mmmu-pro": lambda options: Abilities({}),
    "mmstar": lambda options: Abilities({}),
    "count": _number,
    "number": _number,
    "ocrbench-v2": _ocrbench,
    "point": lambda options: Abilities({**_COMMON, "accept_box": _FLAG}),
    "puzzlevqa": lambda options: Abilities({}),
    "pope": lambda options: Abilities({"rule": _one_of("official", "lmms-eval")}),
    "refcoco": lambda options: Abilities({"rule": _one_of(*BOX_RULES)}, frozenset({"iou"}), needs=frozenset({"rule"})),
    "scene-answer": lambda options: Abilities(
        {**_COMMON, "clean": _one_of(*CLEANINGS), "whole": _FLAG, "first_match": _FLAG}, frozenset({"em", "em_refined"})
    ),
    "scienceqa": lambda options: Abilities({}),
    "screenspot": lambda options: Abilities(
        {
            "form": _one_of(*CLICKS),
            "wrapper": OptionRule("an object with a point", lambda value: isinstance(value, Mapping)),
        },
        needs=frozenset({"form"}),
    ),
    "reasonmap": lambda options: Abilities(
        {**_COMMON, **_TRANSIT},
        frozenset({"map_score", "endpoints", "route_names", "stops", "via"}),
        needs=frozenset({"stations", "country", "city"}),
    ),
    "reasonmap-plus": lambda options: Abilities(_REASONMAP, needs=frozenset({"question_type"})),
    "reasonmap-plus-rules": lambda options: Abilities({**_COMMON, **_REASONMAP}, needs=frozenset({"question_type"})),
    "omnispatial": lambda options: Abilities({"form": _one_of(*OMNISPATIAL_FORMATS)}),
    "spatialladder": lambda options: Abilities({"brackets": _FLAG, "answer_type": _one_of("choice", "number")}),
    "squad": lambda options: Abilities({**_COMMON, "whole": _FLAG}, frozenset({"em", "f1"})),
    "mmlongbench": lambda options: Abilities(
        {**_COMMON, "whole": _FLAG, "answer_format": _one_of(*FORMATS)},
        frozenset({"f1_matched", "f1_total"}),
        correct=False,
        needs=frozenset({"answer_format"}),
    ),
    "spar-bench": lambda options: Abilities(
        {**_COMMON, "answer_type": _one_of("choice", "number", "view-change"), "rule": _one_of("mmeval", "vlmevalkit")},
        needs=frozenset({"answer_type"}),
    ),
    "text": _text,
    "vicrit": _vicrit,
    "rating": lambda options: Abilities({**_COMMON, **_RATING}, frozenset({"exact", "rating", "opinion"})),
    "pair-verdict": lambda options: Abilities(
        {**_COMMON, "style": _one_of(*STYLES), "ties": _one_of(*TIES)}, frozenset({"first", "tie"})
    ),
    "scalar-pair": lambda options: Abilities({}, PAIR_SCORES, needs=frozenset({"answers"})),
    "step-verdicts": lambda options: Abilities(
        {**_COMMON, STEPS: _STEPS, "threshold": _BOUND}, frozenset(COUNTS), needs=frozenset({STEPS})
    ),
    "degradation": lambda options: Abilities(_COMMON, frozenset({"class", "severity"})),
    "transcript": _transcript,
    "quality-pair": lambda options: Abilities(_COMMON),
    "vlmevalkit-choice": lambda options: Abilities(_VLMEVALKIT),
    "vlmevalkit-logicvista": lambda options: Abilities({}),
    "vlmevalkit-mathverse": lambda options: Abilities({}),
    "vlmevalkit-mathvision": lambda options: Abilities(_MATCHING),
    "vlmevalkit-mathvista": _vlmevalkit_mathvista,
    "vlmevalkit-mmmu": lambda options: Abilities(_VLMEVALKIT),
    "vlmevalkit-mmmu-pro": lambda options: Abilities(_VLMEVALKIT),
    "vlmevalkit-spatial": lambda options: Abilities({"answer_type": _one_of("choice", "number")}),
    "vlmevalkit-wemath": lambda options: Abilities({}),
    "vlmevalkit-yes-no": lambda options: Abilities({}),
    "wemath": lambda options: Abilities({}),
    "vsi-bench": lambda options: Abilities({"answer_type": _one_of("choice", "number")}),
    "yes-no": lambda options: Abilities({**_COMMON, **_YES_NO}),
}
