"""No card lets its gold answers reach a parser: every shipped card with a fixture, under every protocol."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from mmeval.core.errors import DataError
from mmeval.core.types import AnswerContext, Response, Sample
from mmeval.tasks.card import parse_card
from mmeval.tasks.check import problems
from mmeval.tasks.data import Row
from mmeval.tasks.gold_columns import gold_columns, leaks, reads
from mmeval.tasks.options import AskStyle, DataOptions
from mmeval.tasks.registry import Registry
from mmeval.tasks.task import Task
from mmeval.verifiers.base import NO_TARGET, verify

DATA = Path(__file__).parents[1] / "data"
REGISTRY = Registry([])
FORMS = (
    "{}", "The answer is {}.", "<think>It is {} or {other}.</think><answer>{}</answer>", "<think>Hm.</think>\\boxed{{{}}}", "[{}]", '<answer>{{"rating": {}}}</answer>',
    '[{{"bbox_2d": {}, "label": "cup"}}]', "Overall Judgment: Answer {} is better.", "({}) {other}", "",
)  # fmt: skip
"""What models write around an answer."""
OWN = ("yes", "3", "4.5", "B", "[[B]]", "[10, 20, 30, 40]", "[0.2, 0.3]", "bin blue at f two now", "I'm sorry, I can't see it.", "click(x=3, y=4)")  # fmt: skip


def protocols() -> Iterator[tuple[str, str]]:
    """Every protocol that reads rows or answers in another way than those before it."""
    for name, file in sorted(REGISTRY.cards.items()):
        known = []
        for protocol in ("default", *file.raw.get("protocols", {})):
            card = Task.load(file, protocol).card
            if card.answer.reads == "extraction" and not card.judges:
                continue  # results are imported, nothing is parsed
            way = (card.answer, card.fields, card.dataset.local, card.dataset.each)
            if way not in known:
                known.append(way)
                yield name, protocol


PROTOCOLS = list(protocols())


@cache
def task_of(name: str, protocol: str) -> Task:
    return Task.load(REGISTRY.cards[name], protocol)


@cache
def samples_of(name: str, protocol: str) -> tuple[Sample, ...]:
    """At most eight samples of the fixture, or of the generator."""
    opened = task_of(name, protocol).open(DataOptions(data_dir=DATA, limit=8))
    found = []
    for _, build in opened.samples(AskStyle()):
        try:
            sample = build()
        except DataError:
            continue  # a fixture may hold rows at fault
        context = replace(sample.context, image_size=(400, 300), sent_size=(400, 300))
        found.append(replace(sample, context=context))
    return tuple(found)


def said(target: Any) -> str:
    while isinstance(target, (list, tuple)) and target and not all(isinstance(value, (int, float)) for value in target):
        target = target[0]
    if isinstance(target, dict):
        target = next(iter(target.values()), "")
    return str(target)


def plain(context: AnswerContext) -> AnswerContext:
    """A context without the note that a row has no gold."""
    return replace(context, options={name: value for name, value in context.options.items() if name != NO_TARGET})


@pytest.mark.parametrize(("name", "protocol"), PROTOCOLS)
def test_what_is_read_does_not_change_when_targets_are_permuted(name: str, protocol: str) -> None:
    task, samples = task_of(name, protocol), samples_of(name, protocol)
    assert samples
    verifier = task.verifier
    targets = [sample.target for sample in samples]
    values = list(dict.fromkeys([*map(said, targets), *OWN]))
    for place, sample in enumerate(samples):
        answers = [values[(place + step) % len(values)] for step in (0, 1, 3)]
        texts = [form.format(answer, answer, other=values[0]) for form in FORMS for answer in answers]
        permuted = [targets[(place + step) % len(targets)] for step in (0, 1, len(targets) // 2)]
        for text in (*texts, *OWN):
            verdicts = [verify(verifier, Response("ok", text), target, sample.context) for target in (*permuted, None)]
            assert len({repr((found.extracted, found.span)) for found in verdicts}) == 1, (text, verdicts)
            answered = {found.outcome == "no_answer" for found in verdicts if found.outcome != "unscored"}
            assert len(answered) <= 1, (text, verdicts)


@pytest.mark.parametrize(("name", "protocol"), PROTOCOLS)
def test_the_context_does_not_change_with_the_gold_columns(name: str, protocol: str) -> None:
    """The rows themselves are changed: each gets the gold columns of every other, and nothing else."""
    task = task_of(name, protocol)
    if task.card.dataset.synthetic is not None:
        return  # it has no columns; its options are the card's own
    rows = [row for row, _ in zip(task.open(DataOptions(data_dir=DATA)).source.rows(), range(8), strict=False)]
    changed = refused = 0
    for row in rows:
        try:
            own = task.sample(row, AskStyle())
        except DataError:
            continue
        for other in rows:
            try:
                sample = task.sample(with_gold_of(task, row, other), AskStyle())
            except DataError:
                refused += 1  # a gold that this row cannot have: no option of it, say
                continue
            changed += sample.target != own.target
            assert plain(sample.context) == plain(own.context)
    assert (
        changed
        or refused
        or len({repr(sample.target) for sample in samples_of(name, protocol)}) == 1
        or fixed_gold(task)
    )


def with_gold_of(task: Task, row: Row, other: Row) -> Row:
    columns = gold_columns(task.card)
    computed = any(column.startswith("row[") for column in columns)
    gold = {key for key in row.values if key in columns or (computed and moves_target_alone(task, row, other, key))}
    values = {**row.values, **{key: other.values[key] for key in gold if key in other.values}}
    for column, _, member in (name.partition(".") for name in columns if "." in name):
        if isinstance(values.get(column), dict) and member in (there := other.values[column]):
            values[column] = {**values[column], member: there[member]}
    return replace(row, values=values)


def moves_target_alone(task: Task, row: Row, other: Row, key: str) -> bool:
    """Whether a cell decides the target and not the question, for golds whose column is computed."""
    if key not in other.values:
        return False
    try:
        before = task.sample(row, AskStyle())
        after = task.sample(replace(row, values={**row.values, key: other.values[key]}), AskStyle())
    except DataError:
        return False
    return before.target != after.target and before.item["question"] == after.item["question"]


def fixed_gold(task: Task) -> bool:
    """Whether the target is none, or made of what is shown (the order of a pair)."""
    return task.card.answer.withheld or not gold_columns(task.card)


@pytest.mark.parametrize(("name", "protocol"), PROTOCOLS)
def test_no_shipped_card_reads_its_gold_for_a_parser(name: str, protocol: str) -> None:
    assert not leaks(task_of(name, protocol).card)


CARD: dict[str, Any] = {
    "name": "mine", "family": "custom", "title": "Mine", "dataset": {"local": {"files": ["a.jsonl"]}},
    "fields": {"question": "q", "answer": "gold", "choices": "options"}, "answer": {"kind": "mixed", "target": "letter"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("fields", "answer", "key"),
    [
        ({"answer_type": "gold"}, {}, "fields.answer_type"),
        ({"answer_type": "= 'number' if gold.isdigit() else 'text'"}, {}, "fields.answer_type"),
        ({"answer_type": "= 'number' if row.gold.isdigit() else 'text'"}, {}, "fields.answer_type"),
        ({"answer_type": "= 'number' if row['gold'].isdigit() else 'text'"}, {}, "fields.answer_type"),
        ({"answer_type": "= 'number' if row.get('gold') else 'text'"}, {}, "fields.answer_type"),
        ({"answer_type": "kind", "question": "= q ~ n", "answer": "= row['g' ~ n]"}, {"row_options": {"precision": "= row['g' ~ n]"}}, "answer.row_options.precision"),
        ({"answer_type": "kind"}, {"row_options": ["gold"]}, "answer.row_options.gold"),
        ({"answer_type": "kind"}, {"row_options": {"unit": "= gold.split()[1]"}}, "answer.row_options.unit"),
        ({"answer_type": "kind", "answer": "= {'box': box, 'size': size}"}, {"row_options": {"precision": "size"}}, "answer.row_options.precision"),
        ({"answer_type": "kind"}, {"coordinates": "= 'unit' if gold[0] < 1 else 'pixels'"}, "answer.coordinates"),
        ({"answer_type": "kind", "choices": "gold"}, {}, "fields.choices"),
        ({"answer_type": "kind", "answer": "= rating.labels"}, {"row_options": {"unit": "= rating"}}, "answer.row_options.unit"),
        ({"answer_type": "kind", "answer": "rating.labels"}, {"row_options": {"unit": "= row.rating['labels'][0]"}}, "answer.row_options.unit"),
    ],
)  # fmt: skip
def test_a_card_that_shows_a_parser_its_gold_is_refused(
    fields: dict[str, Any], answer: dict[str, Any], key: str
) -> None:
    card = parse_card({**CARD, "fields": {**CARD["fields"], **fields}, "answer": {**CARD["answer"], **answer}}, "mine")
    lines = [line for line in problems(card) if "gold" in line]
    assert [line.partition(":")[0] for line in lines] == [key]
    assert "parsers never see that" in lines[0]


@pytest.mark.parametrize(
    ("fields", "answer"),
    [
        ({"answer_type": "= 'choice' if options else 'open'"}, {}),
        ({"answer_type": "kind", "choices": "= [gold, other] | sort"}, {}),
        ({"answer_type": "kind", "answer": "= options.index(gold)"}, {"row_options": {"precision": "digits"}}),
        ({"answer_type": "= 'choice' if 'gold' in kind else 'text'"}, {}),
        (
            {"answer_type": "kind", "answer": "= rating.labels"},
            {"row_options": {"precision": "= rating.steps | length"}},
        ),
    ],
)
def test_what_a_parser_may_know_is_no_mistake(fields: dict[str, Any], answer: dict[str, Any]) -> None:
    card = parse_card({**CARD, "fields": {**CARD["fields"], **fields}, "answer": {**CARD["answer"], **answer}}, "mine")
    assert not leaks(card)


def test_columns_of_an_expression() -> None:
    assert reads("a.b") == {"a.b"}
    assert reads("= a[0] ~ row.b ~ row['c d'] ~ row.get('e', f) ~ (g | literal).h") == {"a", "b", "c d", "e", "f", "g"}
    assert reads("= a.b.strip() ~ c['d'].e[f]") == {"a.b", "c.d.e", "f"}
    assert reads("= [x for") == frozenset()
