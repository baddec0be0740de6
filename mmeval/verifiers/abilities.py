"""What the built-in verifiers take and give: their options, the scores of their verdicts, what rows must bring.

Words that an option may have are read from the verifier's module when they are asked for: importing them all would slow every start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mmeval.verifiers.option_rules import (
    BOUND,
    EXPRESSION_OPTIONS,
    FLAG,
    MATCHING_OPTIONS,
    MATHVISTA_OPTIONS,
    NAME,
    NAMES,
    NUMBER_OPTIONS,
    RATING_OPTIONS,
    REASONMAP_OPTIONS,
    STEP_LIST,
    TAG_OPTIONS,
    VLMEVALKIT_OPTIONS,
    YES_NO_OPTIONS,
    Abilities,
    OptionRule,
    list_options,
    one_of,
    text_options,
    transit_options,
)
from mmeval.verifiers.place_abilities import PLACES


def abilities_of(verifier: str, options: Mapping[str, Any]) -> Abilities | None:
    """Return what the built-in verifier takes and gives with a card's options; None for a package's verifier."""
    found = _BUILT_IN.get(verifier.replace("_", "-"))
    return found(options) if found is not None else None


def _number(options: Mapping[str, Any]) -> Abilities:
    rules = {**TAG_OPTIONS, **NUMBER_OPTIONS}
    if options.get("mra"):
        return Abilities(rules, frozenset({"mra"}))
    return Abilities(rules, more="set answer.options.mra: true for the score mra")


def _text(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.text import SCORES

    how = str(options.get("match", "exact"))
    names = frozenset({"exact", "contains", *SCORES.get(how, ())})
    rules = {**TAG_OPTIONS, **text_options()}
    if how in ("anls", "vqa"):
        return Abilities(rules, names, correct=False, more="set answer.options.match: exact for right and wrong")
    return Abilities(rules, names)


def _list(options: Mapping[str, Any]) -> Abilities:
    names = frozenset() if options.get("form") == "interval" else frozenset({"exact", "f1"})
    return Abilities({**TAG_OPTIONS, **list_options()}, names)


def _mixed(options: Mapping[str, Any]) -> Abilities:
    kinds = one_of("choice", "expression", "list", "number", "open", "text", "yes-no")
    # Rows of different kinds have different scores; those that only some have feed no metric.
    rules = {
        **TAG_OPTIONS,
        **NUMBER_OPTIONS,
        **text_options(),
        **YES_NO_OPTIONS,
        **list_options(),
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
    from mmeval.verifiers.transcript import CASES, MARKS, NUMBERS, PUNCTUATION, UNITS
    from mmeval.verifiers.visemes import VISEME_MAPS

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


def _class_name(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.class_names import RULES

    return Abilities({**TAG_OPTIONS, "rule": one_of(*RULES), "whole": FLAG}, frozenset({"exact", "contained"}))


def _scene_answer(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.scene_answer import CLEANINGS

    return Abilities(
        {**TAG_OPTIONS, "clean": one_of(*CLEANINGS), "whole": FLAG, "first_match": FLAG},
        frozenset({"em", "em_refined"}),
    )


def _omnispatial(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.spatialladder import FORMATS

    return Abilities({"form": one_of(*FORMATS)})


def _published_letter(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.published_letters import RULES

    return Abilities({"rule": one_of(*RULES)}, needs=frozenset({"rule"}))


def _squad(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.squad import RULES

    return Abilities(
        {
            **TAG_OPTIONS,
            "whole": FLAG,
            "rule": one_of(*RULES),
            "question": OptionRule("a text", lambda value: isinstance(value, str)),
        },
        frozenset({"em", "f1"}),
        needs=frozenset({"question"} if options.get("rule") == "slidevqa" else ()),
    )


def _mmlongbench(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.mmlongbench import FORMS, RULES

    return Abilities(
        {**TAG_OPTIONS, "whole": FLAG, "answer_format": one_of(*FORMS), "rule": one_of(*RULES)},
        frozenset({"f1_matched", "f1_total"}),
        correct=False,
        needs=frozenset({"answer_format"}),
    )


def _spar_bench(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.sparbench import RULES

    return Abilities(
        {
            **TAG_OPTIONS,
            "answer_type": one_of("choice", "number", "view-change"),
            "rule": one_of(*RULES),
            "several_views": FLAG,
        },
        needs=frozenset({"answer_type"}),
    )


def _pair_verdict(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.verdict import STYLES, TIES

    return Abilities({**TAG_OPTIONS, "style": one_of(*STYLES), "ties": one_of(*TIES)}, frozenset({"first", "tie"}))


def _scalar_pair(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.ranking import SCORES

    return Abilities({}, SCORES, needs=frozenset({"answers"}))


def _step_verdicts(options: Mapping[str, Any]) -> Abilities:
    from mmeval.verifiers.steps import COUNTS, STEPS

    return Abilities({**TAG_OPTIONS, STEPS: STEP_LIST, "threshold": BOUND}, frozenset(COUNTS), needs=frozenset({STEPS}))


_BUILT_IN: Mapping[str, Callable[[Mapping[str, Any]], Abilities]] = {
    **PLACES,
    "blink": lambda options: Abilities({}),
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
    "screen-qa": lambda options: Abilities({**TAG_OPTIONS, "whole": FLAG}, frozenset({"em", "f1"})),
    "list": _list,
    "first-integer": lambda options: Abilities({}),
    "leading-letter": lambda options: Abilities({}),
    "logicvista": lambda options: Abilities({}),
    "logicvista-rules": lambda options: Abilities(TAG_OPTIONS),
    "class-name": _class_name,
    "label-set": lambda options: Abilities(TAG_OPTIONS, frozenset({"iou"})),
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
    "puzzlevqa": lambda options: Abilities({}),
    "pope": lambda options: Abilities({"rule": one_of("official", "lmms-eval")}),
    "scene-answer": _scene_answer,
    "scienceqa": lambda options: Abilities({}),
    "reasonmap": lambda options: Abilities(
        {**TAG_OPTIONS, **transit_options()},
        frozenset({"map_score", "endpoints", "route_names", "stops", "via"}),
        needs=frozenset({"stations", "country", "city"}),
    ),
    "reasonmap-plus": lambda options: Abilities(REASONMAP_OPTIONS, needs=frozenset({"question_type"})),
    "reasonmap-plus-rules": lambda options: Abilities(
        {**TAG_OPTIONS, **REASONMAP_OPTIONS}, needs=frozenset({"question_type"})
    ),
    "omnispatial": _omnispatial,
    "spatialladder": lambda options: Abilities({"brackets": FLAG, "answer_type": one_of("choice", "number")}),
    "published-letter": _published_letter,
    "squad": _squad,
    "mmlongbench": _mmlongbench,
    "spar-bench": _spar_bench,
    "text": _text,
    "vicrit": _vicrit,
    "rating": lambda options: Abilities({**TAG_OPTIONS, **RATING_OPTIONS}, frozenset({"exact", "rating", "opinion"})),
    "pair-verdict": _pair_verdict,
    "scalar-pair": _scalar_pair,
    "step-verdicts": _step_verdicts,
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
