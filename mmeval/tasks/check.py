"""Mistakes of a card that its schema cannot see, all of them at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmeval.core.errors import MmevalError, UsageError, nearest, unknown
from mmeval.core.templates import compile_template, undeclared
from mmeval.tasks.card import Card, merge, mistakes, validate
from mmeval.tasks.gold_columns import leaks
from mmeval.tasks.prompts import TEMPLATE_NAMES, compile_expression
from mmeval.tasks.registry import CardFile
from mmeval.verifiers.abilities import abilities_of
from mmeval.verifiers.judge_files import judges_beside
from mmeval.verifiers.option_rules import Abilities, OptionRule

if TYPE_CHECKING:
    from mmeval.metrics import Metric


def verifier_name(card: Card) -> str:
    """The name of the rule verifier of a card."""
    return card.answer.verifier or card.answer.kind


def columns(card: Card) -> Iterator[tuple[str, str]]:
    """Every column or expression of the card with its key."""
    for name, value in card.fields.model_dump(exclude_none=True).items():
        for column in value if isinstance(value, list) else [value]:
            yield f"fields.{name}", column
    if card.answer.coordinates.startswith("="):
        yield "answer.coordinates", card.answer.coordinates
    sections = (
        ("subsets", card.subsets),
        ("groups", card.groups),
        ("judge_fields", card.judge_fields),
        ("visual", card.visual.model_dump(exclude={"coordinates"}, exclude_none=True)),
        ("answer.row_options", card.answer.of_row()),
    )
    if card.strategy is not None:
        yield from card.strategy.columns
    for section, named in sections:
        for name, column in named.items():
            yield f"{section}.{name}", column


def explain(file: CardFile) -> UsageError | None:
    """Return every mistake of a card and of its protocols as one error, or None."""
    if not isinstance(file.raw, dict):
        return mistakes(file.path, [f"card: a card is a YAML mapping, this is {type(file.raw).__name__}"])
    folders = judges_beside(file.path)
    lines = _of_raw(file.raw, folders)
    protocols = file.raw.get("protocols")
    for name, override in protocols.items() if isinstance(protocols, dict) else ():
        if isinstance(override, dict):
            found = _of_raw(merge(file.raw, override), folders)
            lines += [f"protocol {name}: {line}" for line in found if line not in lines]
    return mistakes(file.path, lines) if lines else None


def _of_raw(raw: dict[str, Any], judge_folders: Sequence[Path]) -> list[str]:
    card, lines = validate(raw)
    return lines if card is None else lines + problems(card, judge_folders=judge_folders)


def check(
    card: Card, place: Path | str, prompt_override: str | None = None, judge_folders: Sequence[Path] = ()
) -> None:
    """Refuse a card with mistakes; `judge_folders` hold judge cards of its own.

    Raises:
        UsageError: that lists every mistake with its key and remedy.
    """
    lines = problems(card, prompt_override, judge_folders)
    if lines:
        raise mistakes(place, lines)


def problems(card: Card, prompt_override: str | None = None, judge_folders: Sequence[Path] = ()) -> list[str]:
    """Return the mistakes of a card as lines that begin with the key."""
    found = [
        *_verifier(card),
        *_judges(card, judge_folders),
        *_metrics(card),
        *_groups(card),
        *_templates(card, prompt_override),
        *_expressions(card),
        *_data(card),
        *leaks(card),
        *_strategy(card),
    ]
    return list(dict.fromkeys(found))


def _line(key: str, error: MmevalError) -> str:
    return f"{key}: {error.message}{f' ({error.remedy})' if error.remedy else ''}"


def _abilities(card: Card) -> Abilities | None:
    found = abilities_of(verifier_name(card), card.answer.options)
    if found is None or card.strategy is None:
        return found
    return replace(found, scores=found.scores | card.strategy.scores)


def _verifier(card: Card) -> Iterator[str]:
    from mmeval.verifiers.registry import get_verifier

    answer = card.answer
    name = verifier_name(card)
    abilities = _abilities(card)
    wrong = list(_options(card, name, abilities)) if abilities is not None else []
    yield from wrong
    if not wrong:
        try:
            get_verifier(name, answer.options)
        except MmevalError as error:
            yield _line("answer.verifier", error)
    given = {*answer.options, *answer.of_row()}
    if name == "mixed" and answer.kind == "mixed":
        given.add("answer_type")
    for option in sorted((abilities.needs if abilities is not None else frozenset()) - given):
        yield f"answer.row_options: verifier {name!r} needs {option!r} of every row (name its column there)"


def _judges(card: Card, folders: Sequence[Path]) -> Iterator[str]:
    from mmeval.verifiers.judge_files import load_judge
    from mmeval.verifiers.registry import get_verifier

    for number, step in enumerate(card.judges):
        try:
            judge = load_judge(step.card, folders)
            if step.verifier is not None:
                get_verifier(step.verifier, {**card.answer.options, **step.options})
        except MmevalError as error:
            yield _line(f"judges.{number}", error)
            continue
        if judge.kind != "extraction" and (step.verifier is not None or step.options):
            yield f"judges.{number}.verifier: judge card {judge.name!r} gives a verdict, so nothing reads its answer (leave it out)"
    extracts = bool(card.judges) and card.judges[0].when == "always"
    if card.answer.reads == "extraction" and card.judges and not extracts:
        yield "judges.0.when: answer.reads is 'extraction', so the first judge has to extract (when: always)"


def _options(card: Card, name: str, abilities: Abilities) -> Iterator[str]:
    rules = dict(abilities.options)
    if card.answer.kind == "rating":
        # The prompt names the scale, whichever verifier reads the answer.
        rules = {**_rules_of("rating"), **rules}
    for option, value in card.answer.options.items():
        key = f"answer.options.{option}"
        if option not in rules:
            close = nearest(option, rules)
            hint = f"did you mean {' or '.join(close)}?" if close else f"it takes {', '.join(sorted(rules))}"
            yield f"{key}: verifier {name!r} has no such option ({hint})"
        elif not rules[option].accepts(value):
            yield f"{key}: {value!r} is not {rules[option].wants}"
    low, high = (card.answer.options.get(bound, default) for bound, default in (("low", 1), ("high", 5)))
    if "low" in rules and all(rules["low"].accepts(bound) for bound in (low, high)) and low >= high:
        yield f"answer.options: low: {low!r} and high: {high!r} make no scale (low must be below high)"


def _rules_of(verifier: str) -> dict[str, OptionRule]:
    found = abilities_of(verifier, {})
    return dict(found.options) if found is not None else {}


def _metrics(card: Card) -> Iterator[str]:
    from mmeval.metrics import get_metric

    abilities = _abilities(card)
    for name in card.metrics:
        try:
            metric = get_metric(name)
        except MmevalError as error:
            yield _line("metrics", error)
            continue
        yield from _grouping(card, metric, abilities)
        if abilities is None:
            continue
        lacks = ""
        if metric.source == "correct" and not abilities.correct:
            lacks = "right or wrong"
        elif metric.source == "scores" and metric.key not in abilities.scores:
            lacks = f"score {metric.key!r}"
        if lacks:
            usable = ["accuracy"] if abilities.correct else []
            usable += ["mean", *(f"mean:{score}" for score in sorted(abilities.scores))]
            more = f"{abilities.more}, or " if abilities.more else ""
            yield (
                f"metrics: {name!r} cannot be computed: verifier {verifier_name(card)!r} gives no {lacks} "
                f"({more}use {', '.join(usable)})"
            )


def _grouping(card: Card, metric: Metric, abilities: Abilities | None) -> Iterator[str]:
    """What a metric that is no mean needs of the card."""
    known = {**card.subsets, **card.groups}
    for column in metric.columns:
        if column not in known:
            close = nearest(column, known)
            hint = f"did you mean {' or '.join(close)}?" if close else f"write groups: {{{column}: COLUMN}}"
            yield f"metrics: {metric.name!r} groups by {column!r}, which is neither a subset nor a group of the card ({hint})"
    weights = [name.partition(".")[2] for name in metric.reads if name.startswith("subsets.")]
    for weight in weights:
        if weight not in known and abilities is not None and weight not in abilities.scores:
            yield (
                f"metrics: {metric.name!r} weighs by {weight!r}, which is neither a score of the verifier nor a group of the"
                f" card (write groups: {{{weight}: COLUMN}})"
            )
    if abilities is not None and not weights:
        for name in metric.reads:
            section, _, score = name.partition(".")
            if section == "scores" and score not in abilities.scores:
                more = f" ({abilities.more})" if abilities.more else ""
                yield f"metrics: {metric.name!r} needs the score {score!r}, which verifier {verifier_name(card)!r} does not give{more}"
    from mmeval.metrics.captions import CAPTION_METRICS
    from mmeval.metrics.detection import reads_boxes

    if metric.name.rpartition(":")[2] in CAPTION_METRICS:
        if card.answer.kind != "text":
            yield f"metrics: {metric.name!r} compares texts, and answer.kind is {card.answer.kind!r} (kind: text)"
    elif reads_boxes(metric):
        if card.answer.kind != "boxes":
            yield f"metrics: {metric.name!r} is about lists of boxes, and answer.kind is {card.answer.kind!r}"
    elif {"extracted", "target"} <= {*metric.reads} and card.answer.kind not in ("yes-no", "mixed"):
        yield f"metrics: {metric.name!r} is about answers of yes and no, and answer.kind is {card.answer.kind!r}"


def _groups(card: Card) -> Iterator[str]:
    from mmeval.metrics.definition import BUILT_IN_COLUMNS

    for name in card.groups:
        if name in card.subsets:
            yield f"groups.{name}: it stands under subsets already (leave it there alone; metrics find it)"
        if name in BUILT_IN_COLUMNS:
            yield f"groups.{name}: metrics know {name!r} without it (give another name)"
        if "/" in name or ":" in name:
            yield f"groups.{name}: the name of a group has no '/' and no ':' (metrics could not name it)"


def _templates(card: Card, prompt_override: str | None) -> Iterator[str]:
    given = (("prompt.template", card.prompt.template), ("--prompt-file", prompt_override))
    for key, template in given:
        if template is None:
            continue
        try:
            compile_template(template)
        except UsageError as error:
            yield _line(key, error)
            continue
        names = undeclared(template)
        for name in sorted(names - TEMPLATE_NAMES):
            close = nearest(name, TEMPLATE_NAMES)
            hint = f"did you mean {' or '.join(close)}? " if close else ""
            known = ", ".join(sorted(TEMPLATE_NAMES))
            yield f"{key}: the template names {name!r}, which is not defined ({hint}there are {known}; columns are row.NAME)"
        if "choices" in names and card.dataset.synthetic is None and card.fields.choices is None:
            yield f"fields.choices: {key} shows choices, and no column holds them (name it, or leave choices out)"


def _expressions(card: Card) -> Iterator[str]:
    for key, column in (*columns(card), *(("dataset.where", column) for column in card.dataset.where)):
        if column.startswith("="):
            try:
                compile_expression(column[1:].strip())
            except UsageError as error:
                yield _line(key, error)


def _data(card: Card) -> Iterator[str]:
    source = card.dataset.synthetic
    answer = card.answer
    if source is not None:
        from mmeval.tasks import synthetic

        if source.generator not in synthetic.TASKS:
            yield _line("dataset.synthetic.generator", unknown("generator", source.generator, synthetic.TASKS))
        for key, _ in card.strategy.columns if card.strategy is not None else ():
            yield f"{key}: a generated row has no columns (leave it out)"
        return
    if answer.kind == "mixed" and not card.fields.answer_type:
        yield "fields.answer_type: kind 'mixed' needs it (name the column or an '=' expression)"
    if answer.kind in ("choice", "mixed") and answer.target != "value" and card.fields.choices is None:
        yield f"fields.choices: answer.target {answer.target!r} needs the column that holds the options (name it)"
    if card.fields.answer is None and not answer.withheld:
        yield "fields.answer: without the column of gold answers nothing can be scored (name it, or set answer.withheld)"
    for name in _twice(card.metrics):
        yield f"metrics: {name!r} is there twice (leave one out)"


def _strategy(card: Card) -> Iterator[str]:
    section = card.strategy
    if (
        section is not None
        and section.name == "guided-greedy"
        and section.candidates > 1
        and card.decoding.temperature == 0
    ):
        yield "decoding.temperature: 0 gives every candidate of a step alike (strategy guided-greedy; take 0.7, say)"


def _twice(names: Iterable[str]) -> list[str]:
    listed = list(names)
    return sorted({name for name in listed if listed.count(name) > 1})
